# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is ready, what is waited for next, and why something is not ready."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.quorum.kubeadm.plugins.module_utils.cluster_wait import (
    Pending,
    Target,
    crashed,
    explain,
    last_events,
    pending,
    pod_troubles,
    read,
    report,
    unready,
    wait,
    watch,
)
from ansible_collections.quorum.kubeadm.plugins.module_utils.command import Result
from ansible_collections.quorum.kubeadm.plugins.module_utils.kubectl import Deadline, Kubectl, KubectlError

# Captured from a cluster of Kubernetes 1.37.2, with what pods and events show of their trouble.
FOUND: dict[str, Any] = json.loads((Path(__file__).parents[2] / "fixtures/cluster_wait/kubernetes_1.37.json").read_text())
READY_NODE: dict[str, Any] = FOUND["nodes"][0]
READY_DAEMON: dict[str, Any] = FOUND["kube-proxy"]["workload"]
COREDNS: dict[str, Any] = FOUND["coredns"]["workload"]

Edit = Callable[[dict[str, Any]], object]


def edited(document: dict[str, Any], edit: Edit) -> dict[str, Any]:
    copy = deepcopy(document)
    edit(copy)
    return copy


def condition(status: str, reason: str, message: str) -> Edit:
    def change(node: dict[str, Any]) -> None:
        ready = next(entry for entry in node["status"]["conditions"] if entry["type"] == "Ready")
        ready.update(status=status, reason=reason, message=message)

    return change


@pytest.mark.parametrize(
    ("edit", "reason"),
    [
        (lambda _node: None, ""),
        # The words are the kubelet's and the node controller's.
        (
            condition("False", "KubeletNotReady", "container runtime network not ready: NetworkReady=false reason:NetworkPluginNotReady"),
            "KubeletNotReady: container runtime network not ready: NetworkReady=false reason:NetworkPluginNotReady",
        ),
        (condition("Unknown", "NodeStatusUnknown", "Kubelet stopped posting node status."), "NodeStatusUnknown: Kubelet stopped posting node status."),
        (lambda node: node["status"].update(conditions=[]), "its kubelet has not reported yet"),
        (lambda node: node.pop("status"), "its kubelet has not reported yet"),
    ],
)
def test_nodes(edit: Edit, reason: str) -> None:
    assert unready(edited(READY_NODE, edit)) == reason


@pytest.mark.parametrize(
    ("edit", "reason"),
    [
        (lambda _daemon: None, ""),
        (lambda daemon: daemon.pop("status"), "the controller manager has not looked at it yet"),
        (lambda daemon: daemon["metadata"].update(generation=2), "the controller manager has not looked at it yet"),
        (lambda daemon: daemon["status"].update(desiredNumberScheduled=6), "1 of 6 pods are of the new version"),
        (lambda daemon: daemon["status"].update(desiredNumberScheduled=6, updatedNumberScheduled=6), "1 of 6 pods are available"),
        (lambda daemon: daemon["status"].pop("numberAvailable"), "0 of 1 pods are available"),
        # A daemon that nobody restarts keeps its old pods, and that is meant.
        (lambda daemon: (daemon["spec"].update(updateStrategy={"type": "OnDelete"}), daemon["status"].update(updatedNumberScheduled=0)), ""),
        # No node wants it.
        (lambda daemon: daemon["status"].update(desiredNumberScheduled=0, updatedNumberScheduled=0, numberAvailable=0), ""),
    ],
)
def test_daemon_sets(edit: Edit, reason: str) -> None:
    assert unready(edited(READY_DAEMON, edit)) == reason


