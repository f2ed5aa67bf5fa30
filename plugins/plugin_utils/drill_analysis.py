# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the records of a drill's client (see drill_client) amount to.

outage
    From the start of the last request that succeeded before the first failure to the start of the first one after which none fails.
failed
    No answer within the client's time-out, or an error.
slow
    Answered after more than half a second: a SYN that is lost is repeated after one.
watch_stalled
    How long an acknowledged write was there before the watch told of it.
writes_stalled
    The longest time between two acknowledged writes. It is never less than the time between two writes.
"""

from __future__ import annotations

import bisect
import itertools
import statistics
from typing import Any, Iterable, Literal, NamedTuple, Optional, Sequence, TypedDict

SLOW = 0.5
# A client that wakes so late is on a machine with more to do than it can. Six nodes on two processors let it wait for 0.1 s now and then.
STARVED = 0.2
Record = Sequence[Any]


class Request(NamedTuple):
    """A measured request."""

    start: float
    end: float
    failed: str | None
    repeated: str | None = None
    """Why its repetition failed too."""

    @property
    def slow(self) -> bool:
        """Answered, but late."""
        return self.failed is None and self.end - self.start > SLOW


class Window(NamedTuple):
    """A part of a round in which one thing happened."""

    name: str
    start: float
    end: float


Count = Literal["failed", "failed_twice", "slow", "moves", "cut"]
# Figures that have to be 0, each with what is said when it is not: of what is planned, and of what must disturb nobody.
COSTS_NOBODY: dict[Count, str] = {"failed_twice": "{} requests failed though they were repeated", "slow": f"{{}} requests took more than {SLOW:g} s"}
UNNOTICED: dict[Count, str] = {"failed": "{} requests failed", "moves": "the address moved {} times", "cut": "a watch was cut {} times"}


class Figures(TypedDict):
    """What one round cost, by one client; seconds."""

    outage: float
    requests: int
    failed: int
    failed_twice: int
    slow: int
    slowest: float
    watch_stalled: float
    writes_stalled: float
    writes: int
    lost_writes: list[int]
    moves: int
    cut: int
    """How often the watch broke."""
    late: float
    """How late the client itself was."""
    reasons: dict[str, int]
    problems: list[str]
    parts: dict[str, float]


def requests_of(records: Iterable[Record], kind: Literal["r", "p"] = "r") -> list[Request]:
    """The measured requests in the order in which they were begun: those to the endpoint, or those to a Service."""
    return sorted(Request(*one[1:4], *(one[4:5] or [None])) for one in records if one[0] == kind)


def outage_of(requests: Sequence[Request], window: Window) -> tuple[float, float] | None:
    """From when to when the outage was, by the failures that began in a window. One that does not end lasts until the last request began."""
    failures = [index for index, one in enumerate(requests) if one.failed is not None and window.start <= one.start < window.end]
    if not failures:
        return None
    first, last = failures[0], failures[-1]
    before = next((one for one in reversed(requests[:first]) if one.failed is None), requests[first])
    after = next((one for one in requests[last + 1 :] if one.failed is None), requests[-1])
    return before.start, after.start


def outage(requests: Sequence[Request], window: Window) -> float:
    """How long it was; 0 without a failure."""
    span = outage_of(requests, window)
    return span[1] - span[0] if span else 0.0


def writes_stalled(acknowledged: Sequence[float], end: float) -> float:
    """The longest time between two acknowledgements, or since the last."""
    times = sorted(acknowledged)
    return max((later - earlier for earlier, later in zip(times, [*times[1:], end])), default=0.0)


def watch_stalled(records: Sequence[Record], end: float) -> float:
    """The longest time after which the watch told of an acknowledged write, or of a later one."""
    told = sorted((float(one[1]), int(one[2])) for one in records if one[0] == "v")
    # The latest write that was told of up to each moment.
    latest = list(itertools.accumulate((number for _when, number in told), max))
    longest = 0.0
    for write in records:
        if write[0] == "w" and write[3] is None:
            place = bisect.bisect_left(latest, write[4])
            longest = max(longest, (told[place][0] if place < len(told) else end) - write[2])
    return longest


def lost_writes(records: Sequence[Record]) -> list[int]:
    """Acknowledged writes that the objects do not have at the end; a client that was started anew has read back what was there several times."""
    kept = [one[1] for one in records if one[0] == "k"]
    acknowledged = [int(one[4]) for one in records if one[0] == "w" and one[3] is None]
    there = {number for numbers in kept for number in numbers or ()}
    return [] if not kept or kept[-1] is None else [number for number in acknowledged if number not in there]


def moves(records: Sequence[Record]) -> int:
    """How often the address went to another host; that nobody was known to have it for a moment is no move."""
    routers = [one[2] for one in records if one[0] == "h" and one[2]]
    return sum(earlier != later for earlier, later in zip(routers, routers[1:]))


def windows(events: Sequence[tuple[str, float]]) -> list[Window]:
    """The parts of a round: until its fault was mended, and after that. Failures before the first event belong to the fault: they were in flight."""
    mended = next((when for what, when in events if what == "end"), None)
    if mended is None:
        return [Window("fault", float("-inf"), float("inf"))]
    return [Window("fault", float("-inf"), mended), Window("return", mended, float("inf"))]


def analyse(records: Sequence[Record], events: Sequence[tuple[str, float]]) -> Figures:
    """Everything about one round by one client."""
    requests = requests_of(records)
    failures = [one for one in requests if one.failed is not None]
    answered = [one.end - one.start for one in requests if one.failed is None]
    end = requests[-1].start if requests else 0.0
    parts = {window.name: round(outage(requests, window), 3) for window in windows(events)}
    reasons: dict[str, int] = {}
    for one in failures:
        reasons[str(one.failed)] = reasons.get(str(one.failed), 0) + 1
    problems = [str(one[2]) for one in records if one[0] == "x"]
    if not any(one[0] == "z" for one in records):
        problems.append("the client did not end in order")
    if next((one[1] for one in records if one[0] == "k"), None) is None:
        problems.append("the writes could not be read back")
    return Figures(
        outage=max(parts.values()),
        requests=len(requests),
        failed=len(failures),
        failed_twice=sum(one.repeated is not None for one in failures),
        slow=sum(one.slow for one in requests),
        slowest=round(max(answered, default=0.0), 3),
        watch_stalled=round(max(0.0, watch_stalled(records, end)), 3),
        writes_stalled=round(writes_stalled([float(one[2]) for one in records if one[0] == "w" and one[3] is None], end), 3),
        writes=sum(one[0] == "w" and one[3] is None for one in records),
        lost_writes=lost_writes(records),
        moves=moves(records),
        cut=sum(one[0] == "c" for one in records),
        late=max((float(one[2]) for one in records if one[0] == "l"), default=0.0),
        reasons=reasons,
        problems=problems,
        parts=parts,
    )


class Row(TypedDict):
    """A fault over all its rounds."""

    fault: str
    title: str
    computed: Optional[float]
    """Seconds; None for a planned move that has no row in the model, and for what lasts as long as its fault."""
    limit: float
    limit_of: str
    rounds: int
    median: float
    worst: float
    failed: int
    failed_twice: int
    slow: int
    slowest: float
    watch_stalled: float
    writes_stalled: float
    lost_writes: int
    moves: int
    held: bool
    problems: list[str]


def row(
    fault: str,
    title: str,
    computed: float | None,
    limit: float,
    writes: bool,
    planned: bool,
    undisturbed: bool,
    rounds: Sequence[Sequence[Figures]],
    wrong: list[str],
) -> Row:
    """A fault's rounds as one row; each round is seen by one client or several, and counts as the worst of them saw it."""
    seen = [figures for round_ in rounds for figures in round_]
    outages = [max(figures["outage"] for figures in round_) for round_ in rounds if round_]
    worst_stall = max((figures["writes_stalled"] for figures in seen), default=0.0)
    worst = max(outages, default=0.0)
    lost = sum(len(figures["lost_writes"]) for figures in seen)
    problems = [*wrong, *dict.fromkeys(problem for figures in seen for problem in figures["problems"])]
    if not outages:
        problems.append("it was not measured")
    if lost:
        problems.append(f"{lost} acknowledged writes are lost")
    over = worst_stall if writes else worst
    if over > limit:
        problems.append(f"{'nothing was written for' if writes else 'an outage of'} {over:.2f} s is more than {limit:g} s")
    for figure, said in {**(COSTS_NOBODY if planned else {}), **(UNNOTICED if undisturbed else {})}.items():
        total = sum(figures[figure] for figures in seen)
        if total:
            problems.append(said.format(total))
    return Row(
        fault=fault,
        title=title,
        computed=computed,
        limit=limit,
        limit_of="writes" if writes else "outage",
        rounds=len(outages),
        median=round(statistics.median(outages), 3) if outages else 0.0,
        worst=round(worst, 3),
        failed=max((figures["failed"] for figures in seen), default=0),
        failed_twice=max((figures["failed_twice"] for figures in seen), default=0),
        slow=max((figures["slow"] for figures in seen), default=0),
        slowest=max((figures["slowest"] for figures in seen), default=0.0),
        watch_stalled=max((figures["watch_stalled"] for figures in seen), default=0.0),
        writes_stalled=worst_stall,
        lost_writes=lost,
        moves=max((figures["moves"] for figures in seen), default=0),
        held=not problems,
        problems=problems,
    )


