# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Initialising the first control plane."""

from __future__ import annotations

import contextlib
import json
import re
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.quorum.kubeadm.plugins.module_utils import membership
from ansible_collections.quorum.kubeadm.plugins.module_utils.command import Result
from ansible_collections.quorum.kubeadm.plugins.module_utils.kubeadm_run import KubeadmError
from ansible_collections.quorum.kubeadm.plugins.modules import kubeadm_init

FIXTURES = Path(__file__).parents[2] / "fixtures"
PIN = "sha256:1428bdb174c5554a24f7c98fa30f25066859370d868ce873809d0fcca3462d64"
SAID = (FIXTURES / "kubeadm_output" / "captured" / "v1.37.2-init-withheld.txt").read_text()
Node = Callable[[str], Path]

PARAMS: dict[str, Any] = {
    "cluster_configuration": {
        "kubernetesVersion": "v1.37.2",
        "controlPlaneEndpoint": "api.lab.test:16443",
        "apiServer": {"extraArgs": [{"name": "shutdown-delay-duration", "value": "5s"}]},
    },
    "init_configuration": {"localAPIEndpoint": {"advertiseAddress": "198.18.79.11"}, "nodeRegistration": {"ignorePreflightErrors": ["Swap"]}},
    "kubelet_configuration": {"failSwapOn": False},
    "kube_proxy_configuration": {"mode": "nftables"},
    "certificate_key": None,
    "upload_certificates": True,
    "reset": False,
    "kubeconfig": None,
}


class Kubeadm:
    """A kubeadm that leaves on the node what the real one leaves."""

    def __init__(self, node: Node, init: Result = Result(0, SAID, "")) -> None:
        self.node = node
        self.init = init
        self.calls: list[str] = []
        self.documents: list[list[dict[str, Any]]] = []
        self.found: list[list[str]] = []

    def __call__(self, argv: Sequence[str], stdin: str | None = None) -> Result:
        root = self.node("clean")
        self.calls.append(" ".join(argv[1:]))
        self.documents.append([json.loads(part) for part in (stdin or "").split("---\n") if part])
        self.found.append(sorted(str(path.relative_to(root / "etc/kubernetes")) for path in (root / "etc/kubernetes").rglob("*") if path.is_file()))
        if argv[1] == "reset":
            for target in (root / "etc/kubernetes" / path for path in ("manifests", "kubelet.conf", "admin.conf")):
                shutil.rmtree(target) if target.is_dir() else target.unlink(missing_ok=True)
            return Result(0, "", "")
        if argv[1:5] == ["init", "phase", "certs", "ca"]:
            self.node("authority")
            return Result(0, '[certs] Generating "ca" certificate and key\n', "")
        self.node("control_plane")
        return self.init


@pytest.fixture(name="kubeadm")
def fake_kubeadm(node: Node, monkeypatch: pytest.MonkeyPatch) -> Kubeadm:
    monkeypatch.setattr(kubeadm_init, "why_not_ready", lambda *arguments, **options: None)
    monkeypatch.setattr(membership, "why_not_ready", lambda root, server: "nobody is there")
    return Kubeadm(node)


def initialise(kubeadm: Kubeadm, check_mode: bool = False, **params: Any) -> kubeadm_init.Outcome:
    return kubeadm_init.initialise({**PARAMS, **params}, check_mode, kubeadm, kubeadm.node("clean"))


def test_a_clean_machine_becomes_a_control_plane(kubeadm: Kubeadm) -> None:
    outcome = initialise(kubeadm)
    assert kubeadm.calls == ["init --skip-token-print --upload-certs --skip-certificate-key-print --config /dev/stdin"]
    assert [document["kind"] for document in kubeadm.documents[0]] == [
        "InitConfiguration",
        "ClusterConfiguration",
        "KubeletConfiguration",
        "KubeProxyConfiguration",
    ]
    init, cluster, kubelet, proxy = kubeadm.documents[0]
    assert init["nodeRegistration"] == {
        "criSocket": "unix:///run/containerd/containerd.sock",
        "imagePullPolicy": "IfNotPresent",
        "ignorePreflightErrors": ["Swap"],
    }
    assert cluster["apiServer"]["extraArgs"] == [{"name": "shutdown-delay-duration", "value": "5s"}]
    assert (kubelet["failSwapOn"], proxy["mode"]) == (False, "nftables")
    assert kubeadm.found == [["pki/quorum.kubeadm.unfinished"]]
    assert (outcome["changed"], outcome["state"], outcome["reset"], outcome["ca_hash"]) == (True, "clean", False, PIN)
    assert outcome["stdout"] == SAID
    assert outcome["join"] is not None
    assert (outcome["join"]["token"], outcome["join"]["certificate_key"], outcome["join"]["control_plane"]) == (None, None, True)
    assert not (kubeadm.node("clean") / "etc/kubernetes/pki/quorum.kubeadm.unfinished").exists()