@pytest.mark.parametrize(
    ("edit", "reason"),
    [
        (lambda _deployment: None, "0 of 2 pods are available"),
        (lambda deployment: deployment["status"].update(availableReplicas=1), "1 of 2 pods are available"),
        (lambda deployment: deployment["status"].update(availableReplicas=2), ""),
        (lambda deployment: deployment["status"].update(availableReplicas=2, updatedReplicas=1), "1 of 2 pods are of the new version"),
        (lambda deployment: deployment["status"].update(availableReplicas=2, replicas=3), "1 pods of the old version are still there"),
        (lambda deployment: deployment["metadata"].update(generation=9), "the controller manager has not looked at it yet"),
        (
            lambda deployment: deployment["status"].update(
                updatedReplicas=0, conditions=[{"type": "ReplicaFailure", "status": "True", "message": "exceeded quota"}]
            ),
            "0 of 2 pods are of the new version: exceeded quota",
        ),
        (lambda deployment: deployment["spec"].update(replicas=0) or deployment["status"].update(updatedReplicas=0, replicas=0), ""),
    ],
)
def test_deployments(edit: Edit, reason: str) -> None:
    assert unready(edited(COREDNS, edit)) == reason


def test_what_is_absent_is_pending() -> None:
    targets = [
        Target("Node", "", "cp1"),
        Target("Node", "", "w9"),
        Target("DaemonSet", "kube-system", "kube-proxy"),
        Target("DaemonSet", "other", "kube-proxy"),
    ]
    assert pending(targets, [READY_NODE, READY_DAEMON]) == [Pending(targets[1], "does not exist", None), Pending(targets[3], "does not exist", None)]


@pytest.mark.parametrize(
    ("name", "troubles"),
    [
        (
            "coredns",
            [
                "pod coredns-559f6c778d-cz4td on cp1, coredns-559f6c778d-gxl2p on cp1: "
                "container coredns waits: CrashLoopBackOff: back-off 40s; it ended with 1 (Error)"
            ],
        ),
        ("kube-proxy", []),
        (
            "pull",
            [
                'pod pull-4bx46 on w1: container main waits: ErrImagePull: failed to pull and unpack image "127.0.0.1:1/none:1": failed to resolve image: '
                'failed to do request: Head "https://127.0.0.1:1/v2/none/manifests/1": dial tcp 127.0.0.1:1: connect: connection refused'
            ],
        ),
        (
            "nowhere",
            [
                "pod nowhere-5c455f4bfd-p4pjs: is on no node: 0/6 nodes are available: 3 node(s) didn't match Pod's node affinity/selector, "
                "3 node(s) had untolerated taint(s). preemption: 0/6 nodes are available: 6 Preemption is not helpful for scheduling."
            ],
        ),
        ("initfails", ["pod initfails-84b5fc9548-7bx78 on w1: container first ended with 1 (Error)"]),
        ("unready", ["pod unready-9bd7c99c6-96cd9 on w2: container main runs but is not ready"]),
        (
            "creating",
            [
                "pod pull-2zwt9 on w1, pull-55xz4 on cp1, pull-6qf2f on w3, pull-jhtvf on w2, pull-kdf2z on cp2, pull-rssq8 on cp3: "
                "container main waits: ContainerCreating"
            ],
        ),
    ],
)
def test_what_keeps_pods(name: str, troubles: list[str]) -> None:
    assert pod_troubles(FOUND[name]["pods"]) == troubles


@pytest.mark.parametrize(
    ("edit", "trouble"),
    [
        (lambda pod: pod["metadata"].update(deletionTimestamp="2026-11-23T15:00:00Z"), "is being deleted"),
        (
            lambda pod: pod["status"].update(phase="Failed", reason="Evicted", message="The node was low on resource."),
            "failed: Evicted: The node was low on resource.",
        ),
        (lambda pod: pod["status"].update(containerStatuses=[]), "its kubelet has not taken it up"),
        (lambda pod: (pod["spec"].clear(), pod.update(status={"phase": "Pending"})), "no scheduler has looked at it"),
    ],
)
def test_further_troubles(edit: Edit, trouble: str) -> None:
    (line,) = pod_troubles([edited(FOUND["unready"]["pods"][0], edit)])
    assert line.partition(": ")[2] == trouble


