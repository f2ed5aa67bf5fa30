# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The documents that kubeadm is given (API v1beta4), but for what is secret: the inputs and what follows from them, in kubeadm's words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.quorum.kubeadm.plugins.module_utils import ports
from ansible_collections.quorum.kubeadm.plugins.plugin_utils import kubeadm_patches
from ansible_collections.quorum.kubeadm.plugins.plugin_utils.cluster_model import Host, Situation

Document = dict[str, Any]

# How long an API server that is told to stop still serves while its /readyz already fails, so that proxies turn away first.
SHUTDOWN_DELAY = "5s"
# kubeadm's own default, which it wants to be told where anything else of etcd.local is set.
ETCD_DATA = "/var/lib/etcd"


def merged(ours: Document, theirs: Mapping[str, Any]) -> Document:
    """The user's fields over ours: those in each other merge, flags and what else has a name do by that, other lists unite."""
    fields = dict(ours)
    for name, value in theirs.items():
        mine = ours.get(name)
        if isinstance(mine, dict) and isinstance(value, dict):
            fields[name] = merged(mine, value)
        elif isinstance(mine, list) and isinstance(value, list):
            fields[name] = _united(mine, value)
        else:
            fields[name] = value
    return fields


def _united(mine: list[Any], theirs: list[Any]) -> list[Any]:
    # A flag may be given more than once (service-account-issuer), so all lines of the user's stay.
    named = [item.get("name") for item in theirs if isinstance(item, dict)]
    kept = [item for item in mine if not isinstance(item, dict) or item.get("name") not in named]
    return kept + [item for item in theirs if item not in kept]


def _arguments(**flags: object) -> list[dict[str, str]]:
    """Flags as kubeadm lists them; one without a value is left out."""
    return [{"name": name.replace("_", "-"), "value": str(value)} for name, value in flags.items() if value not in (None, "")]


def cluster_configuration(situation: Situation) -> Document:
    """What all control planes share."""
    inputs = situation.inputs
    etcd = _arguments(election_timeout=inputs.etcd_election_timeout)
    ours = {
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
        **({"etcd": {"local": {"dataDir": ETCD_DATA, **({"extraArgs": etcd} if etcd else {})}}} if etcd or "etcd" in inputs.kubeadm_config else {}),
    }
    return merged(ours, inputs.kubeadm_config)


def kubelet_configurations(situation: Situation) -> dict[str, Document]:
    """What the kubelet of each node is told, by host."""
    swap = {"failSwapOn": False} if situation.keeps_swap else {}
    return {host.host: {"cgroupDriver": situation.inputs.cgroup_driver, **swap, **host.inputs.kubelet_config} for host in situation.nodes}


def _node_addresses(host: Host, situation: Situation) -> list[str]:
    """One address of each family that the pods have, the host's own first."""
    families = [network.version for name, network in situation.subnets if name == "cluster_pod_subnets"]
    vip = situation.endpoint_address
    second = [host.second_address(version, vip) for version in families if host.address and version != host.address.version]
    return [str(address) for address in (host.address, *second) if address]


def _configuration(host: Host, situation: Situation, patched: bool, place: Document) -> Document:
    ignored = list(dict.fromkeys([*situation.inputs.ignore_preflight_errors, *(["Swap"] if situation.keeps_swap else [])]))
    registration = {
        "name": host.name,
        "kubeletExtraArgs": _arguments(node_ip=",".join(_node_addresses(host, situation))),
        **({"ignorePreflightErrors": ignored} if ignored else {}),
    }
    patches = {"patches": {"directory": kubeadm_patches.DIRECTORY}} if patched else {}
    return merged({"nodeRegistration": registration, **patches, **place}, host.inputs.kubeadm_node_config)


def _local_endpoint(host: Host) -> Document:
    return {"localAPIEndpoint": {"advertiseAddress": str(host.address or ""), "bindPort": ports.API_SERVER}}


def upgrade_configuration(host: Host, situation: Situation, patched: bool) -> Document:
    """What `kubeadm upgrade` is told on a host: the fields that its two commands share, and timeouts."""
    joined = _configuration(host, situation, patched, {})
    registration = joined["nodeRegistration"]
    shared = {name: registration[name] for name in ("ignorePreflightErrors", "imagePullPolicy", "imagePullSerial") if name in registration}
    return {**shared, **{name: joined[name] for name in ("patches", "timeouts") if name in joined}}


def init_configuration(host: Host, situation: Situation, patched: bool) -> Document:
    """What makes a host the first control plane, or has kubeadm write a node's files anew; `patched` says whether kubeadm finds patches on it."""
    return _configuration(host, situation, patched, _local_endpoint(host))


def join_configuration(host: Host, situation: Situation, patched: bool) -> Document:
    """What makes a host a further control plane, or a worker."""
    return _configuration(host, situation, patched, {"controlPlane": _local_endpoint(host)} if host.control_plane else {})
