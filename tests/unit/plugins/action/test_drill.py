# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The drill's actions on the controller: the scene, what is kept of a round, and the report, by rounds recorded in the lab."""

from __future__ import annotations

import html.parser
import json
import re
import shutil
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from ansible_collections.quorum.kubeadm.plugins.action import drill_record, drill_report, drill_scene

from .conftest import run_action

ROUNDS = Path(__file__).parents[2] / "fixtures" / "drill" / "rounds"


def run(plugin: ModuleType, **arguments: Any) -> dict[str, Any]:
    return run_action(plugin, arguments)


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    shutil.copytree(ROUNDS, tmp_path / "rounds")
    return tmp_path


def test_a_scene_that_may_not_begin_fails() -> None:
    look = {"holds_vip": True, "worth": 0, "haproxy": {"active": True, "backends": []}, "keepalived": {"active": True}}
    nodes = {"cp1": {"name": "cp1", "control_plane": True}, "w1": {"name": "w1", "control_plane": False}}
    looked = [{"item": "cp1", "proxy": look}, {"item": "cp2", "msg": "unreachable"}]
    result = run(drill_scene, fault="haproxy_killed", looked=looked, nodes=nodes, proxies=["cp1"])
    assert result["failed"]
    assert result["msg"] == "cp1 sees 0 of 1 API servers"
    assert (result["scene"]["target"], result["scene"]["probes"]) == ("cp1", ["w1"])


def test_a_round_is_kept_whole(directory: Path) -> None:
    kept = json.loads((ROUNDS / "active_router_frozen-01.json").read_text())
    text = "\n".join(json.dumps(record) for record in kept["records"]["w1"])
    result = run(
        drill_record,
        path=str(directory / "rounds" / "active_router_frozen-02.json"),
        fault="active_router_frozen",
        repeat=2,
        scene={"active_router": "cp1", "target": "cp1"},
        events=kept["events"],
        measured=[{"item": "w1", "records": text}, {"item": "w2", "msg": "unreachable"}],
    )
    again = json.loads((directory / "rounds" / "active_router_frozen-02.json").read_text())
    assert result["changed"]
    assert again["records"] == kept["records"]
    assert again["figures"] == result["figures"]
    assert result["figures"]["w1"]["outage"] == pytest.approx(0.699, abs=0.001)


def test_the_report_fails_with_what_did_not_hold(directory: Path) -> None:
    configured = [{"item": "cp1", "timings": {"priority": 200, "announce_again": 1000}}, {"item": "cp2", "timings": {"priority": 150, "announce_again": 1000}}]
    result = run(drill_report, directory=str(directory), configured=configured, cluster="api.lab.test:16443")
    assert result["failed"]
    assert result["msg"] == "VRRP alone blocked: an outage of 2.09 s is more than 1 s"
    assert [(row["fault"], row["held"], row["computed"]) for row in result["faults"]] == [("active_router_frozen", True, 0.392), ("vrrp_blocked", False, None)]
    assert json.loads((directory / "drill.json").read_text())["faults"] == result["faults"]


def test_a_wider_budget_holds(directory: Path) -> None:
    result = run(drill_report, directory=str(directory), budget=3.0, timings={"announce_again": 0})
    assert (result["failed"], result["msg"]) == (False, "every fault held its budget")
    assert [row["computed"] for row in result["faults"]] == [0.397, 0.05]


def test_a_starved_client_speaks_against_the_figures_everywhere(directory: Path) -> None:
    path = directory / "rounds" / "active_router_frozen-01.json"
    kept = json.loads(path.read_text())
    kept["figures"]["w1"]["late"] = 0.46
    path.write_text(json.dumps(kept))
    run(drill_report, directory=str(directory))
    doubt = json.loads((directory / "drill.json").read_text())["doubt"]
    assert doubt.startswith("In 1 of 2 rounds")
    assert doubt in (directory / "drill.html").read_text()


def test_nothing_measured_is_a_failure(tmp_path: Path) -> None:
    result = run(drill_report, directory=str(tmp_path))
    assert (result["failed"], result["msg"]) == (True, "no round was measured")


class Page(html.parser.HTMLParser):
    """Counts what a page consists of, and what it would fetch."""

    def __init__(self) -> None:
        super().__init__()
        self.found: dict[str, int] = {}
        self.fetched: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found[tag] = self.found.get(tag, 0) + 1
        self.fetched += [str(value) for name, value in attrs if name in ("src", "href") and not str(value).startswith("#")]


def test_the_page_needs_nothing_else_and_shows_every_fault(directory: Path) -> None:
    run(drill_report, directory=str(directory), cluster="<api>")
    text = (directory / "drill.html").read_text()
    page = Page()
    page.feed(text)
    assert page.fetched == []
    assert "http" not in re.sub(r"<!doctype html>", "", text)
    # A picture and a bar for each of two faults.
    assert (page.found["figure"], page.found["svg"], page.found["section"]) == (2, 4, 2)
    assert "1 of 2 faults held their budget" in text
    assert "&lt;api&gt;" in text
    # The address moved twelve times; the shaded outage says how long it was.
    assert text.count(">cp2</text>") + text.count(">cp1</text>") >= 8
    assert "2.09 s</text>" in text
    assert "NaN" not in text
