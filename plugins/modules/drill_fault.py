#!/usr/bin/python
# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Break something on this host for a while."""

from __future__ import annotations

DOCUMENTATION = r"""
module: drill_fault
short_description: Break something on this host for a while
version_added: 0.1.0
author: Quorum contributors (@quorum)
description:
  - Breaks one thing, and mends it after O(hold) seconds, whatever becomes of the controller and of the connection to this host in the meantime.
    What does so runs in a systemd scope C(quorum-drill-fault.scope); C(systemctl stop 'quorum-drill-*') mends at once.
  - O(state=present) returns when it is mended again, or at once when the host loses its connection by it (O(returns_first)); then
    O(state=ended) waits until it is mended. O(state=absent) mends it now. A host that was rebooted has nothing to mend.
  - Until it returns it asks nothing of anybody, so that what is measured meanwhile is not its own work.
  - With O(break_command) it runs that, and O(mend_command) afterwards, in place of the machine's own means. Then it belongs on the controller.
extends_documentation_fragment: quorum.kubeadm.drill
attributes:
  check_mode:
    support: none
    description: Nothing is started or ended, and the module is skipped.
  diff_mode:
    support: none
    description: There is nothing that would differ.
  idempotent:
    support: full
    description: What already runs is an error, and what does not is not ended again.
options:
  state:
    description: Whether it is broken.
    type: str
    choices: [present, ended, absent]
    default: present
  interface:
    description: The interface that is cut off.
    type: str
    default: eth0
  break_command:
    description: A command that breaks it.
    type: list
    elements: str
    default: []
  mend_command:
    description: The command that mends what O(break_command) broke.
    type: list
    elements: str
    default: []
  lead:
    description: Seconds until it breaks.
    type: float
    default: 1
  hold:
    description: Seconds until it is mended, at most 600.
    type: float
    default: 6
  quiet:
    description: Seconds for which it waits on after it is mended, so that what then happens is not disturbed by what comes next, at most 60.
    type: float
    default: 0
  returns_first:
    description: Whether to return before it breaks, since the connection to this host breaks with it.
    type: bool
    default: false
  directory:
    description: Where its records are kept, on a file system in memory.
    type: path
    default: /run/quorum-drill
"""

EXAMPLES = r"""
- name: Let HAProxy hang for six seconds
  quorum.kubeadm.drill_fault:
    fault: haproxy_hung
  register: mended

- name: Reboot this machine
  quorum.kubeadm.drill_fault:
    fault: active_router_rebooted
    returns_first: true

- name: Wait until it is back
  ansible.builtin.wait_for_connection:
"""

RETURN = r"""
events:
  description: What happened when, by this host's clock in seconds since the epoch.
  returned: success
  type: list
  elements: list
  sample: [[begin, 1795454000.1], [broken, 1795454000.2], [end, 1795454006.2], [mended, 1795454006.3]]
problems:
  description: What could not be done.
  returned: success
  type: list
  elements: str
"""

import shutil
import time
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.quorum.kubeadm.plugins.module_utils import drill_guard
from ansible_collections.quorum.kubeadm.plugins.module_utils.command import SEARCH_PATH
from ansible_collections.quorum.kubeadm.plugins.module_utils.drill_background import Background, BackgroundError
from ansible_collections.quorum.kubeadm.plugins.module_utils.drill_faults import FAULTS, Means, Recipe, command_recipe, own_means

# What mends may wait for a machine to start.
MENDING = 180.0


def packet_filter() -> str:
    """The packet filter that this host has."""
    return next((program for program in ("nft", "iptables") if shutil.which(program, path=SEARCH_PATH)), "tc")


def main() -> None:
    """Break, wait, or mend."""
    module = AnsibleModule(
        argument_spec={
            "state": {"type": "str", "choices": ["present", "ended", "absent"], "default": "present"},
            "fault": {"type": "str", "choices": list(FAULTS)},
            "interface": {"type": "str", "default": "eth0"},
            "break_command": {"type": "list", "elements": "str", "default": []},
            "mend_command": {"type": "list", "elements": "str", "default": []},
            "lead": {"type": "float", "default": 1},
            "hold": {"type": "float", "default": 6},
            "quiet": {"type": "float", "default": 0},
            "returns_first": {"type": "bool", "default": False},
            "directory": {"type": "path", "default": "/run/quorum-drill"},
        },
        required_if=[("state", "present", ("fault",))],
        supports_check_mode=False,
    )
    options = module.params
    if not (0 <= options["lead"] <= 60 and 0 <= options["hold"] <= 600 and 0 <= options["quiet"] <= 60):
        module.fail_json(msg="lead and quiet must be 0 to 60 seconds, hold 0 to 600")
    guard = Background("fault", Path(options["directory"]))
    seconds = options["lead"] + options["hold"] + MENDING
    changed = False
    try:
        if options["state"] == "present":
            recipe: Recipe
            if options["break_command"]:
                recipe = command_recipe(options["break_command"], options["mend_command"])
            else:
                recipe = own_means(options["fault"], Means(options["interface"], packet_filter()))
            job = {"breaks": recipe.breaks, "mends": recipe.mends, "lead": options["lead"], "hold": options["hold"]}
            guard.start(drill_guard, job, seconds)
            wanted = "started" if options["returns_first"] else "mended"
            records = guard.wait_started(seconds, lambda found: any(one[0] == wanted for one in found))
            changed = True
        elif options["state"] == "ended":
            records = guard.wait(seconds, lambda found: any(one[0] == "mended" for one in found))
        else:
            changed = bool(guard.ids())
            guard.end(MENDING)
            records = guard.records()
            guard.forget()
    except BackgroundError as error:
        module.fail_json(msg=str(error))
    if not (options["state"] == "present" and options["returns_first"]):
        time.sleep(options["quiet"])
    problems = [one[2] for one in records if one[0] == "problem"]
    if problems and options["state"] != "absent":
        module.fail_json(msg=f"{options['fault'] or 'the fault'}: {'; '.join(problems)}", events=records)
    module.exit_json(changed=changed, events=[one for one in records if one[0] != "problem"], problems=problems)


if __name__ == "__main__":
    main()