def doubt(rounds: Sequence[Sequence[Figures]]) -> str:
    """What speaks against the figures as a whole; nothing when they can be believed."""
    starved = [late for late in (max((figures["late"] for figures in round_), default=0.0) for round_ in rounds) if late > STARVED]
    if not starved:
        return ""
    return (
        f"In {len(starved)} of {len(rounds)} rounds the client woke late itself, by up to {max(starved):.2f} s: "
        "the machine it runs on has more to do than it can, and what was measured tells as much of that as of the cluster"
    )


def costs(one: Row) -> tuple[str, ...]:
    """What a fault cost beside the outage, as it is shown: requests failed and slow, the slowest, watches and writes stalled, writes lost."""
    seconds = (f"{figure:.2f}" for figure in (one["slowest"], one["watch_stalled"], one["writes_stalled"]))
    return (str(one["failed"]), str(one["slow"]), *seconds, str(one["lost_writes"]))


def table(rows: Sequence[Row]) -> list[str]:
    """The rows as they are printed, seconds."""
    heads = ("", "", "computed", "median", "worst", "limit", "failed", "slow", "slowest", "watch stalled", "writes stalled", "lost")

    def cells(one: Row) -> tuple[str, ...]:
        computed = "" if one["computed"] is None else f"{one['computed']:.2f}"
        limit = f"{one['limit']:.2f}{' w' if one['limit_of'] == 'writes' else ''}"
        return (
            "✓" if one["held"] else "✗",
            one["title"],
            computed,
            f"{one['median']:.2f}",
            f"{one['worst']:.2f}",
            limit,
            *costs(one),
        )

    body = [heads, *map(cells, rows)]
    widths = [max(len(line[column]) for line in body) for column in range(len(heads))]
    lines = []
    for line in body:
        lines.append("  ".join(cell.ljust(width) if column < 2 else cell.rjust(width) for column, (cell, width) in enumerate(zip(line, widths))).rstrip())
    return lines
