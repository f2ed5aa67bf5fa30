# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read what a cluster is from its objects."""

from __future__ import annotations

import re
from typing import Any, Iterable, Mapping, TypedDict

from ansible_collections.quorum.kubeadm.plugins.module_utils.bootstrap_tokens import CERTIFICATES_SECRET, BootstrapToken, bootstrap_tokens
from ansible_collections.quorum.kubeadm.plugins.module_utils.etcd import Member

CONTROL_PLANE_LABEL = "node-role.kubernetes.io/control-plane"
# How the annotations begin that this collection gives to nodes.
OURS = "quorum.kubeadm/"
# Of a node that a procedure has entered and not left: the run that did so.
MAINTENANCE = f"{OURS}maintenance"
# Of the Lease by which procedures keep out of each other's way.
LEASE = "quorum.kubeadm"
PROCEDURE, STEPS, FAILED = (f"{OURS}{name}" for name in ("procedure", "steps", "failed"))


class Taint(TypedDict):
    """A taint of a node."""

    key: str
    value: str | None
    effect: str


class Node(TypedDict):
    """A node as the cluster knows it: `version` is the kubelet's, `runtime` the container runtime's name and version, `annotations` are ours alone."""

    name: str
    ready: bool
    unschedulable: bool
    control_plane: bool
    version: str
    runtime: str
    addresses: list[str]
    pod_cidrs: list[str]
    labels: dict[str, str]
    annotations: dict[str, str]
    taints: list[Taint]


class Documents(TypedDict):
    """The documents that kubeadm keeps in ConfigMaps of kube-system, YAML as it stands there; None where there is none."""

    cluster: str | None
    kubelet: str | None
    kube_proxy: str | None


class Budget(TypedDict):
    """A PodDisruptionBudget that lets none of its pods go now: of so many pods so many are healthy, and so many have to be."""

    namespace: str
    name: str
    pods: int
    healthy: int
    required: int


class ProcedureLease(TypedDict):
    """The Lease of the procedures: `run` is empty when its run has ended without having finished, and `failed` then says why."""

    procedure: str
    run: str
    since: str
    steps: list[str]
    failed: str


class Pool(TypedDict):
    """A pool of Calico's, with the network it gives addresses of; `ipip` and `vxlan` are Always, CrossSubnet or Never."""

    name: str
    cidr: str
    ipip: str
    vxlan: str


class Cluster(TypedDict):
    """A living cluster."""

    reachable: bool
    reason: str | None
    endpoint: str | None
    name: str | None
    version: str | None
    dns_domain: str | None
    pod_subnets: list[str]
    service_subnets: list[str]
    documents: Documents
    addons: dict[str, str]
    calico_pools: list[Pool]
    nodes: list[Node]
    etcd_members: list[Member]
    etcd_problem: str | None
    lease: ProcedureLease | None
    strict_budgets: list[Budget]
    bootstrap_tokens: list[BootstrapToken]
    certificates_uploaded: bool


def parse_node(node: Mapping[str, Any]) -> Node:
    """Read a Node object."""
    status, spec, metadata = node.get("status", {}), node.get("spec", {}), node["metadata"]
    return Node(
        name=metadata["name"],
        ready=any(one["type"] == "Ready" and one["status"] == "True" for one in status.get("conditions", [])),
        unschedulable=bool(spec.get("unschedulable")),
        control_plane=CONTROL_PLANE_LABEL in metadata.get("labels", {}),
        version=status.get("nodeInfo", {}).get("kubeletVersion", "").lstrip("v"),
        runtime=status.get("nodeInfo", {}).get("containerRuntimeVersion", ""),
        addresses=[one["address"] for one in status.get("addresses", []) if one["type"] == "InternalIP"],
        pod_cidrs=list(spec.get("podCIDRs", [])),
        labels=dict(metadata.get("labels", {})),
        annotations={name: value for name, value in metadata.get("annotations", {}).items() if name.startswith(OURS)},
        taints=[Taint(key=one["key"], value=one.get("value"), effect=one["effect"]) for one in spec.get("taints", [])],
    )


def scalar(document: str, key: str) -> str | None:
    """Return a scalar of the YAML that kubeadm writes, where a key stands at the top or one level below and is unique."""
    found = re.search(rf"^(?:  )?{re.escape(key)}:[ \t]*(.*?)[ \t]*$", document, re.MULTILINE)
    return found.group(1).strip("\"'") or None if found else None