@pytest.mark.parametrize("lacking", ["kubernetesVersion", "controlPlaneEndpoint"])
@pytest.mark.parametrize("work", [kubeadm_init.initialise, kubeadm_init.make_authority])
def test_what_kubeadm_would_make_up_has_to_be_said(kubeadm: Kubeadm, lacking: str, work: Callable[..., object]) -> None:
    cluster = {field: value for field, value in PARAMS["cluster_configuration"].items() if field != lacking}
    with pytest.raises(kubeadm_init.Refused, match=f"cluster_configuration lacks {lacking}:"):
        work({**PARAMS, "cluster_configuration": cluster}, True, kubeadm, kubeadm.node("clean"))


def test_second_run_changes_nothing(kubeadm: Kubeadm) -> None:
    initialise(kubeadm)
    outcome = initialise(kubeadm)
    assert len(kubeadm.calls) == 1
    assert (outcome["changed"], outcome["state"], outcome["join"], outcome["ca_hash"]) == (False, "control_plane", None, PIN)


def test_certificates_stay_where_they_are_on_request(kubeadm: Kubeadm) -> None:
    initialise(kubeadm, upload_certificates=False)
    assert kubeadm.calls == ["init --skip-token-print --config /dev/stdin"]


@pytest.mark.parametrize("kind", ["clean", "authority", "killed init"])
def test_check_mode_touches_nothing(kubeadm: Kubeadm, node: Node, kind: str) -> None:
    node(kind)
    outcome = initialise(kubeadm, check_mode=True, reset=True, kubeconfig="/nonexistent/config")
    assert (outcome["changed"], outcome["reset"], kubeadm.calls) == (True, kind == "killed init", [])
    command, *documents = outcome["diff"]["prepared"].split("---\n")
    assert command == ("kubeadm reset && " if kind == "killed init" else "") + "kubeadm init --skip-token-print --upload-certs --skip-certificate-key-print\n"
    assert [json.loads(document)["kind"] for document in documents] == [
        "InitConfiguration",
        "ClusterConfiguration",
        "KubeletConfiguration",
        "KubeProxyConfiguration",
    ]


def test_what_is_shown_of_an_init_is_what_it_gets_without_its_key(kubeadm: Kubeadm) -> None:
    key = "a" * 64
    shown = initialise(kubeadm, certificate_key=key)["diff"]["prepared"].split("---\n")
    given = kubeadm.documents[0]
    assert given[0]["certificateKey"] == key and key not in str(shown)
    assert [json.loads(document) for document in shown[1:]] == [{**given[0], "certificateKey": "********"}, *given[1:]]
    assert all(list(json.loads(document))[:2] == ["apiVersion", "kind"] for document in shown[1:])
    assert initialise(kubeadm, certificate_key=key)["diff"] == {}


def test_ca_made_beforehand_is_used_without_a_reset(kubeadm: Kubeadm, node: Node) -> None:
    node("authority")
    outcome = initialise(kubeadm)
    assert (outcome["state"], outcome["reset"], len(kubeadm.calls)) == ("initialising", False, 1)
    assert kubeadm.found[0] == ["pki/ca.crt", "pki/ca.key", "pki/quorum.kubeadm.unfinished"]


def test_killed_init_is_taken_back_with_its_ca_kept(kubeadm: Kubeadm, node: Node) -> None:
    node("killed init")
    outcome = initialise(kubeadm, reset=True)
    assert [call.split()[0] for call in kubeadm.calls] == ["reset", "init"]
    assert kubeadm.found[1] == ["pki/ca.crt", "pki/ca.key", "pki/quorum.kubeadm.unfinished"]
    assert (outcome["changed"], outcome["state"], outcome["reset"]) == (True, "initialising", True)


def test_killed_init_is_left_alone_without_leave(kubeadm: Kubeadm, node: Node) -> None:
    node("killed init")
    with pytest.raises(kubeadm_init.Refused, match="set reset: true"):
        initialise(kubeadm)
    assert kubeadm.calls == []


def test_workers_are_refused(kubeadm: Kubeadm, node: Node) -> None:
    node("worker")
    with pytest.raises(kubeadm_init.Refused, match="is a worker"):
        initialise(kubeadm, reset=True)
    assert kubeadm.calls == []


