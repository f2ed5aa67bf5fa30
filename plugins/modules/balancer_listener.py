#!/usr/bin/python
# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Listen for a moment where an API server will."""

from __future__ import annotations

DOCUMENTATION = r"""
module: balancer_listener
short_description: Listen for a moment where an API server will
version_added: 0.1.0
author: Quorum contributors (@quorum)
description:
  - Opens a TLS listener in the background, so that a load balancer can be tested before there is an API server behind it, and closes it again.
  - It answers C(/readyz), C(/healthz) and C(/livez) with 200 and a random mark of its own, by which M(quorum.kubeadm.balancer_probe) knows it,
    and takes connections without a word and handshakes without a request for what they are, health checks.
    One who speaks HTTP without TLS gets what an API server would answer, 400.
  - Whatever happens to the run, the listener ends by itself after O(lifetime). One that an earlier run left is replaced.
  - Its certificate is made for it on the controller, and thrown away with it.
extends_documentation_fragment:
  - quorum.kubeadm.attributes
attributes:
  check_mode:
    support: full
    details: Says what would be done, and refuses a port that is taken, but listens to nothing.
  diff_mode:
    support: none
    details: Nothing is left that would differ.
  idempotent:
    support: partial
    details: To listen is to begin anew each time, with a new mark. Closing what is closed changes nothing.
options:
  state:
    description:
      - V(present) listens, V(absent) ends it and tells who came.
    type: str
    choices: [present, absent]
    default: present
  port:
    description:
      - The port to listen at, on all addresses of the host.
    type: int
    default: 6443
  name:
    description:
      - The name with which it answers. Needed to listen.
    type: str
  lifetime:
    description:
      - Seconds after which it ends by itself.
    type: int
    default: 600
  _certificate:
    description: The certificate and key it answers with, PEM. The action plugin of this name sets it; a task does not.
    type: str
"""

EXAMPLES = r"""
- name: Listen in the place of the API server
  quorum.kubeadm.balancer_listener:
    name: cp1

- name: Stop listening
  quorum.kubeadm.balancer_listener:
    state: absent
  register: closed
"""

RETURN = r"""
mark:
  description: What the listener answers besides its name; empty in check mode.
  returned: O(state=present)
  type: str
  sample: 8f14e45fceea167a
pid:
  description: The number of the listener's process, which is called C(quorum-listener); 0 in check mode.
  returned: O(state=present)
  type: int
  sample: 4711
replaced:
  description: Whether an earlier run had left a listener.
  returned: O(state=present)
  type: bool
  sample: false
traffic:
  description: Who connected; null when there was no listener, or it was killed.
  returned: O(state=absent)
  type: dict
  contains:
    probes:
      description: How many connections were from M(quorum.kubeadm.balancer_probe).
      type: int
      sample: 48
    others:
      description: The others, which are health checks as a rule.
      type: list
      elements: dict
      contains:
        source:
          description: The address from which they came.
          type: str
          sample: 192.0.2.10
        kind:
          description: C(tcp) without a word, C(http) without TLS, C(tls) with a handshake alone, C(https) with a request.
          type: str
          sample: tcp
        connections:
          description: How many.
          type: int
          sample: 12
    untold:
      description: How many connections were from still other addresses, when there were too many to tell.
      type: int
      sample: 0
"""

import errno  # noqa: E402
import secrets  # noqa: E402
import ssl  # noqa: E402
from typing import Any  # noqa: E402

from ansible.module_utils.basic import AnsibleModule  # noqa: E402

from ansible_collections.quorum.kubeadm.plugins.module_utils.balancer import greeting  # noqa: E402
from ansible_collections.quorum.kubeadm.plugins.module_utils.balancer_listener import (  # noqa: E402
    bind,
    launch,
    listening_process,
    running,
    server_context,
    stop,
)


def taken(port: int) -> str:
    """Why the port cannot be had."""
    return (
        f"port {port} is taken by {listening_process(port) or 'another process'}: a listener can stand in for an API server only where none is. "
        f"Stop what listens there, or test the living cluster without listeners"
    )


def present(module: AnsibleModule, parameters: dict[str, Any]) -> dict[str, Any]:
    """Listen, in the place of one that was left."""
    left = running() is not None
    if module.check_mode:
        if not left and listening_process(parameters["port"]):
            module.fail_json(msg=taken(parameters["port"]))
        return {"changed": True, "mark": "", "pid": 0, "replaced": left, "msg": f"would listen at port {parameters['port']}"}
    try:
        context = server_context(parameters["_certificate"])
    except ssl.SSLError as error:
        module.fail_json(msg=f"the certificate that the controller made cannot be used here: {error}")
    stop()
    mark = secrets.token_hex(8)
    try:
        with bind(parameters["port"]) as listener:
            pid = launch(listener, context, greeting(parameters["name"], mark), parameters["lifetime"])
    except OSError as error:
        module.fail_json(msg=taken(parameters["port"]) if error.errno == errno.EADDRINUSE else f"cannot listen at port {parameters['port']}: {error}")
    return {"changed": True, "mark": mark, "pid": pid, "replaced": left}


def absent(module: AnsibleModule) -> dict[str, Any]:
    """End what listens, and tell what it saw."""
    changed = running() is not None
    return {"changed": changed, "traffic": None if module.check_mode else stop()}


def main() -> None:
    """Listen or stop."""
    module = AnsibleModule(
        argument_spec={
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "port": {"type": "int", "default": 6443},
            "name": {"type": "str"},
            "lifetime": {"type": "int", "default": 600},
            # From the action plugin: a key and its certificate, PEM.
            "_certificate": {"type": "str", "no_log": True},
        },
        required_if=[("state", "present", ["name", "_certificate"])],
        supports_check_mode=True,
    )
    module.exit_json(**(present(module, module.params) if module.params["state"] == "present" else absent(module)))


if __name__ == "__main__":
    main()
