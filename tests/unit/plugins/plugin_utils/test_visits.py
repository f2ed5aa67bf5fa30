# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which nodes are visited, in which order, and how their visits have ended."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.quorum.kubeadm.plugins.filter.failed_visits import failed_visits
from ansible_collections.quorum.kubeadm.plugins.filter.standing import standing
from ansible_collections.quorum.kubeadm.plugins.filter.visited_at_once import visited_at_once
from ansible_collections.quorum.kubeadm.plugins.plugin_utils.visits import Order, at_once, failures, lines, visits, walking_order

CONTROL_PLANES, WORKERS = ["cp1", "cp2", "cp3"], ["w1", "w2", "w3", "w4", "w5"]
ORDER = Order(control_planes=CONTROL_PLANES, workers=WORKERS)


@pytest.mark.parametrize(
    ("leader", "router", "walk"),
    [
        (None, None, ["cp1", "cp2", "cp3"]),
        ("cp1", None, ["cp2", "cp3", "cp1"]),
        ("cp1", "cp2", ["cp3", "cp1", "cp2"]),
        ("cp3", "cp1", ["cp2", "cp3", "cp1"]),
        ("cp1", "cp1", ["cp2", "cp3", "cp1"]),
        # The address is on a proxy that is no control plane.
        ("cp2", "lb1", ["cp1", "cp3", "cp2"]),
    ],
)
def test_the_leader_is_second_to_last_and_the_active_router_last(leader: str | None, router: str | None, walk: list[str]) -> None:
    assert walking_order(CONTROL_PLANES, WORKERS, leader, router) == {"control_planes": walk, "workers": WORKERS}


@pytest.mark.parametrize(
    ("limit", "workers", "together"),
    [(1, 5, 1), (3, 5, 3), ("2", 5, 2), ("20%", 5, 1), ("20%", 10, 2), ("39%", 5, 1), ("1%", 5, 1), ("100%", 5, 5), ("50%", 0, 1)],
)
def test_how_many_workers_at_once(limit: int | str, workers: int, together: int) -> None:
    assert at_once(limit, workers) == together


@pytest.mark.parametrize("limit", [0, -1, "0%", "101%", "two", "", "5 %", "1.5"])
def test_what_is_no_number_of_workers(limit: int | str) -> None:
    with pytest.raises(ValueError, match="neither a number above 0 nor a percentage"):
        at_once(limit, 5)


def test_those_that_have_something_to_be_done_keep_their_order() -> None:
    order = walking_order(CONTROL_PLANES, WORKERS, "cp1", "cp2")
    made = visits(order, {"w4", "cp2", "cp3", "w1"}, "40%")
    # A percentage is of all workers, not of those that are left.
    assert made == {"control_planes": ["cp3", "cp2"], "workers": ["w1", "w4"], "at_once": 2}


def test_the_visits_as_they_are_printed() -> None:
    made = visits(ORDER, {"cp1", "cp2", "w1", "w2", "w3"}, 2)
    assert lines(made, "reboot", True, {"cp2": "leads etcd", "w2": "an earlier run has not put it back into service"}) == [
        "Plan: reboot visits 5 nodes, in this order.",
        "  cp1     control plane, drained",
        "  cp2     control plane, drained; leads etcd",
        "  w1, w2  workers, at the same time, drained; w2 an earlier run has not put it back into service",
        "  w3      worker, drained",
    ]
    assert lines(visits(ORDER, {"w1"}, 1), "renew_certificates", False, {})[1:] == ["  w1  worker, not drained"]
    assert lines(visits(ORDER, [], 1), "reboot", True, {}) == ["Plan: no node of this run has anything to be done by reboot."]


DONE: dict[str, Any] = {"visit_began": 1.0, "visit_stage": "done", "visit_ended": 2.0}


@pytest.mark.parametrize(
    ("facts", "failure"),
    [
        ({}, None),
        (DONE, None),
        ({"visit_began": 1.0, "visit_stage": "work"}, None),
        ({**DONE, "visit_stage": "work", "visit_failed": "no answer"}, "no answer"),
        # What fails after the last stage has failed all the same.
        ({**DONE, "visit_failed": "no answer"}, "no answer"),
        ({**DONE, "visit_stage": "work"}, "its visit was not seen to come to its end"),
    ],
)
def test_how_a_visit_has_ended(facts: dict[str, Any], failure: str | None) -> None:
    hostvars = {"cp1": facts, "cp2": DONE}
    assert failures(["cp1", "cp2"], hostvars) == ({"cp1": failure} if failure else {})
    assert failed_visits(["cp1", "cp2"], hostvars) == ([f"cp1: {failure}"] if failure else [])
    assert standing(["cp1", "cp2"], hostvars) == (["cp2"] if failure else ["cp1", "cp2"])


def test_somebody_is_asked_where_every_visit_failed() -> None:
    assert standing(["cp1"], {"cp1": {"visit_failed": "no answer", "visit_ended": 2.0}}) == ["cp1"]


def test_how_many_are_visited_at_once_is_known_to_the_hosts_of_the_run() -> None:
    assert visited_at_once({}) == 1 and visited_at_once({"cp1": {}, "w1": {}}) == 1
    assert visited_at_once({"cp1": {}, "w1": {"walk": {"visits": {"at_once": 2}}}}) == 2
