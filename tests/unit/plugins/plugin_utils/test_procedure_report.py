# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What clients recorded, divided among the visits of a procedure."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.quorum.kubeadm.plugins.plugin_utils.procedure_report import Visit, costs, lines, merged, shifted

CLOSED = "object: closed"
Records = list[list[Any]]


def steady(start: float, end: float, first: int = 1, at: int = 5) -> Records:
    """Five requests and two writes a second, all of them answered and told of."""
    requests: Records = [["r", start + number / at, start + number / at + 0.02, None] for number in range(round((end - start) * at))]
    writes: Records = []
    for number in range(round((end - start) * 2)):
        when = start + number / 2
        writes += [["w", when, when + 0.01, None, first + number], ["v", when + 0.02, first + number]]
    return [["b", start], ["o", start], *requests, *writes]


def ended(records: Records, end: float) -> Records:
    return [*records, ["k", [one[4] for one in records if one[0] == "w"]], ["z", end]]


WALK = [Visit(("cp2",), 100.0, 110.0), Visit(("cp1",), 112.0, 120.0), Visit(("w1",), 121.0, 130.0), Visit(("w2",), 121.5, 128.0)]


def test_visits_at_the_same_time_are_one() -> None:
    assert merged(reversed(WALK)) == [WALK[0], WALK[1], Visit(("w1", "w2"), 121.0, 130.0)]
    failed = [Visit(("w1",), 1.0, 2.0, "no"), Visit(("w2",), 1.5, 3.0, "neither")]
    assert merged(failed) == [Visit(("w1", "w2"), 1.0, 3.0, "no; neither")]
    # One after the other, without a pause.
    assert len(merged([Visit(("a",), 1.0, 2.0), Visit(("b",), 2.0, 3.0)])) == 2


def test_nothing_lost() -> None:
    found = costs(WALK, {"w1": ended(steady(95, 135), 135.5), "w2": ended(steady(95, 135), 135.5)}, ["w1", "w2"])
    assert [(row["hosts"], row["took"], row["requests"], row["lost"]) for row in found["visits"]] == [
        (["cp2"], 10.0, 100, 0),
        (["cp1"], 8.0, 80, 0),
        (["w1", "w2"], 9.0, 90, 0),
    ]
    assert (found["total"]["took"], found["total"]["requests"], found["writes"], found["lost_writes"]) == (30.0, 400, 160, 0)
    assert found["visits"][0]["writes_paused"] == pytest.approx(0.5)
    assert (found["clients"], found["silent"], found["doubts"]) == (["w1", "w2"], [], [])
    assert lines(found) == [
        "   node    took  requests  lost  lost twice  slowest  writes paused  watch stalled",
        "✓  cp2     10 s       100     0           0   0.02 s         0.50 s         0.01 s",
        "✓  cp1      8 s        80     0           0   0.02 s         0.50 s         0.01 s",
        "✓  w1, w2   9 s        90     0           0   0.02 s         0.50 s         0.01 s",
        "0 requests failed twice, 0 once, of 400; no acknowledged write is lost of 160; writes paused for 0.50 s at most, "
        "a watch stalled for 0.01 s at most; seen from w1 and w2.",
    ]


def test_visits_before_the_measurement_are_of_another_walk() -> None:
    found = costs([Visit(("w3",), 20.0, 30.0), *WALK], {"w1": ended(steady(95, 135), 135.5)}, ["w1"])
    assert [row["hosts"] for row in found["visits"]] == [["cp2"], ["cp1"], ["w1", "w2"]]
    assert found["total"]["took"] == 30.0


def test_each_visit_has_what_began_in_it() -> None:
    records = steady(95, 135)
    records += [
        # Begun in the first visit, ended after it.
        ["r", 109.9, 111.9, "connect: no answer within 2 s", None],
        ["r", 110.0, 110.1, CLOSED, None],
        ["r", 113.0, 113.1, CLOSED, CLOSED],
        ["r", 114.0, 115.5, None],
        ["w", 122.2, 123.0, None, 1000],
    ]
    records.remove(["v", 122.02, 55])
    records = [one for one in records if not (one[0] == "v" and one[1] >= 122.0 and one[2] < 1000)] + [["v", 125.0, 1000]]
    found = costs(WALK, {"w3": ended(records, 135.5)}, ["w3"])
    assert [(row["hosts"], row["lost"], row["lost_twice"]) for row in found["visits"]] == [
        (["cp2"], 1, 0),
        (["cp1"], 1, 1),
        (["w1", "w2"], 0, 0),
        (["before, between, after"], 1, 0),
    ]
    assert (found["total"]["lost"], found["total"]["lost_twice"]) == (3, 1)
    # From 95 to the last request at 134.8, but for the visits' 27 seconds.
    assert found["visits"][3]["took"] == 12.8
    assert found["visits"][1]["slowest"] == 1.5
    assert found["visits"][2]["watch_stalled"] == pytest.approx(125.0 - 122.01)
    assert found["visits"][1]["watch_stalled"] < 0.1


