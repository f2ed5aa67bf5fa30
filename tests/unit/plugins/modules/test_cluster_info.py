# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a cluster is, put together."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.quorum.kubeadm.plugins.module_utils import control_plane, etcd
from ansible_collections.quorum.kubeadm.plugins.module_utils.cluster_state import Cluster
from ansible_collections.quorum.kubeadm.plugins.module_utils.command import Result
from ansible_collections.quorum.kubeadm.plugins.module_utils.kubectl import Deadline, Kubectl, KubectlError
from ansible_collections.quorum.kubeadm.plugins.modules import cluster_info

FIXTURES = Path(__file__).parents[2] / "fixtures" / "cluster"
UPKEEP = json.loads((FIXTURES / "etcd_upkeep.json").read_text())
Node = Callable[[str], Path]


def kubectl(argv: Sequence[str], stdin: str | None, seconds: float) -> Result:
    name = "nodes" if "nodes" in argv else "objects"
    return Result(0, (FIXTURES / f"{name}.json").read_text(), "")


def refusing(argv: Sequence[str], stdin: str | None, seconds: float) -> Result:
    return Result(1, "", "Error from server (Forbidden): no")


def gateway(url: str, body: Mapping[str, Any] | None) -> Any:
    if url == "https://198.18.79.11:2379/v3/cluster/member/list":
        return json.loads((FIXTURES / "etcd_members.json").read_text())
    if url == "https://198.18.79.11:2379/health":
        return {"health": "true"}
    if url == "https://198.18.79.11:2379/v3/maintenance/alarm" and body == {"action": "GET"}:
        return UPKEEP["/v3/maintenance/alarm"]
    if url == "https://198.18.79.11:2379/v3/maintenance/status":
        return UPKEEP["https://198.18.64.11:2379/v3/maintenance/status"]
    raise etcd.EtcdError(f"{url}: refused")


def read(root: Path, ask: etcd.Ask = gateway) -> Cluster:
    return cluster_info.cluster(Kubectl("/etc/kubernetes/admin.conf", Deadline(1), kubectl), root, lambda _root: ask)


def test_cluster(node: Node) -> None:
    cluster = read(node("control_plane"))
    assert [one["name"] for one in cluster["nodes"]] == ["cp1", "cp2"]
    assert [(one["name"], one["learner"], one["healthy"]) for one in cluster["etcd_members"]] == [("", True, False), ("cp1", False, True)]
    assert [(one["name"], one["version"], one["db_size"], one["alarms"]) for one in cluster["etcd_members"]] == [
        ("", None, None, []),
        ("cp1", "3.7.0", 3624960, []),
    ]
    assert (cluster["etcd_problem"], cluster["endpoint"], cluster["reachable"]) == (None, "api.lab.test:6443", True)


POOL = {"kind": "IPPool", "metadata": {"name": "default-ipv4-ippool"}, "spec": {"cidr": "10.244.0.0/16", "ipipMode": "Always"}}


@pytest.mark.parametrize(
    ("answer", "names"),
    [
        (Result(0, json.dumps({"kind": "IPPoolList", "items": [POOL]}), ""), ["default-ipv4-ippool"]),
        (Result(1, "", "Error from server (NotFound): the server could not find the requested resource"), []),
    ],
)
def test_calicos_pools(node: Node, answer: Result, names: list[str]) -> None:
    def run(argv: Sequence[str], stdin: str | None, seconds: float) -> Result:
        return answer if "--raw" in argv else kubectl(argv, stdin, seconds)

    found = cluster_info.cluster(Kubectl("/etc/kubernetes/admin.conf", Deadline(1), run), node("control_plane"), lambda _root: gateway)
    assert [pool["name"] for pool in found["calico_pools"]] == names


def test_etcd_that_does_not_answer_does_not_hide_the_rest(node: Node) -> None:
    def silent(url: str, body: Mapping[str, Any] | None) -> Any:
        raise etcd.EtcdError("timed out")

    cluster = read(node("control_plane"), silent)
    assert (cluster["etcd_members"], cluster["etcd_problem"], len(cluster["nodes"])) == ([], "timed out", 2)


def test_etcd_elsewhere_is_not_asked(node: Node) -> None:
    root = node("control_plane")
    (root / "etc/kubernetes/manifests/etcd.yaml").unlink()
    cluster = read(root, lambda url, body: pytest.fail("it was asked"))
    assert (cluster["etcd_members"], cluster["etcd_problem"]) == ([], None)


def test_keys_that_are_missing_are_a_problem_of_etcd(node: Node) -> None:
    cluster = cluster_info.cluster(Kubectl("/etc/kubernetes/admin.conf", Deadline(1), kubectl), node("control_plane"))
    assert "No such file" in (cluster["etcd_problem"] or "")


def test_api_that_refuses_is_an_error(node: Node) -> None:
    with pytest.raises(KubectlError, match="Forbidden"):
        cluster_info.cluster(Kubectl("/etc/kubernetes/admin.conf", Deadline(1), refusing), node("control_plane"), lambda _root: gateway)


@pytest.mark.parametrize("must_answer", [True, False])
def test_main_where_there_is_no_cluster(
    run_module: Callable[..., dict[str, Any]], node: Node, monkeypatch: pytest.MonkeyPatch, must_answer: bool
) -> None:
    monkeypatch.setattr(control_plane.local_kubectl, "__defaults__", (node("worker"),))
    answer = run_module("cluster_info", must_answer=must_answer)
    if must_answer:
        assert answer["failed"] and "cannot be read: this host is no control plane" in answer["msg"]
    else:
        assert (answer["changed"], answer["cluster"]["reachable"], answer["cluster"]["nodes"]) == (False, False, [])
        assert "no control plane" in answer["cluster"]["reason"]
