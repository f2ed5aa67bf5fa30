#!/usr/bin/python
# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Mint what nodes need to join a cluster, and take it back."""

from __future__ import annotations

DOCUMENTATION = r"""
module: join_credentials
short_description: Mint what nodes need to join a cluster, and take it back
version_added: 0.1.0
author: Quorum contributors (@quorum)
description:
  - Runs on a living control plane, with C(/etc/kubernetes/admin.conf).
  - O(state=present) creates a short-lived bootstrap token, and stores the control planes' certificates in the cluster under a new key when
    O(control_plane=true). Tokens that a killed run left are deleted at the same time.
  - O(state=absent) deletes every bootstrap token that was made here or by C(kubeadm init), and the stored certificates.
  - A run that joins nodes asks for O(state=present) once, and for O(state=absent) in C(always), whatever became of the joins.
  - No secret is seen in the list of processes or written to a file.
extends_documentation_fragment: quorum.kubeadm.attributes.changes
attributes:
  check_mode:
    details: The credentials of a check run have no token and no certificate key. M(quorum.kubeadm.kubeadm_join) in check mode does without.
  idempotent:
    support: partial
    details: O(state=present) makes a new token each time; ask for it only when a node is to join.
notes:
  - The task with O(state=present) needs C(no_log=true), because it returns secrets. An error of this module never holds one; show it by a
    rescue, as in the example.
options:
  state:
    description: Whether to mint credentials or to take all of them back.
    type: str
    choices: [present, absent]
    default: present
  control_plane:
    description: Whether control planes are among those that join; then the certificates are stored, too.
    type: bool
    default: false
  ttl:
    description: How long the token is valid when nobody takes it back.
    type: str
    default: 30m0s
  endpoint:
    description: The endpoint that joining nodes use, host and port; the one of C(/etc/kubernetes/admin.conf) when it is not given.
    type: str
  cri_socket:
    description: The container runtime's socket. kubeadm wants to know it even when it does not use it.
    type: str
    default: unix:///run/containerd/containerd.sock
  timeout:
    description: How many seconds the cluster may take to answer.
    type: int
    default: 60
"""

EXAMPLES = r"""
- name: Join nodes
  block:
    - name: Mint credentials
      quorum.kubeadm.join_credentials:
        control_plane: true
      delegate_to: cp1
      run_once: true
      no_log: true
      register: minted

    - name: Join the control plane
      quorum.kubeadm.kubeadm_join:
        credentials: "{{ minted.credentials }}"
        control_plane: true
  rescue:
    - name: Say what went wrong
      ansible.builtin.fail:
        msg: "{{ ansible_failed_result.msg }}"
  always:
    - name: Take the credentials back
      quorum.kubeadm.join_credentials:
        state: absent
      delegate_to: cp1
      run_once: true
"""

RETURN = r"""
credentials:
  description: What M(quorum.kubeadm.kubeadm_join) takes.
  returned: when O(state=present)
  type: dict
  contains:
    endpoint:
      description: The cluster's endpoint.
      type: str
    token:
      description: The bootstrap token; secret.
      type: str
    ca_cert_hashes:
      description: The pin of the cluster's CA.
      type: list
      elements: str
    certificate_key:
      description: The key of the stored certificates, for control planes; secret.
      type: str
    control_plane:
      description: Whether control planes can join with these.
      type: bool
deleted_tokens:
  description: The ids, which are public, of the tokens that were deleted.
  returned: success
  type: list
  elements: str
  sample: [abcdef]
deleted_certificates:
  description: Whether stored certificates were deleted.
  returned: success
  type: bool
"""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Mapping, TypedDict

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.quorum.kubeadm.plugins.module_utils import bootstrap_tokens as tokens
from ansible_collections.quorum.kubeadm.plugins.module_utils import kubeadm_config as config
from ansible_collections.quorum.kubeadm.plugins.module_utils.certificates import CertificateError
from ansible_collections.quorum.kubeadm.plugins.module_utils.command import Runner, run
from ansible_collections.quorum.kubeadm.plugins.module_utils.control_plane import NoControlPlane, local_kubectl, read_control_plane
from ansible_collections.quorum.kubeadm.plugins.module_utils.kubeadm_output import JoinFacts, redact
from ansible_collections.quorum.kubeadm.plugins.module_utils.kubeadm_run import KubeadmError, kubeadm
from ansible_collections.quorum.kubeadm.plugins.module_utils.kubectl import Deadline, Kubectl, KubectlError
from ansible_collections.quorum.kubeadm.plugins.module_utils.node_state import ApiServer

ROOT = Path("/")
IN_KUBE_SYSTEM = ("--namespace", "kube-system")


class Outcome(TypedDict, total=False):
    """What the module returns."""

    changed: bool
    credentials: JoinFacts
    deleted_tokens: list[str]
    deleted_certificates: bool


def token_documents(params: Mapping[str, Any], server: ApiServer, version: str, token: str) -> list[config.Document]:
    """Build the documents for `kubeadm token create`."""
    init = config.init_configuration(_local(params, server), token_ttl=params["ttl"])
    init["bootstrapTokens"][0]["token"] = token
    return [init, _cluster_document(version)]


def certificate_documents(params: Mapping[str, Any], server: ApiServer, version: str, key: str) -> list[config.Document]:
    """Build the documents for `kubeadm init phase upload-certs`, which on hosts with several networks needs the local address."""
    return [config.init_configuration(_local(params, server), key), _cluster_document(version)]


