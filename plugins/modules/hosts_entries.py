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
description:
  - Gives every name the lines it should have, and no others. A name that somebody else's line has, is taken out of that line.
  - An owner's lines are marked as such, so that those no longer wanted are found and removed.
  - Pods on the host's network have a copy from the time when they started. Those whose lines of the owner are others get it anew, in place,
    so that kube-proxy finds the endpoint where it is now without being restarted.
author:
  - Quorum contributors (@quorum)
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
attributes:
  check_mode:
    description: Says what would be written.
    support: full
  diff_mode:
    description: Shows the difference of the file.
    support: full
  idempotent:
    description: Writes only what differs.
    support: full
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

import errno  # noqa: E402
import os  # noqa: E402
from pathlib import Path  # noqa: E402

from ansible.module_utils.basic import AnsibleModule  # noqa: E402

from ansible_collections.quorum.kubeadm.plugins.module_utils.host_pods import renew, stale_copies  # noqa: E402
from ansible_collections.quorum.kubeadm.plugins.module_utils.hosts_file import Entry, HostsFileError, check, owned, render  # noqa: E402


def write(path: str, text: str) -> None:
    """Put the file in its place, whole where that is possible."""
    status = os.stat(path) if os.path.exists(path) else None
    beside = f"{path}.new"
    with open(beside, "w", encoding="utf-8", errors="surrogateescape") as file:
        os.fchmod(file.fileno(), status.st_mode & 0o7777 if status else 0o644)
        os.fchown(file.fileno(), status.st_uid if status else 0, status.st_gid if status else 0)
        file.write(text)
    try:
        os.replace(beside, path)
    except OSError as error:
        if error.errno != errno.EBUSY:
            raise
        # A container runtime mounts the file of its own there, which can only be written to.
        os.unlink(beside)
        with open(path, "w", encoding="utf-8", errors="surrogateescape") as file:
            file.write(text)


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
    path = os.path.realpath(module.params["path"])
    entries = [Entry(entry["name"], entry["address"]) for entry in module.params["entries"]]
    before = ""
    try:
        check(entries)
        if os.path.exists(path):
            with open(path, encoding="utf-8", errors="surrogateescape") as file:
                before = file.read()
        after = render(before, module.params["owner"], entries, module.params["absent"])
        if after != before and not module.check_mode:
            write(path, after)
            module.set_default_selinux_context(path, False)
        stale = list(stale_copies(after, module.params["owner"], Path(module.params["root"])))
        for copy in stale if not module.check_mode else ():
            renew(copy)
    except (HostsFileError, OSError) as error:
        module.fail_json(msg=str(error))
    module.exit_json(
        changed=after != before or bool(stale),
        lines=owned(after, module.params["owner"]),
        pods=[copy.pod for copy in stale],
        diff={"before_header": path, "after_header": path, "before": before, "after": after},
    )


if __name__ == "__main__":
    main()
