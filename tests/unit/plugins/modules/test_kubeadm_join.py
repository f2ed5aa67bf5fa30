# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Joining a node."""

from __future__ import annotations

import contextlib
import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.quorum.kubeadm.plugins.module_utils import membership
from ansible_collections.quorum.kubeadm.plugins.module_utils.command import Result
from ansible_collections.quorum.kubeadm.plugins.module_utils.etcd import EtcdError
from ansible_collections.quorum.kubeadm.plugins.module_utils.kubeadm_run import KubeadmError
from ansible_collections.quorum.kubeadm.plugins.module_utils.kubectl import Deadline, Kubectl
from ansible_collections.quorum.kubeadm.plugins.modules import kubeadm_join

PIN = "sha256:1428bdb174c5554a24f7c98fa30f25066859370d868ce873809d0fcca3462d64"
OTHER = "sha256:" + "0" * 64
TOKEN, KEY = "abcdef.0123456789abcdef", "a" * 64
CREDENTIALS = {"endpoint": "api.lab.test:16443", "token": TOKEN, "ca_cert_hashes": [PIN], "certificate_key": KEY, "control_plane": True}
Node = Callable[[str], Path]

PARAMS: dict[str, Any] = {
    "credentials": CREDENTIALS,
    "control_plane": False,
    "configuration": {"nodeRegistration": {"name": "n", "ignorePreflightErrors": ["Swap"]}},
    "ready_timeout": 7,
    "cleanup_timeout": 1,
    "reset": False,
    "kubeconfig": None,
}


class Kubeadm:
    """A kubeadm that leaves on the node what the real one leaves."""

    def __init__(self, node: Node) -> None:
        self.node = node
        self.answer = Result(0, "This node has joined the cluster\n", "")
        self.calls: list[str] = []
        self.document: dict[str, Any] = {}

    def __call__(self, argv: Sequence[str], stdin: str | None = None) -> Result:
        root = self.node("clean")
        self.calls.append(argv[1])
        document = json.loads((stdin or "").replace("---\n", ""))
        if argv[1] == "reset":
            for target in (root / "etc/kubernetes" / path for path in ("manifests", "kubelet.conf", "admin.conf")):
                shutil.rmtree(target) if target.is_dir() else target.unlink(missing_ok=True)
            return Result(0, "", "")
        assert (root / "etc/kubernetes/pki/quorum.kubeadm.unfinished").read_text() == "join\n"
        self.document = document
        self.node("control_plane" if "controlPlane" in document else "worker")
        return self.answer


@pytest.fixture(name="kubeadm")
def fake_kubeadm(node: Node, monkeypatch: pytest.MonkeyPatch) -> Kubeadm:
    monkeypatch.setattr(kubeadm_join, "wait_ready", lambda root, server, timeout: None)
    monkeypatch.setattr(membership, "why_not_ready", lambda root, server: "nobody is there")
    monkeypatch.setattr(kubeadm_join, "forget_own_member", lambda root, address, kubectl: "c310162780e4bb6b")
    return Kubeadm(node)


def join(kubeadm: Kubeadm, check_mode: bool = False, control_plane: bool = False, **params: Any) -> kubeadm_join.Outcome:
    kubectl = Kubectl("/nonexistent", Deadline(1))
    of_control_planes = {"controlPlane": {"localAPIEndpoint": {"advertiseAddress": "198.18.79.12", "bindPort": 6443}}} if control_plane else {}
    configuration = {**PARAMS["configuration"], **of_control_planes}
    params = {**PARAMS, "configuration": configuration, "control_plane": control_plane, **params}
    return kubeadm_join.join(params, check_mode, kubeadm, kubectl, kubeadm.node("clean"))


