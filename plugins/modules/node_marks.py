#!/usr/bin/python
# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Set labels and taints of a node."""

from __future__ import annotations

DOCUMENTATION = r"""
module: node_marks
short_description: Set labels and taints of a node
version_added: 0.2.0
author: Quorum contributors (@quorum)
description:
  - Sets and removes labels and taints of a node that belongs to a cluster, asked of the control plane it runs on. What is not named stays.
  - Needs C(become), since the administrator's kubeconfig is root's.
extends_documentation_fragment: quorum.kubeadm.attributes.changes
attributes:
  diff_mode:
    description: Shows the labels and taints that are set and removed.
    support: full
options:
  node:
    description: The name of the node.
    type: str
    required: true
  labels:
    description: Labels by their names; a label without a value is removed.
    type: dict
    default: {}
  taints:
    description: Taints to set, as C(kubectl taint) writes them.
    type: list
    elements: str
    default: []
  absent_taints:
    description: Taints to remove, written the same way.
    type: list
    elements: str
    default: []
  timeout:
    description: How many seconds the API server may take.
    type: int
    default: 60
"""

EXAMPLES = r"""
- name: Mark a node with a GPU
  quorum.kubeadm.node_marks:
    node: w1
    labels: {example.org/gpu: "true", example.org/spare: null}
    taints: [example.org/gpu:NoSchedule]
"""

RETURN = r"""
set:
  description: The labels and taints that were set, or would be.
  returned: success
  type: list
  elements: str
  sample: ["label example.org/gpu=true"]
removed:
  description: Those that were removed, or would be.
  returned: success
  type: list
  elements: str
"""

from typing import Any, Mapping, NamedTuple

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.quorum.kubeadm.plugins.module_utils.control_plane import NoControlPlane, local_kubectl
from ansible_collections.quorum.kubeadm.plugins.module_utils.kubeadm_render import taint_text
from ansible_collections.quorum.kubeadm.plugins.module_utils.kubectl import Deadline, Kubectl, KubectlError, KubernetesObject


class Marks(NamedTuple):
    """What is to be set and removed, as words for kubectl."""

    labels: list[str]
    absent_labels: list[str]
    taints: list[str]
    absent_taints: list[str]


def missing(params: Mapping[str, Any], node: KubernetesObject) -> Marks:
    """Return what is not yet as it is wanted."""
    labels = node["metadata"].get("labels", {})
    taints = [taint_text(taint) for taint in node.get("spec", {}).get("taints", [])]
    return Marks(
        labels=[f"{name}={value}" for name, value in params["labels"].items() if value is not None and labels.get(name) != value],
        absent_labels=[name for name, value in params["labels"].items() if value is None and name in labels],
        taints=[taint for taint in params["taints"] if taint not in taints],
        absent_taints=[taint for taint in params["absent_taints"] if taint in taints],
    )


def apply(name: str, marks: Marks, kubectl: Kubectl) -> None:
    """Set and remove them."""
    labels = [*marks.labels, *(f"{label}-" for label in marks.absent_labels)]
    if labels:
        kubectl("label", "node", name, "--overwrite", *labels)
    # kubectl removes a taint by its key and effect, and refuses one that it both sets and removes.
    kinds = {_kind(taint) for taint in marks.taints}
    taints = [*marks.taints, *(f"{kind}-" for kind in map(_kind, marks.absent_taints) if kind not in kinds)]
    if taints:
        kubectl("taint", "node", name, "--overwrite", *taints)


def _kind(taint: str) -> str:
    key, _colon, effect = taint.rpartition(":")
    return f"{key.partition('=')[0]}:{effect}"


def main() -> None:
    """Entry point."""
    module = AnsibleModule(
        argument_spec={
            "node": {"type": "str", "required": True},
            "labels": {"type": "dict", "default": {}},
            "taints": {"type": "list", "elements": "str", "default": []},
            "absent_taints": {"type": "list", "elements": "str", "default": []},
            "timeout": {"type": "int", "default": 60},
        },
        supports_check_mode=True,
    )
    name = module.params["node"]
    try:
        kubectl = local_kubectl(Deadline(module.params["timeout"]))
        marks = missing(module.params, kubectl.objects("get", "node", name)[0])
        if any(marks) and not module.check_mode:
            apply(name, marks, kubectl)
    except (KubectlError, NoControlPlane, OSError) as error:
        module.fail_json(msg=str(error))
    added = [*(f"label {label}" for label in marks.labels), *(f"taint {taint}" for taint in marks.taints)]
    removed = [*(f"label {label}" for label in marks.absent_labels), *(f"taint {taint}" for taint in marks.absent_taints)]
    before, after = ("".join(f"{name}: {mark}\n" for mark in marked) for marked in (removed, added))
    module.exit_json(changed=any(marks), set=added, removed=removed, diff={"before": before, "after": after} if any(marks) else {})


if __name__ == "__main__":
    main()
