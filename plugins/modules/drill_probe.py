#!/usr/bin/python
# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Measure a cluster's endpoint from this host, in the background."""

from __future__ import annotations

DOCUMENTATION = r"""
module: drill_probe
short_description: Measure a cluster's endpoint from this host, in the background
version_added: 0.1.0
author: Quorum contributors (@quorum)
description:
  - Opens new TLS connections to the endpoint all the time, verified by the cluster's CA, and reads C(/readyz) and an object over each.
    Writes to ConfigMaps of its own, reads back at the end what was written, and holds a watch on them.
  - O(state=present) starts it and returns when all of that works. O(state=absent) ends it, reads the objects back, removes them, and returns what
    was recorded. It ends by itself after O(seconds).
  - One that an interrupted drill left is ended first, unless O(continued) is set.
  - It runs in a systemd scope C(quorum-drill-NAME.scope). The token is given to it on standard input, and is on no disk.
extends_documentation_fragment:
  - quorum.kubeadm.attributes
attributes:
  check_mode:
    support: none
    details: Nothing is started or ended, and the module is skipped.
  diff_mode:
    support: none
    details: There is nothing that would differ.
  idempotent:
    support: partial
    details: It is measured anew each time with O(state=present), unless O(continued) is set; what does not run is not ended again.
options:
  state:
    description: Whether it runs.
    type: str
    choices: [present, absent]
    default: present
  name:
    description: Its name on this host.
    type: str
    default: probe
  continued:
    description: Whether one that runs is left alone, and one that was ended, by a reboot for instance, goes on in the records that it has.
    type: bool
    default: false
  address:
    description: The endpoint's address, or a name that resolves to it.
    type: str
  port:
    description: The endpoint's port.
    type: int
  server_name:
    description: The endpoint's name, for which its certificate must be.
    type: str
  ca_certificate:
    description: The cluster's CA, PEM.
    type: str
  token:
    description: A token with which ConfigMaps may be created, read, watched, patched and deleted in O(namespace).
    type: str
  namespace:
    description: The namespace for its object.
    type: str
    default: quorum-drill
  object:
    description: How the names of its objects begin.
    type: str
    default: probe
  hosts:
    description: >-
      The names of the hosts that can have the endpoint's address, by their own addresses. Without any, it is not recorded which of them has it; O(address)
      is an IP address where there are some.
    type: dict
    default: {}
  readyz:
    description: What it asks an API server for, beside its object.
    type: str
    default: /readyz
  rate:
    description: New connections a second, at most 200.
    type: int
    default: 20
  write_rate:
    description: Writes a second, at most 20.
    type: float
    default: 2
  service_port:
    description: The port of a Service on this node, asked for C(/) over plain HTTP as often as the endpoint; 0 for none.
    type: int
    default: 0
  timeout:
    description: Seconds after which an unanswered request has failed.
    type: float
    default: 2
  watch_keepalive:
    description: Seconds of silence after which the watch's connection is probed by TCP keepalive.
    type: int
    default: 1
  seconds:
    description: When it ends by itself, at most 43200.
    type: float
    default: 600
  tail:
    description: With O(state=absent), seconds for which it measures on before it is ended.
    type: float
    default: 0
  directory:
    description: Where its records are kept while it runs. With O(continued), a directory that outlives a reboot.
    type: path
    default: /run/quorum-drill
  controller_time:
    description: With O(state=absent), the controller's clock, in seconds since the epoch.
    type: float
"""

EXAMPLES = r"""
- name: Measure the endpoint
  quorum.kubeadm.drill_probe:
    address: 192.0.2.10
    port: 16443
    server_name: api.example.org
    ca_certificate: "{{ lookup('ansible.builtin.file', 'ca.crt') }}"
    token: "{{ access.token }}"

- name: Learn what came of it
  quorum.kubeadm.drill_probe:
    state: absent
  register: measured
"""