@pytest.mark.parametrize(
    ("name", "victim"),
    [("coredns", ("coredns-559f6c778d-cz4td", "coredns")), ("initfails", ("initfails-84b5fc9548-7bx78", "first")), ("unready", None), ("pull", None)],
)
def test_whose_log_is_shown(name: str, victim: tuple[str, str] | None) -> None:
    assert crashed(FOUND[name]["pods"]) == victim


def test_events_are_the_last_ones_of_the_workload_and_its_pods() -> None:
    events = FOUND["pull"]["events"] + FOUND["coredns"]["events"]
    assert last_events(events, "coredns") == [
        "event Unhealthy of Pod coredns-559f6c778d-gxl2p: "
        'Readiness probe failed: Get "http://10.244.0.3:8181/ready": dial tcp 10.244.0.3:8181: connect: connection refused',
        "event BackOff of Pod coredns-559f6c778d-gxl2p: Back-off restarting failed container coredns in pod "
        "coredns-559f6c778d-gxl2p_kube-system(a04507bd-9448-46fd-bd2a-1bed5a18199a)",
        "event BackOff of Pod coredns-559f6c778d-cz4td: Back-off restarting failed container coredns in pod "
        "coredns-559f6c778d-cz4td_kube-system(664d4ea8-4d4f-4d28-9194-0408bf8fb457)",
    ]
    assert len(last_events(events, "kube-proxy")) == 1
    assert last_events(events, "etcd") == []


NODE = Target("Node", "", "w1")
DAEMON = Target("DaemonSet", "kube-system", "kube-proxy")


@pytest.mark.parametrize(
    ("missing", "command"),
    [
        ([Pending(DAEMON, "x", {})], ["rollout", "status", "--timeout=20s", "daemonset/kube-proxy", "--namespace=kube-system"]),
        (
            [Pending(DAEMON, "x", {}), Pending(NODE, "x", {}), Pending(Target("Node", "", "w2"), "x", {})],
            ["wait", "--for=condition=Ready", "--timeout=20s", "node/w1", "node/w2"],
        ),
        ([Pending(NODE, "x", {}), Pending(DAEMON, "x", None)], ["wait", "--for=create", "--timeout=20s", "daemonset/kube-proxy", "--namespace=kube-system"]),
        ([Pending(NODE, "x", None)], ["wait", "--for=create", "--timeout=20s", "node/w1"]),
    ],
)
def test_what_is_watched_next(missing: list[Pending], command: list[str]) -> None:
    assert watch(missing, 20) == command


class Answers:
    """What kubectl answers of a cluster that gets readier by every call that waits; time passes by it."""

    def __init__(self, *states: list[dict[str, Any]], seconds: float = 60, event_after: float = 2) -> None:
        self.states = list(states)
        self.now = 0.0
        self.event_after = event_after
        self.calls: list[list[str]] = []
        self.asked: list[str] = []
        self.broken = 0
        self.kubectl = Kubectl("/admin.conf", Deadline(seconds, lambda: self.now), self.run, self.sleep)

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    def run(self, argv: Sequence[str], stdin: str | None, seconds: float) -> Result:
        self.calls.append(list(argv[3:]))
        if argv[3] != "get":
            self.now += min(self.event_after, seconds)
            if len(self.states) > 1:
                self.states.pop(0)
            return Result(0, "", "")
        self.asked.append(stdin or "")
        if self.broken:
            self.broken -= 1
            return Result(1, "", "Unable to connect to the server: EOF")
        return Result(0, json.dumps({"kind": "List", "items": self.states[0]}), "")


NOT_READY_NODE = edited(READY_NODE, condition("False", "KubeletNotReady", "cni plugin not initialized"))
TARGETS = [Target("DaemonSet", "kube-system", "kube-proxy"), Target("Node", "", "cp1")]


def test_what_is_ready_is_not_waited_for() -> None:
    answers = Answers([READY_NODE, READY_DAEMON])
    assert wait(answers.kubectl, TARGETS, answers.sleep) == []
    assert [call[0] for call in answers.calls] == ["get"]


