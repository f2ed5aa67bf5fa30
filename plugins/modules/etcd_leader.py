#!/usr/bin/python
# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Let another member lead etcd."""

from __future__ import annotations

DOCUMENTATION = r"""
module: etcd_leader
short_description: Let another member lead etcd
version_added: 0.2.0
author: Quorum contributors (@quorum)
description:
  - Moves the leadership away from a member that is about to stop, to a healthy voter. Writes pause for some milliseconds, where an election would
    let them wait for a second or two. When another member leads already, nothing is done.
  - Runs on any control plane with a member of etcd that kubeadm made, and speaks to etcd's JSON gateway.
extends_documentation_fragment: quorum.kubeadm.attributes.changes
options:
  away_from:
    description: The name of the member that is not to lead.
    type: str
    required: true
  rather_not:
    description: Names of members that are to lead only when there is no other, since they will stop later.
    type: list
    elements: str
    default: []
"""

EXAMPLES = r"""
- name: Let another member lead before this one stops
  quorum.kubeadm.etcd_leader:
    away_from: cp2
    rather_not: [cp1]
  become: true
"""

RETURN = r"""
leader:
  description: The name of the member that leads now; empty where kubeadm runs no etcd on this host, and while none leads.
  returned: success
  type: str
  sample: cp3
"""

import time
from pathlib import Path
from typing import Callable, Sequence

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.quorum.kubeadm.plugins.module_utils.etcd import (
    Ask,
    EtcdError,
    Member,
    asker,
    list_members,
    local_endpoints,
    transfer_leadership,
    with_status,
)

# An election takes two of etcd's election timeouts at most, which are a second by default.
PATIENCE = 10.0
PAUSE = 0.1


def successor(members: Sequence[Member], away_from: str, rather_not: Sequence[str]) -> Member | None:
    """Return who is to lead: a healthy voter, one that stays if there is one."""
    able = [member for member in members if member["healthy"] and not member["learner"] and member["name"] != away_from]
    return min(able, key=lambda member: member["name"] in rather_not, default=None)


def move(
    ask: Ask,
    endpoints: Sequence[str],
    away_from: str,
    rather_not: Sequence[str],
    check_mode: bool,
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> tuple[bool, str]:
    """Return whether the leadership moved, and to whom."""
    def look() -> tuple[list[Member], Member | None]:
        members = with_status(ask, endpoints, list_members(ask, endpoints))
        return members, next((member for member in members if member["leader"]), None)

    members, leads = look()
    target = successor(members, away_from, rather_not)
    if leads is None or leads["name"] != away_from or target is None:
        return False, leads["name"] if leads else ""
    if check_mode:
        return True, target["name"]
    transfer_leadership(ask, leads, target)
    end = clock() + PATIENCE
    while leads is None or leads["name"] == away_from:
        if clock() >= end:
            raise EtcdError(f"{away_from} still leads {PATIENCE:g} seconds after it was told to let {target['name']} do so")
        sleep(PAUSE)
        _members, leads = look()
    return True, leads["name"]


def main() -> None:
    """Entry point."""
    module = AnsibleModule(
        argument_spec={"away_from": {"type": "str", "required": True}, "rather_not": {"type": "list", "elements": "str", "default": []}},
        supports_check_mode=True,
    )
    endpoints = local_endpoints(Path("/"))
    if not endpoints:
        module.exit_json(changed=False, leader="")
    try:
        changed, leads = move(asker(), endpoints, module.params["away_from"], module.params["rather_not"], module.check_mode)
    except (EtcdError, OSError) as error:
        module.fail_json(msg=f"the leadership of etcd does not move: {error}")
    module.exit_json(changed=changed, leader=leads)


if __name__ == "__main__":
    main()
