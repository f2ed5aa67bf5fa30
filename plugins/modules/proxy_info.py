#!/usr/bin/python
# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tell what HAProxy and keepalived on this host do."""

from __future__ import annotations

DOCUMENTATION = r"""
module: proxy_info
short_description: Tell what HAProxy and keepalived on this host do
version_added: 0.1.0
author: Quorum contributors (@quorum)
description:
  - Tells whether this host has the virtual IP address, which API servers its HAProxy finds healthy, and what keepalived makes of it.
  - It reads, and never changes anything. A daemon that is not there is not active, which is no error.
extends_documentation_fragment: quorum.kubeadm.attributes.reads
options:
  address:
    description:
      - The virtual IP address, without prefix length.
    type: str
  state_file:
    description:
      - The file in which HAProxy's worth is told to keepalived.
    type: path
    default: /run/quorum-kubeadm/proxy
  socket:
    description:
      - HAProxy's statistics socket.
    type: path
    default: /var/lib/haproxy/stats
  backend:
    description:
      - The backend in HAProxy's configuration that has the API servers.
    type: str
    default: api_servers
"""

EXAMPLES = r"""
- name: Look at the proxy
  quorum.kubeadm.proxy_info:
    address: 192.0.2.10
  become: true
  register: look

- name: Require a proxy that serves
  ansible.builtin.assert:
    that: look.proxy.haproxy.backends | rejectattr('up') | length == 0
"""

RETURN = r"""
proxy:
  description: What was found.
  returned: success
  type: dict
  contains:
    holds_vip:
      description: Whether an interface of this host has O(address); null without it.
      type: bool
      sample: true
    worth:
      description: What O(state_file) says, null when it says nothing. 1 serves and has the address, 0 serves, -1 has no API server yet, -254 is dead.
      type: int
      sample: 0
    haproxy:
      description: HAProxy's view.
      type: dict
      contains:
        active:
          description: Whether its service is active.
          type: bool
          sample: true
        backends:
          description: The API servers, empty when HAProxy does not answer.
          type: list
          elements: dict
          contains:
            name:
              description: The server's name.
              type: str
              sample: cp1
            address:
              description: Its address and port.
              type: str
              sample: 192.0.2.11:6443
            up:
              description: Whether it gets connections.
              type: bool
              sample: true
            check_status:
              description: The result of its last check in HAProxy's words, for instance C(L7OK), C(L4CON) for refused, C(L6RSP) for a bad certificate.
              type: str
              sample: L7OK
            check_result:
              description: The same for people.
              type: str
              sample: "Layer7 check passed: OK"
            last_change:
              description: Seconds since it last went up or down.
              type: int
              sample: 4711
    keepalived:
      description: keepalived's view.
      type: dict
      contains:
        active:
          description: Whether its service is active.
          type: bool
          sample: true
        state:
          description: C(master), C(backup), C(fault) or C(stopped).
          type: str
          sample: master
"""

from ansible.module_utils.basic import AnsibleModule  # noqa: E402

from ansible_collections.quorum.kubeadm.plugins.module_utils import haproxy_socket, state_file  # noqa: E402
from ansible_collections.quorum.kubeadm.plugins.module_utils.command import run  # noqa: E402
from ansible_collections.quorum.kubeadm.plugins.module_utils.unit_files import unit_properties  # noqa: E402
from ansible_collections.quorum.kubeadm.plugins.module_utils.proxy_status import ProxiedServer, backends, holds, keepalived_state  # noqa: E402


def read_statistics(path: str, backend: str) -> list[ProxiedServer]:
    """Ask HAProxy for its servers; none when it does not answer."""
    try:
        text = haproxy_socket.ask(f"show stat {backend} 4 -1", path)
    except OSError:
        return []
    return backends(text) if text.startswith("# pxname") else []


def read_worth(path: str) -> int | None:
    """Return what the state file says."""
    try:
        with open(path, encoding="ascii") as file:
            return int(file.read())
    except (OSError, ValueError):
        return None


def main() -> None:
    """Look and tell."""
    module = AnsibleModule(
        argument_spec={
            "address": {"type": "str"},
            "state_file": {"type": "path", "default": state_file.PATH},
            "socket": {"type": "path", "default": haproxy_socket.PATH},
            "backend": {"type": "str", "default": "api_servers"},
        },
        supports_check_mode=True,
    )
    units = unit_properties(run(["systemctl", "show", "--property=Id,ActiveState", "haproxy.service", "keepalived.service"]).stdout)
    active = {unit["Id"] for unit in units if unit["ActiveState"] == "active"}
    has_address: bool | None = None
    if module.params["address"]:
        try:
            has_address = holds(run(["ip", "-json", "address", "show"]).stdout, module.params["address"])
        except ValueError as error:
            module.fail_json(msg=f"address: {error}")
    worth = read_worth(module.params["state_file"])
    keepalived = "keepalived.service" in active
    module.exit_json(
        changed=False,
        proxy={
            "holds_vip": has_address,
            "worth": worth,
            "haproxy": {
                "active": "haproxy.service" in active,
                "backends": read_statistics(module.params["socket"], module.params["backend"]),
            },
            "keepalived": {"active": keepalived, "state": keepalived_state(keepalived, bool(has_address), worth)},
        },
    )


if __name__ == "__main__":
    main()
