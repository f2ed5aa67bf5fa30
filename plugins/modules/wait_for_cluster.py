#!/usr/bin/python
# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: wait_for_cluster
short_description: Wait until workloads and nodes are ready, and say why when they are not
version_added: 0.1.0
author: Quorum contributors (@quorum)
description:
  - Waits, on a host that has C(kubectl) and a kubeconfig, until every named workload is rolled out and every named node is Ready.
  - Follows the API server's events instead of asking again and again.
  - A node turns Ready as soon as a CNI configuration lies on it, also while the pod network's daemon crashes. Wait for its workloads too.
extends_documentation_fragment:
  - quorum.kubeadm.attributes.reads
  - quorum.kubeadm.cluster.kubeconfig
attributes:
  check_mode:
    description: Looks once and returns what is not ready; nothing is waited for and nothing fails.
options:
  workloads:
    description: Workloads to wait for.
    type: list
    elements: dict
    default: []
    suboptions:
      kind:
        description: The workload's kind.
        type: str
        required: true
        choices: [DaemonSet, Deployment]
      namespace:
        description: The workload's namespace.
        type: str
        default: default
      name:
        description: The workload's name.
        type: str
        required: true
  nodes:
    description: Names of nodes to wait for.
    type: list
    elements: str
    default: []
  timeout:
    description: Seconds to wait for everything together.
    type: float
    default: 300
"""

EXAMPLES = r"""
- name: Wait for the pod network and the nodes
  quorum.kubeadm.wait_for_cluster:
    workloads:
      - kind: DaemonSet
        namespace: kube-system
        name: calico-node
      - kind: Deployment
        namespace: kube-system
        name: calico-kube-controllers
    nodes: [cp1, w1]
    timeout: 240
"""

RETURN = r"""
pending:
  description: What is not ready. Empty on success, except in check mode.
  returned: always
  type: list
  elements: dict
  contains:
    kind:
      description: Kind of the object.
      type: str
      sample: DaemonSet
    namespace:
      description: Namespace of the object; empty for a node.
      type: str
      sample: kube-system
    name:
      description: Name of the object.
      type: str
      sample: calico-node
    reason:
      description: What is missing.
      type: str
      sample: 2 of 3 pods are available
    details:
      description: What keeps its pods, and its last warning events.
      type: list
      elements: str
      sample: ["pod calico-node-x2v5d on w1: container calico-node waits: ImagePullBackOff"]
"""

import os

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.quorum.kubeadm.plugins.module_utils.cluster_wait import Pending, Target, explain, read, report, wait
from ansible_collections.quorum.kubeadm.plugins.module_utils.kubectl import Deadline, Kubectl, KubectlError


def main() -> None:
    """Read the options, wait, report."""
    module = AnsibleModule(
        argument_spec={
            "workloads": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "options": {
                    "kind": {"type": "str", "required": True, "choices": ["DaemonSet", "Deployment"]},
                    "namespace": {"type": "str", "default": "default"},
                    "name": {"type": "str", "required": True},
                },
            },
            "nodes": {"type": "list", "elements": "str", "default": []},
            "kubeconfig": {"type": "path", "default": "/etc/kubernetes/admin.conf"},
            "timeout": {"type": "float", "default": 300},
        },
        supports_check_mode=True,
    )
    parameters = module.params
    targets = [Target(entry["kind"], entry["namespace"], entry["name"]) for entry in parameters["workloads"]]
    targets += [Target("Node", "", name) for name in parameters["nodes"]]
    kubectl = Kubectl(parameters["kubeconfig"], Deadline(parameters["timeout"]))
    try:
        if not module.check_mode:
            missing = wait(kubectl, targets)
        elif os.path.exists(parameters["kubeconfig"]):
            missing = read(kubectl, targets)
        else:
            missing = [Pending(target, "there is no cluster yet", None) for target in targets]
        explained = explain(kubectl, missing)
    except KubectlError as error:
        module.fail_json(msg=str(error), pending=[])
    if explained and not module.check_mode:
        module.fail_json(msg=report(explained, parameters["timeout"]), pending=explained)
    # A check does not wait, so it does not say that all is well.
    module.exit_json(changed=False, skipped=bool(explained), pending=explained, **({"msg": "not there yet in check mode"} if explained else {}))


if __name__ == "__main__":
    main()