@pytest.mark.parametrize(("lacking", "kept"), [(None, ["pki/ca.crt", "pki/ca.key"]), ("ca.key", []), ("ca.crt", ["ca.key.orphaned"])])
def test_unfinished_join_is_taken_back_with_leave_and_its_ca_kept_when_it_can_sign(
    kubeadm: Kubeadm, node: Node, lacking: str | None, kept: list[str]
) -> None:
    root = node("killed join")
    if lacking:
        (root / "etc/kubernetes/pki" / lacking).unlink()
    with pytest.raises(kubeadm_init.Refused, match=r"earlier kubeadm join was cut short .* set reset: true"):
        initialise(kubeadm)
    assert initialise(kubeadm, check_mode=True, reset=True)["reset"]
    assert kubeadm.calls == []
    outcome = initialise(kubeadm, reset=True)
    assert (outcome["state"], outcome["reset"]) == ("half_joined", True)
    assert [re.sub(r"\.\d+T\d+", "", name) for name in kubeadm.found[1]] == [*kept, "pki/quorum.kubeadm.unfinished"]


def test_unfinished_join_that_had_a_ca_alone_is_taken_back_as_well(kubeadm: Kubeadm, node: Node) -> None:
    (node("authority") / "etc/kubernetes/pki/quorum.kubeadm.unfinished").write_text("join")
    assert initialise(kubeadm, reset=True)["reset"]


@pytest.mark.parametrize("kind", ["killed init", "killed join"])
def test_node_that_serves_others_is_never_reset(kubeadm: Kubeadm, node: Node, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kubeadm_init, "what_lives_here", lambda root: ["node w1", "pod default/shop"])
    node(kind)
    with pytest.raises(kubeadm_init.Refused, match="serves node w1, pod default/shop: it is not reset"):
        initialise(kubeadm, reset=True)
    assert kubeadm.calls == []


