# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The modules that speak with kubectl: what they ask, what they return, and what they keep to themselves."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.quorum.kubeadm.plugins.module_utils import kubectl
from ansible_collections.quorum.kubeadm.plugins.module_utils.command import Result

FIXTURES = Path(__file__).parents[2] / "fixtures"
APPLIED: dict[str, Any] = json.loads((FIXTURES / "apply/kubectl_1.37.json").read_text())["cases"]
FOUND: dict[str, Any] = json.loads((FIXTURES / "cluster_wait/kubernetes_1.37.json").read_text())

RunModule = Callable[..., dict[str, Any]]


def listed(objects: Sequence[Mapping[str, Any]]) -> Result:
    """kubectl's answer that lists these."""
    return Result(0, json.dumps({"kind": "List", "items": objects}), "")


class Kube:
    """kubectl's answers by verb, and what it was asked."""

    def __init__(self) -> None:
        self.answers: dict[str, Result] = {}
        self.asked: list[list[str]] = []

    def __call__(self, argv: Sequence[str], _stdin: str | None = None, **_more: Any) -> Result:
        words = [word for word in argv[3:] if not word.startswith("--server=")]
        self.asked.append(words)
        return self.answers.get(" ".join(words[:2]), self.answers.get(words[0], Result(0, "", "")))


@pytest.fixture(name="kube")
def kube_fixture(monkeypatch: pytest.MonkeyPatch) -> Kube:
    kube = Kube()
    monkeypatch.setattr(kubectl, "run", kube)
    return kube


@pytest.fixture(name="kubeconfig")
def kubeconfig_fixture(tmp_path: Path) -> str:
    path = tmp_path / "admin.conf"
    path.write_text("")
    return str(path)


CONFIG_MAP = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "settings", "namespace": "cap"}, "data": {"password": "hunter2"}}
DAEMON = {"apiVersion": "apps/v1", "kind": "DaemonSet", "metadata": {"name": "net", "namespace": "kube-system"}}


class TestApply:
    @pytest.mark.parametrize(("case", "changed", "result"), [("another value", True, "changed"), ("nothing", False, "unchanged"), ("made", True, "created")])
    def test_what_changed(self, run_module: RunModule, kube: Kube, kubeconfig: str, case: str, changed: bool, result: str) -> None:
        kube.answers = {"get": listed(APPLIED[case]["before"]), "apply": listed(APPLIED[case]["after"])}
        answer = run_module("apply_manifests", definitions=[CONFIG_MAP], kubeconfig=kubeconfig)
        assert answer["changed"] is changed
        assert answer["objects"] == [{"kind": "ConfigMap", "namespace": "cap", "name": "settings", "result": result}]
        assert answer["workloads"] == []

    def test_what_is_applied_stays_out_of_what_is_shown(self, run_module: RunModule, kube: Kube, kubeconfig: str) -> None:
        kube.answers = {"get": listed([]), "apply": Result(1, "", "error: no")}
        for answer in (run_module("apply_manifests", definitions=[CONFIG_MAP], kubeconfig=kubeconfig), run_module("apply_manifests", definitions=[{}])):
            assert answer["failed"]
            assert "hunter2" not in json.dumps(answer)
            assert answer["invocation"]["module_args"]["definitions"] == "1 objects"

    def test_kubectl_is_quoted(self, run_module: RunModule, kube: Kube, kubeconfig: str) -> None:
        kube.answers = {"get": Result(1, "", 'error: unable to recognize no matches for kind "Bar" in version "foo.example/v1"')}
        answer = run_module("apply_manifests", definitions=[CONFIG_MAP], kubeconfig=kubeconfig, timeout=0.1)
        assert answer["failed"]
        assert 'no matches for kind "Bar"' in answer["msg"]

    def test_check_mode_asks_the_api_server(self, run_module: RunModule, kube: Kube, kubeconfig: str) -> None:
        case = APPLIED["only asked, would change"]
        kube.answers = {"get": listed(case["before"]), "apply": listed(case["after"])}
        assert run_module("apply_manifests", check_mode=True, definitions=[CONFIG_MAP], kubeconfig=kubeconfig)["changed"]
        assert ["--dry-run=server" in words for words in kube.asked if words[0] == "apply"] == [True]

    def test_check_mode_before_there_is_a_cluster(self, run_module: RunModule, kube: Kube, tmp_path: Path) -> None:
        answer = run_module("apply_manifests", check_mode=True, definitions=[CONFIG_MAP, DAEMON], kubeconfig=str(tmp_path / "none"))
        assert answer["changed"]
        assert [entry["result"] for entry in answer["objects"]] == ["created", "created"]
        assert answer["workloads"] == [{"kind": "DaemonSet", "namespace": "kube-system", "name": "net"}]
        assert kube.asked == []

    def test_what_is_no_object_is_named(self, run_module: RunModule, kube: Kube, kubeconfig: str) -> None:
        answer = run_module("apply_manifests", definitions=[{"kind": "Pod"}], kubeconfig=kubeconfig)
        assert answer["msg"] == "document 1 of definitions (Pod) lacks apiVersion and metadata.name"
        assert kube.asked == []


