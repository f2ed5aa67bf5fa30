# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A node that is drained and put back, with the objects of a real cluster behind a kubectl that obeys."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.quorum.kubeadm.plugins.module_utils.command import Result
from ansible_collections.quorum.kubeadm.plugins.module_utils.kubectl import Deadline, Kubectl, KubectlError
from ansible_collections.quorum.kubeadm.plugins.modules.node_drain import Drain, DrainError

FIXTURES = Path(__file__).parents[2] / "fixtures" / "drain"
REFUSED = "Error from server (TooManyRequests): Cannot evict pod as it would violate the pod's disruption budget.\n"
OURS = ("quorum.kubeadm/maintenance", "quorum.kubeadm/cordoned-by", "quorum.kubeadm/evicted")


def read(name: str) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = json.loads((FIXTURES / f"{name}.json").read_text())["items"]
    return items


class World:
    """A cluster of one node, w3, with the Deployment shop/web and its budget, and a clock that sleeping moves."""

    def __init__(self, allows: int = 1, pods: Callable[[str], bool] = lambda name: name.startswith(("web-", "kube-proxy", "etcd"))) -> None:
        self.node = next(node for node in read("nodes") if node["metadata"]["name"] == "w3")
        self.node["spec"] = {}
        self.annotations.clear()
        self.pods = [pod for pod in read("pods") if pods(pod["metadata"]["name"])]
        self.budgets, self.owners = read("budgets"), read("owners")
        self.budgets[0]["status"]["disruptionsAllowed"] = allows
        self.evicted: list[str] = []
        self.patches: list[dict[str, Any]] = []
        self.now, self.on_sleep = 0.0, list[Callable[[], None]]()

    @property
    def annotations(self) -> dict[str, str]:
        found: dict[str, str] = self.node["metadata"].setdefault("annotations", {})
        return found

    @property
    def ours(self) -> dict[str, str]:
        return {name.partition("/")[2]: value for name, value in self.annotations.items() if name in OURS}

    def web(self, field: str) -> dict[str, Any]:
        found: dict[str, Any] = next(one for one in self.owners if (one["kind"], one["metadata"]["name"]) == ("Deployment", "web"))[field]
        return found

    def run(self, argv: Sequence[str], stdin: str | None, _seconds: float) -> Result:
        words = [word for word in argv[3:] if not word.startswith("-")]
        asked = words[1] if words[0] == "get" and len(words) > 1 else ""
        answers: dict[str, Callable[[], dict[str, Any]]] = {
            "node": lambda: self.node,
            "pods": lambda: {"kind": "PodList", "items": self.pods},
            "poddisruptionbudgets": lambda: {"kind": "List", "items": self.budgets},
            "deployments,replicasets,statefulsets,replicationcontrollers": lambda: {"kind": "List", "items": self.owners},
        }
        if asked in answers:
            return Result(0, json.dumps(answers[asked]()), "")
        if words[0] == "patch":
            self.patch(json.loads(words[-1]))
            return Result(0, "", "")
        if words[0] == "get":  # those of standard input
            wanted = {(one["kind"], one["metadata"]["name"]) for one in json.loads(stdin or "")["items"]}
            return Result(0, json.dumps({"kind": "List", "items": [one for one in self.owners if (one["kind"], one["metadata"]["name"]) in wanted]}), "")
        return self.evict(json.loads(stdin or ""))

    def patch(self, body: dict[str, Any]) -> None:
        self.patches.append(body)
        for target, change in ((self.annotations, body["metadata"]["annotations"]), (self.node["spec"], body.get("spec", {}))):
            for name, value in change.items():
                if value is None:
                    target.pop(name, None)
                else:
                    target[name] = value

    def evict(self, eviction: dict[str, Any]) -> Result:
        pod = next(one for one in self.pods if one["metadata"]["name"] == eviction["metadata"]["name"])
        assert eviction["deleteOptions"]["preconditions"]["uid"] == pod["metadata"]["uid"]
        if not self.budgets[0]["status"]["disruptionsAllowed"]:
            return Result(1, "", REFUSED)
        self.budgets[0]["status"]["disruptionsAllowed"] -= 1
        self.pods.remove(pod)
        self.evicted.append(pod["metadata"]["name"])
        self.web("status")["readyReplicas"] -= 1
        return Result(0, "", "")

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        if self.on_sleep:
            self.on_sleep.pop(0)()

    def drain(self, run: str = "this", timeout: float = 30) -> Drain:
        return Drain("w3", run, Kubectl("admin.conf", Deadline(timeout, clock=lambda: self.now), runner=self.run, sleep=self.sleep), self.sleep)

    def allow_one_more(self) -> None:
        self.budgets[0]["status"]["disruptionsAllowed"] = 1


def test_pods_leave_one_after_the_other_as_the_budget_lets_them() -> None:
    world = World(allows=1)
    world.on_sleep = [lambda: None, world.allow_one_more]
    result = world.drain().enter(True, False)
    assert len(world.evicted) == 2 and sorted(result["evicted"]) == sorted(f"shop/{name}" for name in world.evicted) and result["changed"]
    assert world.node["spec"]["unschedulable"] and world.ours == {
        "maintenance": "this",
        "cordoned-by": "this",
        "evicted": '[{"kind": "Deployment", "namespace": "shop", "name": "web", "ready": 2}]',
    }
    # Cordon and mark are one request: a run that is killed leaves both or none.
    assert "unschedulable" in world.patches[0]["spec"] and len(world.patches[0]["metadata"]["annotations"]) == 2


