# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a cluster goes on without one of its nodes, and whether that one serves again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, cast

import pytest

from ansible_collections.quorum.kubeadm.plugins.module_utils.cluster_state import parse_node
from ansible_collections.quorum.kubeadm.plugins.module_utils.etcd import NO_STATUS, EtcdError, Member
from ansible_collections.quorum.kubeadm.plugins.module_utils.maintenance_gate import api_server_problems, etcd_verdict, majority, others_serve
from ansible_collections.quorum.kubeadm.plugins.module_utils.node_serving import behind, node_problems

NODES = json.loads((Path(__file__).parents[2] / "fixtures" / "drain" / "nodes.json").read_text())["items"]


def member(number: int, **differs: Any) -> Member:
    address = f"https://198.18.64.1{number}"
    made: Any = {
        **NO_STATUS,
        "name": f"cp{number}",
        "id": str(number),
        "peer_urls": [f"{address}:2380"],
        "client_urls": [f"{address}:2379"],
        "learner": False,
        "healthy": True,
        "alarms": [],
        **differs,
    }
    return cast(Member, made)


@pytest.mark.parametrize(("voters", "needed"), [(1, 1), (2, 2), (3, 2), (4, 3), (5, 3)])
def test_etcd_needs_more_than_half(voters: int, needed: int) -> None:
    assert majority(voters) == needed


def test_three_do_without_one() -> None:
    assert etcd_verdict([member(1), member(2), member(3)], "cp2") == ([], "etcd has 2 healthy of 3 voters without cp2, and needs 2")
    # The one that is worked on may be ill: that may be why.
    assert etcd_verdict([member(1), member(2, healthy=False), member(3)], "cp2").problems == []


def test_a_worker_is_no_member() -> None:
    assert etcd_verdict([member(1), member(2), member(3)], "w1") == ([], "etcd has all of its 3 voters")


@pytest.mark.parametrize(
    ("others", "problems"),
    [
        ([member(3, healthy=False)], ["etcd's member cp3 is not healthy", "etcd has 1 healthy of 3 voters without cp2, and needs 2"]),
        ([member(3, learner=True)], ["etcd's member cp3 is still a learner"]),
        ([member(3, alarms=["NOSPACE"])], ["etcd's member cp3 has the alarm NOSPACE"]),
        ([member(3), member(4), member(5, healthy=False)], ["etcd's member cp5 is not healthy"]),
    ],
)
def test_what_stands_in_the_way(others: list[Member], problems: list[str]) -> None:
    assert etcd_verdict([member(1), member(2), *others], "cp2").problems == problems


def test_a_small_etcd_is_told_of_and_not_refused() -> None:
    said = "etcd has 1 healthy of 2 voters without cp2, and needs 2: the cluster does not answer while it is worked on"
    assert etcd_verdict([member(1), member(2)], "cp2") == ([], said)
    assert etcd_verdict([member(1)], "cp1").problems == []


def test_every_other_control_plane_has_to_serve() -> None:
    nodes = [parse_node(node) for node in NODES]
    assert [node["name"] for node in others_serve(nodes, "w3")] == ["cp1"] and others_serve(nodes, "cp1") == []
    assert api_server_problems({"cp1": None, "cp3": "no route to host"}) == ["the API server of cp3 is not ready: no route to host"]


def test_a_node_that_serves_again() -> None:
    node = NODES[0]
    pod = {"metadata": {"name": "etcd-cp1"}, "status": {"conditions": [{"type": "Ready", "status": "True"}]}}
    assert node_problems(node, [pod], "") == node_problems(node, [pod], "1.37.2") == []
    assert node_problems(node, [pod], "1.38.0") == ["its kubelet reports 1.37.2, not 1.38.0"]
    assert node_problems(node, [{**pod, "status": {}}], "") == ["etcd-cp1 is not ready"]
    silent = json.loads(json.dumps(node).replace('"type": "Ready"', '"type": "WasReady"'))
    assert node_problems(silent, [], "") == ["cp1 is not Ready"]


class Etcd:
    """An etcd whose members have applied so many entries; one without a number does not answer."""

    def __init__(self, *applied: int | None) -> None:
        self.members = [member(number) for number in range(1, len(applied) + 1)]
        self.applied = dict(zip((one["client_urls"][0] for one in self.members), applied))

    def ask(self, url: str, _body: Any) -> Any:
        applied = self.applied[url.removesuffix("/v3/maintenance/status")]
        if applied is None:
            raise EtcdError("no answer")
        # Numbers are texts in the gateway's JSON.
        return {"raftAppliedIndex": str(applied)}

    def behind(self, name: str, **differs: Any) -> list[str]:
        return behind(self.ask, self.members, name, lambda _ask, members: [cast(Member, {**one, **differs}) for one in members])


def test_a_member_that_has_caught_up() -> None:
    assert Etcd(5000, 4950, 5001).behind("cp2") == [] and Etcd(None, 4950, 5001).behind("cp2") == []
    assert Etcd(5000, 4000, 5001).behind("cp2") == ["etcd's member cp2 is 1001 entries behind"]
    assert Etcd(1, 1, 1).behind("cp9") == ["etcd has no member cp9"]
    assert Etcd(1, 1, 1).behind("cp2", healthy=False) == ["etcd's member cp2 is not healthy"]
    assert Etcd(1, 1, 1).behind("cp2", learner=True) == ["etcd's member cp2 is a learner"]
