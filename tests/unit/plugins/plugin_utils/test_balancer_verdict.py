# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What hosts found behind a load balancer, judged. The fixtures are what the lab's load balancer was found to do."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.quorum.kubeadm.plugins.module_utils.balancer import Backend
from ansible_collections.quorum.kubeadm.plugins.plugin_utils.balancer_verdict import Evidence, Verdict, judge
from ansible_collections.quorum.kubeadm.plugins.plugin_utils.verification import lines

FIXTURES = Path(__file__).parents[2] / "fixtures" / "balancer"
BACKENDS = [Backend("b1", "198.18.74.11"), Backend("b2", "198.18.74.12"), Backend("b3", "198.18.74.13")]
WHERE = "api.example.org (198.18.74.10:6443)"
SUBJECT = "cluster_endpoint_address and cluster_endpoint_port"
GENERAL = {
    "listener port": "TCP on port 6443, passed through without TLS termination",
    "target group": "b1, b2, b3, each with port 6443",
    "health check": "TCP, or HTTPS with the path /readyz, to port 6443",
    "security group": "allow the hosts to port 6443 of the load balancer, and the load balancer to port 6443 of the backends",
}


def evidence(
    probes: Mapping[str, Mapping[str, Any]],
    marks: Mapping[str, str] | None = None,
    traffic: Mapping[str, Any] | None = None,
    backends: list[Backend] | None = None,
) -> Evidence:
    return Evidence("api.example.org", 6443, backends or BACKENDS, 6443, SUBJECT, marks is not None, False, probes, marks or {}, traffic or {})


def captured(name: str) -> Evidence:
    """What the hosts registered in the lab."""
    hosts = json.loads((FIXTURES / f"{name}.json").read_text())
    own = {host: found["__balancer_test_probed"]["probe"]["host"] for host, found in hosts.items()}
    return evidence(
        {host: found["__balancer_test_probed"]["probe"] for host, found in hosts.items()},
        {own[host]: found["__balancer_test_opened"]["mark"] for host, found in hosts.items() if own[host]},
        {own[host]: found["__balancer_test_closed"]["traffic"] for host, found in hosts.items() if own[host]},
    )


def found(host: str = "", reached: dict[str, str] | None = None, own: str | None = None, **last: Any) -> dict[str, Any]:
    """A probe, made up."""
    return {
        "host": host,
        "addresses": ["198.18.74.10"],
        "reached": [{"name": name, "mark": mark, "connections": 9} for name, mark in (reached or {}).items()],
        "hairpin": own,
        "last": {"answered": 0, "refused": 0, "timed_out": 0, "mute": 0, "closed": 0, "unreachable": [], "strangers": [], **last},
    }


def advice(verdict: Verdict) -> list[str]:
    return [line.removeprefix("  - ") for line in verdict.failure.splitlines()[1:]]


def general(*names: str) -> list[str]:
    return [f"{name}: {GENERAL[name]}" for name in names]


@pytest.mark.parametrize(("name", "own"), [("no_hairpin", "no"), ("hairpin", "yes")])
def test_a_load_balancer_that_works(name: str, own: str) -> None:
    verdict = judge(captured(name))
    assert (verdict.failure, verdict.warning) == ("", "")
    assert lines(verdict.checks) == [
        f"✓ b1 (198.18.74.11:6443): reached from b2, b3, quorum-balancer-o1; hairpin {own}; health checks from 198.18.74.10 (TCP)",
        f"✓ b2 (198.18.74.12:6443): reached from b1, b3, quorum-balancer-o1; hairpin {own}; health checks from 198.18.74.10 (TCP)",
        f"✓ b3 (198.18.74.13:6443): reached from b1, b2, quorum-balancer-o1; hairpin {own}; health checks from 198.18.74.10 (TCP)",
    ]


def test_a_hairpin_that_is_needed() -> None:
    verdict = judge(captured("no_hairpin")._replace(needs_hairpin=True))
    assert lines(verdict.checks)[-1] == "✗ Every backend reaches itself through the load balancer: not b1, b2, b3"
    assert verdict.failure.startswith(f"The load balancer {WHERE} does not support hairpin connections of b1, b2, b3. Check {SUBJECT}")
    assert advice(verdict)[0].startswith("hairpin: backends cannot reach themselves: disable the preservation of client addresses")
    assert judge(captured("hairpin")._replace(needs_hairpin=True)).failure == ""


