# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a procedure cost those who used the cluster meanwhile: the records of its clients (see drill_client), divided among its visits.

A visit is the time in which one node, or a batch of them, was worked on. A request belongs to the visit in which it was begun. Times are seconds; those of
visits are the controller's.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Literal, NamedTuple, TypedDict

from ansible_collections.quorum.kubeadm.plugins.plugin_utils.drill_analysis import STARVED, Record, lost_writes, requests_of, watch_stalled

# Beyond that, clocks differ: a module that reads its host's clock starts so late at the most.
STARTS_WITHIN = 2.0
OUTSIDE = "before, between, after"


class Visit(NamedTuple):
    """When some hosts were worked on."""

    hosts: tuple[str, ...]
    began: float
    ended: float
    failed: str = ""
    """Why it did not end as it should."""


class Cost(TypedDict):
    """What one visit cost, by all clients: counts are those of all, durations those of the worst."""

    hosts: list[str]
    took: float
    failed: str
    requests: int
    lost: int
    """Requests without an answer, or with an error."""
    lost_twice: int
    """Those of them that failed again when they were repeated after a second, as client-go does."""
    slowest: float
    """The longest that an answered request took."""
    writes_paused: float
    """The longest time between two acknowledged writes. It is never less than the time between two writes."""
    watch_stalled: float
    """The longest time that an acknowledged write was there before a watch told of it."""
    service_requests: int
    """Requests to a Service of pods that were moved away from node to node; 0: none was asked."""
    service_lost: int
    service_lost_twice: int


class Costs(TypedDict):
    """What a whole procedure cost."""

    visits: list[Cost]
    total: Cost
    writes: int
    lost_writes: int
    """Acknowledged writes that were not there at the end."""
    clients: list[str]
    """The hosts that measured."""
    silent: list[str]
    """The hosts that should have, and of which nothing is known."""
    doubts: list[str]
    """What speaks against the figures."""


class Segment(NamedTuple):
    """What a client recorded between two starts of it."""

    client: str
    records: list[Record]

    @property
    def end(self) -> float:
        """When it last began something: what comes later it does not measure, but ends."""
        return max((float(one[1]) for one in self.records if one[0] in "brw"), default=0.0)

    def pauses(self) -> Iterator[tuple[float, float]]:
        """From when to when nothing was acknowledged."""
        begun = [float(one[1]) for one in self.records if one[0] == "b"]
        times = sorted([*begun, *(float(one[2]) for one in self.records if one[0] == "w" and one[3] is None), self.end])
        yield from zip(times, times[1:])


# Of requests: to the endpoint, and to a Service.
KINDS: tuple[Literal["r"], Literal["p"]] = ("r", "p")
EVER = (float("-inf"), float("inf"))


def segments_of(client: str, records: Iterable[Record]) -> list[Segment]:
    """A client's records from each of its starts to the next; nothing was measured between them."""
    segments: list[Segment] = []
    for one in records:
        if one[0] == "b" or not segments:
            segments.append(Segment(client, []))
        segments[-1].records.append(one)
    return segments


def shifted(records: Iterable[Record], seconds: float) -> list[Record]:
    """Records as a clock shows them that is so many seconds behind the client's."""

    def moved(one: Record) -> Record:
        times = {"r": (1, 2), "p": (1, 2), "w": (1, 2), "k": ()}.get(one[0], (1,))
        return [value - seconds if place in times else value for place, value in enumerate(one)]

    return [moved(one) for one in records] if abs(seconds) > STARTS_WITHIN else list(records)


def merged(visits: Iterable[Visit]) -> list[Visit]:
    """Visits in the order in which they began; those at the same time, a batch's, as one, since nobody can tell what each of them cost."""
    together: list[Visit] = []
    for visit in sorted(visits, key=lambda one: one.began):
        if together and visit.began < together[-1].ended:
            before = together.pop()
            failed = "; ".join(filter(None, (before.failed, visit.failed)))
            visit = Visit((*before.hosts, *visit.hosts), before.began, max(before.ended, visit.ended), failed)
        together.append(visit)
    return together


def cost(hosts: Sequence[str], spans: Sequence[tuple[float, float]], segments: Sequence[Segment], failed: str = "") -> Cost:
    """What was lost by requests that were begun in some spans of time, by writes that paused in them, and by a watch that told late of writes in them."""

    def inside(when: float) -> bool:
        return any(began <= when < ended for began, ended in spans)

    requests, service = ([request for segment in segments for request in requests_of(segment.records, kind) if inside(request.start)] for kind in KINDS)
    failures, unserved = ([request for request in those if request.failed is not None] for those in (requests, service))
    pauses = (pause for segment in segments for pause in segment.pauses())
    stalls = (
        watch_stalled([one for one in segment.records if one[0] == "v" or (one[0] == "w" and inside(one[2]))], segment.end) for segment in segments
    )
    return Cost(
        hosts=list(hosts),
        took=round(sum(ended - began for began, ended in spans), 1),
        failed=failed,
        requests=len(requests),
        lost=len(failures),
        lost_twice=sum(request.repeated is not None for request in failures),
        slowest=round(max((request.end - request.start for request in requests if request.failed is None), default=0.0), 3),
        writes_paused=round(max((end - begin for begin, end in pauses if any(begin < ended and began < end for began, ended in spans)), default=0.0), 3),
        watch_stalled=round(max([0.0, *stalls]), 3),
        service_requests=len(service),
        service_lost=len(unserved),
        service_lost_twice=sum(request.repeated is not None for request in unserved),
    )


