# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Build kubeadm's configuration documents (API v1beta4) from plain inputs."""

from __future__ import annotations

import json
from typing import Any, Mapping, NamedTuple, Sequence

API = "kubeadm.k8s.io/v1beta4"
TOKEN_DESCRIPTION = "quorum.kubeadm: join, revoked afterwards"

Document = dict[str, Any]
Arguments = Sequence[Mapping[str, str]]


class Registration(NamedTuple):
    """How a node registers itself."""

    name: str | None = None
    addresses: Sequence[str] = ()
    cri_socket: str | None = None
    kubelet_extra_args: Arguments = ()
    ignore_preflight_errors: Sequence[str] = ()


class Cluster(NamedTuple):
    """What the whole cluster shares."""

    kubernetes_version: str
    endpoint: str
    name: str | None = None
    dns_domain: str | None = None
    pod_subnets: Sequence[str] = ()
    service_subnets: Sequence[str] = ()
    cert_sans: Sequence[str] = ()
    image_repository: str | None = None
    api_server_extra_args: Arguments = ()
    controller_manager_extra_args: Arguments = ()
    scheduler_extra_args: Arguments = ()
    etcd_extra_args: Arguments = ()
    shutdown_delay: str | None = None


def without_empty(document: Mapping[str, Any]) -> Document:
    """Drop what is not set, so that kubeadm's own defaults hold; false and 0 are settings."""
    kept: Document = {}
    for key, value in document.items():
        content = without_empty(value) if isinstance(value, Mapping) else value
        if content is None or (isinstance(content, (str, Mapping, list, tuple)) and not content):
            continue
        kept[key] = list(content) if isinstance(content, tuple) else content
    return kept


def _arguments(arguments: Arguments) -> list[Document]:
    return [{"name": argument["name"], "value": argument["value"]} for argument in arguments]


def _registration(registration: Registration) -> Document:
    node_ip = [{"name": "node-ip", "value": ",".join(registration.addresses)}] if registration.addresses else []
    return {
        "name": registration.name,
        "criSocket": registration.cri_socket,
        "kubeletExtraArgs": node_ip + _arguments(registration.kubelet_extra_args),
        "ignorePreflightErrors": list(registration.ignore_preflight_errors),
        "imagePullPolicy": "IfNotPresent",
    }


def version_tag(version: str) -> str:
    """Return a version as kubeadm writes it: ``v1.37.2``."""
    return version if version.startswith("v") else f"v{version}"


def init_configuration(
    registration: Registration,
    advertise_address: str | None,
    bind_port: int | None,
    certificate_key: str | None = None,
    token_ttl: str = "1h0m0s",
    timeouts: Mapping[str, str] | None = None,
) -> Document:
    """Build the InitConfiguration: kubeadm makes up the token, whose description lets it be found and revoked."""
    return without_empty(
        {
            "apiVersion": API,
            "kind": "InitConfiguration",
            "bootstrapTokens": [{"description": TOKEN_DESCRIPTION, "ttl": token_ttl}],
            "certificateKey": certificate_key,
            "localAPIEndpoint": {"advertiseAddress": advertise_address, "bindPort": bind_port},
            "nodeRegistration": _registration(registration),
            "timeouts": timeouts,
        }
    )


def cluster_configuration(cluster: Cluster) -> Document:
    """Build the ClusterConfiguration."""
    delay = [{"name": "shutdown-delay-duration", "value": cluster.shutdown_delay}] if cluster.shutdown_delay else []
    return without_empty(
        {
            "apiVersion": API,
            "kind": "ClusterConfiguration",
            "kubernetesVersion": version_tag(cluster.kubernetes_version),
            "clusterName": cluster.name,
            "controlPlaneEndpoint": cluster.endpoint,
            "imageRepository": cluster.image_repository,
            "networking": {
                "dnsDomain": cluster.dns_domain,
                "podSubnet": ",".join(cluster.pod_subnets),
                "serviceSubnet": ",".join(cluster.service_subnets),
            },
            "apiServer": {"certSANs": list(cluster.cert_sans), "extraArgs": delay + _arguments(cluster.api_server_extra_args)},
            "controllerManager": {"extraArgs": _arguments(cluster.controller_manager_extra_args)},
            "scheduler": {"extraArgs": _arguments(cluster.scheduler_extra_args)},
            # local without dataDir is refused by kubeadm, so it is only there when it says something.
            "etcd": {"local": {"dataDir": "/var/lib/etcd", "extraArgs": _arguments(cluster.etcd_extra_args)}} if cluster.etcd_extra_args else None,
        }
    )


def kubelet_configuration(settings: Mapping[str, Any]) -> Document:
    """Build the KubeletConfiguration that every node of the cluster gets."""
    return {"apiVersion": "kubelet.config.k8s.io/v1beta1", "kind": "KubeletConfiguration", **settings}


def kube_proxy_configuration(settings: Mapping[str, Any]) -> Document:
    """Build the KubeProxyConfiguration."""
    return {"apiVersion": "kubeproxy.config.k8s.io/v1alpha1", "kind": "KubeProxyConfiguration", **settings}


def join_configuration(
    registration: Registration,
    endpoint: str,
    token: str,
    ca_cert_hashes: Sequence[str],
    control_plane: bool = False,
    certificate_key: str | None = None,
    advertise_address: str | None = None,
    bind_port: int | None = None,
    timeouts: Mapping[str, str] | None = None,
) -> Document:
    """Build the JoinConfiguration of a worker or of a control plane."""
    document = without_empty(
        {
            "apiVersion": API,
            "kind": "JoinConfiguration",
            "discovery": {"bootstrapToken": {"apiServerEndpoint": endpoint, "token": token, "caCertHashes": list(ca_cert_hashes)}},
            "nodeRegistration": _registration(registration),
            "timeouts": timeouts,
        }
    )
    if control_plane:
        # Its presence alone makes a control plane, so it stays even when it is empty.
        document["controlPlane"] = without_empty(
            {"certificateKey": certificate_key, "localAPIEndpoint": {"advertiseAddress": advertise_address, "bindPort": bind_port}}
        )
    return document


def reset_configuration(cri_socket: str | None, certificates_dir: str | None, skip_phases: Sequence[str] = ()) -> Document:
    """Build the ResetConfiguration of a node whose cluster may not answer: it asks the API for seconds, not minutes."""
    return without_empty(
        {
            "apiVersion": API,
            "kind": "ResetConfiguration",
            "force": True,
            "criSocket": cri_socket,
            "certificatesDir": certificates_dir,
            "skipPhases": list(skip_phases),
            "timeouts": {"kubernetesAPICall": "5s", "etcdAPICall": "5s"},
        }
    )


def render(documents: Sequence[Document]) -> str:
    """Write the documents as kubeadm reads them from its standard input: JSON, which is YAML."""
    return "".join(f"---\n{json.dumps(document)}\n" for document in documents)