@pytest.mark.parametrize("control_plane", [False, True])
def test_a_clean_machine_joins_once(kubeadm: Kubeadm, control_plane: bool) -> None:
    first, second = join(kubeadm, control_plane=control_plane), join(kubeadm, control_plane=control_plane)
    assert kubeadm.calls == ["join"]
    assert first == {
        "changed": True,
        "state": "clean",
        "reset": False,
        "removed_etcd_member": None,
        "stdout": "This node has joined the cluster\n",
        "stderr": "",
        "ca_hash": PIN,
        "diff": first["diff"],
    }
    assert (second["changed"], second["state"], second["diff"]) == (False, "control_plane" if control_plane else "worker", {})
    command, shown = first["diff"]["prepared"].split("---\n")
    assert command == "kubeadm join\n" and json.loads(shown)["discovery"]["bootstrapToken"] == {
        "apiServerEndpoint": "api.lab.test:16443",
        "token": "********",
        "caCertHashes": [PIN],
    }
    assert TOKEN not in shown and KEY not in shown
    assert kubeadm.document["discovery"]["bootstrapToken"] == {"apiServerEndpoint": "api.lab.test:16443", "token": TOKEN, "caCertHashes": [PIN]}
    assert kubeadm.document.get("timeouts") == ({"etcdAPICall": "5m0s"} if control_plane else None)
    assert kubeadm.document.get("controlPlane") == (
        {"certificateKey": KEY, "localAPIEndpoint": {"advertiseAddress": "198.18.79.12", "bindPort": 6443}} if control_plane else None
    )
    assert not (kubeadm.node("clean") / "etc/kubernetes/pki/quorum.kubeadm.unfinished").exists()


def test_a_worker_is_never_made_a_control_plane(kubeadm: Kubeadm) -> None:
    with pytest.raises(kubeadm_join.Refused, match="leave it out for a worker"):
        join(kubeadm, configuration={"controlPlane": {}})
    assert kubeadm.calls == []


def test_the_address_that_a_half_done_join_took_is_the_documents(kubeadm: Kubeadm, node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str | None] = []

    def forget(_root: Path, address: str | None, _kubectl: Kubectl) -> None:
        asked.append(address)

    monkeypatch.setattr(kubeadm_join, "forget_own_member", forget)
    for control_plane in (True, False):
        node("killed join")
        join(kubeadm, control_plane=control_plane)
        shutil.rmtree(node("clean") / "etc/kubernetes")
    assert asked == ["198.18.79.12", None]


def test_node_that_has_joined_needs_no_secrets(kubeadm: Kubeadm, node: Node) -> None:
    node("control_plane")
    assert not join(kubeadm, control_plane=True, credentials={**CREDENTIALS, "token": None, "certificate_key": None})["changed"]


@pytest.mark.parametrize("kind", ["clean", "killed join"])
def test_check_mode_needs_no_secrets_and_touches_nothing(kubeadm: Kubeadm, node: Node, kind: str) -> None:
    node(kind)
    outcome = join(kubeadm, check_mode=True, control_plane=True, credentials={**CREDENTIALS, "token": None, "certificate_key": None})
    assert (outcome["changed"], outcome["reset"], kubeadm.calls) == (True, kind == "killed join", [])
    assert outcome["diff"]["prepared"].startswith("kubeadm reset && kubeadm join\n" if kind == "killed join" else "kubeadm join\n")


def test_half_joined_node_is_taken_back_and_joined(kubeadm: Kubeadm, node: Node) -> None:
    node("killed join")
    outcome = join(kubeadm, control_plane=True)
    assert kubeadm.calls == ["reset", "join"]
    assert (outcome["state"], outcome["reset"], outcome["removed_etcd_member"]) == ("half_joined", True, "c310162780e4bb6b")


def test_half_joined_control_plane_that_becomes_a_worker_leaves_no_member(kubeadm: Kubeadm, node: Node) -> None:
    node("killed join")
    outcome = join(kubeadm)
    assert (outcome["reset"], outcome["removed_etcd_member"]) == (True, "c310162780e4bb6b")


@pytest.fixture(name="finished")
def finished_after_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """The cluster has the node, and it serves."""
    monkeypatch.setattr(membership, "read_node_name", lambda root: "cp1")
    monkeypatch.setattr(membership, "_is_member", lambda root, traces: True)


@pytest.mark.usefixtures("finished")
def test_member_with_a_stale_mark_is_left_alone(kubeadm: Kubeadm, node: Node) -> None:
    root = node("killed join")
    for check_mode, changed, marked in ((True, True, True), (False, True, False), (False, False, False)):
        outcome = join(kubeadm, check_mode, control_plane=True)
        assert (outcome["changed"], outcome["state"], outcome["reset"], outcome["removed_etcd_member"]) == (changed, "control_plane", False, None)
        assert (root / "etc/kubernetes/pki/quorum.kubeadm.unfinished").exists() is marked
    assert kubeadm.calls == []


