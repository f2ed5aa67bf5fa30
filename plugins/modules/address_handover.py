#!/usr/bin/python
# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hand the virtual IP of this host over before the host is worked on, and let it take part again afterwards."""

from __future__ import annotations

DOCUMENTATION = r"""
module: address_handover
short_description: Hand the virtual IP of this host over before the host is worked on, and let it take part again afterwards
version_added: 0.2.0
author: Quorum contributors (@quorum)
description:
  - For hosts with the roles P(quorum.kubeadm.haproxy#role) and P(quorum.kubeadm.keepalived#role). Where this host has the address, it asks the others to take
    it, by the file that keepalived watches, and waits until one of them has, so that somebody has the address all the time. Then it stops keepalived, so that
    the address does not come back while the host is worked on.
  - Where there is no keepalived, or it does not run, nothing is done.
extends_documentation_fragment: quorum.kubeadm.attributes.changes
options:
  address:
    description: The virtual IP, without prefix length.
    type: str
    required: true
  state:
    description: V(away) hands it over and stops keepalived; V(present) starts keepalived.
    type: str
    choices: [away, present]
    required: true
  state_file:
    description: The file that keepalived watches.
    type: path
    default: /run/quorum-kubeadm/proxy
  timeout:
    description: Seconds within which another host has to take the address.
    type: float
    default: 15
"""

EXAMPLES = r"""
- name: Let another host have the address
  quorum.kubeadm.address_handover:
    address: 192.0.2.10
    state: away
  become: true
"""

RETURN = r"""
had_address:
  description: Whether this host had the address.
  returned: success
  type: bool
"""

import os
import time

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.quorum.kubeadm.plugins.module_utils.command import run
from ansible_collections.quorum.kubeadm.plugins.module_utils.kubectl import Deadline
from ansible_collections.quorum.kubeadm.plugins.module_utils.proxy_status import holds
from ansible_collections.quorum.kubeadm.plugins.module_utils.state_file import PATH

UNIT = "keepalived.service"
# What systemd runs when HAProxy stops, of the role haproxy: it asks for the move, and keeps the address meanwhile.
LEAVES = "/usr/local/libexec/quorum-kubeadm/proxy-leaves"
PAUSE = 0.1


def has(address: str) -> bool:
    """Tell whether this host has the address, but for the second one on the loopback by which it answers until the move is done."""
    return holds(run(["ip", "-json", "address", "show", "scope", "global"]).stdout, address)


def main() -> None:
    """Entry point."""
    module = AnsibleModule(
        argument_spec={
            "address": {"type": "str", "required": True},
            "state": {"type": "str", "choices": ["away", "present"], "required": True},
            "state_file": {"type": "path", "default": PATH},
            "timeout": {"type": "float", "default": 15},
        },
        supports_check_mode=True,
    )
    given = module.params
    there = run(["systemctl", "is-enabled", "--quiet", UNIT]).rc == 0
    active = run(["systemctl", "is-active", "--quiet", UNIT]).rc == 0
    had, away = has(given["address"]), given["state"] == "away"
    changed = active if away else there and not active
    if not changed or module.check_mode:
        module.exit_json(changed=changed, had_address=had)
    if away and had and os.path.exists(LEAVES):
        run([LEAVES, given["state_file"], given["address"]], extra_environment={"SERVICE_RESULT": "success"})
        deadline = Deadline(given["timeout"])
        while has(given["address"]) and deadline.left:
            time.sleep(PAUSE)
        if has(given["address"]):
            module.fail_json(msg=f"no other host takes {given['address']} within {given['timeout']:g} s: see `journalctl -u keepalived` on the other proxies")
    done = run(["systemctl", "stop" if away else "start", UNIT])
    if done.rc:
        module.fail_json(msg=f"{UNIT} does not {'stop' if away else 'start'}: {done.stderr.strip()}")
    module.exit_json(changed=True, had_address=had)


if __name__ == "__main__":
    main()
