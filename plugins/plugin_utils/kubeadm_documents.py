# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The documents that kubeadm is given (API v1beta4), but for what is secret: the inputs and what follows from them, in kubeadm's words."""

from __future__ import annotations

from typing import Any

from ansible_collections.quorum.kubeadm.plugins.module_utils import ports
from ansible_collections.quorum.kubeadm.plugins.plugin_utils.cluster_model import Host, Situation

Document = dict[str, Any]

# How long an API server that is told to stop still serves while its /readyz already fails, so that proxies turn away first.
SHUTDOWN_DELAY = "5s"
# kubeadm's own default, which it wants to be told where anything else of etcd.local is set.
ETCD_DATA = "/var/lib/etcd"


def _arguments(**flags: object) -> list[dict[str, str]]:
    """Flags as kubeadm lists them; one without a value is left out."""
    return [{"name": name.replace("_", "-"), "value": str(value)} for name, value in flags.items() if value not in (None, "")]


def cluster_configuration(situation: Situation) -> Document:
    """What all control planes share."""
    inputs = situation.inputs
    etcd = _arguments(election_timeout=inputs.etcd_election_timeout)
    return {
        "kubernetesVersion": f"v{inputs.kubernetes_version}",
        "clusterName": inputs.name,
        "controlPlaneEndpoint": situation.endpoint_host_port,
        "imageRepository": inputs.image_repository,
        "networking": {
            "dnsDomain": inputs.dns_domain,
            "podSubnet": ",".join(inputs.pod_subnets),
            "serviceSubnet": ",".join(inputs.service_subnets),
        },
        "apiServer": {
            "certSANs": list(dict.fromkeys(san for san in (inputs.endpoint_name, inputs.endpoint_address, *inputs.extra_sans) if san)),
            "extraArgs": _arguments(shutdown_delay_duration=SHUTDOWN_DELAY),
        },
        **({"etcd": {"local": {"dataDir": ETCD_DATA, "extraArgs": etcd}}} if etcd else {}),
    }


def kubelet_configuration(situation: Situation) -> Document:
    """What the kubelet of every node is told."""
    swap = {"failSwapOn": False} if situation.keeps_swap else {}
    return {"cgroupDriver": situation.inputs.cgroup_driver, **swap, **situation.inputs.kubelet_config}


def _node_addresses(host: Host, situation: Situation) -> list[str]:
    """One address of each family that the pods have, the host's own first."""
    families = [network.version for name, network in situation.subnets if name == "cluster_pod_subnets"]
    vip = situation.endpoint_address
    second = [host.second_address(version, vip) for version in families if host.address and version != host.address.version]
    return [str(address) for address in (host.address, *second) if address]


def _registration(host: Host, situation: Situation) -> Document:
    ignored = list(dict.fromkeys([*situation.inputs.ignore_preflight_errors, *(["Swap"] if situation.keeps_swap else [])]))
    return {
        "name": host.name,
        "kubeletExtraArgs": _arguments(node_ip=",".join(_node_addresses(host, situation))),
        **({"ignorePreflightErrors": ignored} if ignored else {}),
    }


def _local_endpoint(host: Host) -> Document:
    return {"localAPIEndpoint": {"advertiseAddress": str(host.address or ""), "bindPort": ports.API_SERVER}}


def init_configuration(host: Host, situation: Situation) -> Document:
    """What makes a host the first control plane."""
    return {"nodeRegistration": _registration(host, situation), **_local_endpoint(host)}


def join_configuration(host: Host, situation: Situation) -> Document:
    """What makes a host a further control plane, or a worker."""
    return {"nodeRegistration": _registration(host, situation), **({"controlPlane": _local_endpoint(host)} if host.control_plane else {})}