def test_a_pause_counts_where_it_was_also_when_it_began_before() -> None:
    records = [one for one in steady(95, 135) if one[0] != "w" or not 109.0 < one[1] < 113.0]
    found = costs(WALK, {"w3": ended(records, 135.5)}, ["w3"])
    assert [row["writes_paused"] for row in found["visits"]] == pytest.approx([4.0, 4.0, 0.5])
    assert found["total"]["writes_paused"] == pytest.approx(4.0)


def test_nothing_is_said_of_the_time_in_which_a_client_did_not_run() -> None:
    """Its host was rebooted from 114 to 118."""
    first, second = steady(95, 114), steady(118, 135, first=100)
    records = [*first, ["k", [one[4] for one in first if one[0] == "w"]], ["z", 114.1], *ended(second, 135.5)]
    found = costs(WALK, {"w3": records}, ["w3"])
    assert found["total"]["writes_paused"] == pytest.approx(0.5, abs=0.15)
    assert (found["lost_writes"], found["doubts"]) == (0, [])
    assert found["total"]["watch_stalled"] == pytest.approx(0.01)
    # Without power it could not end in order, and the one after it read back what both had written.
    records = [*first, ["b", 118.0], *second[1:], ["k", [one[4] for one in [*first, *second] if one[0] == "w"]], ["z", 135.5]]
    assert costs(WALK, {"w3": records}, ["w3"])["lost_writes"] == 0
    records[-2] = ["k", [one[4] for one in second if one[0] == "w"]]
    assert costs(WALK, {"w3": records}, ["w3"])["lost_writes"] == 38


def test_what_speaks_against_the_figures() -> None:
    late = ended([*steady(95, 135), ["l", 100.0, 0.7]], 135.5)
    found = costs(WALK, {"w3": late, "w4": steady(95, 135), "w5": [["x", 95.0, "GET: refused"], ["z", 95.0]]}, ["w3", "w4", "w5", "w6"])
    assert (found["clients"], found["silent"]) == (["w3", "w4"], ["w5", "w6"])
    assert [doubt[:40] for doubt in found["doubts"]] == [
        "the client on w3 woke up to 0.70 s late ",
        "the client on w4 did not end in order, a",
        "the client on w5 could not go on: GET: r",
    ]


def test_a_service_has_columns_of_its_own() -> None:
    asked: Records = [["p", 95 + number / 5, 95 + number / 5 + 0.01, None] for number in range(200)]
    asked += [["p", 105.0, 107.0, "connect: no answer within 2 s", None], ["p", 106.0, 108.0, CLOSED, CLOSED], ["p", 110.5, 110.6, CLOSED, None]]
    found = costs(WALK, {"w3": ended([*steady(95, 135), *asked], 135.5)}, ["w3"])
    assert [(row["hosts"], row["lost"], row["service_requests"], row["service_lost"], row["service_lost_twice"]) for row in found["visits"]] == [
        (["cp2"], 0, 52, 2, 1),
        (["cp1"], 0, 40, 0, 0),
        (["w1", "w2"], 0, 45, 0, 0),
        (["before, between, after"], 0, 66, 1, 0),
    ]
    shown = lines(found)
    assert shown[0].endswith("watch stalled  service lost  lost twice") and shown[1].endswith("0.01 s             2           1")
    assert shown[-1].endswith(" seen from w3. Of 203 requests to the Service, 1 failed twice, 2 once.")


def test_without_a_client_durations_alone_are_told() -> None:
    found = costs([Visit(("cp2",), 100.0, 110.0), Visit(("cp1",), 112.0, 120.0, "its API server is not ready")], {}, [])
    assert lines(found) == ["   node  took", "✓  cp2   10 s", "✗  cp1    8 s", "What it cost those who used the cluster was not measured."]
    assert lines(costs([], {}, [])) == ["What it cost those who used the cluster was not measured."]


def test_lost_writes_are_loud() -> None:
    records = ended(steady(95, 135), 135.5)
    records[-2] = ["k", [number for number in records[-2][1] if number != 7]]
    assert "1 acknowledged writes are LOST of 80" in lines(costs(WALK, {"w3": records}, ["w3"]))[-1]


def test_clocks() -> None:
    records: Records = [["b", 105.0], ["r", 105.0, 105.5, None], ["w", 106.0, 106.5, None, 3], ["v", 107.0, 3], ["k", [3]], ["z", 108.0]]
    assert shifted(records, 1.5) == records
    assert shifted(records, 5.0) == [["b", 100.0], ["r", 100.0, 100.5, None], ["w", 101.0, 101.5, None, 3], ["v", 102.0, 3], ["k", [3]], ["z", 103.0]]
    assert shifted(records, -60.0)[0] == ["b", 165.0]
