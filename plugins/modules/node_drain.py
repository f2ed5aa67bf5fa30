#!/usr/bin/python
# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Move the pods of a node away before it is worked on, and let pods back afterwards."""

from __future__ import annotations

DOCUMENTATION = r"""
module: node_drain
short_description: Move the pods of a node away before it is worked on, and let pods back afterwards
version_added: 0.2.0
author: Quorum contributors (@quorum)
description:
  - Marks a node as being worked on, cordons it, and evicts its pods by the eviction API, which honours PodDisruptionBudgets. Pods of DaemonSets and the
    kubelet's static pods stay. When something does not go within O(timeout), the module fails and names it, with the budget that keeps it. Nothing is
    ever forced; a pod that nobody would create anew is refused before anything is done.
  - An annotation remembers that it was this collection which cordoned the node, so that the next run takes back the cordon of one that was killed. A
    cordon without it is an administrator's, and stays.
  - Afterwards it waits until what was evicted runs again, there or elsewhere, with as many ready pods as before.
  - A node that is not Ready confirms no pod that has ended. There it does not wait for those that were told to end.
  - Runs on a control plane that serves, and asks its own API server.
extends_documentation_fragment: quorum.kubeadm.attributes.changes
attributes:
  check_mode:
    description: Says what would be evicted; nothing is.
options:
  node:
    description: The name of the node.
    type: str
    required: true
  state:
    description:
      - V(entered) marks the node as being worked on, and does no more. V(drained) cordons it as well, and evicts its pods.
      - V(left) takes back what this collection did, waits until what was evicted runs again, and removes the mark at the end.
    type: str
    choices: [entered, drained, left]
    required: true
  run:
    description: A name for who does so, which the mark contains. An older module of another run that still evicts ends when it sees it.
    type: str
    default: by hand
  timeout:
    description: Seconds for everything.
    type: float
    default: 600
"""

EXAMPLES = r"""
- name: Move its pods away
  quorum.kubeadm.node_drain:
    node: w1
    state: drained
  become: true
  delegate_to: cp1

- name: Let pods back, and wait until those that were evicted run
  quorum.kubeadm.node_drain:
    node: w1
    state: left
  become: true
  delegate_to: cp1
"""

RETURN = r"""
evicted:
  description: The pods that were evicted; in check mode those that would be.
  returned: success
  type: list
  elements: str
  sample: [default/web-6d4b75cb6d-hx2lp]
cordoned_by_others:
  description: Whether the node is unschedulable, and not by this collection.
  returned: success
  type: bool
"""

import json
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Callable, Sequence

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.quorum.kubeadm.plugins.module_utils.cluster_state import MAINTENANCE, parse_node
from ansible_collections.quorum.kubeadm.plugins.module_utils.control_plane import NoControlPlane, local_kubectl
from ansible_collections.quorum.kubeadm.plugins.module_utils.kubectl import Deadline, Kubectl, KubectlError, KubernetesObject, as_list
from ansible_collections.quorum.kubeadm.plugins.module_utils.node_drain import (
    CORDONED_BY,
    COUNTING,
    EVICTED,
    Pod,
    identity,
    leaves,
    lost_for_ever,
    merged,
    noted,
    not_again,
    why_kept,
    workloads,
)

PAUSE = 1.0
SIDE_BY_SIDE = 4
# The deadline is for the pods; what is asked afterwards, to say what keeps them, has a bound of its own.
LAST_QUESTION = 15.0


class DrainError(Exception):
    """The node cannot be drained, or what was evicted does not run again; the text is for the operator."""