@pytest.mark.usefixtures("finished")
def test_stale_mark_hides_no_other_cluster(kubeadm: Kubeadm, node: Node) -> None:
    root = node("killed init")
    with pytest.raises(kubeadm_join.Refused, match="belongs to another cluster"):
        join(kubeadm, control_plane=True, reset=True, credentials={**CREDENTIALS, "ca_cert_hashes": [OTHER]})
    assert (root / "etc/kubernetes/pki/quorum.kubeadm.unfinished").exists()


@pytest.mark.parametrize("kind", ["authority", "killed init"])
def test_unfinished_init_is_taken_back_with_leave(kubeadm: Kubeadm, node: Node, kind: str) -> None:
    node(kind)
    assert join(kubeadm, check_mode=True, reset=True)["reset"]
    assert kubeadm.calls == []
    outcome = join(kubeadm, reset=True)
    assert kubeadm.calls == ["reset", "join"]
    assert (outcome["state"], outcome["reset"], outcome["removed_etcd_member"]) == ("initialising", True, None), "its member is in no living etcd"
    assert not (kubeadm.node("clean") / "etc/kubernetes/pki/ca.key").exists(), "its CA is not this cluster's"


def test_unfinished_init_that_serves_others_is_never_taken_back(kubeadm: Kubeadm, node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kubeadm_join, "what_lives_here", lambda root: ["node w1"])
    node("killed init")
    with pytest.raises(kubeadm_join.Refused, match="it serves node w1: it is not reset"):
        join(kubeadm, reset=True)
    assert kubeadm.calls == []


def test_what_etcd_does_not_let_go_stops_the_join(kubeadm: Kubeadm, node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*arguments: object) -> str:
        raise EtcdError("no quorum")

    monkeypatch.setattr(kubeadm_join, "forget_own_member", fails)
    node("killed join")
    with pytest.raises(EtcdError):
        join(kubeadm, control_plane=True)
    assert kubeadm.calls == []


@pytest.mark.parametrize(
    ("kind", "control_plane", "why"),
    [
        ("worker", True, "is a worker of the cluster already and cannot become a control plane"),
        ("control_plane", False, "is a control plane of the cluster already and cannot become a worker"),
        ("killed init", True, f"unfinished kubeadm init is on this node, with the CA {PIN}"),
        ("authority", False, "unfinished kubeadm init"),
    ],
)
def test_nodes_that_are_something_else_are_refused(kubeadm: Kubeadm, node: Node, kind: str, control_plane: bool, why: str) -> None:
    node(kind)
    with pytest.raises(kubeadm_join.Refused, match=why):
        join(kubeadm, control_plane=control_plane)
    assert kubeadm.calls == []


@pytest.mark.parametrize(("kind", "control_plane"), [("worker", False), ("control_plane", True), ("worker", True)])
def test_node_of_another_cluster_is_refused_with_both_cas(kubeadm: Kubeadm, node: Node, kind: str, control_plane: bool) -> None:
    node(kind)
    with pytest.raises(kubeadm_join.Refused, match=f"its CA is {PIN}, the cluster it is to join has {OTHER}"):
        join(kubeadm, control_plane=control_plane, credentials={**CREDENTIALS, "ca_cert_hashes": [OTHER]})


@pytest.mark.parametrize(
    ("lacking", "control_plane", "why"),
    [
        (["token"], False, "credentials lack token"),
        (["certificate_key"], True, "credentials lack certificate_key"),
        (["token", "certificate_key"], True, "credentials lack token and certificate_key"),
    ],
)
def test_credentials_must_be_whole(kubeadm: Kubeadm, lacking: list[str], control_plane: bool, why: str) -> None:
    with pytest.raises(kubeadm_join.Refused, match=why):
        join(kubeadm, control_plane=control_plane, credentials={**CREDENTIALS, **dict.fromkeys(lacking)})
    assert kubeadm.calls == []


