# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which nodes a procedure visits, in which order, and how many workers at the same time."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, TypedDict

from ansible_collections.quorum.kubeadm.plugins.plugin_utils.cluster_summary import aligned


class Order(TypedDict):
    """Nodes in the order in which they are visited."""

    control_planes: list[str]
    workers: list[str]


class Visits(Order):
    """The nodes that a procedure visits, and how many of the workers at the same time."""

    at_once: int


def walking_order(
    control_planes: Sequence[str], workers: Sequence[str], leader: str | None, router: str | None, stopped_at: Collection[str] = ()
) -> Order:
    """All nodes in the order of the inventory, but those first at which an earlier run stopped, etcd's leader second to last and the active router last.

    Each time one of these is visited, leadership or address moves, and whoever visits it too early does so again on the node to which it moved.
    """
    return Order(
        control_planes=sorted(control_planes, key=lambda host: (host not in stopped_at, host == router, host == leader)),
        workers=sorted(workers, key=lambda host: host not in stopped_at),
    )


def at_once(limit: int | str, workers: int) -> int:
    """How many of so many workers are visited at the same time: a number, or a percentage of them, rounded down; never none.

    Raises ValueError for what is neither.
    """
    match = re.fullmatch(r"([1-9]\d*)(%?)", str(limit))
    if not match or (match[2] and int(match[1]) > 100):
        raise ValueError(f"{limit!r} is neither a number above 0 nor a percentage up to 100%")
    return max(1, workers * int(match[1]) // 100) if match[2] else int(match[1])


def visits(order: Order, todo: Collection[str], limit: int | str) -> Visits:
    """The nodes that have something to be done, in walking order. A percentage counts all workers of the cluster, also those that are done."""
    return Visits(
        control_planes=[host for host in order["control_planes"] if host in todo],
        workers=[host for host in order["workers"] if host in todo],
        at_once=at_once(limit, len(order["workers"])),
    )


def _batches(hosts: Sequence[str], size: int) -> Iterator[Sequence[str]]:
    for first in range(0, len(hosts), size):
        yield hosts[first : first + size]


def lines(made: Visits, procedure: str, drains: bool, notes: Mapping[str, str]) -> list[str]:
    """The visits as they are printed before anything changes: one line for each, or one alone where there is none.

    `notes` say of a node what sets it apart.
    """
    nodes = [*made["control_planes"], *made["workers"]]
    if not nodes:
        return [f"Plan: no node of this run has anything to be done by {procedure}."]
    cost = "drained" if drains else "not drained"
    rows: list[tuple[Sequence[str], str]] = [
        ([host], "; ".join(["control plane, " + cost, *([notes[host]] if host in notes else [])])) for host in made["control_planes"]
    ]
    for batch in _batches(made["workers"], made["at_once"]):
        kind = "workers, at the same time" if len(batch) > 1 else "worker"
        rows.append((batch, "; ".join([f"{kind}, {cost}", *(f"{host} {notes[host]}" for host in batch if host in notes)])))
    return [f"Plan: {procedure} visits {len(nodes)} {'node' if len(nodes) == 1 else 'nodes'}, in this order.", *aligned(rows)]


def failures(hosts: Sequence[str], hostvars: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """Why visits did not end as they should, by host, from the facts that `playbooks/maintenance/visit.yml` leaves.

    Those that are under way are not among them.
    """
    told: dict[str, str] = {}
    for host in hosts:
        facts = hostvars[host]
        if facts.get("visit_failed"):
            told[host] = str(facts["visit_failed"])
        elif facts.get("visit_ended") and facts.get("visit_stage") != "done":
            told[host] = "its visit was not seen to come to its end"
    return told
