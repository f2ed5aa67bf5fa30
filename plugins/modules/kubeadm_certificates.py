#!/usr/bin/python
# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Renew the certificates of a node."""

from __future__ import annotations

DOCUMENTATION = r"""
module: kubeadm_certificates
short_description: Renew the certificates of a node
version_added: 0.2.0
author: Quorum contributors (@quorum)
description:
  - Renews on a control plane, by C(kubeadm certs renew), the certificates that kubeadm makes, those inside its kubeconfig files included. Names and
    addresses in a certificate stay as they are; C(certificateValidityPeriod) and C(encryptionAlgorithm) of O(cluster_configuration) count.
  - Writes the administrator's new kubeconfig over older copies of it in C(/root/.kube/config) and C(/home/*/.kube/config).
  - Renews what kubeadm does not - the client certificate of a control plane's kubelet when it has expired, since a kubelet renews its own only while it is
    valid, and, on any node, the certificate that a kubelet signs for its own port, which it never makes anew. The kubelet is restarted for these.
  - Asks no API server, so that it works where all certificates have expired. A worker whose kubelet's client certificate has expired needs
    M(quorum.kubeadm.kubelet_bootstrap).
  - The components of a control plane use their new certificates when M(quorum.kubeadm.static_pods) has started them anew.
  - CAs are never renewed.
  - Needs C(become), since keys are root's.
extends_documentation_fragment: quorum.kubeadm.attributes.changes
attributes:
  diff_mode:
    description: Shows the names of the certificates, and until when they are valid.
    support: full
  idempotent:
    description: Changes nothing when it is run again with the same arguments, unless O(renew=all).
    support: partial
options:
  renew:
    description:
      - V(due) renews what is valid for less than 30 days, or for less than a twelfth of its life where that is less.
      - V(all) renews everything, but for kubelets' client certificates that are valid.
    type: str
    choices: [due, all]
    default: due
  cluster_configuration:
    description: Fields of kubeadm's ClusterConfiguration (v1beta4), in which C(kubernetesVersion) does not count.
    type: dict
    default: {}
"""

EXAMPLES = r"""
- name: Renew what expires within a month
  quorum.kubeadm.kubeadm_certificates:

- name: Let the components use them
  quorum.kubeadm.static_pods:
"""

RETURN = r"""
renewed:
  description: The names of the certificates that were renewed, or would be.
  returned: success
  type: list
  elements: str
  sample: [apiserver, etcd-server, admin.conf]
copies:
  description: The copies of the administrator's kubeconfig that were written, or would be.
  returned: success
  type: list
  elements: str
  sample: [/root/.kube/config]
kubelet_restarted:
  description: Whether the kubelet was restarted, or would be.
  returned: success
  type: bool
stdout:
  description: kubeadm's own words, without secrets.
  returned: always
  type: str
stderr:
  description: kubeadm's warnings and errors, without secrets.
  returned: always
  type: str
"""

import os
import re
from base64 import b64decode
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Mapping, TypedDict

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.quorum.kubeadm.plugins.module_utils import kubeadm_config as config
from ansible_collections.quorum.kubeadm.plugins.module_utils.certificates import CertificateError
from ansible_collections.quorum.kubeadm.plugins.module_utils.command import Result, Runner
from ansible_collections.quorum.kubeadm.plugins.module_utils.kubeadm_run import BusyError, KubeadmError, exclusively, kubeadm
from ansible_collections.quorum.kubeadm.plugins.module_utils.kubeconfig_copies import outdated_copies, update_copy
from ansible_collections.quorum.kubeadm.plugins.module_utils.node_certificates import (
    KUBELET_CLIENT,
    KUBELET_SELF_SIGNED,
    KUBELET_SERVER,
    RENEWED_BY_KUBEADM,
    Certificate,
    has_expired,
    is_due,
    read_certificates,
)
from ansible_collections.quorum.kubeadm.plugins.module_utils.node_state import CA_KEY, KUBELET_CERTIFICATE, KUBELET_KUBECONFIG, read_node_name

ROOT = Path("/")
# Beside what a kubelet signed for itself, until it has made its next one: a run that is killed in between is seen by it.
SET_ASIDE = f"{KUBELET_SELF_SIGNED}.quorum"
# RFC 7468; kubeadm writes keys of both kinds.
_PEM_KEY = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----")


class Refused(Exception):
    """The certificates of this node cannot be renewed here."""


class Outcome(TypedDict):
    """What the module returns."""

    changed: bool
    renewed: list[str]
    copies: list[str]
    kubelet_restarted: bool
    stdout: str
    stderr: str
    diff: dict[str, str]


def documents(params: Mapping[str, Any], runner: Runner) -> list[config.Document]:
    """Build the documents for kubeadm; without a version it asks the internet for the newest one."""
    version = runner(["kubeadm", "version", "--output", "short"])
    if version.rc != 0:
        raise KubeadmError("kubeadm version", version)
    return [
        config.init_configuration({}),
        config.cluster_configuration({**params["cluster_configuration"], "kubernetesVersion": version.stdout.strip()}),
    ]


def wanted(certificates: list[Certificate], every: bool, now: datetime) -> list[str]:
    """Return which of kubeadm's certificates are to be renewed."""
    return [one["name"] for one in certificates if one["name"] in RENEWED_BY_KUBEADM and (every or is_due(one, now))]


