#!/usr/bin/python
# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tell how quickly this host's HAProxy and keepalived are configured to notice things."""

from __future__ import annotations

DOCUMENTATION = r"""
module: drill_timings
short_description: Tell how quickly this host's HAProxy, keepalived and etcd are configured to notice things
version_added: 0.1.0
author: Quorum contributors (@quorum)
description:
  - Reads the timings from which an outage can be computed out of the configuration files that are there, whoever wrote them.
  - A host has HAProxy and keepalived, or etcd, or all of them.
  - It reads, and never changes anything.
extends_documentation_fragment: quorum.kubeadm.attributes.reads
options:
  haproxy:
    description: HAProxy's configuration.
    type: path
    default: /etc/haproxy/haproxy.cfg
  keepalived:
    description: keepalived's configuration.
    type: path
    default: /etc/keepalived/keepalived.conf
  etcd:
    description: The manifest of etcd's static pod.
    type: path
    default: /etc/kubernetes/manifests/etcd.yaml
"""

EXAMPLES = r"""
- name: Read the timings
  quorum.kubeadm.drill_timings:
  become: true
  register: configured
"""

RETURN = r"""
timings:
  description: Milliseconds, counts and yes or no, by the names of the class C(Timings) in the module_utils C(failover); C(priority) is this host's.
  returned: success
  type: dict
  sample: {advertisement: 100, priority: 200, check_interval: 100}
"""

from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.quorum.kubeadm.plugins.module_utils.command import run
from ansible_collections.quorum.kubeadm.plugins.module_utils.drill_timings import of_etcd, of_haproxy, of_keepalived, systemd_milliseconds


def main() -> None:
    """Read and tell."""
    module = AnsibleModule(
        argument_spec={
            "haproxy": {"type": "path", "default": "/etc/haproxy/haproxy.cfg"},
            "keepalived": {"type": "path", "default": "/etc/keepalived/keepalived.conf"},
            "etcd": {"type": "path", "default": "/etc/kubernetes/manifests/etcd.yaml"},
        },
        supports_check_mode=True,
    )
    haproxy, keepalived, etcd = (Path(module.params[name]) for name in ("haproxy", "keepalived", "etcd"))
    timings: dict[str, Any] = {}
    try:
        if etcd.exists():
            timings.update(of_etcd(etcd.read_text(encoding="utf-8")))
        if not timings or haproxy.exists() or keepalived.exists():
            timings.update(of_haproxy(haproxy.read_text(encoding="utf-8")))
            timings.update(of_keepalived(keepalived.read_text(encoding="utf-8")))
    except (OSError, ValueError) as error:
        module.fail_json(msg=f"the timings cannot be read: {error}")
    shown = run(["systemctl", "show", "--property=Restart,RestartUSec", "keepalived.service"]).stdout
    properties = dict(line.partition("=")[::2] for line in shown.splitlines())
    if properties.get("Restart", "no") != "no":
        timings["keepalived_restart"] = systemd_milliseconds(properties.get("RestartUSec", ""))
    module.exit_json(changed=False, timings=timings)


if __name__ == "__main__":
    main()
