# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The ports of a cluster: who listens where, and from where each must be reached. The one home of their numbers."""

from __future__ import annotations

from typing import Literal, NamedTuple

API_SERVER = 6443
ETCD_CLIENTS = 2379
ETCD_PEERS = 2380
ETCD_METRICS = 2381
ENDPOINT = 16443
"""Our HAProxy's, where `cluster_endpoint_port` does not say otherwise."""
MONITOR = 16444
ETCD_HEALTH = 16445
STATISTICS = 1080

On = Literal["node", "control_plane", "etcd_member", "proxy", "etcd_proxy"]
"""The hosts that have a port. An `etcd_proxy` is one that tells the others whether the etcd beside it lives."""
Peer = Literal["control planes", "every node", "proxies", "client", "monitoring"]
"""Who connects to a port from another host; `client` stands for every client of the API."""


class Port(NamedTuple):
    """A TCP port of the cluster."""

    number: int
    process: str
    on: On
    purpose: str
    reached_from: tuple[Peer, ...] = ()
    """The hosts that a firewall must let in; none: the host itself alone asks."""
    address: str = "*"
    """Where the process listens: `*`, every address of the host; `own`, its address in the cluster; or a literal address."""


# kubeadm's preflight wants those of Kubernetes free on every address (PortOpenCheck in cmd/kubeadm/app/preflight/checks.go), whatever their
# processes bind to by default.
PORTS = (
    Port(ENDPOINT, "haproxy", "proxy", "the cluster's endpoint", ("every node", "client")),
    Port(STATISTICS, "haproxy", "proxy", "HAProxy's statistics page", ("monitoring",), "own"),
    Port(MONITOR, "haproxy", "proxy", "HAProxy's monitor", address="127.0.0.1"),
    Port(ETCD_HEALTH, "haproxy", "etcd_proxy", "the state of the local etcd member", ("proxies",), "own"),
    Port(API_SERVER, "kube-apiserver", "control_plane", "the API server", ("control planes", "proxies")),
    Port(ETCD_CLIENTS, "etcd", "etcd_member", "etcd's clients", ("control planes",)),
    Port(ETCD_PEERS, "etcd", "etcd_member", "etcd's members", ("control planes",)),
    Port(ETCD_METRICS, "etcd", "etcd_member", "etcd's health and metrics", address="127.0.0.1"),
    Port(10250, "kubelet", "node", "the kubelet", ("control planes",)),
    Port(10248, "kubelet", "node", "the kubelet's health"),
    Port(10249, "kube-proxy", "node", "kube-proxy's metrics"),
    Port(10256, "kube-proxy", "node", "kube-proxy's health"),
    Port(10257, "kube-controller-manager", "control_plane", "the controller manager"),
    Port(10259, "kube-scheduler", "control_plane", "the scheduler"),
)
# kube-apiserver's default for --service-node-port-range.
NODE_PORTS = range(30000, 32768)
