# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The fields of kubeadm's documents that a user may set, and what to write instead of those that follow from something else.

The names and types are those of API v1beta4: cmd/kubeadm/app/apis/kubeadm/v1beta4/types.go of k8s.io/kubernetes v1.37.2.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple, Union

from ansible_collections.quorum.kubeadm.plugins.plugin_utils.input_kinds import KINDS, Fault, shown


class Elsewhere(NamedTuple):
    """A field that is not to be set here."""

    write: str


class Flags(NamedTuple):
    """A list of flags, each with name and value; some of them are not to be set here."""

    elsewhere: Mapping[str, str] = {}


class ListOf(NamedTuple):
    """A list of mappings that have these fields."""

    fields: Mapping[str, str]


Shape = Union[str, Elsewhere, Flags, ListOf, "Mapping[str, Shape]"]
"""What a field has to be; a text is one of KINDS."""

OBJECT: dict[str, Shape] = {name: Elsewhere("leave it out, it is always v1beta4's") for name in ("apiVersion", "kind")}
VOLUMES = ListOf({"name": "str", "hostPath": "str", "mountPath": "str", "readOnly": "bool", "pathType": "str"})
ENVIRONMENT = ListOf({"name": "str", "value": "str", "valueFrom": "dict[str, Any]"})
IMAGE: dict[str, Shape] = {"imageRepository": "str", "imageTag": "str"}


def _component(**elsewhere: str) -> dict[str, Shape]:
    flags = {name.replace("_", "-"): write for name, write in elsewhere.items()}
    return {"extraArgs": Flags(flags), "extraVolumes": VOLUMES, "extraEnvs": ENVIRONMENT}


CLUSTER_CONFIGURATION: dict[str, Shape] = {
    **OBJECT,
    "etcd": {
        "local": {
            **IMAGE,
            "dataDir": Elsewhere("leave it out and mount the disk for etcd at /var/lib/etcd"),
            "extraArgs": Flags({"election-timeout": "write cluster_etcd_election_timeout", "data-dir": "mount the disk for etcd at /var/lib/etcd"}),
            "extraEnvs": ENVIRONMENT,
            "serverCertSANs": "list[str]",
            "peerCertSANs": "list[str]",
        },
        "external": Elsewhere("leave it out, every control plane has a member of etcd beside its API server"),
    },
    "networking": {
        "serviceSubnet": Elsewhere("write cluster_service_subnets"),
        "podSubnet": Elsewhere("write cluster_pod_subnets"),
        "dnsDomain": Elsewhere("write cluster_dns_domain"),
    },
    "kubernetesVersion": Elsewhere("write cluster_kubernetes_version"),
    "controlPlaneEndpoint": Elsewhere("write cluster_endpoint_name and cluster_endpoint_port"),
    "apiServer": {
        **_component(
            advertise_address="write cluster_node_address",
            secure_port="leave it out, proxies and checks use 6443",
            service_cluster_ip_range="write cluster_service_subnets",
        ),
        "certSANs": "list[str]",
    },
    "controllerManager": _component(
        cluster_cidr="write cluster_pod_subnets", cluster_name="write cluster_name", service_cluster_ip_range="write cluster_service_subnets"
    ),
    "scheduler": _component(),
    "dns": {**IMAGE, "disabled": "bool"},
    "proxy": {"disabled": "bool"},
    "certificatesDir": Elsewhere("leave it out, certificates are in /etc/kubernetes/pki"),
    "imageRepository": Elsewhere("write cluster_image_repository"),
    "featureGates": "dict[str, Any]",
    "clusterName": Elsewhere("write cluster_name"),
    "encryptionAlgorithm": "str",
    "certificateValidityPeriod": "str",
    "caCertificateValidityPeriod": "str",
}

_CREDENTIALS = Elsewhere("leave it out, every run makes credentials of its own")

