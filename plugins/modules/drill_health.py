#!/usr/bin/python
# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Wait until a cluster is well enough to break something in it."""

from __future__ import annotations

DOCUMENTATION = r"""
module: drill_health
short_description: Wait until a cluster is well enough to break something in it
version_added: 0.1.0
author: Quorum contributors (@quorum)
description:
  - Waits until every node is Ready and every etcd member is a healthy voter, and tells who leads etcd.
  - Runs on a control plane and asks its own API server and etcd. An etcd that is not on the control planes is not asked.
  - It reads, and never changes anything.
extends_documentation_fragment: quorum.kubeadm.attributes.reads
options:
  nodes:
    description: The names of the nodes that must be Ready.
    type: list
    elements: str
    required: true
  voters:
    description: How many voters etcd must have.
    type: int
    required: true
  timeout:
    description: Seconds to wait.
    type: float
    default: 300
"""

EXAMPLES = r"""
- name: Wait until all is well
  quorum.kubeadm.drill_health:
    nodes: [cp1, cp2, cp3, w1]
    voters: 3
  register: health
"""

RETURN = r"""
etcd_leader:
  description: The name of etcd's leader; empty when etcd is not on the control planes.
  returned: success
  type: str
  sample: cp2
"""

import time
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.quorum.kubeadm.plugins.module_utils.control_plane import NoControlPlane, local_kubectl
from ansible_collections.quorum.kubeadm.plugins.module_utils.drill_health import look_at_etcd, node_problems
from ansible_collections.quorum.kubeadm.plugins.module_utils.etcd import CLIENT_CERTIFICATE, asker
from ansible_collections.quorum.kubeadm.plugins.module_utils.kubectl import Deadline, KubectlError

PAUSE = 0.5


def main() -> None:
    """Look until all is well."""
    module = AnsibleModule(
        argument_spec={
            "nodes": {"type": "list", "elements": "str", "required": True},
            "voters": {"type": "int", "required": True},
            "timeout": {"type": "float", "default": 300},
        },
        supports_check_mode=True,
    )
    deadline = Deadline(module.params["timeout"])
    try:
        kubectl = local_kubectl(deadline)
        ask = asker() if (Path("/") / CLIENT_CERTIFICATE).exists() else None
    except (NoControlPlane, OSError) as error:
        module.fail_json(msg=str(error))
    while True:
        try:
            problems = node_problems(kubectl.objects("get", "nodes"), module.params["nodes"])
        except KubectlError as error:
            problems = [str(error)]
        more, leader = look_at_etcd(ask, module.params["voters"]) if ask else ([], "")
        if not problems and not more:
            module.exit_json(changed=False, etcd_leader=leader)
        if not deadline.left:
            module.fail_json(msg=f"after {module.params['timeout']:g} s the cluster is not healthy: {'; '.join([*problems, *more])}")
        time.sleep(PAUSE)


if __name__ == "__main__":
    main()
