#!/usr/bin/python
# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Take the Node of a dead machine out of the cluster."""

from __future__ import annotations

DOCUMENTATION = r"""
module: lost_node
short_description: Take the Node of a dead machine out of the cluster
version_added: 0.1.0
author: Quorum contributors (@quorum)
description:
  - Run on a living control plane, it deletes the Node of a machine that died and is replaced by a new one of the same name, or that of a join
    which was cut short. C(kubeadm join) refuses a name that is still Ready, which a dead machine is for the better part of a minute.
  - A Node at the new machine's address is the dead one's. One at another address is waited for, since it may be a living machine,
    and is an error when it stays Ready.
extends_documentation_fragment:
  - quorum.kubeadm.attributes.changes
  - quorum.kubeadm.cluster.kubeconfig
options:
  name:
    description: The name of the Node.
    type: str
    required: true
  address:
    description: The address of the machine that takes its place.
    type: str
    required: true
  timeout:
    description: Seconds to wait until a Node at another address is no longer Ready.
    type: int
    default: 90
"""

EXAMPLES = r"""
- name: Make room for the machine that replaces a dead one
  quorum.kubeadm.lost_node:
    name: w2
    address: 192.0.2.22
  delegate_to: cp1
"""

RETURN = r"""
removed:
  description: Whether there was such a Node.
  returned: success
  type: bool
"""

import time
from typing import Callable

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.quorum.kubeadm.plugins.module_utils.cluster_state import parse_node
from ansible_collections.quorum.kubeadm.plugins.module_utils.kubectl import Deadline, Kubectl, KubectlError

PAUSE = 1.0
# For the calls of kubectl themselves, after the wait.
CALLS = 20


def forget(name: str, address: str, timeout: float, check_mode: bool, kubectl: Kubectl, sleep: Callable[[float], None] = time.sleep) -> bool:
    """Delete the Node when its machine is gone; return whether there was one."""
    begun = kubectl.deadline.left
    while True:
        found = [parse_node(node) for node in kubectl.objects("get", "node", name, "--ignore-not-found")]
        if not found:
            return False
        node = found[0]
        if address in node["addresses"] or not node["ready"]:
            break
        if begun - kubectl.deadline.left >= timeout:
            raise KubectlError(
                f"a Node {name} is Ready at {', '.join(node['addresses'])}, so another machine has this name: "
                "name the new one otherwise in the inventory, or switch the other one off"
            )
        # A Node says nothing when its machine dies; the controller manager notices after a while.
        sleep(PAUSE)
    if not check_mode:
        kubectl("delete", "node", name, "--ignore-not-found", "--wait=true")
    return True


def main() -> None:
    """Entry point."""
    module = AnsibleModule(
        argument_spec={
            "name": {"type": "str", "required": True},
            "address": {"type": "str", "required": True},
            "timeout": {"type": "int", "default": 90},
            "kubeconfig": {"type": "path", "default": "/etc/kubernetes/admin.conf"},
        },
        supports_check_mode=True,
    )
    given = module.params
    try:
        kubectl = Kubectl(given["kubeconfig"], Deadline(given["timeout"] + CALLS))
        removed = forget(given["name"], given["address"], given["timeout"], module.check_mode, kubectl)
    except KubectlError as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=removed, removed=removed)


if __name__ == "__main__":
    main()