# What InitConfiguration and JoinConfiguration have in common.
NODE_CONFIGURATION: dict[str, Shape] = {
    **OBJECT,
    "nodeRegistration": {
        "name": Elsewhere("name the host so in the inventory"),
        "criSocket": Elsewhere("leave it out, it is containerd's"),
        "taints": ListOf({"key": "str", "value": "str", "effect": "str", "timeAdded": "str"}),
        "kubeletExtraArgs": Flags({"node-ip": "write cluster_node_address", "hostname-override": "name the host so in the inventory"}),
        "ignorePreflightErrors": "list[str]",
        "imagePullPolicy": "str",
        "imagePullSerial": "bool",
    },
    "timeouts": {
        name: "str"
        for name in (
            "controlPlaneComponentHealthCheck",
            "kubeletHealthCheck",
            "kubernetesAPICall",
            "etcdAPICall",
            "tlsBootstrap",
            "discovery",
            "upgradeManifests",
        )
    },
    "skipPhases": "list[str]",
    "localAPIEndpoint": Elsewhere("write cluster_node_address"),
    "controlPlane": Elsewhere("leave it out; hosts of the group control_planes are control planes, with the address cluster_node_address"),
    "patches": Elsewhere("write cluster_kubeadm_patches"),
    "dryRun": Elsewhere("leave it out and run ansible-playbook with --check"),
    "caCertPath": Elsewhere("leave it out, certificates are in /etc/kubernetes/pki"),
    "bootstrapTokens": _CREDENTIALS,
    "certificateKey": _CREDENTIALS,
    "discovery": _CREDENTIALS,
}


def faults(fields: Mapping[str, Any], shape: Mapping[str, Shape], path: str = "") -> Iterator[Fault]:
    """Whatever kubeadm would not take, and what is not to be set there; `path` is where the fields are, with a dot at its end."""
    for name, value in fields.items():
        where = f"{path}{name}"
        if name not in shape:
            yield _unknown(where, path, str(name), list(shape))
            continue
        expected = shape[name]
        if isinstance(expected, Elsewhere):
            yield f"has {where}, which is determined elsewhere", expected.write
        elif isinstance(expected, Flags):
            yield from _flags(where, value, expected)
        elif isinstance(expected, ListOf):
            yield from _list(where, value, expected.fields)
        elif isinstance(expected, str):
            if not KINDS[expected].accepts(value):
                yield f"has {where}, which is {shown(value)}", KINDS[expected].wording
        elif isinstance(value, dict):
            yield from faults(value, expected, f"{where}.")
        else:
            yield f"has {where}, which is {shown(value)}", KINDS["dict[str, Any]"].wording


def _unknown(where: str, path: str, name: str, known: Sequence[str]) -> Fault:
    nearest = difflib.get_close_matches(name, known, n=1)
    advice = f"did you mean {path}{nearest[0]}?" if nearest else f"write one of {', '.join(known)}"
    return f"has {where}, which kubeadm's v1beta4 does not have", advice


def _list(where: str, value: Any, fields: Mapping[str, str]) -> Iterator[Fault]:
    kind = KINDS["list[dict[str, Any]]"]
    if not kind.accepts(value):
        yield f"has {where}, which is {shown(value)}", kind.wording
        return
    for position, item in enumerate(value):
        yield from faults(item, fields, f"{where}[{position}].")


def _flags(where: str, value: Any, flags: Flags) -> Iterator[Fault]:
    found = list(_list(where, value, {"name": "str", "value": "str"}))
    yield from found
    for flag in value if not found else []:
        if set(flag) != {"name", "value"} or not re.fullmatch(r"[a-z][A-Za-z0-9-]*", flag["name"]):
            yield f"has {where} with {shown(flag)}", "write name, the flag without its leading dashes, and value"
        elif flag["name"] in flags.elsewhere:
            yield f"has the flag {flag['name']} in {where}, which is determined elsewhere", flags.elsewhere[flag["name"]]
