# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Marks of unfinished work on nodes that are finished."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.quorum.kubeadm.plugins.module_utils import membership
from ansible_collections.quorum.kubeadm.plugins.module_utils.command import Result
from ansible_collections.quorum.kubeadm.plugins.module_utils.kubectl import Kubectl, KubectlError
from ansible_collections.quorum.kubeadm.plugins.module_utils.node_state import UNFINISHED_MARK, ApiServer, State

FIXTURES = Path(__file__).parents[2] / "fixtures" / "node"
CLIENT = "var/lib/kubelet/pki/kubelet-client-current.pem"
WORKER = {"etc/kubernetes/pki/ca.crt": "ca.crt", "etc/kubernetes/kubelet.conf": "kubelet.conf", CLIENT: "kubelet-client.crt"}
CONTROL_PLANE = {
    **WORKER,
    "etc/kubernetes/pki/ca.key": "key",
    "etc/kubernetes/manifests/kube-apiserver.yaml": "kube-apiserver.yaml",
    "etc/kubernetes/manifests/etcd.yaml": "etcd.yaml",
    "etc/kubernetes/admin.conf": "admin.conf",
}
NODE = {"kind": "Node", "metadata": {"name": "cp1", "labels": {"node-role.kubernetes.io/control-plane": ""}}}
BARE_NODE = {"kind": "Node", "metadata": {"name": "cp1"}}
OWN_PODS = [
    {"kind": "Pod", "metadata": {"name": "etcd-cp1", "namespace": "kube-system", "labels": {"tier": "control-plane"}}},
    {"kind": "Pod", "metadata": {"name": "coredns-1", "namespace": "kube-system", "labels": {"k8s-app": "kube-dns"}}},
    {"kind": "Pod", "metadata": {"name": "kube-proxy-1", "namespace": "kube-system", "labels": {"k8s-app": "kube-proxy"}}},
]
MADE = [{"kind": kind, "metadata": {"name": name, "namespace": namespace}} for kind, namespace, name in sorted(membership.MADE_BY_INIT)]


def lay_out(root: Path, files: dict[str, str], mark: str | None) -> Path:
    for path, name in files.items():
        target = root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text((FIXTURES / name).read_text() if (FIXTURES / name).exists() else name)
    if mark:
        (root / UNFINISHED_MARK).write_text(f"{mark}\n")
    return root


class Cluster:
    """Answers as a cluster does, through each of the ways in which it is asked."""

    def __init__(self) -> None:
        self.ready = True
        self.node: dict[str, Any] | None = NODE
        self.objects: list[dict[str, Any]] = [*MADE, NODE, *OWN_PODS]
        self.asked: list[str] = []

    def why_not_ready(self, root: Path, server: ApiServer) -> str | None:
        self.asked.append(f"readyz of {server.url}")
        return None if self.ready else "it does not answer"

    def read_own_node(self, root: Path, server: ApiServer, name: str) -> dict[str, Any] | None:
        self.asked.append(f"node {name} of {server.url}")
        return self.node


@pytest.fixture(name="cluster")
def fake_cluster(monkeypatch: pytest.MonkeyPatch) -> Cluster:
    cluster = Cluster()
    monkeypatch.setattr(membership, "why_not_ready", cluster.why_not_ready)
    monkeypatch.setattr(membership, "read_own_node", cluster.read_own_node)
    monkeypatch.setattr(membership, "_look", lambda root, server: membership.survey(cluster.objects, "cp1"))
    return cluster


@pytest.mark.parametrize(
    ("what", "files", "mark", "changes", "state"),
    [
        ("a control plane that joined", CONTROL_PLANE, "join", {}, "control_plane"),
        ("a control plane that was initialised", CONTROL_PLANE, "init", {}, "control_plane"),
        ("a worker", WORKER, "join", {"node": BARE_NODE}, "worker"),
        ("no mark, no question", CONTROL_PLANE, None, {"ready": False, "node": None}, "control_plane"),
        ("a control plane that does not serve", CONTROL_PLANE, "join", {"ready": False}, "half_joined"),
        ("a control plane that the cluster does not know", CONTROL_PLANE, "join", {"node": None}, "half_joined"),
        ("a join killed before it labelled the node", CONTROL_PLANE, "join", {"node": BARE_NODE}, "half_joined"),
        ("a worker that the cluster does not know", WORKER, "join", {"node": None}, "half_joined"),
        ("a kubelet that never got its certificate", {**WORKER, CLIENT: "nothing"}, "join", {}, "half_joined"),
        ("an init that serves, but did not come to its addons", CONTROL_PLANE, "init", {"objects": [*MADE[1:], NODE]}, "initialising"),
    ],
)
def test_marks(what: str, files: dict[str, str], mark: str | None, changes: dict[str, Any], state: State, cluster: Cluster, tmp_path: Path) -> None:
    vars(cluster).update(changes)
    assert membership.actual_membership(lay_out(tmp_path, files, mark))["state"] == state, what
    assert (tmp_path / UNFINISHED_MARK).exists() == bool(mark), "looking changes nothing"