def _local(params: Mapping[str, Any], server: ApiServer) -> config.Document:
    return {
        "localAPIEndpoint": {"advertiseAddress": server.address, "bindPort": server.port},
        "nodeRegistration": {"criSocket": params["cri_socket"]},
    }


def _cluster_document(version: str) -> config.Document:
    # Without a version kubeadm asks the internet for the newest one.
    return config.cluster_configuration({"kubernetesVersion": version})


def delete_tokens(kubectl: Kubectl, ids: list[str], certificates: bool = False) -> None:
    """Delete tokens, and the stored certificates; what is gone already is no error."""
    names = [tokens.SECRET_NAME + one for one in ids] + ([tokens.CERTIFICATES_SECRET] if certificates else [])
    if names:
        kubectl(*IN_KUBE_SYSTEM, "delete", "secret", "--ignore-not-found", "--wait=false", *names)


def list_tokens(kubectl: Kubectl) -> list[tokens.BootstrapToken]:
    """Return the bootstrap tokens of the cluster."""
    return tokens.bootstrap_tokens(kubectl.objects(*IN_KUBE_SYSTEM, "get", "secrets", "--field-selector", f"type={tokens.SECRET_TYPE}"))


def mint(params: Mapping[str, Any], check_mode: bool, runner: Runner, kubectl: Kubectl, root: Path = ROOT) -> Outcome:
    """Make a token, and store the certificates when control planes are to join."""
    control_plane = read_control_plane(root)
    server = control_plane.api_server
    facts = JoinFacts(
        endpoint=params["endpoint"] or control_plane.endpoint,
        token=None,
        ca_cert_hashes=[control_plane.ca_hash],
        certificate_key=None,
        control_plane=params["control_plane"],
    )
    if check_mode:
        return Outcome(changed=True, credentials=facts, deleted_tokens=[], deleted_certificates=False)
    version = runner(["kubeadm", "version", "--output", "short"])
    if version.rc != 0:
        raise KubeadmError("kubeadm version", version)
    token, key = tokens.make_token(), tokens.make_certificate_key()

    def purge() -> list[str]:
        left = [one["id"] for one in list_tokens(kubectl) if one["ours"] and one["id"] != token[:6]]
        delete_tokens(kubectl, left)
        return left

    def create() -> None:
        kubeadm(runner, ["token", "create"], token_documents(params, server, version.stdout.strip(), token))

    def upload() -> None:
        arguments = ["init", "phase", "upload-certs", "--upload-certs", "--skip-certificate-key-print"]
        kubeadm(runner, arguments, certificate_documents(params, server, version.stdout.strip(), key))

    with ThreadPoolExecutor() as side_by_side:
        work = [side_by_side.submit(create), *([side_by_side.submit(upload)] if params["control_plane"] else [])]
        purged = side_by_side.submit(purge)
    for done in work:
        done.result()
    facts["token"] = token
    facts["certificate_key"] = key if params["control_plane"] else None
    return Outcome(changed=True, credentials=facts, deleted_tokens=purged.result(), deleted_certificates=False)


def revoke(check_mode: bool, kubectl: Kubectl) -> Outcome:
    """Delete every token that joining needed, and the stored certificates."""
    with ThreadPoolExecutor() as side_by_side:
        listed = side_by_side.submit(list_tokens, kubectl)
        stored = side_by_side.submit(
            kubectl, *IN_KUBE_SYSTEM, "get", "secret", tokens.CERTIFICATES_SECRET, "--ignore-not-found", "--output", "name"
        )
    ids, certificates = tokens.revocable(listed.result()), bool(stored.result().strip())
    if not check_mode:
        delete_tokens(kubectl, ids, certificates)
    return Outcome(changed=bool(ids) or certificates, deleted_tokens=ids, deleted_certificates=certificates)


def foresee(params: Mapping[str, Any]) -> Outcome:
    """Return what a run would do here once this host is a control plane, which a check run before `kubeadm init` cannot wait for."""
    if params["state"] == "absent":
        return Outcome(changed=False, deleted_tokens=[], deleted_certificates=False)
    facts = JoinFacts(endpoint=params["endpoint"] or "", token=None, ca_cert_hashes=[], certificate_key=None, control_plane=params["control_plane"])
    return Outcome(changed=True, credentials=facts, deleted_tokens=[], deleted_certificates=False)


def main() -> None:
    """Entry point."""
    module = AnsibleModule(
        argument_spec={
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "control_plane": {"type": "bool", "default": False},
            "ttl": {"type": "str", "default": "30m0s"},
            "endpoint": {"type": "str"},
            "cri_socket": {"type": "str", "default": "unix:///run/containerd/containerd.sock"},
            "timeout": {"type": "int", "default": 60},
        },
        supports_check_mode=True,
    )
    params = module.params
    try:
        kubectl = local_kubectl(Deadline(params["timeout"]))
        if params["state"] == "absent":
            module.exit_json(**revoke(module.check_mode, kubectl))
        module.exit_json(**mint(params, module.check_mode, run, kubectl))
    except KubeadmError as error:
        module.fail_json(msg=str(error), **error.returned)
    except NoControlPlane as error:
        if module.check_mode:
            module.exit_json(**foresee(params))
        module.fail_json(msg=redact(str(error)))
    except (CertificateError, KubectlError, OSError) as error:
        module.fail_json(msg=redact(str(error)))


if __name__ == "__main__":
    main()
