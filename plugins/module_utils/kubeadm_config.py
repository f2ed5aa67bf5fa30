# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Complete kubeadm's configuration documents (API v1beta4): the fields are the caller's, and what only this run knows is added."""

from __future__ import annotations

import json
import re
from typing import Any, Mapping, Sequence

from ansible_collections.quorum.kubeadm.plugins.module_utils.kubeadm_output import JoinFacts

API = "kubeadm.k8s.io/v1beta4"
TOKEN_DESCRIPTION = "quorum.kubeadm: join, revoked afterwards"
# Images that a bundle has brought are never asked for again; the socket is where our role containerd has it.
REGISTRATION = {"criSocket": "unix:///run/containerd/containerd.sock", "imagePullPolicy": "IfNotPresent"}
# How long a control plane waits for its turn in etcd, which takes in one member at a time; kubeadm's own default is two minutes.
CONTROL_PLANE_TIMEOUTS = {"etcdAPICall": "5m0s"}
# The fields of its documents that let somebody into the cluster, or read its keys.
SECRETS = ("token", "tlsBootstrapToken", "certificateKey")

Document = dict[str, Any]
Fields = Mapping[str, Any]


def registration(fields: Fields) -> Document:
    """Return the nodeRegistration of an InitConfiguration or a JoinConfiguration, our defaults included."""
    return {**REGISTRATION, **(fields.get("nodeRegistration") or {})}


def advertise_address(fields: Fields) -> str | None:
    """Return the address that a JoinConfiguration gives a control plane's API server; None when it leaves that to kubeadm."""
    endpoint = (fields.get("controlPlane") or {}).get("localAPIEndpoint") or {}
    return endpoint.get("advertiseAddress") or None


def init_configuration(fields: Fields, certificate_key: str | None = None, token_ttl: str = "1h0m0s") -> Document:
    """Complete the InitConfiguration: kubeadm makes up the token, whose description lets it be found and revoked."""
    return {
        **fields,
        "apiVersion": API,
        "kind": "InitConfiguration",
        "bootstrapTokens": [{"description": TOKEN_DESCRIPTION, "ttl": token_ttl}],
        "nodeRegistration": registration(fields),
        **({"certificateKey": certificate_key} if certificate_key else {}),
    }


def cluster_configuration(fields: Fields) -> Document:
    """Complete the ClusterConfiguration."""
    return {**fields, "apiVersion": API, "kind": "ClusterConfiguration"}


def kubelet_configuration(fields: Fields) -> Document:
    """Complete the KubeletConfiguration that every node of the cluster gets."""
    return {**fields, "apiVersion": "kubelet.config.k8s.io/v1beta1", "kind": "KubeletConfiguration"}


def kube_proxy_configuration(fields: Fields) -> Document:
    """Complete the KubeProxyConfiguration."""
    return {**fields, "apiVersion": "kubeproxy.config.k8s.io/v1alpha1", "kind": "KubeProxyConfiguration"}


def join_configuration(fields: Fields, credentials: JoinFacts, control_plane: bool = False) -> Document:
    """Complete the JoinConfiguration of a worker or of a control plane."""
    token = {"apiServerEndpoint": credentials["endpoint"], "token": credentials["token"], "caCertHashes": list(credentials["ca_cert_hashes"])}
    document = {
        **fields,
        "apiVersion": API,
        "kind": "JoinConfiguration",
        "discovery": {"bootstrapToken": token},
        "nodeRegistration": registration(fields),
    }
    if control_plane:
        # Its presence alone makes a control plane.
        document["controlPlane"] = {**(fields.get("controlPlane") or {}), "certificateKey": credentials["certificate_key"]}
        document["timeouts"] = {**CONTROL_PLANE_TIMEOUTS, **(fields.get("timeouts") or {})}
    return document


def upgrade_configuration(mode: str, version: str, fields: Fields) -> Document:
    """Build the UpgradeConfiguration of `kubeadm upgrade apply` or `node`; the fields are those that the two share, and timeouts."""
    timeouts = fields.get("timeouts")
    own = {name: value for name, value in fields.items() if name != "timeouts"}
    return {
        "apiVersion": API,
        "kind": "UpgradeConfiguration",
        mode: {"imagePullPolicy": REGISTRATION["imagePullPolicy"], **own, **({"kubernetesVersion": f"v{version}"} if mode == "apply" else {})},
        **({"timeouts": timeouts} if timeouts else {}),
    }


def without_etcd_tag(document: str) -> str:
    """Return a ClusterConfiguration as kubeadm writes it, YAML, without the tag of etcd's image."""
    return re.sub(r"^(etcd:\n  local:\n(?:    .*\n)*?)    imageTag:.*\n", r"\1", document, flags=re.MULTILINE)


def reset_configuration(cri_socket: str, certificates_dir: str, skip_phases: Sequence[str]) -> Document:
    """Build the ResetConfiguration of a node whose cluster may not answer: it asks the API for seconds, not minutes."""
    return {
        "apiVersion": API,
        "kind": "ResetConfiguration",
        "force": True,
        "criSocket": cri_socket,
        "certificatesDir": certificates_dir,
        "skipPhases": list(skip_phases),
        "timeouts": {"kubernetesAPICall": "5s", "etcdAPICall": "5s"},
    }


def render(documents: Sequence[Document]) -> str:
    """Write the documents as kubeadm reads them from its standard input: JSON, which is YAML."""
    return "".join(f"---\n{json.dumps(document)}\n" for document in documents)


def difference(command: str, documents: Sequence[Document]) -> dict[str, str]:
    """Return what Ansible shows with --diff of a kubeadm that changes a node: the command and its documents, without their secrets."""
    named = [{"apiVersion": document["apiVersion"], "kind": document["kind"], **_without_secrets(document)} for document in documents]
    return {"prepared": f"{command}\n" + "".join(f"---\n{json.dumps(document, indent=2)}\n" for document in named)}


def _without_secrets(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: "********" if key in SECRETS else _without_secrets(item) for key, item in value.items()}
    return [_without_secrets(item) for item in value] if isinstance(value, (list, tuple)) else value