class Drain:
    """One node."""

    def __init__(self, node: str, run: str, kubectl: Kubectl, sleep: Callable[[float], None] = time.sleep) -> None:
        self.node, self.run = node, run
        self._kubectl, self._sleep = kubectl, sleep

    def look(self) -> KubernetesObject:
        """Return the Node."""
        return self._kubectl.objects("get", "node", self.node)[0]

    def annotations(self, node: KubernetesObject) -> dict[str, str]:
        """Return the Node's annotations."""
        found: dict[str, str] = node["metadata"].get("annotations", {})
        return found

    def patch(self, annotations: dict[str, str | None], **spec: Any) -> None:
        """Change the Node's annotations, and fields of its spec, in one request."""
        body = {"metadata": {"annotations": annotations}, **({"spec": spec} if spec else {})}
        self._kubectl("patch", "node", self.node, "--type=merge", "--patch", json.dumps(body))

    def cordon(self, node: KubernetesObject) -> None:
        """Keep new pods away, and remember that it was us; a cordon that somebody else has set is not ours to remember."""
        ours: dict[str, str | None] = {MAINTENANCE: self.run}
        taken = node["spec"].get("unschedulable") and CORDONED_BY not in self.annotations(node)
        if not taken:
            ours[CORDONED_BY] = self.run
        self.patch(ours, **({} if taken else {"unschedulable": True}))

    def pods(self) -> list[KubernetesObject]:
        """Return the pods that have to leave."""
        found = self._kubectl.objects("get", "pods", "--all-namespaces", f"--field-selector=spec.nodeName={self.node}")
        return [pod for pod in found if leaves(pod)]

    def evict(self, pod: Pod) -> str:
        """Ask the API server to evict a pod; return why it does not."""
        eviction = {
            "apiVersion": "policy/v1",
            "kind": "Eviction",
            "metadata": {"name": pod.name, "namespace": pod.namespace},
            "deleteOptions": {"preconditions": {"uid": pod.uid}},
        }
        path = f"/api/v1/namespaces/{pod.namespace}/pods/{pod.name}/eviction"
        done = self._kubectl.attempt("create", "--raw", path, "-f", "-", stdin=json.dumps(eviction), seconds=LAST_QUESTION)
        gone = done.rc == 0 or "NotFound" in done.stderr or "Precondition failed" in done.stderr
        return "" if gone else f"the API server does not evict it: {done.stderr.strip()}"

    def note(self, pods: Sequence[KubernetesObject], annotations: dict[str, str]) -> None:
        """Remember what has to run again."""
        owners = self._kubectl.objects("get", "deployments,replicasets,statefulsets,replicationcontrollers", "--all-namespaces")
        wanted = merged(noted(annotations.get(EVICTED)), workloads(pods, owners))
        self.patch({EVICTED: json.dumps(wanted)})

    def drain(self) -> list[str]:
        """Evict every pod that leaves, and wait until all are gone; return their names."""
        refused: dict[Pod, str] = {}
        evicted: dict[Pod, None] = {}
        while True:
            node, left = self.look(), self.pods()
            if not parse_node(node)["ready"]:
                left = [pod for pod in left if not pod["metadata"].get("deletionTimestamp")]
            if not left:
                return [str(pod) for pod in evicted]
            if self.annotations(node).get(MAINTENANCE) != self.run:
                raise DrainError(f"{self.node}: another run works on it now, so this one evicts nothing more")
            if not self._kubectl.deadline.left:
                break
            waiting = [identity(pod) for pod in left if not pod["metadata"].get("deletionTimestamp")]
            with ThreadPoolExecutor(max_workers=SIDE_BY_SIDE) as side_by_side:
                refused = dict(zip(waiting, side_by_side.map(self.evict, waiting)))
            evicted.update(dict.fromkeys(pod for pod, why in refused.items() if not why))
            self._sleep(PAUSE)
        late = self._kubectl.attempt("get", "poddisruptionbudgets", "--all-namespaces", "--output=json", seconds=LAST_QUESTION, late=True)
        budgets = json.loads(late.stdout)["items"] if late.rc == 0 else []
        kept = "; ".join(why_kept(left, budgets, refused))
        raise DrainError(
            f"{self.node} is not drained after {self._kubectl.deadline.seconds:g} s. {kept}. Nothing is forced: let the budget go by, with more replicas or by "
            "changing it, or end these pods yourself"
        )

    def enter(self, drain: bool, check_mode: bool) -> dict[str, Any]:
        """Mark the node, and drain it if so wanted."""
        node = self.look()
        annotations = self.annotations(node)
        others = bool(node["spec"].get("unschedulable")) and CORDONED_BY not in annotations
        pods = self.pods() if drain else []
        bare = lost_for_ever(pods)
        if bare:
            raise DrainError(
                f"{self.node}: nobody would create {', '.join(bare)} anew, so nothing is evicted. Delete what is not needed, or let a Deployment or another "
                "workload have it"
            )
        if not check_mode:
            if drain:
                self.cordon(node)
                self.note(pods, annotations)
                return {"changed": True, "evicted": self.drain(), "cordoned_by_others": others}
            self.patch({MAINTENANCE: self.run})
        would = bool(pods) or annotations.get(MAINTENANCE) != self.run
        return {"changed": would, "evicted": [str(identity(pod)) for pod in pods], "cordoned_by_others": others}

    def missing(self, wanted: Sequence[Any]) -> list[str]:
        """Say what does not run again yet."""
        if not wanted:
            return []
        versions = {kind: "v1" if kind == "ReplicationController" else "apps/v1" for kind in COUNTING}
        asked = [
            {"apiVersion": versions[one["kind"]], "kind": one["kind"], "metadata": {"name": one["name"], "namespace": one["namespace"]}} for one in wanted
        ]
        return not_again(wanted, self._kubectl.objects("get", "--ignore-not-found", "-f", "-", stdin=as_list(asked)))

    def leave(self, check_mode: bool) -> dict[str, Any]:
        """Let pods back, wait for those that were evicted, and take the marks off."""
        node = self.look()
        annotations = self.annotations(node)
        ours = CORDONED_BY in annotations
        others = bool(node["spec"].get("unschedulable")) and not ours
        changed = any(name in annotations for name in (MAINTENANCE, CORDONED_BY, EVICTED))
        if changed and not check_mode:
            if ours:
                self.patch({CORDONED_BY: None}, unschedulable=None)
            wanted = noted(annotations.get(EVICTED))
            missing = self.missing(wanted)
            while missing and self._kubectl.deadline.left:
                self._sleep(PAUSE)
                missing = self.missing(wanted)
            if missing:
                raise DrainError(
                    f"{self.node} takes pods again, but after {self._kubectl.deadline.seconds:g} s not all that was evicted runs again: "
                    f"{'; '.join(missing)}. See "
                    "`kubectl get events`"
                )
            self.patch({MAINTENANCE: None, EVICTED: None})
        return {"changed": changed, "evicted": [], "cordoned_by_others": others}


def main() -> None:
    """Entry point."""
    module = AnsibleModule(
        argument_spec={
            "node": {"type": "str", "required": True},
            "state": {"type": "str", "choices": ["entered", "drained", "left"], "required": True},
            "run": {"type": "str", "default": "by hand"},
            "timeout": {"type": "float", "default": 600},
        },
        supports_check_mode=True,
    )
    given = module.params
    try:
        drain = Drain(given["node"], given["run"], local_kubectl(Deadline(given["timeout"])))
        result = drain.leave(module.check_mode) if given["state"] == "left" else drain.enter(given["state"] == "drained", module.check_mode)
    except (DrainError, KubectlError, NoControlPlane, OSError) as error:
        module.fail_json(msg=str(error))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