def test_failed_join_is_taken_back_by_the_next_run(kubeadm: Kubeadm) -> None:
    kubeadm.answer = Result(1, "", "error: error execution phase kubelet-start: timed out\n")
    with pytest.raises(KubeadmError, match="kubeadm join failed .* timed out"):
        join(kubeadm, control_plane=True)
    kubeadm.answer = Result(0, "", "")
    assert join(kubeadm, control_plane=True)["reset"]
    assert kubeadm.calls == ["join", "reset", "join"]


def test_api_server_that_does_not_become_ready(kubeadm: Kubeadm, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kubeadm_join, "wait_ready", lambda root, server, timeout: f"{server.url} answers 500 after {timeout}")
    for _run in ("the one that joins", "the next"):
        with pytest.raises(kubeadm_join.Refused, match="has joined, but .* not ready after 7 seconds: https://198.18.79.11:6443 answers 500 after 7"):
            join(kubeadm, control_plane=True)
    with pytest.raises(kubeadm_join.Refused, match="not ready after 0 seconds"):
        join(kubeadm, check_mode=True, control_plane=True)
    assert kubeadm.calls == ["join"]


@pytest.mark.parametrize(("kind", "control_plane"), [("clean", False), ("worker", False), ("killed join", True)])
def test_nobody_waits_for_an_api_server_that_is_not_there(
    kubeadm: Kubeadm, node: Node, kind: str, control_plane: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kubeadm_join, "wait_ready", lambda root, server, timeout: "it was asked")
    node(kind)
    join(kubeadm, check_mode=control_plane, control_plane=control_plane)


def test_kubeconfig_is_for_control_planes(kubeadm: Kubeadm, tmp_path: Path) -> None:
    target = tmp_path / "root/.kube/config"
    join(kubeadm, kubeconfig=str(target))
    assert not join(kubeadm, kubeconfig=str(target))["changed"]
    assert not target.exists()
    shutil.rmtree(tmp_path / "etc/kubernetes")
    join(kubeadm, control_plane=True, kubeconfig=str(target))
    assert target.exists()
    target.unlink()
    assert join(kubeadm, control_plane=True, kubeconfig=str(target))["changed"]


@pytest.mark.parametrize("kind", ["clean", "worker"])
def test_main_never_shows_the_credentials(
    run_module: Callable[..., dict[str, Any]], kubeadm: Kubeadm, node: Node, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    kubeadm.answer = Result(1, f"said {TOKEN}", f"error: {TOKEN} {KEY}")
    monkeypatch.setattr(kubeadm_join, "exclusively", lambda: contextlib.nullcontext(kubeadm))
    monkeypatch.setattr(kubeadm_join.join, "__defaults__", (node(kind),))
    answer = run_module("kubeadm_join", credentials=CREDENTIALS)
    assert bool(answer.get("failed")) == (kind == "clean")
    assert TOKEN not in json.dumps(answer) and KEY not in json.dumps(answer)
    assert answer["invocation"]["module_args"]["credentials"]["endpoint"] == "api.lab.test:16443"


def test_a_second_learner_is_explained() -> None:
    # Captured from 1.37.2 when the join of a third control plane had died as a learner.
    words = "error: error execution phase etcd-join: error creating local etcd static pod manifest file: etcdserver: too many learner members in cluster"
    assert kubeadm_join.explained(words).startswith(f"{words}. etcd takes in one control plane at a time")
    assert kubeadm_join.explained("error: timed out") == "error: timed out"


def test_main_explains_what_etcd_says(
    run_module: Callable[..., dict[str, Any]], kubeadm: Kubeadm, node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*arguments: object) -> str:
        raise EtcdError("no quorum")

    monkeypatch.setattr(kubeadm_join, "forget_own_member", fails)
    monkeypatch.setattr(kubeadm_join, "exclusively", lambda: contextlib.nullcontext(kubeadm))
    monkeypatch.setattr(kubeadm_join.join, "__defaults__", (node("killed join"),))
    answer = run_module("kubeadm_join", credentials=CREDENTIALS, control_plane=True)
    assert answer["msg"] == "what an earlier join left of this node in etcd cannot be removed: no quorum"