def test_a_budget_that_blocks_is_named_and_nothing_is_forced() -> None:
    world = World(allows=0)
    names = ", ".join(f"shop/{pod['metadata']['name']}" for pod in world.pods if pod["metadata"]["name"].startswith("web-"))
    with pytest.raises(DrainError, match=f"w3 is not drained after 30 s. {names}: kept by PodDisruptionBudget shop/web .has 2 healthy pods, wants 2.. Nothing"):
        world.drain().enter(True, False)
    assert world.evicted == [] and 30 <= world.now < 32


def test_a_bare_pod_is_refused_before_anything_is_done() -> None:
    world = World(pods=lambda name: name == "bare" or name.startswith("web-"))
    with pytest.raises(DrainError, match="nobody would create shop/bare anew, so nothing is evicted"):
        world.drain().enter(True, False)
    assert world.patches == [] and world.evicted == []


def test_what_a_killed_run_has_cordoned_the_next_one_takes_back() -> None:
    world = World(allows=0)
    with pytest.raises(DrainError):
        world.drain("killed").enter(True, False)
    world.budgets[0]["status"]["disruptionsAllowed"] = 2
    world.drain("next").enter(True, False)
    assert world.ours["cordoned-by"] == "next"
    world.web("status")["readyReplicas"] = 2
    assert world.drain("next").leave(False)["changed"]
    assert world.ours == {} and world.node["spec"] == {}
    assert not world.drain("next").leave(False)["changed"]


def test_what_was_ready_before_a_killed_run_is_waited_for() -> None:
    world = World(allows=1)
    with pytest.raises(DrainError):
        world.drain("killed").enter(True, False)
    # One of the two is gone; the note is still of two.
    world.budgets[0]["status"]["disruptionsAllowed"] = 2
    world.drain("next").enter(True, False)
    assert json.loads(world.ours["evicted"])[0]["ready"] == 2


def test_an_administrators_cordon_stays() -> None:
    world = World(allows=2)
    world.node["spec"]["unschedulable"] = True
    assert world.drain().enter(True, False)["cordoned_by_others"]
    assert "cordoned-by" not in world.ours and len(world.evicted) == 2
    world.web("status")["readyReplicas"] = 2
    assert world.drain().leave(False)["cordoned_by_others"]
    assert world.node["spec"] == {"unschedulable": True} and world.ours == {}


def test_what_was_evicted_is_waited_for_while_the_node_takes_pods_again() -> None:
    world = World(allows=2)
    world.drain().enter(True, False)
    cordoned: list[bool] = []

    def one_runs() -> None:
        cordoned.append("unschedulable" in world.node["spec"])
        world.web("status")["readyReplicas"] += 1

    world.on_sleep = [one_runs, one_runs]
    world.now = 0
    world.drain().leave(False)
    assert cordoned == [False, False] and world.now == 2 and world.ours == {}


def test_what_does_not_run_again_is_named_and_the_mark_stays_for_the_next_run() -> None:
    world = World(allows=2)
    world.drain().enter(True, False)
    expected = "w3 takes pods again, but after 30 s not all that was evicted runs again: Deployment shop/web has 0 ready pods, and had 2"
    with pytest.raises(DrainError, match=expected):
        world.drain().leave(False)
    assert set(world.ours) == {"maintenance", "evicted"} and world.node["spec"] == {}


def test_an_older_run_evicts_nothing_more_once_another_one_works_on_the_node() -> None:
    world = World(allows=0)

    def another() -> None:
        world.annotations["quorum.kubeadm/maintenance"] = "another"

    world.on_sleep = [lambda: None, another]
    with pytest.raises(DrainError, match="another run works on it now"):
        world.drain().enter(True, False)
    assert world.now == 2


class ToldToEnd(list[dict[str, Any]]):
    """Pods whose kubelet does not answer: those that are removed are only told to end."""

    def remove(self, pod: dict[str, Any]) -> None:
        self[self.index(pod)] = {**pod, "metadata": {**pod["metadata"], "deletionTimestamp": "2026-11-28T16:52:30Z"}}


@pytest.mark.parametrize(("status", "waits"), [("Unknown", False), ("True", True)])
def test_a_node_that_is_not_ready_confirms_nothing(status: str, waits: bool) -> None:
    world = World(allows=2)
    world.node["status"]["conditions"] = [{"type": "Ready", "status": status}]
    world.pods = ToldToEnd(world.pods)
    if waits:
        with pytest.raises(DrainError, match="was told to end and has not ended"):
            world.drain().enter(True, False)
    else:
        assert len(world.drain().enter(True, False)["evicted"]) == 2 and world.now == 1


def test_a_node_may_be_entered_without_being_drained() -> None:
    world = World()
    assert world.drain().enter(False, False) == {"changed": True, "evicted": [], "cordoned_by_others": False}
    assert world.ours == {"maintenance": "this"} and world.node["spec"] == {} and world.evicted == []
    world.drain().leave(False)
    assert world.ours == {}


def test_check_mode_says_who_would_go() -> None:
    world = World()
    before = copy.deepcopy(world.node)
    result = world.drain().enter(True, True)
    assert len(result["evicted"]) == 2 and result["changed"] and world.evicted == [] and world.node == before
    assert not world.drain().leave(True)["changed"]


def test_a_node_that_there_is_not() -> None:
    def nothing(_argv: Sequence[str], _stdin: str | None, _seconds: float) -> Result:
        return Result(1, "", 'Error from server (NotFound): nodes "w9" not found')

    with pytest.raises(KubectlError, match="w9"):
        Drain("w9", "this", Kubectl("admin.conf", Deadline(1), runner=nothing)).enter(True, False)