RETURN = r"""
records:
  description: What was recorded, a JSON list a line. The module_utils C(drill_client) says what they mean.
  returned: O(state=absent)
  type: str
ahead:
  description: The seconds by which the clock of this host is ahead of O(controller_time), and by which this module started after that was read.
  returned: O(state=absent) with O(controller_time)
  type: float
"""

import time
from pathlib import Path
from typing import Any, Iterable, Sequence

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.quorum.kubeadm.plugins.module_utils import drill_client
from ansible_collections.quorum.kubeadm.plugins.module_utils.drill_background import Background, BackgroundError

JOB = (
    *("address", "port", "server_name", "ca_certificate", "token", "namespace", "object", "hosts", "readyz"),
    *("rate", "write_rate", "service_port", "timeout", "watch_keepalive", "seconds"),
)
# Its object made, the endpoint calm, and what may be in flight.
START = drill_client.PATIENCE + drill_client.CALM_WITHIN + 5.0
# Requests in flight, then the object read back and deleted.
END = 45.0
LONGEST = 43200


def last_write(records: Iterable[Sequence[Any]]) -> int:
    """The number of the last write; 0: there was none."""
    return max((int(one[4]) for one in records if one[0] == "w"), default=0)


def main() -> None:
    """Start it, or end it."""
    module = AnsibleModule(
        argument_spec={
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "name": {"type": "str", "default": "probe"},
            "continued": {"type": "bool", "default": False},
            "address": {"type": "str"},
            "port": {"type": "int"},
            "server_name": {"type": "str"},
            "ca_certificate": {"type": "str"},
            "token": {"type": "str", "no_log": True},
            "namespace": {"type": "str", "default": "quorum-drill"},
            "object": {"type": "str", "default": "probe"},
            "hosts": {"type": "dict", "default": {}},
            "readyz": {"type": "str", "default": "/readyz"},
            "rate": {"type": "int", "default": 20},
            "write_rate": {"type": "float", "default": 2},
            "service_port": {"type": "int", "default": 0},
            "timeout": {"type": "float", "default": 2},
            "watch_keepalive": {"type": "int", "default": 1},
            "seconds": {"type": "float", "default": 600},
            "tail": {"type": "float", "default": 0},
            "directory": {"type": "path", "default": "/run/quorum-drill"},
            "controller_time": {"type": "float"},
        },
        required_if=[("state", "present", ("address", "port", "server_name", "ca_certificate", "token"))],
        supports_check_mode=False,
    )
    began, options = time.time(), module.params
    if not (0 < options["rate"] <= 200 and 0 < options["write_rate"] <= 20 and 0 < options["seconds"] <= LONGEST and 0 < options["watch_keepalive"]):
        module.fail_json(msg="rate must be 1 to 200, write_rate above 0 and at most 20, seconds at most 43200, watch_keepalive at least 1")
    probe = Background(options["name"], Path(options["directory"]))
    try:
        if options["state"] == "present":
            if options["continued"] and probe.ids():
                module.exit_json(changed=False)
            # An interrupted drill left it.
            probe.end(END)
            after = last_write(probe.whole_records()) if options["continued"] else 0
            probe.start(drill_client, {**{name: options[name] for name in JOB}, "after": after}, options["seconds"], keep=options["continued"])
            records = probe.wait_started(START, lambda found: any(one[0] in "bx" for one in found))
            if not any(one[0] == "b" for one in records):
                reason = next((one[2] for one in records if one[0] == "x"), probe.words() or "it ended at once")
                module.fail_json(msg=f"the endpoint {options['address']}:{options['port']} cannot be measured from here: {reason}")
            module.exit_json(changed=True)
        running = bool(probe.ids())
        if running:
            time.sleep(options["tail"])
            probe.end(END)
        records_text = probe.path.read_text(encoding="utf-8") if probe.path.exists() else ""
        probe.forget()
    except BackgroundError as error:
        module.fail_json(msg=str(error))
    given = options["controller_time"]
    module.exit_json(changed=running or bool(records_text), records=records_text, ahead=None if given is None else round(began - given, 3))


if __name__ == "__main__":
    main()
