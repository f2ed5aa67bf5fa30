# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The nodes that a procedure visits, as they are printed."""

from __future__ import annotations

from typing import Any

from ansible_collections.quorum.kubeadm.plugins.action import cluster_visits

from .conftest import run_action

PLAN: dict[str, Any] = {
    "order": {"control_planes": ["cp3", "cp1", "cp2"], "workers": ["w1", "w2", "w3"]},
    "inputs": {"workers_at_once": "67%"},
    "notes": {"cp2": "has the endpoint's address"},
    "drains": True,
}


def test_the_visits_are_printed_and_returned(printed: list[str]) -> None:
    result = run_action(cluster_visits, {"plan": PLAN, "procedure": "reboot", "todo": ["w1", "w3", "cp2"]})
    assert result["visits"] == {"control_planes": ["cp2"], "workers": ["w1", "w3"], "nodes": ["cp2", "w1", "w3"], "at_once": 2}
    assert printed == result["lines"] == [
        "Plan: reboot visits 3 nodes, in this order.",
        "  cp2     control plane, drained; has the endpoint's address",
        "  w1, w3  workers, at the same time, drained",
    ]


def test_where_nothing_is_to_be_done_that_is_one_line(printed: list[str]) -> None:
    assert run_action(cluster_visits, {"plan": PLAN, "procedure": "reboot", "todo": []})["visits"]["nodes"] == []
    assert printed == ["Plan: no node of this run has anything to be done by reboot."]
