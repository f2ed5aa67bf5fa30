# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Lease of the procedures, the processes of a run, and who leads etcd."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.quorum.kubeadm.plugins.module_utils.cluster_state import parse_lease
from ansible_collections.quorum.kubeadm.plugins.module_utils.command import Result
from ansible_collections.quorum.kubeadm.plugins.module_utils.etcd import EtcdError
from ansible_collections.quorum.kubeadm.plugins.module_utils.kubectl import Deadline, Kubectl, KubectlError
from ansible_collections.quorum.kubeadm.plugins.module_utils.run_processes import VARIABLE, processes
from ansible_collections.quorum.kubeadm.plugins.modules import etcd_leader, procedure_lease

NOW = datetime(2026, 11, 28, 16, 53, 28, tzinfo=timezone.utc)
# As the API server of a real cluster returned it.
HELD: dict[str, Any] = {
    "apiVersion": "coordination.k8s.io/v1",
    "kind": "Lease",
    "metadata": {
        "annotations": {"quorum.kubeadm/procedure": "reboot", "quorum.kubeadm/steps": "2026-11-28T16:53:28Z enters cp1"},
        "creationTimestamp": "2026-11-28T16:53:29Z",
        "name": "quorum.kubeadm",
        "namespace": "kube-system",
        "resourceVersion": "8041",
        "uid": "8c5b23ab-8b26-41c5-9fef-5eb5846dce74",
    },
    "spec": {"acquireTime": "2026-11-28T16:53:28.980180Z", "holderIdentity": "x", "renewTime": "2026-11-28T16:53:28.980180Z"},
}


class ApiServer:
    """A kubectl that has one Lease, or none."""

    def __init__(self, lease: dict[str, Any] | None) -> None:
        self.lease = lease
        self.changed = False

    def run(self, argv: Sequence[str], stdin: str | None, _seconds: float) -> Result:
        words = [word for word in argv[3:] if not word.startswith("-")]
        if words[0] == "get":
            return Result(0, json.dumps(self.lease) if self.lease else "", "")
        self.changed = True
        if words[0] == "delete":
            self.lease = None
            return Result(0, "", "")
        wanted = json.loads(stdin or "")
        there = self.lease["metadata"]["resourceVersion"] if self.lease else None
        if (words[0] == "create") == bool(self.lease) or wanted["metadata"].get("resourceVersion") != there:
            return Result(1, "", "Error from server (AlreadyExists): leases.coordination.k8s.io already exists")
        self.lease = {**wanted, "metadata": {**wanted["metadata"], "resourceVersion": "1"}}
        return Result(0, "", "")

    def work(self, check_mode: bool = False, **given: str) -> bool:
        arguments = {"state": "held", "run": "x", "procedure": "reboot", "takes_over": "", "step": "", "failed": "", **given}
        return procedure_lease.work(Kubectl("admin.conf", Deadline(10), runner=self.run), arguments, check_mode, NOW)

    @property
    def told(self) -> Mapping[str, Any] | None:
        return parse_lease(self.lease)


def test_a_lease_is_read_as_the_api_server_has_it() -> None:
    assert parse_lease(HELD) == {
        "procedure": "reboot",
        "run": "x",
        "since": "2026-11-28T16:53:28.980180Z",
        "steps": ["2026-11-28T16:53:28Z enters cp1"],
        "failed": "",
    }
    assert parse_lease(None) is None


def test_the_first_run_gets_it_and_says_what_it_begins() -> None:
    server = ApiServer(None)
    assert server.work() and server.told == {"procedure": "reboot", "run": "x", "since": "2026-11-28T16:53:28.000000Z", "steps": [], "failed": ""}
    assert not server.work()
    assert server.work(step="enters cp1") and server.work(step="enters cp2")
    assert server.told and server.told["steps"] == ["2026-11-28T16:53:28Z enters cp1", "2026-11-28T16:53:28Z enters cp2"]


def test_a_second_run_does_not_get_it() -> None:
    server = ApiServer(HELD)
    for state in ("held", "marked"):
        with pytest.raises(KubectlError, match="reboot is at work on this cluster meanwhile, begun by x: wait until it has ended"):
            server.work(run="y", state=state, failed="no")
    assert not server.work(run="y", state="free") and not server.changed


def test_a_dead_runs_is_taken_over_with_its_steps() -> None:
    server = ApiServer(HELD)
    assert server.work(run="y", takes_over="x", procedure="upgrade")
    assert server.told and server.told["run"] == "y" and server.told["procedure"] == "upgrade" and server.told["steps"] == ["2026-11-28T16:53:28Z enters cp1"]
    # Another one was quicker.
    with pytest.raises(KubectlError, match="upgrade is at work"):
        server.work(run="z", takes_over="x")


