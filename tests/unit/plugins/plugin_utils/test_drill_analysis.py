# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a drill's records amount to."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.quorum.kubeadm.plugins.plugin_utils.drill_analysis import Figures, Window, analyse, doubt, outage, requests_of, row, table, windows

EVER = Window("fault", float("-inf"), float("inf"))
CLOSED = "object: closed"


def steady(start: float, end: float, step: float = 0.05) -> list[list[Any]]:
    """Requests that are all answered, twenty a second."""
    return [["r", round(start + number * step, 4), round(start + number * step + 0.01, 4), None] for number in range(round((end - start) / step))]


# HAProxy killed on a busy machine, as recorded: seconds since it was killed. In the end the address went back, which cost one more.
KILLED = [
    *steady(-1.0, -0.1),
    ["r", -0.09, 0.03, "object: closed", "connect: reset"],
    ["r", -0.02, 0.03, "object: reset", "connect: reset"],
    ["r", 0.03, 0.11, "connect: reset", None],
    ["r", 0.08, 0.70, None],
    *steady(0.13, 2.83),
    ["r", 2.87, 2.88, "readyz: reset", None],
    *steady(2.92, 4.0),
]


@pytest.mark.parametrize(
    ("records", "window", "expected"),
    [
        (steady(0, 2), EVER, 0.0),
        # From the last answered one before the first failure (-0.15) to the first one after the last failure (2.92).
        (KILLED, EVER, 3.07),
        # Looked at alone, what the kill itself cost.
        (KILLED, Window("fault", float("-inf"), 2.0), 0.23),
        (KILLED, Window("return", 2.0, float("inf")), 0.14),
        # One that was begun before another one but failed after it counts by when it was begun.
        ([["r", 0.0, 0.01, None], ["r", 0.05, 2.05, "connect: no answer within 2 s"], ["r", 0.1, 0.11, None], ["r", 0.15, 0.16, None]], EVER, 0.1),
        # Answered between two failures: it goes on.
        ([["r", 0.0, 0.01, None], ["r", 0.1, 0.2, CLOSED], ["r", 0.2, 0.3, None], ["r", 0.3, 0.4, CLOSED], ["r", 0.4, 0.5, None]], EVER, 0.4),
        # Never well before, never well again.
        ([["r", 0.0, 0.01, CLOSED], ["r", 0.5, 0.6, None]], EVER, 0.5),
        ([["r", 0.0, 0.01, None], ["r", 0.1, 0.2, CLOSED], ["r", 0.7, 0.8, CLOSED]], EVER, 0.7),
        ([], EVER, 0.0),
    ],
)
def test_outage(records: list[list[Any]], window: Window, expected: float) -> None:
    assert outage(requests_of(reversed(records)), window) == pytest.approx(expected)


def test_windows() -> None:
    events = [("started", 1.0), ("begin", 3.0), ("broken", 3.1), ("end", 9.0), ("mended", 9.2)]
    assert [(window.name, window.end) for window in windows(events)] == [("fault", 9.0), ("return", float("inf"))]
    assert windows([]) == [EVER]


WRITES = [
    ["w", 0.0, 0.01, None, 1],
    ["w", 0.5, 0.52, None, 2],
    ["w", 1.0, 2.4, None, 3],
    ["w", 1.5, 3.5, "write: no answer within 2 s", 4],
    ["w", 2.0, 2.45, None, 5],
]
WATCH = [["o", -0.1], ["v", 0.0, 1], ["v", 0.51, 2], ["c", 1.0, "watch: reset"], ["o", 3.0], ["v", 3.2, 3], ["v", 3.2, 5]]


def figures(*more: list[Any], events: list[tuple[str, float]] | None = None) -> Figures:
    return analyse([["b", -1.0], *steady(-1.0, 4.0), *WRITES, *WATCH, *more], events or [("begin", 0.6), ("end", 2.0)])


def test_everything_about_a_round() -> None:
    routers = [["h", -1.0, "cp1"], ["h", 0.9, "cp2"], ["h", 3.5, "cp1"], ["h", 3.6, None]]
    found = figures(["k", [1, 2, 3, 5]], ["z", 4.2], *routers, ["l", 2.0, 0.2], ["l", 2.5, 0.1])
    assert found == Figures(
        outage=0.0,
        requests=100,
        failed=0,
        failed_twice=0,
        slow=0,
        slowest=0.01,
        # Write 3 was acknowledged at 2.4, and heard of at 3.2.
        watch_stalled=0.8,
        # From 0.52 to 2.4.
        writes_stalled=1.88,
        writes=4,
        lost_writes=[],
        moves=2,
        cut=1,
        late=0.2,
        reasons={},
        problems=[],
        parts={"fault": 0.0, "return": 0.0},
    )


@pytest.mark.parametrize(
    ("kept", "lost"),
    [
        ([1, 2, 3, 5], []),
        # What was not acknowledged may be there or not.
        ([1, 2, 3, 4, 5], []),
        ([1, 2, 5], [3]),
        ([], [1, 2, 3, 5]),
    ],
)
def test_acknowledged_writes_that_are_missing_are_lost(kept: list[int], lost: list[int]) -> None:
    assert figures(["k", kept], ["z", 4.2])["lost_writes"] == lost


