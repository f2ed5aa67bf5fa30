#!/usr/bin/python
# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Take the member of a dead machine out of etcd."""

from __future__ import annotations

DOCUMENTATION = r"""
module: etcd_member
short_description: Take the member of a dead machine out of etcd
version_added: 0.1.0
author: Quorum contributors (@quorum)
description:
  - Run on a living control plane, it removes the member that a control plane left in etcd which died and is replaced by a new machine of
    the same name or the same address. A new member cannot take a dead one's place while that is still counted.
  - Removes members alone that are not healthy, asked for as long as O(patience) says. A healthy one is an error.
  - Refuses when the members that stay have no healthy majority.
  - Needs C(become), since etcd's keys are root's.
extends_documentation_fragment: quorum.kubeadm.attributes.changes
options:
  name:
    description: The name of the member, which is that of its node.
    type: str
  address:
    description: The address at which the other members reached it.
    type: str
  state:
    description: What is to become of it.
    type: str
    choices: [absent]
    default: absent
  patience:
    description: For how many seconds a member has to be unhealthy, each time it is asked, before it is removed.
    type: int
    default: 5
"""

EXAMPLES = r"""
- name: Make room for the machine that replaces a dead control plane
  quorum.kubeadm.etcd_member:
    name: cp2
    address: 192.0.2.12
  delegate_to: cp1
"""

RETURN = r"""
removed:
  description: The members that were removed, or in check mode would be.
  returned: success
  type: list
  elements: dict
  sample: [{name: cp2, id: c310162780e4bb6b, peer_urls: ["https://192.0.2.12:2380"]}]
"""

import time
from pathlib import Path
from typing import Any, Callable

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.quorum.kubeadm.plugins.module_utils import etcd

ROOT = Path("/")
PAUSE = 1.0


def forget(
    name: str | None,
    address: str | None,
    patience: float,
    check_mode: bool,
    root: Path = ROOT,
    asker: Callable[[Path], etcd.Ask] = etcd.asker,
    sleep: Callable[[float], None] = time.sleep,
) -> list[etcd.Member]:
    """Remove the member of a machine that is gone; return what was removed."""
    endpoints = etcd.local_endpoints(root)
    if not endpoints:
        raise etcd.EtcdError("kubeadm runs no etcd on this host: run this on a control plane that serves")
    ask = asker(root)
    deadline = time.monotonic() + patience
    while True:
        gone = etcd.dead_members(etcd.with_health(ask, etcd.list_members(ask, endpoints)), name, address)
        if not gone or time.monotonic() >= deadline:
            break
        sleep(PAUSE)
    for member in [] if check_mode else gone:
        etcd.remove(ask, endpoints, member)
    return gone


def main() -> None:
    """Entry point."""
    module = AnsibleModule(
        argument_spec={
            "name": {"type": "str"},
            "address": {"type": "str"},
            "state": {"type": "str", "choices": ["absent"], "default": "absent"},
            "patience": {"type": "int", "default": 5},
        },
        required_one_of=[("name", "address")],
        supports_check_mode=True,
    )
    given: dict[str, Any] = module.params
    try:
        gone = forget(given["name"], given["address"], given["patience"], module.check_mode)
    except (etcd.EtcdError, OSError) as error:
        module.fail_json(msg=f"the etcd member of {given['name'] or given['address']} cannot be removed: {error}")
    module.exit_json(changed=bool(gone), removed=[{key: member[key] for key in ("name", "id", "peer_urls")} for member in gone])


if __name__ == "__main__":
    main()
