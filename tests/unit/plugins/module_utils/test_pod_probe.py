# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pods of the probe's own try the network, and nothing of them stays."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.quorum.kubeadm.plugins.module_utils.command import Result
from ansible_collections.quorum.kubeadm.plugins.module_utils.kubectl import Deadline, Kubectl, KubectlError
from ansible_collections.quorum.kubeadm.plugins.module_utils.pod_probe import LeftBehind, Pod, Target, objects, pairs, probe, read_pods, said, stale, try_all

FOUND: dict[str, Any] = json.loads((Path(__file__).parents[2] / "fixtures/cluster_wait/kubernetes_1.37.json").read_text())
IMAGE = "registry.k8s.io/e2e-test-images/agnhost:2.66.1"


def running(number: int, node: str, *addresses: str) -> dict[str, Any]:
    """A pod that runs."""
    return {
        "kind": "Pod",
        "metadata": {"name": f"probe-{number}"},
        "spec": {"nodeName": node},
        "status": {
            "phase": "Running",
            "podIPs": [{"ip": address} for address in addresses],
            "containerStatuses": [{"name": "probe", "ready": True, "started": True, "state": {"running": {}}}],
        },
    }


def pulling(number: int, node: str) -> dict[str, Any]:
    """A pod whose image is not to be had, as it was captured."""
    return {**FOUND["pull"]["pods"][0], "metadata": {"name": f"probe-{number}"}, "spec": {"nodeName": node}}


def test_the_pods_stand_on_their_nodes_and_take_little() -> None:
    namespace, account, *pods = objects("quorum-verify-1", ["cp1", "w1"], IMAGE)
    assert (namespace["kind"], account["kind"]) == ("Namespace", "ServiceAccount")
    assert [(pod["metadata"]["name"], pod["spec"]["nodeName"]) for pod in pods] == [("probe-0", "cp1"), ("probe-1", "w1")]
    for pod in pods:
        assert pod["spec"]["tolerations"] == [{"operator": "Exists"}]
        assert pod["spec"]["serviceAccountName"] == account["metadata"]["name"]
        assert pod["spec"]["activeDeadlineSeconds"] > 0


def test_pods_with_their_addresses() -> None:
    documents = [running(10, "w1", "10.244.3.7"), pulling(2, "cp2"), running(0, "cp1", "10.244.0.4", "fd00::4")]
    assert [(pod.node, pod.addresses, pod.error.partition(": failed")[0]) for pod in read_pods(documents)] == [
        ("cp1", ["10.244.0.4", "fd00::4"], ""),
        ("cp2", [], "container main waits: ErrImagePull"),
        ("w1", ["10.244.3.7"], ""),
    ]


def pods(count: int) -> list[Pod]:
    """So many pods that run."""
    return [Pod(f"n{number}", f"probe-{number}", [f"10.244.{number}.1"], "") for number in range(count)]


@pytest.mark.parametrize(("count", "tried"), [(0, 0), (1, 0), (2, 2), (3, 6), (6, 30), (7, 35), (50, 250)])
def test_who_tries_whom(count: int, tried: int) -> None:
    targets = pairs(pods(count))
    assert len(targets) == tried
    assert all(target.source.node != target.node for target in targets)
    assert {target.source.node for target in targets} == {target.node for target in targets} == ({pod.node for pod in pods(count)} if count > 1 else set())


def test_every_family_is_tried_and_what_does_not_run_is_not() -> None:
    there = [Pod("a", "probe-0", ["10.244.0.1", "fd00::1"], ""), Pod("b", "probe-1", [], "waits"), Pod("c", "probe-2", ["10.244.2.1"], "")]
    assert [(target.source.node, target.node, target.address) for target in pairs(there)] == [
        ("a", "c", "10.244.2.1:8080"),
        ("c", "a", "10.244.0.1:8080"),
        ("c", "a", "[fd00::1]:8080"),
    ]


def namespace(name: str, made: str) -> dict[str, Any]:
    """A namespace of that age."""
    return {"metadata": {"name": name, "creationTimestamp": made}}


def test_only_old_namespaces_of_probes_are_stale() -> None:
    found = [
        namespace("quorum-verify-aaaaaa", "2026-11-23T15:00:00Z"),
        namespace("quorum-verify-bbbbbb", "2026-11-23T15:50:00Z"),
        namespace("kube-system", "2026-11-01T00:00:00Z"),
    ]
    assert stale(found, datetime(2026, 11, 23, 16, 0, tzinfo=timezone.utc)) == ["quorum-verify-aaaaaa"]


def test_what_fails_is_tried_again_while_the_cluster_settles() -> None:
    targets = [Target(pod, "", "x:1") for pod in pods(3)]
    refusals = {"n1": 3, "n2": 10**6}
    now = [0.0]

    def connect(target: Target) -> str:
        refusals[target.source.node] = refusals.get(target.source.node, 0) - 1
        return "REFUSED" if refusals[target.source.node] >= 0 else ""

    def sleep(seconds: float) -> None:
        now[0] += seconds

    results = try_all(targets, connect, 5, lambda: now[0], sleep)
    assert [(target.source.node, error) for target, error in results] == [("n0", ""), ("n1", ""), ("n2", "REFUSED")]
    assert refusals["n0"] == -1, "what works is tried once"
    assert 5 <= now[0] < 6


OK = Result(0, "", "")


