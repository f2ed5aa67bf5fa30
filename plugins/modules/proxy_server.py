#!/usr/bin/python
# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Take a server out of the HAProxy on this host for a while, and put it back."""

from __future__ import annotations

DOCUMENTATION = r"""
module: proxy_server
short_description: Take a server out of the HAProxy on this host for a while, and put it back
version_added: 0.2.0
author: Quorum contributors (@quorum)
description:
  - Tells HAProxy, by its runtime socket, to give an API server no new connections, in every backend that has it, before that API server is worked on. Existing
    ones may end by themselves for O(patience) seconds; what is left then is shut, so that its clients connect to another server.
  - Nothing of HAProxy's configuration changes, and a HAProxy that is reloaded or started again forgets what it was told.
extends_documentation_fragment: quorum.kubeadm.attributes.changes
options:
  name:
    description: The server's name in HAProxy's configuration. One that HAProxy does not have has nothing to be taken out of.
    type: str
    required: true
  state:
    description: V(drained) gets no connections. V(ready) does, and is waited for until HAProxy finds it well.
    type: str
    choices: [drained, ready]
    required: true
  patience:
    description: Seconds to wait, for connections to end or for the server to be well.
    type: float
    default: 30
  socket:
    description: HAProxy's runtime socket, at the level C(admin).
    type: path
    default: /var/lib/haproxy/stats
"""

EXAMPLES = r"""
- name: Send nothing to an API server that is about to be worked on
  quorum.kubeadm.proxy_server:
    name: cp2
    state: drained
    patience: 3
  become: true

- name: Send connections to it again
  quorum.kubeadm.proxy_server:
    name: cp2
    state: ready
  become: true
"""

RETURN = r"""
closed:
  description: How many connections were shut.
  returned: success
  type: int
  sample: 4
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.quorum.kubeadm.plugins.module_utils.haproxy_socket import PATH, ask
from ansible_collections.quorum.kubeadm.plugins.module_utils.proxied_server import ProxyError, drain, look, put_back


def main() -> None:
    """Entry point."""
    module = AnsibleModule(
        argument_spec={
            "name": {"type": "str", "required": True},
            "state": {"type": "str", "choices": ["drained", "ready"], "required": True},
            "patience": {"type": "float", "default": 30},
            "socket": {"type": "path", "default": PATH},
        },
        supports_check_mode=True,
    )
    given = module.params
    drains = given["state"] == "drained"

    def haproxy(command: str) -> str:
        return ask(command, given["socket"])

    closed = 0
    try:
        changed = any(server.drained is not drains for server in look(haproxy, given["name"]))
        if not module.check_mode and drains:
            closed = drain(haproxy, given["name"], given["patience"])
        elif not module.check_mode:
            put_back(haproxy, given["name"], given["patience"])
    except ProxyError as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=changed, closed=closed)


if __name__ == "__main__":
    main()
