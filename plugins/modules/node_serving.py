#!/usr/bin/python
# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Wait until a node serves again after it was worked on."""

from __future__ import annotations

DOCUMENTATION = r"""
module: node_serving
short_description: Wait until a node serves again after it was worked on
version_added: 0.2.0
author: Quorum contributors (@quorum)
description:
  - Waits until the kubelet of a node reports as Ready, by a report that is newer than the question (a node that is being rebooted still reads Ready for the
    better part of a minute), and in the version wanted. Of a control plane, also until its static pods run, its API server is ready, and its member of etcd
    is healthy and has caught up.
  - Of a control plane it is asked on the node itself; of a worker, on a control plane that serves.
extends_documentation_fragment: quorum.kubeadm.attributes.reads
options:
  node:
    description: The name of the node.
    type: str
    required: true
  control_plane:
    description: Whether it is a control plane, and this host.
    type: bool
    required: true
  version:
    description: The version of the kubelet that it has to report. Not given, any.
    type: str
    default: ""
  timeout:
    description: Seconds to wait.
    type: float
    default: 300
"""

EXAMPLES = r"""
- name: Wait until it serves again
  quorum.kubeadm.node_serving:
    node: w1
    control_plane: false
  become: true
  delegate_to: cp1
"""

RETURN = r"""
seconds:
  description: How long that took; nothing in check mode, which does not wait.
  returned: success
  type: float
"""

import time
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.quorum.kubeadm.plugins.module_utils.api_server import why_not_ready
from ansible_collections.quorum.kubeadm.plugins.module_utils.control_plane import NoControlPlane, local_kubectl, read_control_plane
from ansible_collections.quorum.kubeadm.plugins.module_utils.etcd import CLIENT_CERTIFICATE, Ask, EtcdError, asker, list_members, local_endpoints, with_health
from ansible_collections.quorum.kubeadm.plugins.module_utils.kubectl import Deadline, Kubectl, KubectlError
from ansible_collections.quorum.kubeadm.plugins.module_utils.node_serving import behind, node_problems

ROOT = Path("/")
PAUSE = 0.5


class Look:
    """Questions to one node, asked until nothing is wrong."""

    def __init__(self, node: str, version: str, kubectl: Kubectl, ask: Ask | None, control_plane: bool) -> None:
        self.node, self.version, self.kubectl, self.ask, self.control_plane = node, version, kubectl, ask, control_plane
        self.reported: str | None = None

    def problems(self) -> list[str]:
        """Say what is wrong now."""
        reason = why_not_ready(ROOT, read_control_plane().api_server)
        if reason:
            return [reason]
        found = self.kubectl.objects("--namespace=kube-node-lease", "get", "lease", self.node)
        report = found[0]["spec"].get("renewTime", "")
        if self.reported is None:
            self.reported = report
        nodes = self.kubectl.objects("get", "node", self.node)
        pods = self.kubectl.objects("--namespace=kube-system", "get", "pods", f"--field-selector=spec.nodeName={self.node}", "--selector=tier=control-plane")
        said = node_problems(nodes[0], pods, self.version)
        if self.ask:
            said += behind(self.ask, list_members(self.ask, local_endpoints()), self.node, with_health)
        if not said and report == self.reported:
            said = [f"the kubelet of {self.node} has not reported since"]
        return said


def main() -> None:
    """Entry point."""
    module = AnsibleModule(
        argument_spec={
            "node": {"type": "str", "required": True},
            "control_plane": {"type": "bool", "required": True},
            "version": {"type": "str", "default": ""},
            "timeout": {"type": "float", "default": 300},
        },
        supports_check_mode=True,
    )
    given, deadline = module.params, Deadline(module.params["timeout"])
    if module.check_mode:
        module.exit_json(changed=False, seconds=0.0)
    try:
        kubectl = local_kubectl(deadline)
        ask = asker() if given["control_plane"] and (ROOT / CLIENT_CERTIFICATE).exists() else None
    except (NoControlPlane, OSError) as error:
        module.fail_json(msg=str(error))
    look = Look(given["node"], given["version"], kubectl, ask, given["control_plane"])
    while True:
        try:
            problems = look.problems()
        except (EtcdError, KubectlError, NoControlPlane, OSError) as error:
            problems = [str(error)]
        if not problems:
            module.exit_json(changed=False, seconds=round(deadline.seconds - deadline.left, 1))
        if not deadline.left:
            module.fail_json(
                msg=f"{given['node']} does not serve again after {given['timeout']:g} s: {'; '.join(problems)}. "
                "See `journalctl -u kubelet` and /var/log/pods there"
            )
        time.sleep(PAUSE)


if __name__ == "__main__":
    main()
