#!/usr/bin/python
# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Take a snapshot of etcd on a control plane, and verify it."""

from __future__ import annotations

DOCUMENTATION = r"""
module: etcd_snapshot
short_description: Take a snapshot of etcd on a control plane, and verify it
version_added: 0.2.0
author: Quorum contributors (@quorum)
description:
  - Fetches a snapshot of the member on this node through etcd's JSON gateway, and verifies it by the hash that etcd appends. A file that is there
    is a whole snapshot, which C(etcdutl snapshot restore) takes.
  - It holds all of the cluster's data, Secrets included, as etcd's own files beside it do. It is written with mode 0600 into a directory that root
    alone reads.
extends_documentation_fragment: quorum.kubeadm.attributes.changes
attributes:
  idempotent:
    description: Takes another snapshot whenever it is run, and keeps the newest.
    support: none
options:
  directory:
    description: Where to write it.
    type: path
    default: /var/lib/quorum.kubeadm/snapshots
  name:
    description: What the name of the file begins with; the time and C(.db) follow.
    type: str
    default: etcd
  keep:
    description: How many snapshots of this name to keep, this one included.
    type: int
    default: 2
  timeout:
    description: How many seconds etcd may be silent while it sends.
    type: int
    default: 60
"""

EXAMPLES = r"""
- name: Take a snapshot before the upgrade
  quorum.kubeadm.etcd_snapshot:
    name: before-1.37.2
  register: snapshot
"""

RETURN = r"""
path:
  description: The file.
  returned: success
  type: str
  sample: /var/lib/quorum.kubeadm/snapshots/before-1.37.2-20261128T170000Z.db
where:
  description: The same with the name of this host before it, for people.
  returned: success
  type: str
  sample: cp1:/var/lib/quorum.kubeadm/snapshots/before-1.37.2-20261128T170000Z.db
size:
  description: The size of the database in it, in bytes; None in check mode.
  returned: success
  type: int
sha256:
  description: The hash of the database, as etcd appends it; None in check mode.
  returned: success
  type: str
removed:
  description: Older snapshots that were removed.
  returned: success
  type: list
  elements: str
"""

import socket
import time
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.quorum.kubeadm.plugins.module_utils.etcd import EtcdError, local_endpoints
from ansible_collections.quorum.kubeadm.plugins.module_utils.etcd_snapshot import fetch, surplus

ROOT = Path("/")


def main() -> None:
    """Entry point."""
    module = AnsibleModule(
        argument_spec={
            "directory": {"type": "path", "default": "/var/lib/quorum.kubeadm/snapshots"},
            "name": {"type": "str", "default": "etcd"},
            "keep": {"type": "int", "default": 2},
            "timeout": {"type": "int", "default": 60},
        },
        supports_check_mode=True,
    )
    params = module.params
    directory = Path(params["directory"])
    path = directory / f"{params['name']}-{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}.db"
    where = f"{socket.gethostname()}:{path}"
    endpoints = local_endpoints(ROOT)
    if not endpoints:
        module.fail_json(msg="no member of etcd runs on this node: run this on a control plane that has one")
    if module.check_mode:
        module.exit_json(changed=True, path=str(path), where=where, size=None, sha256=None, removed=[])
    try:
        written = fetch(endpoints[0], path, ROOT, params["timeout"])
        old = surplus(directory, f"{params['name']}-", max(params["keep"], 1))
        for snapshot in old:
            snapshot.unlink()
    except (EtcdError, OSError) as error:
        module.fail_json(msg=f"no snapshot of etcd could be taken: {error}")
    module.exit_json(changed=True, path=str(path), where=where, size=written.size, sha256=written.sha256, removed=[str(snapshot) for snapshot in old])


if __name__ == "__main__":
    main()
