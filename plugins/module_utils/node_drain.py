# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which pods leave a node when it is drained, what keeps them, and whether they run again."""

from __future__ import annotations

import json
from typing import Any, Iterable, Mapping, NamedTuple, Sequence, TypedDict

from ansible_collections.quorum.kubeadm.plugins.module_utils.cluster_state import OURS
from ansible_collections.quorum.kubeadm.plugins.module_utils.kubectl import KubernetesObject

# Of a node that this collection has cordoned: the run that did so. Without it, an unschedulable node is an administrator's business.
CORDONED_BY = f"{OURS}cordoned-by"
# Of a node, JSON: the workloads whose pods were evicted, with the number of pods that were ready before.
EVICTED = f"{OURS}evicted"
MIRROR = "kubernetes.io/config.mirror"
COUNTING = ("Deployment", "ReplicaSet", "StatefulSet", "ReplicationController")


class Workload(TypedDict):
    """What creates pods anew, and how many of them were ready before the first was evicted."""

    kind: str
    namespace: str
    name: str
    ready: int


class Pod(NamedTuple):
    """A pod by its name, and its uid: a new one of the same name is another pod."""

    namespace: str
    name: str
    uid: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


def controller(thing: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return the owner that creates an object anew."""
    return next((owner for owner in thing["metadata"].get("ownerReferences", []) if owner.get("controller")), None)


def identity(pod: Mapping[str, Any]) -> Pod:
    """Return which pod it is."""
    return Pod(pod["metadata"]["namespace"], pod["metadata"]["name"], pod["metadata"]["uid"])


def leaves(pod: Mapping[str, Any]) -> bool:
    """Tell whether a pod leaves a node that is drained: not those of a DaemonSet, not the kubelet's static ones, not those that have ended."""
    owner = controller(pod)
    mirror = MIRROR in pod["metadata"].get("annotations", {})
    return not mirror and not (owner and owner["kind"] == "DaemonSet") and pod.get("status", {}).get("phase") not in ("Succeeded", "Failed")


def lost_for_ever(pods: Iterable[KubernetesObject]) -> list[str]:
    """Return the pods that nobody would create anew."""
    return [str(identity(pod)) for pod in pods if controller(pod) is None]


def selects(selector: Mapping[str, Any] | None, labels: Mapping[str, str]) -> bool:
    """Tell whether a label selector (metav1.LabelSelector) selects an object with these labels; an empty one selects all, none selects nothing."""
    if selector is None:
        return False
    for name, value in selector.get("matchLabels", {}).items():
        if labels.get(name) != value:
            return False
    for one in selector.get("matchExpressions", []):
        there, value = one["key"] in labels, labels.get(one["key"])
        holds = {
            "In": there and value in one.get("values", []),
            "NotIn": not there or value not in one.get("values", []),
            "Exists": there,
            "DoesNotExist": not there,
        }[one["operator"]]
        if not holds:
            return False
    return True


def blocking(pod: Mapping[str, Any], budgets: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return the PodDisruptionBudgets that keep a pod, each with what it says."""
    metadata = pod["metadata"]
    found = []
    for budget in budgets:
        status = budget.get("status", {})
        if budget["metadata"]["namespace"] != metadata["namespace"] or not selects(budget["spec"].get("selector"), metadata.get("labels", {})):
            continue
        if status.get("disruptionsAllowed", 0) < 1:
            counts = f"{status.get('currentHealthy', 0)} healthy pods, wants {status.get('desiredHealthy', 0)}"
            found.append(f"PodDisruptionBudget {metadata['namespace']}/{budget['metadata']['name']} (has {counts})")
    return found


def why_kept(left: Iterable[KubernetesObject], budgets: Sequence[KubernetesObject], refused: Mapping[Pod, str]) -> list[str]:
    """Say for each pod that has not left what keeps it, pods with the same reason together."""
    together: dict[str, list[str]] = {}
    for pod in left:
        blocked = " and ".join(blocking(pod, budgets))
        if pod["metadata"].get("deletionTimestamp"):
            reason = "was told to end and has not ended: its grace period is long, or its kubelet does not answer"
        elif blocked:
            reason = f"kept by {blocked}"
        else:
            reason = refused.get(identity(pod), "was not evicted in time")
        together.setdefault(reason, []).append(str(identity(pod)))
    return [f"{', '.join(pods)}: {reason}" for reason, pods in together.items()]


def workloads(pods: Iterable[KubernetesObject], owners: Iterable[KubernetesObject]) -> list[Workload]:
    """Return what has to create these pods anew, as far as it counts its ready pods: a Deployment for its ReplicaSet, which a rollout replaces."""
    known = {(owner["kind"], owner["metadata"]["namespace"], owner["metadata"]["name"]): owner for owner in owners}
    found: dict[tuple[str, str, str], KubernetesObject] = {}
    for pod in pods:
        namespace, owner = pod["metadata"]["namespace"], controller(pod)
        while owner and (owner["kind"], namespace, owner["name"]) in known:
            key = (owner["kind"], namespace, owner["name"])
            found.setdefault(key, known[key])
            owner = controller(known[key])
            if owner and (owner["kind"], namespace, owner["name"]) in known:
                found.pop(key)
    return [
        Workload(kind=kind, namespace=namespace, name=name, ready=one.get("status", {}).get("readyReplicas", 0))
        for (kind, namespace, name), one in found.items()
    ]


def merged(before: Iterable[Workload], now: Iterable[Workload]) -> list[Workload]:
    """Add workloads to those that a run which was cut short has noted: theirs is the number from before the first eviction."""
    noted = {(one["kind"], one["namespace"], one["name"]): one for one in [*now, *before]}
    return list(noted.values())


def noted(text: str | None) -> list[Workload]:
    """Read the annotation EVICTED; nothing of one that somebody has changed."""
    try:
        return [Workload(kind=one["kind"], namespace=one["namespace"], name=one["name"], ready=int(one["ready"])) for one in json.loads(text or "[]")]
    except (ValueError, KeyError, TypeError):
        return []


def not_again(wanted: Iterable[Workload], found: Iterable[KubernetesObject]) -> list[str]:
    """Say which workloads have fewer ready pods than before. One that is gone or was made smaller meanwhile is nobody's loss."""
    there = {(one["kind"], one["metadata"]["namespace"], one["metadata"]["name"]): one for one in found}
    missing = []
    for one in wanted:
        workload = there.get((one["kind"], one["namespace"], one["name"]))
        if workload is None:
            continue
        needed = min(one["ready"], workload["spec"].get("replicas", 1))
        ready = workload.get("status", {}).get("readyReplicas", 0)
        if ready < needed:
            missing.append(f"{one['kind']} {one['namespace']}/{one['name']} has {ready} ready pods, and had {needed}")
    return missing