def test_another_port() -> None:
    verdict = judge(captured("wrong_port"))
    assert [check.passed for check in verdict.checks] == [False, False, False]
    assert (
        verdict.failure.splitlines()[0]
        == f"The load balancer {WHERE} does not reach b1, b2, b3. Check {SUBJECT}, then the load balancer's settings, the most likely cause first:"
    )
    assert advice(verdict) == [
        "listener port: connections to port 6443 are refused: the load balancer has no listener there, because health checks arrive at b1, b2, b3",
        *general("target group", "health check", "security group"),
    ]


def test_a_connection_lost_among_many_refused_changes_nothing() -> None:
    one = captured("wrong_port")
    probe = one.probes["quorum-balancer-b1"]
    busy = {**probe, "last": {**probe["last"], "refused": 30, "timed_out": 7}}
    assert advice(judge(one._replace(probes={**one.probes, "quorum-balancer-b1": busy}))) == advice(judge(one))


def test_a_backend_that_is_missing() -> None:
    verdict = judge(captured("one_missing"))
    assert lines(verdict.checks)[2] == "✗ b3 (198.18.74.13:6443): not reached from b1, b2, quorum-balancer-o1; no health check arrived"
    assert [check.passed for check in verdict.checks] == [True, True, False]
    assert verdict.failure.startswith(f"The load balancer {WHERE} does not reach b3. Check ")
    assert advice(verdict) == [
        "target group: no health check arrived at b3: not in the target group, or in it with a port other than 6443",
        "security group: allow the load balancer to port 6443 of b3, for health checks as well",
        *general("listener port", "health check"),
    ]


def test_something_else_behind_it() -> None:
    verdict = judge(captured("something_else"))
    assert lines(verdict.checks)[3] == f"✗ Nothing else answers at {WHERE}: a server without TLS, seen by b1, b2, b3, quorum-balancer-o1"
    assert "does not reach b1, b2, b3 and forwards to something else." in verdict.failure
    assert advice(verdict)[0] == "listener port: port 6443 leads to something other than port 6443 of the backends"


def test_something_else_beside_the_backends_fails_as_well() -> None:
    one = captured("hairpin")
    probe = one.probes["quorum-balancer-o1"]
    strangers = [{"what": "a TLS server with a certificate for old.example.org", "connections": 9}]
    verdict = judge(one._replace(probes={**one.probes, "quorum-balancer-o1": {**probe, "last": {**probe["last"], "strangers": strangers}}}))
    assert [check.passed for check in verdict.checks] == [True, True, True, False]
    assert f"The load balancer {WHERE} forwards to something else." in verdict.failure


def test_the_listeners_of_another_test_do_not_count() -> None:
    one = captured("no_hairpin")
    verdict = judge(one._replace(marks={**one.marks, "b2": "of this run"}))
    assert [check.passed for check in verdict.checks] == [True, False, True, False]
    assert "the listener b2 of another test, seen by b1, b3, quorum-balancer-o1" in verdict.checks[3].detail


def test_everything_is_lost() -> None:
    probes = {"one": found("b1", timed_out=37, own="unknown"), "w1": found(timed_out=37)}
    silent = {"probes": 0, "others": [], "untold": 0}
    verdict = judge(evidence(probes, {"b1": "m"}, {"b1": silent}, BACKENDS[:1]))
    assert lines(verdict.checks) == ["✗ b1 (198.18.74.11:6443): not reached from w1; no health check arrived"]
    assert advice(verdict)[1] == (
        "security group: connections time out: allow the hosts to port 6443 of the load balancer, and the load balancer to port 6443 of the backends"
    )


def test_a_health_check_that_api_servers_will_not_pass() -> None:
    seen = {"probes": 0, "others": [{"source": "198.18.74.10", "kind": "http", "connections": 4}], "untold": 0}
    probes = {"one": found("b1", {"b2": "2"}, answered=37), "two": found("b2", {"b2": "2"}, "yes", answered=37)}
    verdict = judge(evidence(probes, {"b1": "1", "b2": "2"}, {"b1": seen, "b2": seen}, BACKENDS[:2]))
    assert lines(verdict.checks)[0] == "✗ b1 (198.18.74.11:6443): not reached from b2; health checks from 198.18.74.10 (plain HTTP)"
    assert advice(verdict)[0] == ("health check: it uses plain HTTP for b1, which API servers answer with 400: use TCP, or HTTPS with the path /readyz")


