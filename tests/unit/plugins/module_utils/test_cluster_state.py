# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a cluster is, read from its objects."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.quorum.kubeadm.plugins.module_utils.bootstrap_tokens import bootstrap_tokens, make_certificate_key, make_token, revocable
from ansible_collections.quorum.kubeadm.plugins.module_utils.cluster_state import parse_cluster, parse_node, parse_pools, scalar, strict_budgets, unreachable
from ansible_collections.quorum.kubeadm.plugins.module_utils.kubeadm_config import TOKEN_DESCRIPTION

FIXTURES = Path(__file__).parents[2] / "fixtures" / "cluster"
NODES = json.loads((FIXTURES / "nodes.json").read_text())["items"]
OBJECTS = json.loads((FIXTURES / "objects.json").read_text())["items"]
CERTIFICATES = {"kind": "Secret", "type": "Opaque", "metadata": {"name": "kubeadm-certs"}, "data": {"ca.key": "c2VjcmV0"}}


def test_cluster() -> None:
    cluster = parse_cluster(NODES, OBJECTS)
    assert {key: value for key, value in cluster.items() if key not in ("nodes", "bootstrap_tokens", "documents")} == {
        "reachable": True,
        "reason": None,
        "endpoint": "api.lab.test:6443",
        "name": "kubernetes",
        "version": "1.37.2",
        "dns_domain": "cluster.local",
        "pod_subnets": ["10.244.0.0/16"],
        "service_subnets": ["10.96.0.0/12"],
        "addons": {},
        "calico_pools": [],
        "etcd_members": [],
        "etcd_problem": None,
        "lease": None,
        "strict_budgets": [],
        "certificates_uploaded": False,
    }
    assert [node["name"] for node in cluster["nodes"]] == ["cp1", "cp2"]
    documents = cluster["documents"]
    assert "kind: ClusterConfiguration" in (documents["cluster"] or "") and "kind: KubeletConfiguration" in (documents["kubelet"] or "")
    assert documents["kube_proxy"] is None


def test_addons() -> None:
    containers = [{"name": "coredns", "image": "registry.k8s.io/coredns/coredns:v1.14.6"}]
    coredns = {"kind": "Deployment", "metadata": {"name": "coredns"}, "spec": {"template": {"spec": {"containers": containers}}}}
    proxy = {"kind": "ConfigMap", "metadata": {"name": "kube-proxy"}, "data": {"config.conf": "mode: iptables\n", "kubeconfig.conf": ""}}
    cluster = parse_cluster([], [coredns, proxy])
    assert cluster["addons"] == {"coredns": "registry.k8s.io/coredns/coredns:v1.14.6"}
    assert cluster["documents"] == {"cluster": None, "kubelet": None, "kube_proxy": "mode: iptables\n"}


def test_calicos_pools() -> None:
    """The pools of Calico 3.33 on a dual-stack cluster, but for what nobody reads, and one that its administrator switched off."""
    pools = [
        {"kind": "IPPool", "metadata": {"name": "default-ipv4-ippool"}, "spec": {"cidr": "10.244.0.0/16", "ipipMode": "Never", "vxlanMode": "Always"}},
        {"kind": "IPPool", "metadata": {"name": "default-ipv6-ippool"}, "spec": {"cidr": "fd00:10:244::/56", "vxlanMode": "CrossSubnet"}},
        {"kind": "IPPool", "metadata": {"name": "old"}, "spec": {"cidr": "192.0.2.0/24", "ipipMode": "Always", "disabled": True}},
    ]
    assert parse_pools(pools) == [
        {"name": "default-ipv4-ippool", "cidr": "10.244.0.0/16", "ipip": "Never", "vxlan": "Always"},
        {"name": "default-ipv6-ippool", "cidr": "fd00:10:244::/56", "ipip": "Never", "vxlan": "CrossSubnet"},
    ]


def test_node() -> None:
    assert parse_node(NODES[0]) == {
        "name": "cp1",
        "ready": False,
        "unschedulable": False,
        "control_plane": True,
        "version": "1.37.2",
        "runtime": "containerd://2.3.7",
        "addresses": ["198.18.79.11"],
        "pod_cidrs": ["10.244.0.0/24"],
        "labels": NODES[0]["metadata"]["labels"],
        "annotations": {},
        "taints": [
            {"key": "node-role.kubernetes.io/control-plane", "value": None, "effect": "NoSchedule"},
            {"key": "node.kubernetes.io/not-ready", "value": None, "effect": "NoSchedule"},
        ],
    }


def test_ready_worker_and_a_node_that_has_said_nothing_yet() -> None:
    ready = {"metadata": {"name": "w1", "labels": {}}, "status": {"conditions": [{"type": "Ready", "status": "True"}]}}
    assert (parse_node(ready)["ready"], parse_node(ready)["control_plane"]) == (True, False)
    assert parse_node({"metadata": {"name": "w2"}}) == {
        "name": "w2",
        "ready": False,
        "unschedulable": False,
        "control_plane": False,
        "version": "",
        "runtime": "",
        "addresses": [],
        "pod_cidrs": [],
        "labels": {},
        "annotations": {},
        "taints": [],
    }