class TestWait:
    coredns = {"kind": "Deployment", "namespace": "kube-system", "name": "coredns"}
    proxy = {"kind": "DaemonSet", "namespace": "kube-system", "name": "kube-proxy"}

    def test_all_ready(self, run_module: RunModule, kube: Kube, kubeconfig: str) -> None:
        kube.answers = {"get": listed([FOUND["kube-proxy"]["workload"], FOUND["nodes"][0]])}
        answer = run_module("wait_for_cluster", workloads=[self.proxy], nodes=["cp1"], kubeconfig=kubeconfig)
        assert (answer["changed"], answer["pending"]) == (False, [])

    def test_not_ready_in_time(self, run_module: RunModule, kube: Kube, kubeconfig: str) -> None:
        kube.answers = {
            "get": listed([FOUND["coredns"]["workload"]]),
            "get pods": listed(FOUND["coredns"]["pods"]),
            "get events": listed([]),
            "logs": Result(0, "plugin/forward: no valid upstream addresses found\n", ""),
        }
        answer = run_module("wait_for_cluster", workloads=[self.coredns], nodes=["w9"], kubeconfig=kubeconfig, timeout=0.2)
        assert answer["failed"]
        assert answer["msg"].splitlines() == [
            "Not ready after 0 s:",
            "Deployment kube-system/coredns: 0 of 2 pods are available",
            "  pod coredns-559f6c778d-cz4td on cp1, coredns-559f6c778d-gxl2p on cp1: "
            "container coredns waits: CrashLoopBackOff: back-off 40s; it ended with 1 (Error)",
            "  log of coredns-559f6c778d-cz4td: plugin/forward: no valid upstream addresses found",
            "Node w9: does not exist",
        ]
        assert [entry["name"] for entry in answer["pending"]] == ["coredns", "w9"]

    def test_check_mode_looks_once_and_does_not_fail(self, run_module: RunModule, kube: Kube, kubeconfig: str) -> None:
        kube.answers = {"get": listed([])}
        answer = run_module("wait_for_cluster", check_mode=True, workloads=[self.proxy], kubeconfig=kubeconfig)
        assert not answer.get("failed")
        assert [(entry["name"], entry["reason"]) for entry in answer["pending"]] == [("kube-proxy", "does not exist")]
        assert answer["skipped"]
        assert len(kube.asked) == 1

    def test_check_mode_before_there_is_a_cluster(self, run_module: RunModule, kube: Kube, tmp_path: Path) -> None:
        answer = run_module("wait_for_cluster", check_mode=True, nodes=["cp1"], kubeconfig=str(tmp_path / "none"))
        assert [entry["reason"] for entry in answer["pending"]] == ["there is no cluster yet"]
        assert answer["skipped"]
        assert kube.asked == []


class TestProbe:
    def test_a_host_that_is_no_control_plane_is_a_result(self, run_module: RunModule, kube: Kube) -> None:
        answer = run_module("pod_probe")
        assert not answer.get("failed")
        assert "this host is no control plane" in answer["error"]
        assert (answer["pods"], answer["connections"], answer["dns"]) == ([], [], [])
        assert kube.asked == []