def test_two_that_find_none_do_not_both_get_it() -> None:
    server = ApiServer(None)
    found = server.run

    def slowly(argv: Sequence[str], stdin: str | None, _seconds: float) -> Result:
        answer = found(argv, stdin, _seconds)
        if "get" in argv and server.lease is None:
            server.lease = HELD
        return answer

    server.run = slowly  # type: ignore[method-assign]
    with pytest.raises(KubectlError, match="AlreadyExists"):
        server.work(run="y")


def test_one_that_has_failed_lets_go_and_says_why() -> None:
    server = ApiServer(HELD)
    assert server.work(state="marked", failed="cp1: it does not boot")
    assert server.told and server.told["run"] == "" and server.told["failed"] == "cp1: it does not boot"
    assert server.work(run="y") and server.told["failed"] == "" and server.told["run"] == "y"
    assert server.work(run="y", state="free") and server.told is None and not server.work(run="y", state="free")


def test_check_mode_says_the_same_and_changes_nothing() -> None:
    server = ApiServer(HELD)
    assert server.work(check_mode=True, state="free") and server.work(check_mode=True, step="enters cp2") and not server.changed


def test_the_processes_of_a_run_are_found_by_their_environment() -> None:
    program = "import sys; print(flush=True); sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env={**os.environ, VARIABLE: "here/1/2/3/4"}
    ) as child:
        assert child.stdout and child.stdout.readline()
        assert [one.split()[0] for one in processes("here/1/2/3/4")] == [str(child.pid)]
        assert processes("here/1/2/3/40") == [] and processes("here/1/2/3/") == []
        child.communicate(b"")
    assert processes("here/1/2/3/4") == []


def test_a_process_that_ends_meanwhile_is_none(tmp_path: Path) -> None:
    (tmp_path / "proc/77").mkdir(parents=True)
    assert processes("x", tmp_path) == []


class Etcd:
    """An etcd of three with a leader, which obeys after so many looks."""

    def __init__(self, leader: int, healthy: Sequence[int] = (1, 2, 3), looks: int = 0) -> None:
        self.leader, self.healthy, self.looks = leader, healthy, looks
        self.told: int | None = None
        self.now = 0.0

    def __call__(self, url: str, body: Mapping[str, Any] | None) -> Any:
        number = int(url.split(":")[1][-1])
        if url.endswith("/health"):
            return {"health": str(number in self.healthy).lower()}
        if url.endswith("member/list"):
            return {
                "members": [
                    {"ID": str(30 + one), "name": f"cp{one}", "peerURLs": [], "clientURLs": [f"https://198.18.79.1{one}:2379"]} for one in (1, 2, 3)
                ]
            }
        if url.endswith("alarm"):
            return {}
        if url.endswith("status"):
            return {"header": {"member_id": str(30 + number)}, "leader": str(30 + self.leader), "dbSize": "1"}
        assert url.endswith("/v3/maintenance/transfer-leadership") and number == self.leader, "only the leader can"
        assert body is not None
        self.told = int(body["targetID"]) - 30
        if not self.looks:
            self.leader = self.told
        return {}

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        self.looks -= 1
        if not self.looks and self.told:
            self.leader = self.told

    def move(self, rather_not: Sequence[str] = (), check_mode: bool = False) -> tuple[bool, str]:
        return etcd_leader.move(self, ["https://198.18.79.12:2379"], "cp2", rather_not, check_mode, self.sleep, lambda: self.now)


def test_another_member_leads() -> None:
    assert Etcd(2).move() == (True, "cp1")
    assert Etcd(2).move(rather_not=["cp1"]) == (True, "cp3")
    assert Etcd(2, healthy=(1, 2)).move(rather_not=["cp1"]) == (True, "cp1")
    etcd = Etcd(2)
    assert etcd.move(check_mode=True) == (True, "cp1") and etcd.told is None


def test_nothing_moves_where_another_one_leads_or_none_can() -> None:
    etcd = Etcd(1)
    assert etcd.move() == (False, "cp1") and etcd.told is None
    etcd = Etcd(2, healthy=(2,))
    assert etcd.move() == (False, "cp2") and etcd.told is None


def test_a_move_is_waited_for() -> None:
    assert Etcd(2, looks=5).move() == (True, "cp1")
    with pytest.raises(EtcdError, match="cp2 still leads 10 seconds after it was told to let cp1 do so"):
        Etcd(2, looks=1000).move()