def _list(text: str | None) -> list[str]:
    return [one.strip() for one in (text or "").split(",") if one.strip()]


# Workloads of kube-system whose images tell of a version: those that kubeadm brings, and Calico's, by their names and kinds.
ADDONS = {"kube-proxy": "DaemonSet", "coredns": "Deployment", "calico-node": "DaemonSet"}


def _addons(named: Mapping[tuple[str, str], Mapping[str, Any]]) -> dict[str, str]:
    """Return the image of the first container of each addon that is there."""
    found = {name: named.get((kind, name)) for name, kind in ADDONS.items()}
    return {name: one["spec"]["template"]["spec"]["containers"][0]["image"] for name, one in found.items() if one}


def parse_pools(objects: Iterable[Mapping[str, Any]]) -> list[Pool]:
    """Read Calico's IPPools, those aside that give no addresses any more."""
    return [
        Pool(
            name=pool["metadata"]["name"],
            cidr=pool["spec"]["cidr"],
            ipip=pool["spec"].get("ipipMode") or "Never",
            vxlan=pool["spec"].get("vxlanMode") or "Never",
        )
        for pool in objects
        if pool["kind"] == "IPPool" and not pool["spec"].get("disabled")
    ]


def parse_lease(lease: Mapping[str, Any] | None) -> ProcedureLease | None:
    """Read the Lease of the procedures; None where there is none."""
    if lease is None:
        return None
    annotations = lease["metadata"].get("annotations", {})
    return ProcedureLease(
        procedure=annotations.get(PROCEDURE, ""),
        run=lease.get("spec", {}).get("holderIdentity") or "",
        since=lease.get("spec", {}).get("acquireTime") or "",
        steps=annotations.get(STEPS, "").splitlines(),
        failed=annotations.get(FAILED, ""),
    )


def strict_budgets(budgets: Iterable[Mapping[str, Any]]) -> list[Budget]:
    """Return the PodDisruptionBudgets, out of all, that have pods and let none of them go."""
    statuses = [(one["metadata"], one.get("status", {})) for one in budgets]
    return [
        Budget(
            namespace=metadata["namespace"],
            name=metadata["name"],
            pods=status["expectedPods"],
            healthy=status.get("currentHealthy", 0),
            required=status.get("desiredHealthy", 0),
        )
        for metadata, status in statuses
        if status.get("expectedPods", 0) > 0 and status.get("disruptionsAllowed", 0) < 1
    ]


def parse_cluster(nodes: Iterable[Mapping[str, Any]], objects: Iterable[Mapping[str, Any]]) -> Cluster:
    """Read the cluster from its Nodes and from kube-system's Secrets, ConfigMaps, DaemonSets, Deployments and Leases, leaving everything secret behind."""
    everything = list(objects)
    named = {(one["kind"], one["metadata"]["name"]): one for one in everything}

    def kept(config_map: str, key: str) -> str | None:
        text: str | None = named.get(("ConfigMap", config_map), {}).get("data", {}).get(key)
        return text

    documents = Documents(
        cluster=kept("kubeadm-config", "ClusterConfiguration"),
        kubelet=kept("kubelet-config", "kubelet"),
        kube_proxy=kept("kube-proxy", "config.conf"),
    )
    configuration = documents["cluster"] or ""
    version = scalar(configuration, "kubernetesVersion")
    return Cluster(
        reachable=True,
        reason=None,
        endpoint=scalar(configuration, "controlPlaneEndpoint"),
        name=scalar(configuration, "clusterName"),
        version=version.lstrip("v") if version else None,
        dns_domain=scalar(configuration, "dnsDomain"),
        pod_subnets=_list(scalar(configuration, "podSubnet")),
        service_subnets=_list(scalar(configuration, "serviceSubnet")),
        documents=documents,
        addons=_addons(named),
        calico_pools=[],
        nodes=sorted((parse_node(node) for node in nodes), key=lambda node: node["name"]),
        etcd_members=[],
        etcd_problem=None,
        lease=parse_lease(named.get(("Lease", LEASE))),
        strict_budgets=[],
        bootstrap_tokens=bootstrap_tokens(one for one in everything if one["kind"] == "Secret"),
        certificates_uploaded=("Secret", CERTIFICATES_SECRET) in named,
    )


def unreachable(reason: str) -> Cluster:
    """Return what is known of a cluster that does not answer: why."""
    cluster = parse_cluster([], [])
    cluster["reachable"], cluster["reason"] = False, reason
    return cluster