def test_each_is_asked_where_it_can_answer(cluster: Cluster, tmp_path: Path) -> None:
    membership.actual_membership(lay_out(tmp_path / "control_plane", CONTROL_PLANE, "join"))
    assert cluster.asked == ["readyz of https://198.18.79.11:6443", "node cp1 of https://198.18.79.11:6443"]
    cluster.asked.clear()
    root = lay_out(tmp_path / "worker", WORKER, "join")
    kubeconfig = root / "etc/kubernetes/kubelet.conf"
    kubeconfig.write_text(kubeconfig.read_text().replace("198.18.79.11:6443", "api.lab.test:16443"))
    membership.actual_membership(root)
    assert cluster.asked == ["node cp1 of https://api.lab.test:16443"]


@pytest.mark.parametrize("lacking", ["etc/kubernetes/manifests/etcd.yaml", CLIENT])
def test_files_that_lack_are_enough_to_know(lacking: str, cluster: Cluster, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(time, "sleep", lambda seconds: pytest.fail("it waited"))
    files = {path: name for path, name in CONTROL_PLANE.items() if path != lacking}
    assert membership.actual_membership(lay_out(tmp_path, files, "join"), patience=60)["state"] == "half_joined"
    assert cluster.asked == []


def test_patience_is_for_those_that_are_starting(cluster: Cluster, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    cluster.ready = False
    monkeypatch.setattr(time, "sleep", lambda seconds: setattr(cluster, "ready", True))
    assert membership.actual_membership(lay_out(tmp_path, CONTROL_PLANE, "join"), patience=60)["state"] == "control_plane"


def test_cluster_that_cannot_be_read_proves_nothing(cluster: Cluster, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def fails(root: Path, server: ApiServer) -> membership.Survey:
        raise KubectlError("forbidden")

    monkeypatch.setattr(membership, "_look", fails)
    root = lay_out(tmp_path, CONTROL_PLANE, "init")
    assert membership.actual_membership(root)["state"] == "initialising"
    assert membership.what_lives_here(root) == ["what cannot be read (forbidden)"]


@pytest.mark.parametrize(("mark", "node", "stale"), [("join", NODE, True), ("join", None, False), (None, NODE, False)])
def test_only_stale_marks_are_cleared(mark: str | None, node: dict[str, Any] | None, stale: bool, cluster: Cluster, tmp_path: Path) -> None:
    cluster.node = node
    found = membership.actual_membership(lay_out(tmp_path, CONTROL_PLANE, mark))
    assert membership.clear_stale_mark(tmp_path, found, check_mode=True) is stale
    assert (tmp_path / UNFINISHED_MARK).exists() == bool(mark)
    assert membership.clear_stale_mark(tmp_path, found, check_mode=False) is stale
    assert (tmp_path / UNFINISHED_MARK).exists() == (bool(mark) and not stale)
    assert membership.clear_stale_mark(tmp_path, found, check_mode=False) is False or not stale


WORK = {"kind": "Pod", "metadata": {"name": "shop", "namespace": "default"}}
NETWORK = {"kind": "Pod", "metadata": {"name": "calico-node-1", "namespace": "kube-system", "labels": {"k8s-app": "calico-node"}}}


@pytest.mark.parametrize(
    ("ready", "more", "lives"),
    [
        (True, [], []),
        (True, [{"kind": "Node", "metadata": {"name": "w1"}}, WORK, NETWORK], ["node w1", "pod default/shop", "pod kube-system/calico-node-1"]),
        (False, [WORK], []),
    ],
)
def test_what_a_reset_would_destroy(ready: bool, more: list[dict[str, Any]], lives: list[str], cluster: Cluster, tmp_path: Path) -> None:
    cluster.ready = ready
    cluster.objects += more
    assert membership.what_lives_here(lay_out(tmp_path, CONTROL_PLANE, "init")) == lives


def test_a_worker_serves_nothing(cluster: Cluster, tmp_path: Path) -> None:
    assert membership.what_lives_here(lay_out(tmp_path, WORKER, "join")) == []
    assert cluster.asked == []


@pytest.mark.parametrize("super_admin", [True, False])
def test_the_strongest_kubeconfig_asks_the_own_api_server(super_admin: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    asked: list[Sequence[str]] = []

    def runner(argv: Sequence[str], stdin: str | None, seconds: float) -> Result:
        asked.append(argv)
        return Result(0, json.dumps({"kind": "List", "items": [*MADE, NODE, WORK]}), "")

    monkeypatch.setattr(membership, "Kubectl", lambda kubeconfig, deadline, server: Kubectl(kubeconfig, deadline, runner, server=server))
    monkeypatch.setattr(membership, "why_not_ready", lambda root, server: None)
    name = "super-admin.conf" if super_admin else "admin.conf"
    assert membership.what_lives_here(lay_out(tmp_path, {**CONTROL_PLANE, f"etc/kubernetes/{name}": "admin.conf"}, "init")) == ["pod default/shop"]
    assert asked[0][:4] == ["kubectl", "--kubeconfig", str(tmp_path / "etc/kubernetes" / name), "--server=https://198.18.79.11:6443"]
