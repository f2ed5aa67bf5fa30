#!/usr/bin/python
# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Let one procedure at a time work on a cluster."""

from __future__ import annotations

DOCUMENTATION = r"""
module: procedure_lease
short_description: Let one procedure at a time work on a cluster
version_added: 0.2.0
author: Quorum contributors (@quorum)
description:
  - Holds the Lease C(quorum.kubeadm) of the namespace kube-system, which says which procedure is at work, which run of it, and which steps it has begun.
    It does not expire. Whether the run that holds it lives is for M(quorum.kubeadm.cluster_plan) to judge; here it is only replaced when it is the one
    that O(takes_over) names.
  - Runs on a control plane that serves.
extends_documentation_fragment: quorum.kubeadm.attributes.changes
options:
  state:
    description:
      - V(held) takes the Lease, or says one more O(step) of a run that has it. V(free) deletes it. V(marked) lets go of it and says why the procedure
        is not done (O(failed)); the next run of the same procedure takes it.
    type: str
    choices: [held, free, marked]
    default: held
  run:
    description: The name of the run.
    type: str
    required: true
  procedure:
    description: The procedure.
    type: str
    required: true
  takes_over:
    description: The name of the run that held the Lease and is dead.
    type: str
    default: ""
  step:
    description: What the run begins now.
    type: str
    default: ""
  failed:
    description: Why the procedure is not done, with O(state=marked).
    type: str
    default: ""
"""

EXAMPLES = r"""
- name: Keep other procedures away
  quorum.kubeadm.procedure_lease:
    run: "{{ plan.lease.run }}"
    takes_over: "{{ plan.lease.takes_over }}"
    procedure: reboot
  become: true
  delegate_to: cp1

- name: Let others work
  quorum.kubeadm.procedure_lease:
    state: free
    run: "{{ plan.lease.run }}"
    procedure: reboot
  become: true
  delegate_to: cp1
"""

RETURN = r"""
held:
  description: Whether this run holds the Lease now.
  returned: success
  type: bool
"""

import json
from datetime import datetime, timezone
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.quorum.kubeadm.plugins.module_utils.cluster_state import FAILED, LEASE, PROCEDURE, STEPS
from ansible_collections.quorum.kubeadm.plugins.module_utils.control_plane import NoControlPlane, local_kubectl
from ansible_collections.quorum.kubeadm.plugins.module_utils.kubectl import Deadline, Kubectl, KubectlError, KubernetesObject

NAMESPACE = "--namespace=kube-system"
SECONDS = 60
# Each visit has a few; the last ones tell where a run was.
KEPT_STEPS = 20


def lease(run: str, procedure: str, step: str, failed: str, before: KubernetesObject | None, now: datetime) -> KubernetesObject:
    """Return the Lease as it has to be; one that was there keeps its version, so that nobody else's change is lost, and its steps."""
    metadata = before["metadata"] if before else {}
    steps = metadata.get("annotations", {}).get(STEPS, "").splitlines()
    if step:
        steps = [*steps, f"{now:%Y-%m-%dT%H:%M:%SZ} {step}"][-KEPT_STEPS:]
    moment = now.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    same = before is not None and before["spec"].get("holderIdentity") == run
    return {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {
            "name": LEASE,
            "namespace": "kube-system",
            **({"resourceVersion": metadata["resourceVersion"]} if before else {}),
            "annotations": {PROCEDURE: procedure, STEPS: "\n".join(steps), **({FAILED: failed} if failed else {})},
        },
        "spec": {
            "holderIdentity": "" if failed else run,
            "acquireTime": before["spec"].get("acquireTime", moment) if before and same else moment,
            "renewTime": moment,
        },
    }


def refusal(before: KubernetesObject | None, run: str, takes_over: str) -> str:
    """Say why the run cannot have the Lease; nothing where it can."""
    holder = (before["spec"].get("holderIdentity") or "") if before else ""
    if holder in ("", run, takes_over):
        return ""
    procedure = before["metadata"].get("annotations", {}).get(PROCEDURE, "a procedure") if before else ""
    return f"{procedure} is at work on this cluster meanwhile, begun by {holder}: wait until it has ended"


def work(kubectl: Kubectl, given: dict[str, Any], check_mode: bool, now: datetime) -> bool:
    """Bring the Lease into the state; return whether that changed it. Raises KubectlError, also when another run was quicker."""
    found = kubectl.objects(NAMESPACE, "get", "lease", LEASE, "--ignore-not-found")
    before = found[0] if found else None
    why = refusal(before, given["run"], given["takes_over"])
    if given["state"] == "free":
        if before is None or why:
            return False
        if not check_mode:
            kubectl(NAMESPACE, "delete", "lease", LEASE, "--ignore-not-found")
        return True
    if why:
        raise KubectlError(why)
    failed = given["failed"] if given["state"] == "marked" else ""
    if not check_mode:
        wanted = lease(given["run"], given["procedure"], given["step"], failed, before, now)
        # Neither overwrites what another run has written since it was read.
        kubectl("replace" if before else "create", "-f", "-", stdin=json.dumps(wanted))
    return before is None or before["spec"].get("holderIdentity") != given["run"] or bool(given["step"] or failed)


def main() -> None:
    """Entry point."""
    module = AnsibleModule(
        argument_spec={
            "state": {"type": "str", "choices": ["held", "free", "marked"], "default": "held"},
            "run": {"type": "str", "required": True},
            "procedure": {"type": "str", "required": True},
            "takes_over": {"type": "str", "default": ""},
            "step": {"type": "str", "default": ""},
            "failed": {"type": "str", "default": ""},
        },
        required_if=[("state", "marked", ["failed"])],
        supports_check_mode=True,
    )
    try:
        changed = work(local_kubectl(Deadline(SECONDS)), module.params, module.check_mode, datetime.now(timezone.utc))
    except (KubectlError, NoControlPlane, OSError) as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=changed, held=module.params["state"] == "held")


if __name__ == "__main__":
    main()