def test_node_that_a_procedure_works_on() -> None:
    annotations = {"quorum.kubeadm/cordoned-by": "upgrade", "volumes.kubernetes.io/controller-managed-attach-detach": "true"}
    node = parse_node({"metadata": {"name": "w1", "annotations": annotations}, "spec": {"unschedulable": True}})
    assert (node["unschedulable"], node["annotations"]) == (True, {"quorum.kubeadm/cordoned-by": "upgrade"})


def test_uploaded_certificates() -> None:
    assert parse_cluster([], [*OBJECTS, CERTIFICATES])["certificates_uploaded"]


def test_tokens_without_their_secrets() -> None:
    cluster = parse_cluster(NODES, [*OBJECTS, CERTIFICATES])
    assert cluster["bootstrap_tokens"] == [
        {"id": "0q8bwz", "description": "", "expires": None, "ours": False},
        {"id": "qi0omc", "description": TOKEN_DESCRIPTION, "expires": "2026-11-23T16:40:04Z", "ours": True},
    ]
    told = json.dumps(cluster)
    for secret in ("t2ehbg8e8w0a36xi", "1gj9t2yx9wm7hq8k", "dDJlaGJnOGU4dzBhMzZ4aQ", "c2VjcmV0"):
        assert secret not in told


def test_odd_tokens() -> None:
    kind = {"type": "bootstrap.kubernetes.io/token"}
    assert bootstrap_tokens([{**kind, "metadata": {"name": "bootstrap-token-abcdef"}, "data": {"description": "%%%"}}]) == [
        {"id": "abcdef", "description": "", "expires": None, "ours": False}
    ]
    assert bootstrap_tokens([{**kind, "metadata": {"name": "bootstrap-token-abcdef"}}])[0]["id"] == "abcdef"
    assert bootstrap_tokens([CERTIFICATES]) == []


@pytest.mark.parametrize(
    ("description", "goes"),
    [
        (TOKEN_DESCRIPTION, True),
        ("The default bootstrap token generated by 'kubeadm init'.", True),
        ("Proxy for managing TTL for the kubeadm-certs secret", True),
        ("", False),
        ("a token of somebody else", False),
    ],
)
def test_revocable(description: str, goes: bool) -> None:
    token = {"id": "abcdef", "description": description, "expires": None, "ours": description == TOKEN_DESCRIPTION}
    assert revocable([token]) == (["abcdef"] if goes else [])  # type: ignore[list-item]


def test_what_is_made_up_has_kubeadms_form() -> None:
    tokens = {make_token() for _token in range(50)}
    assert len(tokens) == 50
    for token in tokens:
        public, dot, secret = token.partition(".")
        assert (len(public), dot, len(secret)) == (6, ".", 16)
        assert set(public + secret) <= set("abcdefghijklmnopqrstuvwxyz0123456789")
    assert len(bytes.fromhex(make_certificate_key())) == 32
    assert make_certificate_key() != make_certificate_key()


@pytest.mark.parametrize(
    ("document", "key", "value"),
    [
        ("kubernetesVersion: v1.37.2\n", "kubernetesVersion", "v1.37.2"),
        ("networking:\n  podSubnet: 10.244.0.0/16,2001:db8::/56\n", "podSubnet", "10.244.0.0/16,2001:db8::/56"),
        ('controlPlaneEndpoint: "[2001:db8::1]:6443"\n', "controlPlaneEndpoint", "[2001:db8::1]:6443"),
        ('controlPlaneEndpoint: ""\n', "controlPlaneEndpoint", None),
        ("controlPlaneEndpoint:\nkind: X\n", "controlPlaneEndpoint", None),
        ("apiServer:\n  extraArgs:\n  - name: a\n    value: 'podSubnet: 1'\n", "podSubnet", None),
        ("", "podSubnet", None),
    ],
)
def test_scalar(document: str, key: str, value: str | None) -> None:
    assert scalar(document, key) == value


def test_cluster_that_is_not_there() -> None:
    cluster = unreachable("connection refused")
    assert (cluster["reachable"], cluster["reason"], cluster["nodes"]) == (False, "connection refused", [])


def test_several_subnets() -> None:
    configuration = "networking:\n  podSubnet: 10.244.0.0/16,2001:db8::/56\n  serviceSubnet: 10.96.0.0/12\n"
    objects = [{"kind": "ConfigMap", "metadata": {"name": "kubeadm-config"}, "data": {"ClusterConfiguration": configuration}}]
    assert parse_cluster([], objects)["pod_subnets"] == ["10.244.0.0/16", "2001:db8::/56"]


def test_budgets_that_let_nobody_go() -> None:
    """As a cluster told them of two Deployments of two replicas, the pods of one of which were not ready, and of one that has no pods."""

    def budget(name: str, pods: int, healthy: int, required: int, allowed: int) -> dict[str, Any]:
        status = {"currentHealthy": healthy, "desiredHealthy": required, "disruptionsAllowed": allowed, "expectedPods": pods, "observedGeneration": 1}
        return {"kind": "PodDisruptionBudget", "metadata": {"namespace": "shop", "name": name}, "spec": {"minAvailable": 1}, "status": status}

    found = strict_budgets([budget("web", 2, 2, 1, 1), budget("served", 2, 0, 1, 0), budget("gone", 0, 0, 0, 0)])
    assert found == [{"namespace": "shop", "name": "served", "pods": 2, "healthy": 0, "required": 1}]
