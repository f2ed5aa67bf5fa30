#!/usr/bin/python
# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Require that a cluster goes on without one of its nodes."""

from __future__ import annotations

DOCUMENTATION = r"""
module: maintenance_gate
short_description: Require that a cluster goes on without one of its nodes
version_added: 0.2.0
author: Quorum contributors (@quorum)
description:
  - Before a node is worked on, requires that the API server of every other control plane is ready, and that every other member of etcd is a healthy
    voter and has no alarm, so that etcd keeps its quorum without this one, which is computed and returned.
  - Runs on a control plane that serves. Waits for a moment, since API servers say no while etcd elects a leader, and fails with all that is wrong.
  - A cluster whose etcd has one or two members does not answer while a control plane is worked on. That is returned, and is no failure.
extends_documentation_fragment: quorum.kubeadm.attributes.reads
options:
  node:
    description: The name of the node that is worked on.
    type: str
    required: true
  timeout:
    description: Seconds to wait.
    type: float
    default: 60
"""

EXAMPLES = r"""
- name: Require that the others do without it
  quorum.kubeadm.maintenance_gate:
    node: cp2
  become: true
  delegate_to: cp1
  register: gate

- name: Say how it is with etcd
  ansible.builtin.debug:
    msg: "{{ gate.quorum }}"
"""

RETURN = r"""
quorum:
  description: How it is with etcd without the node; empty where kubeadm runs no etcd on the host that was asked.
  returned: success
  type: str
  sample: etcd has 2 healthy of 3 voters without cp2, and needs 2
"""

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Callable

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.quorum.kubeadm.plugins.module_utils.api_server import why_not_ready
from ansible_collections.quorum.kubeadm.plugins.module_utils.cluster_state import parse_node
from ansible_collections.quorum.kubeadm.plugins.module_utils.control_plane import NoControlPlane, local_kubectl, read_control_plane
from ansible_collections.quorum.kubeadm.plugins.module_utils.etcd import Ask, EtcdError, asker, list_members, local_endpoints, with_status
from ansible_collections.quorum.kubeadm.plugins.module_utils.kubectl import Deadline, Kubectl, KubectlError
from ansible_collections.quorum.kubeadm.plugins.module_utils.maintenance_gate import Verdict, api_server_problems, etcd_verdict, others_serve
from ansible_collections.quorum.kubeadm.plugins.module_utils.node_state import ApiServer

ROOT = Path("/")
PAUSE = 1.0


def look(node: str, kubectl: Kubectl, ask: Ask | None, port: int, root: Path = ROOT, not_ready: Callable[..., str | None] = why_not_ready) -> Verdict:
    """Look once."""
    others = others_serve(map(parse_node, kubectl.objects("get", "nodes")), node)
    with ThreadPoolExecutor() as side_by_side:
        asked = {one["name"]: side_by_side.submit(not_ready, root, ApiServer(one["addresses"][0], port)) for one in others if one["addresses"]}
        problems = api_server_problems({name: reason.result() for name, reason in asked.items()})
    problems += [f"{one['name']} is not Ready" for one in others if not one["ready"]]
    if ask is None:
        return Verdict(problems, "")
    endpoints = local_endpoints(root)
    etcd = etcd_verdict(with_status(ask, endpoints, list_members(ask, endpoints)), node)
    return Verdict(problems + etcd.problems, etcd.quorum)


def main() -> None:
    """Entry point."""
    module = AnsibleModule(
        argument_spec={"node": {"type": "str", "required": True}, "timeout": {"type": "float", "default": 60}},
        supports_check_mode=True,
    )
    node, deadline = module.params["node"], Deadline(module.params["timeout"])
    try:
        kubectl, port = local_kubectl(deadline), read_control_plane().api_server.port
        ask = asker() if local_endpoints() else None
    except (NoControlPlane, OSError) as error:
        module.fail_json(msg=str(error))
    while True:
        try:
            verdict = look(node, kubectl, ask, port)
        except (EtcdError, KubectlError) as error:
            verdict = Verdict([str(error)], "")
        if not verdict.problems:
            module.exit_json(changed=False, quorum=verdict.quorum)
        if not deadline.left:
            module.fail_json(msg=f"{node} is not worked on, since the others cannot do without it: {'; '.join(verdict.problems)}")
        time.sleep(PAUSE)


if __name__ == "__main__":
    main()