class Answers:
    """What kubectl answers where the network between the pods is as good as `connect` makes it."""

    def __init__(
        self, *, connect: Callable[[str], Result] = lambda _address: OK, create: Result = OK, delete: Result = OK, left: Sequence[dict[str, Any]] = ()
    ) -> None:
        self.calls: list[list[str]] = []
        self.connect = connect
        self.verb = {"create": create, "delete": delete}
        self.left = left

    def run(self, argv: Sequence[str], _stdin: str | None, _seconds: float) -> Result:
        call = list(argv[3:])
        self.calls.append(call)
        if call[:2] == ["get", "namespaces"]:
            return Result(0, json.dumps({"kind": "List", "items": list(self.left)}), "")
        if call[:2] == ["get", "pods"]:
            return Result(0, json.dumps({"kind": "List", "items": [running(0, "w1", "10.244.1.2"), running(1, "w2", "10.244.2.2")]}), "")
        return self.connect(call[-1]) if call[0] == "exec" else self.verb.get(call[0], OK)

    def probe(self) -> dict[str, Any]:
        return probe(Kubectl("/admin.conf", Deadline(30), self.run), "quorum-verify-1", ["w1", "w2"], IMAGE, "cluster.local", 5, 0)

    def verbs(self) -> list[str]:
        return [" ".join(call[:3]) for call in self.calls if call[0] in ("create", "delete")]


def test_a_network_that_works() -> None:
    answers = Answers()
    assert answers.probe() == {
        "pods": [
            {"node": "w1", "name": "probe-0", "addresses": ["10.244.1.2"], "error": "", "address": "10.244.1.2"},
            {"node": "w2", "name": "probe-1", "addresses": ["10.244.2.2"], "error": "", "address": "10.244.2.2"},
        ],
        "connections": [
            {"from_node": "w1", "to_node": "w2", "address": "10.244.2.2:8080", "ok": True, "error": ""},
            {"from_node": "w2", "to_node": "w1", "address": "10.244.1.2:8080", "ok": True, "error": ""},
        ],
        "dns": [{"node": "w1", "ok": True, "error": ""}, {"node": "w2", "ok": True, "error": ""}],
    }
    assert answers.verbs() == ["create --filename=- --output=name", "delete namespace quorum-verify-1"]
    asked = sorted(call[-1] for call in answers.calls if call[0] == "exec")
    assert asked == ["10.244.1.2:8080", "10.244.2.2:8080", "kubernetes.default.svc.cluster.local.:443", "kubernetes.default.svc.cluster.local.:443"]


def test_a_connection_that_is_lost_is_a_result() -> None:
    timeout = Result(1, "", "TIMEOUT\ncommand terminated with exit code 1\n")
    lost = [entry for entry in Answers(connect=lambda address: timeout if address == "10.244.2.2:8080" else OK).probe()["connections"] if not entry["ok"]]
    assert lost == [{"from_node": "w1", "to_node": "w2", "address": "10.244.2.2:8080", "ok": False, "error": "TIMEOUT"}]


def test_the_namespace_goes_also_when_the_pods_are_refused() -> None:
    answers = Answers(create=Result(1, "", 'Error from server (Forbidden): pods "probe-0" is forbidden'))
    with pytest.raises(KubectlError, match="forbidden"):
        answers.probe()
    assert answers.verbs()[-1] == "delete namespace quorum-verify-1"


def test_a_namespace_that_stays_is_named() -> None:
    with pytest.raises(LeftBehind, match="The namespace quorum-verify-1 could not be removed: timed out.*kubectl delete namespace quorum-verify-1"):
        Answers(delete=Result(1, "", "timed out waiting for the condition")).probe()


def test_what_a_killed_probe_left_goes_first() -> None:
    answers = Answers(left=[namespace("quorum-verify-old", "2020-01-01T00:00:00Z")])
    answers.probe()
    assert answers.calls[1] == ["delete", "namespace", "--ignore-not-found", "--wait=false", "quorum-verify-old"]


@pytest.mark.parametrize(
    ("stderr", "words"),
    [
        ("TIMEOUT\ncommand terminated with exit code 1\n", "TIMEOUT"),
        (
            "OTHER: dial tcp 10.244.1.2:8080: connect: no route to host\ncommand terminated with exit code 1\n",
            "OTHER: dial tcp 10.244.1.2:8080: connect: no route to host",
        ),
        (
            "DNS: lookup kubernetes.default.svc.cluster.local. on 10.96.0.10:53: read udp 10.244.5.3:39807->10.96.0.10:53: read: connection refused\n",
            "DNS: lookup kubernetes.default.svc.cluster.local. on 10.96.0.10:53: read udp 10.96.0.10:53: read: connection refused",
        ),
        # A proxy cut the connection to the API server.
        (
            'E1123 15:49:59.269985    4952 v2.go:168] "Copying stderr failed" err="next reader: read tcp 198.18.64.11:53376->198.18.64.10:16443: '
            'read: connection reset by peer"\n'
            "error: error reading from error stream: next reader: read tcp 198.18.64.11:53376->198.18.64.10:16443: read: connection reset by peer\n",
            "error: error reading from error stream: next reader: read tcp 198.18.64.10:16443: read: connection reset by peer",
        ),
        ("", "no reason given"),
    ],
)
def test_what_was_said(stderr: str, words: str) -> None:
    assert said(stderr) == words


def test_a_command_that_does_not_get_to_its_pod_is_given_again() -> None:
    lost = [
        Result(1, "", "Unable to connect to the server: net/http: TLS handshake timeout"),
        Result(124, "", "kubectl did not end within 15 seconds"),
    ]
    answers = Answers(connect=lambda address: lost.pop() if lost and address == "10.244.2.2:8080" else OK)
    assert all(entry["ok"] for entry in answers.probe()["connections"])
    assert not lost


def test_a_command_that_never_gets_there_is_no_fault_of_the_network() -> None:
    answers = Answers(connect=lambda _address: Result(1, "", "error: EOF"))
    assert {entry["error"] for entry in answers.probe()["connections"]} == {"could not be tried: error: EOF"}
