# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What one host's connections through a load balancer tell."""

from __future__ import annotations

import pytest
from ansible_collections.quorum.kubeadm.plugins.module_utils.balancer import (
    Backend,
    Outcome,
    alone,
    connections_needed,
    finished,
    greeting,
    hairpin,
    identify,
    leads_past,
    parse_greeting,
    tally,
)

BACKENDS = [Backend("b1", "198.18.74.11"), Backend("b2", "198.18.74.12"), Backend("b3", "198.18.74.13")]


@pytest.mark.parametrize(("address", "past"), [("127.0.1.1", True), ("::1", True), ("198.18.74.12", True), ("198.18.74.10", False)])
def test_where_the_name_leads(address: str, past: bool) -> None:
    assert leads_past(address, BACKENDS) is past


@pytest.mark.parametrize(("backends", "needed"), [(1, 1), (2, 21), (3, 37), (5, 70), (7, 103)])
def test_connections_needed(backends: int, needed: int) -> None:
    assert connections_needed(backends) == needed
    assert backends * (1 - 1 / backends) ** needed < 1e-6 <= backends * (1 - 1 / backends) ** (needed - 1)


def test_greeting() -> None:
    assert parse_greeting(greeting("cp1", "8f14")) == ("cp1", "8f14")


@pytest.mark.parametrize("body", ["", "ok", "quorum.kubeadm listener", "<html>quorum.kubeadm listener a b", '{"kind": "Status"}'])
def test_no_greeting(body: str) -> None:
    assert parse_greeting(body) is None


@pytest.mark.parametrize(
    ("names", "backend"),
    [
        (["api.example.org", "b1", "kubernetes", "10.96.0.1", "198.18.74.11"], "b1"),
        # cluster_extra_sans may have put all addresses into every certificate.
        (["b2", "198.18.74.11", "198.18.74.12", "198.18.74.13"], "b2"),
        (["198.18.74.11", "198.18.74.12"], None),
        (["b1", "198.18.74.19"], None),
        ([], None),
    ],
)
def test_identify(names: list[str], backend: str | None) -> None:
    assert identify(names, BACKENDS) == backend


ANSWERED, LOST, REFUSED = Outcome("answered", "b2", "2"), Outcome("timed_out"), Outcome("refused")


@pytest.mark.parametrize(
    ("own", "seen", "outcomes", "expected"),
    [
        ("", ["b1"], [ANSWERED], None),
        ("b1", ["b1", "b2"], [LOST], "yes"),
        ("b1", ["b2"], [ANSWERED, LOST], "no"),
        ("b1", ["b2"], [ANSWERED, REFUSED], "unknown"),
        ("b1", ["b2"], [ANSWERED], "unknown"),
        ("b1", [], [LOST], "unknown"),
    ],
)
def test_hairpin(own: str, seen: list[str], outcomes: list[Outcome], expected: str | None) -> None:
    assert hairpin(own, seen, outcomes) == expected


@pytest.mark.parametrize(
    ("own", "seen", "own_way", "since", "expected"),
    [
        ("", ["b1", "b2", "b3"], None, 0.0, True),
        ("", ["b1", "b2"], None, 0.0, False),
        ("b1", ["b2", "b3"], "no", 0.0, True),
        ("b1", ["b2", "b3"], "unknown", 0.0, False),
        ("b1", ["b2", "b3"], "unknown", 30.0, True),
        ("b1", ["b2"], "no", 60.0, False),
    ],
)
def test_finished(own: str, seen: list[str], own_way: str | None, since: float, expected: bool) -> None:
    assert finished(own, ["b1", "b2", "b3"], seen, own_way, since, 0.0) is expected


def test_a_backend_that_meets_itself_alone_does_not_wait_for_the_others() -> None:
    answered, lost = Outcome("answered", "b1"), Outcome("timed_out")
    assert alone("b1", ["b1"], [answered, answered])
    assert not alone("b1", ["b1"], [answered, lost]) and not alone("b1", ["b1", "b2"], [answered]) and not alone("", [], [])
    assert finished("b1", ["b1", "b2"], ["b1"], "yes", 0.0, 10.0) and not finished("b1", ["b1", "b2"], ["b1"], "yes", 0.0, 9.0)


def test_a_single_backend_waits_for_itself_to_the_end() -> None:
    assert not finished("b1", ["b1"], [], "unknown", 60.0, 60.0)


def test_tally() -> None:
    strangers = [Outcome("stranger", detail="a server without TLS")] * 2
    gone = [Outcome("unreachable", detail="no route to host")]
    assert tally([ANSWERED, ANSWERED, LOST, REFUSED, *strangers, *gone]) == {
        "answered": 2,
        "refused": 1,
        "timed_out": 1,
        "mute": 0,
        "closed": 0,
        "strangers": [{"what": "a server without TLS", "connections": 2}],
        "unreachable": [{"error": "no route to host", "connections": 1}],
    }
