# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which pods leave a node, what keeps them, and whether they run again: by objects of a real cluster."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.quorum.kubeadm.plugins.module_utils.cluster_state import parse_node
from ansible_collections.quorum.kubeadm.plugins.module_utils.node_drain import (
    CORDONED_BY,
    EVICTED,
    Workload,
    blocking,
    identity,
    leaves,
    lost_for_ever,
    merged,
    not_again,
    noted,
    selects,
    why_kept,
    workloads,
)

FIXTURES = Path(__file__).parents[2] / "fixtures" / "drain"


def read(name: str) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = json.loads((FIXTURES / f"{name}.json").read_text())["items"]
    return items


PODS = {pod["metadata"]["name"]: pod for pod in read("pods")}
WEB = [pod for name, pod in PODS.items() if name.startswith("web-")]
WEB_WORKLOAD = Workload(kind="Deployment", namespace="shop", name="web", ready=2)


def test_static_pods_and_those_of_daemons_stay() -> None:
    assert {name.rpartition("-")[0] or name for name, pod in PODS.items() if leaves(pod)} == {"bare", "coredns-559f6c778d", "web-fcccbdb7c"}
    ended = copy.deepcopy(WEB[0])
    ended["status"]["phase"] = "Succeeded"
    assert not leaves(ended)


def test_a_pod_that_nobody_creates_anew_is_told() -> None:
    assert lost_for_ever(PODS.values()) == ["shop/bare"]


@pytest.mark.parametrize(
    ("selector", "selected"),
    [
        (None, False),
        ({}, True),
        ({"matchLabels": {"app": "web"}}, True),
        ({"matchLabels": {"app": "other"}}, False),
        ({"matchExpressions": [{"key": "app", "operator": "In", "values": ["web", "shop"]}]}, True),
        ({"matchExpressions": [{"key": "app", "operator": "NotIn", "values": ["web"]}]}, False),
        ({"matchExpressions": [{"key": "tier", "operator": "NotIn", "values": ["web"]}]}, True),
        ({"matchExpressions": [{"key": "app", "operator": "Exists"}]}, True),
        ({"matchExpressions": [{"key": "tier", "operator": "Exists"}]}, False),
        ({"matchExpressions": [{"key": "app", "operator": "DoesNotExist"}]}, False),
        ({"matchLabels": {"app": "web"}, "matchExpressions": [{"key": "app", "operator": "DoesNotExist"}]}, False),
    ],
)
def test_whom_a_selector_selects(selector: dict[str, Any] | None, selected: bool) -> None:
    assert selects(selector, {"app": "web"}) is selected


def test_the_budget_that_keeps_a_pod_is_named() -> None:
    budgets = read("budgets")
    assert blocking(WEB[0], budgets) == ["PodDisruptionBudget shop/web (has 2 healthy pods, wants 2)"]
    assert blocking(PODS["bare"], budgets) == []
    lenient = copy.deepcopy(budgets)
    lenient[0]["status"]["disruptionsAllowed"] = 1
    assert blocking(WEB[0], lenient) == []


def test_pods_that_are_kept_for_the_same_reason_are_told_together() -> None:
    leaving = copy.deepcopy(PODS["bare"])
    leaving["metadata"]["deletionTimestamp"] = "2026-11-28T16:52:30Z"
    coredns = next(pod for name, pod in PODS.items() if name.startswith("coredns"))
    kept = why_kept([*WEB, leaving, coredns], read("budgets"), {identity(coredns): "the API server does not evict it: Forbidden"})
    names = ", ".join(f"shop/{pod['metadata']['name']}" for pod in WEB)
    assert kept == [
        f"{names}: kept by PodDisruptionBudget shop/web (has 2 healthy pods, wants 2)",
        "shop/bare: was told to end and has not ended: its grace period is long, or its kubelet does not answer",
        f"kube-system/{coredns['metadata']['name']}: the API server does not evict it: Forbidden",
    ]


def test_a_deployment_stands_for_its_replica_sets() -> None:
    assert workloads([*WEB, PODS["bare"], PODS["kube-proxy-26plz"]], read("owners")) == [WEB_WORKLOAD]


def test_what_a_killed_run_has_noted_counts() -> None:
    coredns = Workload(kind="Deployment", namespace="kube-system", name="coredns", ready=2)
    # One of its pods is gone by now.
    assert merged([WEB_WORKLOAD], [{**WEB_WORKLOAD, "ready": 1}, coredns]) == [WEB_WORKLOAD, coredns]


@pytest.mark.parametrize(
    ("text", "read_as"),
    [(None, []), (json.dumps([WEB_WORKLOAD]), [WEB_WORKLOAD]), ("{", []), ("[1]", []), ('[{"kind": "Deployment"}]', []), ("{}", [])],
)
def test_a_note_that_somebody_has_changed_is_none(text: str | None, read_as: list[Any]) -> None:
    assert noted(text) == read_as


@pytest.mark.parametrize(
    ("spec", "status", "missing"),
    [
        ({"replicas": 2}, {"readyReplicas": 2}, []),
        ({"replicas": 2}, {"readyReplicas": 1}, ["Deployment shop/web has 1 ready pods, and had 2"]),
        ({"replicas": 2}, {}, ["Deployment shop/web has 0 ready pods, and had 2"]),
        # Somebody made it smaller meanwhile.
        ({"replicas": 1}, {"readyReplicas": 1}, []),
    ],
)
def test_what_does_not_run_again(spec: dict[str, Any], status: dict[str, Any], missing: list[str]) -> None:
    found = {"kind": "Deployment", "metadata": {"namespace": "shop", "name": "web"}, "spec": spec, "status": status}
    assert not_again([WEB_WORKLOAD], [found]) == missing
    assert not_again([WEB_WORKLOAD], []) == []


def test_a_node_that_was_cordoned_tells_by_whom() -> None:
    nodes = {node["name"]: node for node in map(parse_node, read("nodes"))}
    assert nodes["w3"]["unschedulable"] and nodes["w3"]["annotations"][CORDONED_BY] == "a" and noted(nodes["w3"]["annotations"][EVICTED]) == [WEB_WORKLOAD]
    assert not nodes["cp1"]["unschedulable"] and nodes["cp1"]["annotations"] == {}
