#!/usr/bin/python
# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Let the etcd member of this host give back the space that its database does not use."""

from __future__ import annotations

DOCUMENTATION = r"""
module: etcd_defragment
short_description: Let the etcd member of this host give back the space that its database does not use
version_added: 0.2.0
author: Quorum contributors (@quorum)
description:
  - etcd writes its database anew, without the pages that no data are in. It never does that by itself, so the file on the disk, which counts against the
    quota, only grows.
  - The member answers nobody meanwhile, and with it the API server beside it, for seconds. So run this on one control plane after the other, and inside
    the role P(quorum.kubeadm.node_maintenance#role), which takes traffic and etcd's leadership away before.
  - A member that had raised the alarm NOSPACE is below its quota afterwards, and its alarm is taken back, with which etcd takes writes again.
  - Needs C(become), since etcd's keys are root's.
extends_documentation_fragment: quorum.kubeadm.attributes.changes
options:
  above:
    description: How many MiB of the database are not in use before it is worth it.
    type: int
    default: 100
  timeout:
    description: Seconds that etcd may take.
    type: float
    default: 300
"""

EXAMPLES = r"""
- name: Give back what etcd does not use
  quorum.kubeadm.etcd_defragment:
    above: 100
"""

RETURN = r"""
before:
  description: What the database took on the disk before, in bytes.
  returned: success
  type: int
  sample: 1717986918
after:
  description: What it takes now; in check mode, what of it is in use.
  returned: success
  type: int
  sample: 104857600
disarmed:
  description: Whether the member's alarm NOSPACE was taken back.
  returned: success
  type: bool
"""

from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.quorum.kubeadm.plugins.module_utils import etcd

ROOT = Path("/")
MEBIBYTE = 2**20


def give_back(ask: etcd.Ask, endpoints: list[str], above: int, check_mode: bool) -> dict[str, Any]:
    """Defragment the member at these endpoints where it has more than `above` MiB to give back."""
    before = etcd.status(ask, endpoints)
    size, in_use = before["db_size"] or 0, before["db_in_use"] or 0
    if size - in_use <= above * MEBIBYTE:
        return {"changed": False, "before": size, "after": size, "disarmed": False}
    if check_mode:
        return {"changed": True, "before": size, "after": in_use, "disarmed": False}
    etcd.defragment(ask, endpoints)
    after = etcd.status(ask, endpoints)
    has_room = after["quota"] is None or (after["db_size"] or 0) < after["quota"]
    return {"changed": True, "before": size, "after": after["db_size"], "disarmed": has_room and etcd.disarm(ask, endpoints, "NOSPACE")}


def main() -> None:
    """Entry point."""
    module = AnsibleModule(
        argument_spec={"above": {"type": "int", "default": 100}, "timeout": {"type": "float", "default": 300}},
        supports_check_mode=True,
    )
    try:
        endpoints = etcd.local_endpoints(ROOT)
        if not endpoints:
            module.fail_json(msg="kubeadm runs no etcd on this host")
        answer = give_back(etcd.asker(ROOT, module.params["timeout"]), endpoints, module.params["above"], module.check_mode)
    except (etcd.EtcdError, OSError) as error:
        module.fail_json(msg=f"etcd's database on this host cannot be defragmented: {error}")
    module.exit_json(**answer)


if __name__ == "__main__":
    main()