def renew_kubelet_client(given: list[config.Document], runner: Runner, root: Path) -> None:
    """Write a client certificate for this node's kubelet where the kubelet itself puts it; the CA's key on this control plane signs it.

    Its kubeconfig file stays: it names this file, and the API server that the kubelet is to ask.
    """
    name = read_node_name(root)
    if name is None:
        raise Refused(f"{root / KUBELET_CERTIFICATE} names no node: write the node's own again, or reset the node and let it join anew")
    arguments = ["kubeconfig", "user", f"--client-name=system:node:{name}", "--org=system:nodes"]
    # Not by what hides secrets: the key is what is wanted.
    made = runner(["kubeadm", *arguments, "--config", "/dev/stdin"], config.render(given))
    parts = {kind: re.search(rf"client-{kind}-data: (\S+)", made.stdout) for kind in ("certificate", "key")}
    pem = "".join(b64decode(found.group(1)).decode() for found in parts.values() if found)
    if made.rc != 0 or "BEGIN CERTIFICATE" not in pem or not _PEM_KEY.search(pem):
        raise KubeadmError("kubeadm " + " ".join(arguments), Result(made.rc or 1, "", made.stderr))
    current = root / KUBELET_CERTIFICATE
    # As the kubelet names it (client-go/util/certificate, FileStore).
    stored = current.with_name(f"kubelet-client-{time_stamp()}.pem")
    descriptor = os.open(stored, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(pem)
    beside = current.with_name(".kubelet-client-current.quorum")
    beside.unlink(missing_ok=True)
    beside.symlink_to(stored)
    os.replace(beside, current)


def time_stamp() -> str:
    """Return the time as the kubelet writes it into the names of its certificates."""
    return datetime.now(timezone.utc).strftime("%Y-%m-%d-%H-%M-%S")


def restart_kubelet(runner: Runner) -> None:
    """Restart the kubelet."""
    done = runner(["systemctl", "restart", "kubelet.service"])
    if done.rc != 0:
        raise Refused(f"the kubelet does not start with its new certificate: {done.stderr.strip()} (`journalctl -u kubelet` tells more)")


def certificates(params: Mapping[str, Any], check_mode: bool, runner: Runner, root: Path = ROOT) -> Outcome:
    """Renew what is to be renewed."""
    now, every = datetime.now(timezone.utc), params["renew"] == "all"
    found = read_certificates(root)
    if not (root / KUBELET_KUBECONFIG).exists():
        raise Refused("this host belongs to no cluster: there is nothing to renew")
    signs = (root / CA_KEY).exists()
    names = wanted(found, every, now)
    if names and not signs:
        raise Refused(f"{', '.join(names)} cannot be renewed here, since {root / CA_KEY} is not on this host: renew them by the CA that signed them")
    by_path = {one["path"]: one for one in found}
    client, own = by_path.get(f"/{KUBELET_CERTIFICATE}"), by_path.get(f"/{KUBELET_SELF_SIGNED}")
    renew_client = signs and client is not None and has_expired(client, now)
    renew_own = own is not None and (every or is_due(own, now))
    restart = renew_client or renew_own or (root / SET_ASIDE).exists()
    stdout = stderr = ""
    if not check_mode:
        given = documents(params, runner) if names or renew_client else []
        for name in ["all"] if names and every else names:
            result = kubeadm(runner, ["certs", "renew", name], given)
            stdout, stderr = stdout + result.stdout, stderr + result.stderr
        if renew_client:
            renew_kubelet_client(given, runner, root)
        if renew_own:
            (root / KUBELET_SELF_SIGNED).rename(root / SET_ASIDE)
            (root / KUBELET_SELF_SIGNED).with_suffix(".key").unlink(missing_ok=True)
        if restart:
            restart_kubelet(runner)
            (root / SET_ASIDE).unlink(missing_ok=True)
    copies = outdated_copies(root, check_mode and "admin.conf" in names)
    for copy in [] if check_mode else copies:
        update_copy(copy, root)
    renewed = [*names, *([KUBELET_CLIENT] if renew_client else []), *([KUBELET_SERVER] if renew_own else [])]
    return Outcome(
        changed=bool(renewed or copies or restart),
        renewed=renewed,
        copies=[str(copy) for copy in copies],
        kubelet_restarted=restart,
        stdout=stdout,
        stderr=stderr,
        diff=difference(found, read_certificates(root), renewed, check_mode),
    )


def difference(before: list[Certificate], after: list[Certificate], renewed: list[str], check_mode: bool) -> dict[str, str]:
    """Return what Ansible shows with --diff: until when the certificates are valid."""

    def shown(all_of_them: list[Certificate], until: str | None = None) -> str:
        return "".join(f"{one['name']} is valid until {until or one['not_after']}\n" for one in all_of_them if one["name"] in renewed)

    return {"before": shown(before), "after": shown(before, "the end of a new period") if check_mode else shown(after)} if renewed else {}


def main() -> None:
    """Entry point."""
    module = AnsibleModule(
        argument_spec={
            "renew": {"type": "str", "choices": ["due", "all"], "default": "due"},
            "cluster_configuration": {"type": "dict", "default": {}},
        },
        supports_check_mode=True,
    )
    try:
        with exclusively() as runner:
            module.exit_json(**certificates(module.params, module.check_mode, runner))
    except KubeadmError as error:
        module.fail_json(msg=str(error), **error.returned)
    except (BusyError, CertificateError, OSError, Refused) as error:
        module.fail_json(msg=str(error))


if __name__ == "__main__":
    main()