def test_what_was_not_read_back_is_a_problem() -> None:
    assert figures(["k", None], ["x", 4.1, "GET: refused"])["problems"] == [
        "GET: refused",
        "the client did not end in order",
        "the writes could not be read back",
    ]


def test_slow_and_failed_are_counted_apart() -> None:
    found = figures(["k", []], ["z", 9.0], ["r", 1.01, 2.2, None], ["r", 1.02, 3.02, "connect: no answer within 2 s", CLOSED], ["r", 1.03, 1.2, CLOSED, None])
    assert (found["failed"], found["failed_twice"], found["slow"], found["slowest"]) == (2, 1, 1, 1.19)
    assert found["reasons"] == {"connect: no answer within 2 s": 1, CLOSED: 1}


def test_a_client_that_is_late_itself_speaks_against_all_figures() -> None:
    kept: list[list[Any]] = [["k", [1, 2, 3, 5]], ["z", 4.2]]
    calm, starved = figures(*kept, ["l", 2.0, 0.2]), figures(*kept, ["l", 2.0, 0.21], ["l", 3.0, 0.46])
    assert doubt([[calm], [calm, calm]]) == doubt([]) == ""
    assert doubt([[calm], [calm, starved], [starved]]).startswith("In 2 of 3 rounds the client woke late itself, by up to 0.46 s: ")


def test_a_watch_that_never_comes_back_is_stalled_to_the_end() -> None:
    assert analyse([*steady(0.0, 5.0), ["w", 1.0, 1.1, None, 1], ["o", 0.0], ["c", 0.5, "watch: reset"]], [])["watch_stalled"] == pytest.approx(4.95 - 1.1)


def one(outage: float = 0.1, writes_stalled: float = 0.5, **more: Any) -> Figures:
    base = figures(["k", [1, 2, 3, 5]], ["z", 4.2])
    return Figures(**{**base, "outage": outage, "writes_stalled": writes_stalled, "cut": 0, **more})  # type: ignore[typeddict-item]


def judged(
    *rounds: list[Figures],
    limit: float = 1.0,
    writes: bool = False,
    planned: bool = False,
    undisturbed: bool = False,
    wrong: list[str] | None = None,
) -> Any:
    return row("active_router_frozen", "active router frozen", 0.75, limit, writes, planned, undisturbed, rounds, wrong or [])


def test_median_and_worst_are_those_of_rounds_as_the_worst_client_saw_them() -> None:
    found = judged([one(0.1), one(0.4)], [one(0.2)], [one(0.9)])
    assert (found["rounds"], found["median"], found["worst"], found["held"]) == (3, 0.4, 0.9, True)


@pytest.mark.parametrize(
    ("rounds", "options", "problems"),
    [
        ([[one(1.0)]], {}, []),
        ([[one(1.01)]], {}, ["an outage of 1.01 s is more than 1 s"]),
        ([[one(1.4, 1.9)]], {"limit": 2.0, "writes": True}, []),
        ([[one(1.4, 2.1)]], {"limit": 2.0, "writes": True}, ["nothing was written for 2.10 s is more than 2 s"]),
        ([[one(lost_writes=[3])], [one(lost_writes=[1, 2])]], {}, ["3 acknowledged writes are lost"]),
        ([[one(problems=["the client did not end in order"])]], {}, ["the client did not end in order"]),
        ([[one()]], {"wrong": ["cp1 is not Ready"]}, ["cp1 is not Ready"]),
        ([], {}, ["it was not measured"]),
        ([[one(failed=1)]], {"planned": True}, []),
        ([[one(failed=1, failed_twice=1)]], {"planned": True}, ["1 requests failed though they were repeated"]),
        ([[one(slow=2)]], {"planned": True}, ["2 requests took more than 0.5 s"]),
        ([[one(slow=2)]], {}, []),
        ([[one(slow=2)]], {"undisturbed": True}, []),
        (
            [[one(failed=1)], [one(failed=2, moves=1, cut=1)]],
            {"undisturbed": True},
            ["3 requests failed", "the address moved 1 times", "a watch was cut 1 times"],
        ),
    ],
)
def test_what_does_not_hold(rounds: list[list[Figures]], options: dict[str, Any], problems: list[str]) -> None:
    found = judged(*rounds, **options)
    assert found["problems"] == problems
    assert found["held"] is (not problems)


@pytest.mark.parametrize(
    ("routers", "expected"),
    [(["cp1"], 0), (["cp1", "cp2"], 1), (["cp1", None, "cp1"], 0), (["cp1", None, "cp2", "cp1"], 2), ([None], 0)],
)
def test_moves(routers: list[str | None], expected: int) -> None:
    assert figures(*(["h", float(when), active_router] for when, active_router in enumerate(routers)))["moves"] == expected


def test_table() -> None:
    lines = table([judged([one(0.4)]), judged([one(1.5, 2.5)], limit=2.0, writes=True)])
    assert lines[0].split() == ["computed", "median", "worst", "limit", "failed", "slow", "slowest", "watch", "stalled", "writes", "stalled", "lost"]
    assert lines[1].split() == ["✓", "active", "router", "frozen", "0.75", "0.40", "0.40", "1.00", "0", "0", "0.01", "0.80", "0.50", "0"]
    assert lines[2].split()[:9] == ["✗", "active", "router", "frozen", "0.75", "1.50", "1.50", "2.00", "w"]