def costs(visits: Iterable[Visit], records: Mapping[str, Sequence[Record]], clients: Sequence[str]) -> Costs:
    """Divide what clients recorded among visits.

    records: what each client recorded, by its host, in the controller's time. clients: the hosts that were to measure.
    """
    segments = [segment for client, lines in records.items() for segment in segments_of(client, lines)]
    # A run that walks twice has the facts of its first walk still where the second one did not come.
    begun = min((float(segment.records[0][1]) for segment in segments), default=EVER[0])
    walk = merged(visit for visit in visits if visit.ended >= begun)
    measured = [client for client, lines in records.items() if any(one[0] == "r" for one in lines)]
    edges = [EVER[0], *(moment for visit in walk for moment in (visit.began, visit.ended)), EVER[1]]
    outside = cost([OUTSIDE], list(zip(edges[::2], edges[1::2])), segments)
    rows = [cost(visit.hosts, [(visit.began, visit.ended)], segments, visit.failed) for visit in walk]
    total = cost([], [EVER], segments)
    total["took"] = round(walk[-1].ended - walk[0].began, 1) if walk else 0.0
    outside["took"] = round(_measured(segments) - sum(row["took"] for row in rows), 1)
    return Costs(
        visits=[*rows, *([outside] if outside["lost"] or outside["service_lost"] else [])],
        total=total,
        writes=sum(one[0] == "w" and one[3] is None for segment in segments for one in segment.records),
        lost_writes=sum(len(lost_writes(lines)) for lines in records.values()),
        clients=measured,
        silent=[client for client in clients if client not in measured],
        doubts=[doubt for client, lines in records.items() for doubt in doubts(client, lines)],
    )


def _measured(segments: Sequence[Segment]) -> float:
    """How long it was measured, from the first start of a client to the last end of one."""
    return max((segment.end for segment in segments), default=0.0) - min((float(segment.records[0][1]) for segment in segments), default=0.0)


def doubts(client: str, records: Sequence[Record]) -> Iterator[str]:
    """What speaks against the figures of one client."""
    late = max((float(one[2]) for one in records if one[0] == "l"), default=0.0)
    if late > STARVED:
        yield f"the client on {client} woke up to {late:.2f} s late itself: that machine had more to do than it can"
    for one in records:
        if one[0] == "x":
            yield f"the client on {client} could not go on: {one[2]}"
    if records and records[-1][0] != "z":
        yield f"the client on {client} did not end in order, and nobody knows what became of its last writes"


def lines(found: Costs) -> list[str]:
    """The costs as they are printed: a table, a row for each visit, and the totals in one sentence."""
    heads = ("", "node", "took", "requests", "lost", "lost twice", "slowest", "writes paused", "watch stalled", "service lost", "lost twice")

    def cells(one: Cost) -> tuple[str, ...]:
        took = f"{one['took']:.0f} s"
        mark = "✗" if one["failed"] else "✓"
        if not found["clients"]:
            return (mark, ", ".join(one["hosts"]), took)
        durations = (f"{one['slowest']:.2f} s", f"{one['writes_paused']:.2f} s", f"{one['watch_stalled']:.2f} s")
        counts = (str(one["requests"]), str(one["lost"]), str(one["lost_twice"]))
        service = (str(one["service_lost"]), str(one["service_lost_twice"])) if found["total"]["service_requests"] else ()
        return (mark, ", ".join(one["hosts"]), took, *counts, *durations, *service)

    rows = [cells(one) for one in found["visits"]]
    columns = max(map(len, rows), default=0)
    body = [heads[:columns], *rows] if rows else []
    widths = [max(len(row[column]) for row in body) for column in range(columns)]
    table = ["  ".join(cell.ljust(width) if place < 2 else cell.rjust(width) for place, (cell, width) in enumerate(zip(row, widths))).rstrip() for row in body]
    return [*table, summary(found)]


def summary(found: Costs) -> str:
    """The totals in one sentence."""
    total = found["total"]
    if not found["clients"]:
        return "What it cost those who used the cluster was not measured."
    writes = "no acknowledged write is lost" if not found["lost_writes"] else f"{found['lost_writes']} acknowledged writes are LOST"
    service = (
        f" Of {total['service_requests']} requests to the Service, {total['service_lost_twice']} failed twice, "
        f"{total['service_lost'] - total['service_lost_twice']} once."
    )
    return (
        f"{total['lost_twice']} requests failed twice, {total['lost'] - total['lost_twice']} once, of {total['requests']}; "
        f"{writes} of {found['writes']}; writes paused for {total['writes_paused']:.2f} s at most, "
        f"a watch stalled for {total['watch_stalled']:.2f} s at most; seen from {' and '.join(found['clients'])}."
        + (service if total["service_requests"] else "")
    )
