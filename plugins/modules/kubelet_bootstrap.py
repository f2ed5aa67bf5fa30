#!/usr/bin/python
# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Let a kubelet whose client certificate has expired request a new one."""

from __future__ import annotations

DOCUMENTATION = r"""
module: kubelet_bootstrap
short_description: Let a kubelet whose client certificate has expired request a new one
version_added: 0.2.0
author: Quorum contributors (@quorum)
description:
  - A kubelet renews its client certificate only while that is valid. With a bootstrap token it requests one as it did when its node joined; the node, its
    name and its pods stay what they are.
  - Does nothing where the certificate is valid.
  - The token is on the node in C(/etc/kubernetes/bootstrap-kubelet.conf), where C(kubeadm join) puts it, until the kubelet has its certificate or the time
    is over.
  - Needs C(become), since the kubelet's files are root's.
extends_documentation_fragment: quorum.kubeadm.attributes.changes
options:
  endpoint:
    description: The endpoint of the cluster, host and port.
    type: str
    required: true
  token:
    description: A bootstrap token of the cluster, by M(quorum.kubeadm.join_credentials). None is needed in check mode.
    type: str
  timeout:
    description: How many seconds the kubelet may take to get its certificate.
    type: int
    default: 120
"""

EXAMPLES = r"""
- name: Let the kubelet request a certificate
  quorum.kubeadm.kubelet_bootstrap:
    endpoint: "{{ minted.credentials.endpoint }}"
    token: "{{ minted.credentials.token }}"
  no_log: true
"""

RETURN = r"""
not_after:
  description: Until when the kubelet's client certificate is valid, UTC. In check mode that of the old one.
  returned: success
  type: str
  sample: "2027-11-28T16:17:52Z"
"""

import base64
import json
import os
import time
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Callable, Mapping

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.quorum.kubeadm.plugins.module_utils.command import Runner, run
from ansible_collections.quorum.kubeadm.plugins.module_utils.node_certificates import KUBELET_CLIENT, Certificate, has_expired, read_certificates
from ansible_collections.quorum.kubeadm.plugins.module_utils.node_state import BOOTSTRAP_KUBECONFIG, CA_CERTIFICATE, KUBELET_KUBECONFIG

ROOT = Path("/")
PAUSE = 0.5


class Refused(Exception):
    """The kubelet gets no certificate."""


def client_certificate(root: Path) -> Certificate:
    """Return the kubelet's client certificate."""
    found = [one for one in read_certificates(root) if one["name"] == KUBELET_CLIENT]
    if not found or not (root / KUBELET_KUBECONFIG).exists():
        raise Refused("this host is no node of a cluster: it has no kubelet with a client certificate")
    return found[0]


def kubeconfig(endpoint: str, token: str, root: Path) -> dict[str, Any]:
    """Return the kubeconfig of a kubelet that is still to get a certificate."""
    authority = base64.b64encode((root / CA_CERTIFICATE).read_bytes()).decode()
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "kubernetes", "cluster": {"server": f"https://{endpoint}", "certificate-authority-data": authority}}],
        "users": [{"name": "tls-bootstrap-token-user", "user": {"token": token}}],
        "contexts": [{"name": "bootstrap", "context": {"cluster": "kubernetes", "user": "tls-bootstrap-token-user"}}],
        "current-context": "bootstrap",
    }


def bootstrap(
    params: Mapping[str, Any], check_mode: bool, runner: Runner, root: Path = ROOT, sleep: Callable[[float], None] = time.sleep
) -> tuple[bool, Certificate]:
    """Let the kubelet request a certificate where it has none that is valid, and return whether it did, with the certificate."""
    found = client_certificate(root)
    target = root / BOOTSTRAP_KUBECONFIG
    if check_mode or not has_expired(found, datetime.now(timezone.utc)):
        return has_expired(found, datetime.now(timezone.utc)), found
    try:
        descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump(kubeconfig(params["endpoint"], params["token"] or "", root), file)
        restarted = runner(["systemctl", "restart", "kubelet.service"])
        if restarted.rc != 0:
            raise Refused(f"the kubelet cannot be restarted: {restarted.stderr.strip()}")
        deadline = time.monotonic() + params["timeout"]
        while has_expired(found := client_certificate(root), datetime.now(timezone.utc)):
            if time.monotonic() >= deadline:
                raise Refused(
                    f"the kubelet has no new client certificate after {params['timeout']} seconds: see `journalctl -u kubelet` here, and "
                    "`kubectl get certificatesigningrequests` on a control plane, whose controller manager approves and signs its request"
                )
            sleep(PAUSE)
    finally:
        target.unlink(missing_ok=True)
    return True, found


def main() -> None:
    """Entry point."""
    module = AnsibleModule(
        argument_spec={
            "endpoint": {"type": "str", "required": True},
            "token": {"type": "str", "no_log": True},
            "timeout": {"type": "int", "default": 120},
        },
        supports_check_mode=True,
    )
    try:
        changed, certificate = bootstrap(module.params, module.check_mode, run)
    except (OSError, Refused) as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=changed, not_after=certificate["not_after"])


if __name__ == "__main__":
    main()
