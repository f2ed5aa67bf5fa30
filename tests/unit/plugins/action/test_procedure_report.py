# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The last table of a procedure, from what hosts have as facts and what clients recorded in the lab."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ansible_collections.quorum.kubeadm.plugins.action import procedure_report

from ansible_collections.quorum.kubeadm.plugins.plugin_utils.procedure_report import shifted

from .conftest import run_action

KEPT = json.loads((Path(__file__).parents[2] / "fixtures" / "drill" / "rounds" / "active_router_frozen-01.json").read_text(encoding="utf-8"))
TEXT = "\n".join(json.dumps(record) for record in KEPT["records"]["w1"])
BROKEN = next(float(when) for what, when in KEPT["events"] if what == "begin")


def report(facts: dict[str, dict[str, Any]], **arguments: Any) -> dict[str, Any]:
    return run_action(procedure_report, {"visited": list(facts), **arguments}, {"hostvars": facts})


def test_a_visit_and_what_it_cost(printed: list[str]) -> None:
    facts = {"cp1": {"visit_began": BROKEN - 0.5, "visit_ended": BROKEN + 4.5}, "cp2": {}}
    result = report(facts, clients=["w1", "w3"], measured=[{"item": "w1", "records": TEXT, "ahead": 0.4}, {"item": "w3", "unreachable": True, "msg": "no"}])
    (visit,) = result["cost"]["visits"]
    figures = KEPT["figures"]["w1"]
    assert (visit["hosts"], visit["took"], visit["lost"]) == (["cp1"], 5.0, figures["failed"])
    assert (result["cost"]["clients"], result["cost"]["lost_writes"]) == (["w1"], 0)
    assert "w3 was to measure, and did not" in result["warnings"]
    assert printed == result["lines"] and printed[-1] == result["msg"]
    assert printed[-1].startswith("0 requests failed twice, ") and printed[-1].endswith("; seen from w1.")


def test_records_of_a_host_whose_clock_is_ahead_are_set_back(printed: list[str]) -> None:
    ahead = shifted(KEPT["records"]["w1"], -300)
    facts = {"cp1": {"visit_began": BROKEN - 0.5, "visit_ended": BROKEN + 4.5}}
    text = "\n".join(json.dumps(record) for record in ahead)
    result = report(facts, clients=["w1"], measured=[{"item": "w1", "records": text, "ahead": 300.0}])
    assert result["cost"]["visits"][0]["lost"] == KEPT["figures"]["w1"]["failed"] > 0


def test_visits_that_did_not_end(printed: list[str]) -> None:
    facts: dict[str, dict[str, Any]] = {
        "cp1": {"visit_began": 100.0, "visit_ended": 110.0},
        "cp2": {"visit_began": 120.0, "visit_ended": 131.0, "visit_failed": "its API server is not ready"},
        "cp3": {"visit_began": 140.0},
    }
    result = report(facts)
    assert [(row["hosts"], row["took"], row["failed"]) for row in result["cost"]["visits"]] == [
        (["cp1"], 10.0, ""),
        (["cp2"], 11.0, "its API server is not ready"),
        (["cp3"], 0.0, "it did not end"),
    ]
    assert printed[-1] == "What it cost those who used the cluster was not measured."
    assert [line[0] for line in printed] == [" ", "✓", "✗", "✗", "W"]


def test_check_mode_has_nothing_to_tell(printed: list[str]) -> None:
    facts: dict[str, dict[str, Any]] = {"cp1": {"visit_began": 100.0, "visit_ended": 110.0}}
    result = run_action(procedure_report, {"visited": ["cp1"], "clients": ["w1"]}, {"hostvars": facts}, check_mode=True)
    assert (result["skipped"], printed, result.get("warnings")) == (True, [], None)