def test_affinity_by_client_address() -> None:
    """Each host sees one backend, and b1 always itself, where that leads nowhere."""
    probes = {
        "one": found("b1", timed_out=37, own="unknown"),
        "two": found("b2", {"b1": "1"}, "unknown", answered=37),
        "w1": found("", {"b2": "2"}, answered=37),
    }
    verdict = judge(evidence(probes, {"b1": "1", "b2": "2"}, {}, BACKENDS[:2]))
    assert (verdict.failure, verdict.warning) == ("", "")
    assert lines(verdict.checks) == [
        "✓ b1 (198.18.74.11:6443): reached from b2, not from w1; hairpin unknown",
        "✓ b2 (198.18.74.12:6443): reached from w1, not from b1; hairpin unknown",
    ]


def test_a_worker_that_gets_no_answer_fails() -> None:
    probes = {"two": found("b2", {"b1": "1"}, "unknown", answered=37), "w1": found(timed_out=30, refused=7), "w2": found("", {"b1": "1"}, answered=37)}
    verdict = judge(evidence(probes, {"b1": "1", "b2": "2"}, {}, BACKENDS[:1]))
    assert lines(verdict.checks)[1] == "✗ Every host gets an answer through the load balancer: w1: connections 7 refused, 30 timed out"
    assert "does not answer every host" in verdict.failure


def test_one_backend_and_nobody_else() -> None:
    lost = judge(evidence({"one": found("b1", timed_out=1, own="unknown")}, {"b1": "1"}, {}, BACKENDS[:1]))
    assert (lost.failure, lost.checks[0].passed) == ("", None)
    assert "reaches b1 is unknown: no other host has tried" in lost.warning
    itself = judge(evidence({"one": found("b1", {"b1": "1"}, "yes", answered=1)}, {"b1": "1"}, {}, BACKENDS[:1]))
    assert (itself.failure, itself.warning) == ("", "")
    assert lines(itself.checks) == ["✓ b1 (198.18.74.11:6443): reached only from itself; hairpin yes"]
    refused = judge(evidence({"one": found("b1", refused=1, own="unknown")}, {"b1": "1"}, {}, BACKENDS[:1]))
    assert refused.checks[0].passed is False


def test_backends_that_did_not_try_are_no_witnesses() -> None:
    idle = {**found("b1", own="unknown"), "addresses": []}
    alone = judge(evidence({"one": idle}, {"b1": "1"}, {}, BACKENDS[:1]))
    assert (alone.failure, alone.checks[0].passed) == ("", None)
    tried = judge(evidence({"one": idle, "w1": found("", {"b2": "2"}, answered=37)}, {"b1": "1", "b2": "2"}, {}, BACKENDS[:2]))
    assert lines(tried.checks) == ["✗ b1 (198.18.74.11:6443): not reached from w1", "✓ b2 (198.18.74.12:6443): reached from w1; hairpin unknown"]


def test_a_living_cluster() -> None:
    probes = {"one": found("b1", {"b2": ""}, "no", answered=20, timed_out=17), "w1": found("", {"b1": "", "b2": ""}, answered=37)}
    verdict = judge(evidence(probes, backends=BACKENDS[:2]))
    assert verdict.failure == ""
    assert lines(verdict.checks) == [
        "✓ b1 (198.18.74.11:6443): reached from w1; hairpin no",
        "✓ b2 (198.18.74.12:6443): reached from b1, w1; hairpin unknown",
    ]


def test_check_mode() -> None:
    verdict = judge(evidence({}, {"b1": ""}))
    assert (verdict.failure, verdict.warning, verdict.backends) == ("", "", [])
    assert lines(verdict.checks) == ["– The load balancer api.example.org: not tested: check mode opens no listener"]


def test_missing_answers_alone_do_not_make_a_hairpin_fail() -> None:
    """A dead backend times out as well: without anybody who reaches this one, its own time-outs say nothing."""
    probes = {"one": found("b1", {"b2": "2"}, "no", answered=20, timed_out=17), "w1": found("", {"b2": "2"}, answered=20, timed_out=17)}
    verdict = judge(evidence(probes, {"b1": "1", "b2": "2"}, {}, BACKENDS[:2]))
    assert [(one.reached, one.hairpin) for one in verdict.backends] == [(False, "unknown"), (True, "unknown")]
