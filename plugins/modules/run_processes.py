#!/usr/bin/python
# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Wait until nothing of a run that died is at work on this host any more."""

from __future__ import annotations

DOCUMENTATION = r"""
module: run_processes
short_description: Wait until nothing of a run that died is at work on this host any more
version_added: 0.2.0
author: Quorum contributors (@quorum)
description:
  - When a controller dies, or its connection breaks, what it has started on a host goes on to its end. Plays of a procedure give everything that
    they start the variable C(QUORUM_KUBEADM_RUN) in its environment, the name of their run. This waits until no process has it any more.
  - It ends nothing. What does not end in time is named, with its number.
extends_documentation_fragment: quorum.kubeadm.attributes.reads
options:
  run:
    description: The name of the run.
    type: str
    required: true
  timeout:
    description: Seconds to wait. Every module of this collection has a bound of its own, so waiting helps.
    type: float
    default: 600
"""

EXAMPLES = r"""
- name: Wait until what the dead run has started is done
  quorum.kubeadm.run_processes:
    run: "{{ plan.lease.takes_over }}"
  become: true
"""

RETURN = r"""
waited_for:
  description: The processes that were found, each with its number and the beginning of its command line.
  returned: success
  type: list
  elements: str
  sample: ["4711 (/usr/bin/python3)"]
"""

import time
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.quorum.kubeadm.plugins.module_utils.kubectl import Deadline
from ansible_collections.quorum.kubeadm.plugins.module_utils.run_processes import processes

PAUSE = 0.5


def main() -> None:
    """Entry point."""
    module = AnsibleModule(
        argument_spec={"run": {"type": "str", "required": True}, "timeout": {"type": "float", "default": 600}},
        supports_check_mode=True,
    )
    given: dict[str, Any] = module.params
    deadline = Deadline(given["timeout"])
    waited_for: dict[str, None] = {}
    while found := processes(given["run"]):
        waited_for.update(dict.fromkeys(found))
        if not deadline.left:
            module.fail_json(
                msg=f"after {given['timeout']:g} s something of the run that died is still at work here: {', '.join(found)}. "
                "Wait for it or end it, and run again"
            )
        time.sleep(PAUSE)
    module.exit_json(changed=False, waited_for=list(waited_for))


if __name__ == "__main__":
    main()