@pytest.mark.parametrize("kind", ["killed init", "killed join"])
def test_control_plane_with_a_stale_mark_is_left_alone(kubeadm: Kubeadm, node: Node, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(membership, "read_node_name", lambda root: "cp1")
    monkeypatch.setattr(membership, "_is_member", lambda root, traces: True)
    root = node(kind)
    for check_mode, changed, marked in ((True, True, True), (False, True, False), (False, False, False)):
        outcome = initialise(kubeadm, check_mode, reset=True)
        assert (outcome["changed"], outcome["state"], outcome["reset"]) == (changed, "control_plane", False)
        assert (root / "etc/kubernetes/pki/quorum.kubeadm.unfinished").exists() is marked
    assert kubeadm.calls == []


def test_control_plane_that_does_not_serve_is_never_initialised_again(kubeadm: Kubeadm, node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kubeadm_init, "why_not_ready", lambda *arguments, **options: "it answers 500: etcd failed")
    node("control_plane")
    with pytest.raises(kubeadm_init.Refused, match="it answers 500: etcd failed.*must not run again"):
        initialise(kubeadm, reset=True)
    assert kubeadm.calls == []


def test_failed_init_is_known_by_the_next_run(node: Node, kubeadm: Kubeadm) -> None:
    kubeadm.init = Result(1, "[init] Using Kubernetes version: v1.37.2\n", "error: error execution phase wait-control-plane: timed out\n")
    with pytest.raises(KubeadmError, match="kubeadm init --skip-token-print.* failed .*timed out"):
        initialise(kubeadm)
    kubeadm.init = Result(0, SAID, "")
    assert initialise(kubeadm, reset=True)["reset"]


def test_kubeconfig_is_given_to_the_administrator(kubeadm: Kubeadm, tmp_path: Path) -> None:
    target = tmp_path / "root/.kube/config"
    initialise(kubeadm, kubeconfig=str(target))
    assert target.read_text() == (FIXTURES / "node" / "admin.conf").read_text()
    target.unlink()
    assert initialise(kubeadm, kubeconfig=str(target))["changed"]
    assert not initialise(kubeadm, kubeconfig=str(target))["changed"]


def authority(kubeadm: Kubeadm, check_mode: bool = False, reset: bool = False) -> kubeadm_init.Outcome:
    return kubeadm_init.make_authority({**PARAMS, "reset": reset}, check_mode, kubeadm, kubeadm.node("clean"))


def test_authority_is_made_once(kubeadm: Kubeadm) -> None:
    checked = authority(kubeadm, check_mode=True)
    assert checked["changed"] and kubeadm.calls == []
    assert checked["diff"]["prepared"].startswith("kubeadm init phase certs ca: the CA of the cluster, ")
    first, second = authority(kubeadm), authority(kubeadm)
    assert kubeadm.calls == ["init phase certs ca --config /dev/stdin"]
    assert [document["kind"] for document in kubeadm.documents[0]] == ["InitConfiguration", "ClusterConfiguration"]
    assert (first["changed"], second["changed"], first["ca_hash"], second["ca_hash"]) == (True, False, PIN, PIN)
    assert first["ca_certificate"] == (FIXTURES / "node" / "ca.crt").read_text()
    assert second["diff"] == {}


def test_key_without_its_certificate_gives_way(kubeadm: Kubeadm, node: Node) -> None:
    root = node("authority")
    (root / "etc/kubernetes/pki/ca.crt").unlink()
    assert authority(kubeadm, check_mode=True)["changed"]
    assert (root / "etc/kubernetes/pki/ca.key").exists()
    assert authority(kubeadm)["changed"]
    [[aside]] = kubeadm.found
    assert aside.startswith("ca.key.") and aside.endswith(".orphaned")
    assert (root / "etc/kubernetes" / aside).read_text() == "key", "nobody knows what it was good for"


@pytest.mark.parametrize("kind", ["control_plane", "killed init", "killed join"])
def test_key_of_a_node_with_more_is_never_touched(kubeadm: Kubeadm, node: Node, kind: str) -> None:
    root = node(kind)
    (root / "etc/kubernetes/pki/ca.crt").unlink()
    with pytest.raises(kubeadm_init.Refused, match="ca.key is here without .*ca.crt"):
        authority(kubeadm, reset=True)
    assert (root / "etc/kubernetes/pki/ca.key").read_text() == "key"
    assert kubeadm.calls == []


@pytest.mark.parametrize("mark", ["join", "init"])  # the latter is what a kill within the reset leaves
def test_ca_without_its_key_is_replaced_with_leave(kubeadm: Kubeadm, node: Node, mark: str) -> None:
    root = node("worker")
    (root / "etc/kubernetes/pki/quorum.kubeadm.unfinished").write_text(mark)
    with pytest.raises(kubeadm_init.Refused, match="set reset: true"):
        authority(kubeadm)
    checked = authority(kubeadm, check_mode=True, reset=True)
    assert (checked["changed"], checked["reset"], checked["ca_hash"], kubeadm.calls) == (True, True, None, [])
    outcome = authority(kubeadm, reset=True)
    assert [call.split()[0] for call in kubeadm.calls] == ["reset", "init"]
    assert kubeadm.found[1] == ["pki/quorum.kubeadm.unfinished"]
    assert (outcome["changed"], outcome["reset"], outcome["ca_hash"]) == (True, True, PIN)
    assert not initialise(kubeadm)["reset"], "that was enough"


def test_ca_without_its_key_is_not_initialised_with(kubeadm: Kubeadm, node: Node) -> None:
    root = node("authority")
    (root / "etc/kubernetes/pki/ca.key").unlink()
    (root / "etc/kubernetes/pki/quorum.kubeadm.unfinished").write_text("init")
    assert initialise(kubeadm, reset=True)["reset"]
    assert kubeadm.found[1] == ["pki/quorum.kubeadm.unfinished"]


def test_authority_of_a_control_plane_is_read(kubeadm: Kubeadm, node: Node) -> None:
    node("control_plane")
    outcome = authority(kubeadm)
    assert (outcome["changed"], outcome["state"], outcome["ca_hash"], kubeadm.calls) == (False, "control_plane", PIN, [])


def test_main_reports_failure_in_kubeadms_words(
    run_module: Callable[..., dict[str, Any]], kubeadm: Kubeadm, node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = "a" * 64
    kubeadm.init = Result(1, "said", f"error: something with {key} and abcdef.0123456789abcdef")
    monkeypatch.setattr(kubeadm_init, "exclusively", lambda: contextlib.nullcontext(kubeadm))
    monkeypatch.setattr(kubeadm_init.initialise, "__defaults__", (node("clean"),))
    answer = run_module("kubeadm_init", cluster_configuration=PARAMS["cluster_configuration"], certificate_key=key)
    assert (answer["failed"], answer["rc"], answer["stdout"]) == (True, 1, "said")
    assert "something with" in answer["msg"]
    assert key not in json.dumps(answer) and "0123456789abcdef" not in json.dumps(answer)


def test_main_reports_a_refusal(run_module: Callable[..., dict[str, Any]], kubeadm: Kubeadm, node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kubeadm_init, "exclusively", lambda: contextlib.nullcontext(kubeadm))
    monkeypatch.setattr(kubeadm_init.initialise, "__defaults__", (node("worker"),))
    answer = run_module("kubeadm_init", check_mode=True, cluster_configuration=PARAMS["cluster_configuration"])
    assert answer["failed"] and "is a worker" in answer["msg"]