def test_all_are_asked_for_with_one_call() -> None:
    answers = Answers([READY_NODE, READY_DAEMON])
    assert read(answers.kubectl, TARGETS) == []
    assert [(item["apiVersion"], item["kind"], item["metadata"]) for item in json.loads(answers.asked[0])["items"]] == [
        ("apps/v1", "DaemonSet", {"name": "kube-proxy", "namespace": "kube-system"}),
        ("v1", "Node", {"name": "cp1"}),
    ]


def test_nothing_to_wait_for_asks_nobody() -> None:
    answers = Answers([])
    assert wait(answers.kubectl, [], answers.sleep) == []
    assert answers.calls == []


def test_waiting_follows_events_until_all_are_ready() -> None:
    answers = Answers([], [NOT_READY_NODE], [READY_NODE], [READY_NODE, READY_DAEMON])
    assert wait(answers.kubectl, TARGETS, answers.sleep) == []
    assert [" ".join(call[:2]) for call in answers.calls] == [
        "get --ignore-not-found",
        "wait --for=create",
        "get --ignore-not-found",
        "wait --for=create",
        "get --ignore-not-found",
        "wait --for=create",
        "get --ignore-not-found",
    ]


def test_waiting_ends_at_the_deadline() -> None:
    answers = Answers([NOT_READY_NODE, READY_DAEMON], seconds=10)
    assert [entry.target for entry in wait(answers.kubectl, TARGETS, answers.sleep)] == [TARGETS[1]]
    assert answers.now <= 11


def test_an_event_that_comes_at_once_does_not_spin() -> None:
    answers = Answers([NOT_READY_NODE, READY_DAEMON], seconds=10, event_after=0)
    wait(answers.kubectl, TARGETS, answers.sleep)
    assert len(answers.calls) < 80


def test_a_lost_connection_is_survived() -> None:
    answers = Answers([READY_NODE, READY_DAEMON])
    answers.broken = 3
    assert wait(answers.kubectl, TARGETS, answers.sleep) == []


def test_a_cluster_that_never_answers_is_an_error() -> None:
    answers = Answers([READY_NODE], seconds=3)
    answers.broken = 1000
    with pytest.raises(KubectlError, match="EOF"):
        wait(answers.kubectl, TARGETS, answers.sleep)


def test_the_explanation_and_the_message() -> None:
    answers = {
        "pods": json.dumps({"kind": "List", "items": FOUND["initfails"]["pods"]}),
        "events": json.dumps({"kind": "List", "items": FOUND["initfails"]["events"]}),
    }

    def run(argv: Sequence[str], _stdin: str | None, _seconds: float) -> Result:
        return Result(0, "REFUSED\n", "") if argv[3] == "logs" else Result(0, answers[argv[4]], "")

    missing = [
        Pending(Target("Deployment", "quorum-specimen", "initfails"), "0 of 1 pods are available", FOUND["initfails"]["workload"]),
        Pending(NODE, "does not exist", None),
    ]
    explained = explain(Kubectl("/admin.conf", Deadline(0), run), missing)
    assert report(explained, 300).splitlines() == [
        "Not ready after 300 s:",
        "Deployment quorum-specimen/initfails: 0 of 1 pods are available",
        "  pod initfails-84b5fc9548-7bx78 on w1: container first ended with 1 (Error)",
        "  log of initfails-84b5fc9548-7bx78: REFUSED",
        "  event BackOff of Pod initfails-84b5fc9548-7bx78: Back-off restarting failed container first in pod "
        "initfails-84b5fc9548-7bx78_quorum-specimen(ebab0306-1651-4497-b1c9-aa33b9425b49)",
        "Node w1: does not exist",
    ]


def test_an_explanation_without_answers_is_short() -> None:
    kubectl = Kubectl("/admin.conf", Deadline(0), lambda _argv, _stdin, _seconds: Result(1, "", "Unable to connect to the server: EOF"))
    explained = explain(kubectl, [Pending(DAEMON, "1 of 6 pods are available", READY_DAEMON)])
    assert explained == [{"kind": "DaemonSet", "namespace": "kube-system", "name": "kube-proxy", "reason": "1 of 6 pods are available", "details": []}]
