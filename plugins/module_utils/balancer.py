# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Test a layer-4 load balancer: what the connections of one host tell."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

# By this the listeners tell our probes from health checks.
USER_AGENT = "quorum-kubeadm-probe"
GREETING = "quorum.kubeadm listener"
# How long a backend goes on for its own answer when all others have answered. They are all marked healthy at about the same time.
SETTLE = 30.0
# A backend that meets itself alone for so long will not meet others: some clouds' guest agents make the load balancer's address the machine's own.
LOCAL = 10.0


class Outcome(NamedTuple):
    """What became of one connection: answered, stranger, refused, timed_out, mute, closed or unreachable."""

    kind: str
    backend: str = ""
    mark: str = ""
    detail: str = ""


class Backend(NamedTuple):
    """One that is to be reached."""

    name: str
    address: str


def greeting(name: str, mark: str) -> str:
    """What a listener answers."""
    return f"{GREETING} {name} {mark}\n"


def parse_greeting(body: str) -> tuple[str, str] | None:
    """Return the name and the mark of the listener that answered, None when it was none of ours."""
    words = body.strip().split(" ")
    return (words[2], words[3]) if len(words) == 4 and body.startswith(f"{GREETING} ") else None


def connections_needed(backends: int, doubt: float = 1e-6) -> int:
    """How many connections it takes to see every one of so many backends, though each goes wherever a hash sends it."""
    needed = 1
    while backends * (1 - 1 / backends) ** needed >= doubt:
        needed += 1
    return needed


def identify(names: Iterable[str], backends: Sequence[Backend]) -> str | None:
    """Return the backend that a certificate with these names is of; the node's own name decides when several addresses are in it."""
    known = set(names)
    candidates = [backend for backend in backends if backend.address in known]
    if len(candidates) > 1:
        candidates = [backend for backend in candidates if backend.name in known]
    return candidates[0].name if len(candidates) == 1 else None


def leads_past(address: str, backends: Iterable[Backend]) -> bool:
    """Tell whether an address of the load balancer's name is none of its own: a backend may have been told to find itself there, or another one."""
    return ipaddress.ip_address(address).is_loopback or address in {backend.address for backend in backends}


def hairpin(own: str, seen: Iterable[str], outcomes: Sequence[Outcome]) -> str | None:
    """Tell whether a backend reaches itself: by its own answer, or because others answer while some connections are lost."""
    if not own:
        return None
    if own in seen:
        return "yes"
    others = any(outcome.kind == "answered" for outcome in outcomes)
    return "no" if others and any(outcome.kind == "timed_out" for outcome in outcomes) else "unknown"


def alone(own: str, seen: Iterable[str], outcomes: Sequence[Outcome]) -> bool:
    """Tell whether a backend meets itself and nobody else, with no connection lost."""
    return bool(own) and set(seen) == {own} and all(outcome.kind == "answered" for outcome in outcomes)


def finished(own: str, backends: Iterable[str], seen: Iterable[str], hairpins: str | None, since_complete: float, since_alone: float) -> bool:
    """Tell whether another round has nothing to add; both times are seconds."""
    others = set(backends) - {own}
    if others and since_alone >= LOCAL:
        return True
    if not others <= set(seen):
        return False
    return not own or hairpins != "unknown" or bool(others and since_complete >= SETTLE)


def tally(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """Count a round."""
    counts: dict[str, Any] = {kind: sum(outcome.kind == kind for outcome in outcomes) for kind in ("answered", "refused", "timed_out", "mute", "closed")}
    details: dict[str, dict[str, int]] = {"stranger": {}, "unreachable": {}}
    for outcome in outcomes:
        if outcome.kind in details:
            details[outcome.kind][outcome.detail] = details[outcome.kind].get(outcome.detail, 0) + 1
    counts["strangers"] = [{"what": what, "connections": count} for what, count in sorted(details["stranger"].items())]
    counts["unreachable"] = [{"error": error, "connections": count} for error, count in sorted(details["unreachable"].items())]
    return counts
