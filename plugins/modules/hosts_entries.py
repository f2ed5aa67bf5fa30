#!/usr/bin/python
# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Give names their lines in /etc/hosts."""

from __future__ import annotations

DOCUMENTATION = r"""
module: hosts_entries
short_description: Give names their lines in /etc/hosts
version_added: 0.1.0
author: Quorum contributors (@quorum)
description:
  - Gives every name the lines it should have, and no others. A name that somebody else's line has, is taken out of that line.
  - An owner's lines are marked as such, so that those no longer wanted are found and removed.
  - Pods on the host's network have a copy from the time when they started. Those whose lines of the owner are others get it anew, in place,
    so that kube-proxy finds the endpoint where it is now without being restarted.
extends_documentation_fragment:
  - quorum.kubeadm.attributes
attributes:
  check_mode:
    support: full
    details: Says what would be written.
  diff_mode:
    support: full
    details: Shows the difference of the file.
  idempotent:
    support: full
    details: Writes only what differs.
options:
  owner:
    description:
      - Whose lines these are, one word. Lines of other owners are left alone, unless they have a name of O(entries) or O(absent).
    type: str
    required: true
  entries:
    description:
      - All lines of the owner, in their order. A name with two addresses has two of them.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description:
          - The host name.
        type: str
        required: true
      address:
        description:
          - Its IP address.
        type: str
        required: true
  absent:
    description:
      - Names that must have no line at all, whoever wrote it.
    type: list
    elements: str
    default: []
  path:
    description:
      - The file.
    type: path
    default: /etc/hosts
  root:
    description:
      - Where the host's file system begins, below which the pods' copies are looked for.
    type: path
    default: /
"""

EXAMPLES = r"""
- name: Name the nodes
  quorum.kubeadm.hosts_entries:
    owner: nodes
    entries:
      - {name: cp1, address: 192.0.2.11}
      - {name: cp2, address: 192.0.2.12}
  become: true

- name: Let the endpoint's name go
  quorum.kubeadm.hosts_entries:
    owner: endpoint
    entries: []
  become: true
"""

RETURN = r"""
lines:
  description: The owner's lines as they are now, or would be in check mode.
  returned: success
  type: list
  elements: str
  sample: ["192.0.2.10 api.example.org # quorum.kubeadm endpoint"]
pods:
  description: The pods on the host's network whose copy of the file was made anew, or would be in check mode.
  returned: success
  type: list
  elements: str
  sample: [kube-system/kube-proxy-x7k2p]
"""

from ansible.module_utils.basic import AnsibleModule  # noqa: E402

from ansible_collections.quorum.kubeadm.plugins.module_utils.hosts_change import set_entries  # noqa: E402
from ansible_collections.quorum.kubeadm.plugins.module_utils.hosts_file import Entry, HostsFileError  # noqa: E402


def main() -> None:
    """Write the file when a line differs."""
    module = AnsibleModule(
        argument_spec={
            "owner": {"type": "str", "required": True},
            "entries": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "options": {"name": {"type": "str", "required": True}, "address": {"type": "str", "required": True}},
            },
            "absent": {"type": "list", "elements": "str", "default": []},
            "path": {"type": "path", "default": "/etc/hosts"},
            "root": {"type": "path", "default": "/"},
        },
        supports_check_mode=True,
    )
    params = module.params
    try:
        entries = [Entry(**entry) for entry in params["entries"]]
        change = set_entries(params["owner"], entries, params["absent"], params["path"], params["root"], module.check_mode)
        if change.after != change.before and not module.check_mode:
            module.set_default_selinux_context(change.path, False)
    except (HostsFileError, OSError) as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=change.changed, lines=change.lines, pods=change.pods, diff=change.diff)


if __name__ == "__main__":
    main()
