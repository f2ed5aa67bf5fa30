# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Judge a layer-4 load balancer: what the connections of all hosts tell together."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple, Optional

from ansible_collections.quorum.kubeadm.plugins.module_utils.balancer import Backend
from ansible_collections.quorum.kubeadm.plugins.plugin_utils.verification import BELOW, Check


class Evidence(NamedTuple):
    """What all hosts found. A host that is missing in a mapping told nothing."""

    name: str
    port: int
    backends: Sequence[Backend]
    backend_port: int
    subject: str
    """Where the user has said which balancer it is."""
    listening: bool
    """Whether our own listeners answered, and not API servers."""
    needs_hairpin: bool
    """Whether a backend must reach itself, since its own name for the load balancer leads there."""
    probes: Mapping[str, Mapping[str, Any]]
    """What `balancer_probe` returned as `probe`, by host."""
    marks: Mapping[str, str]
    """The mark of each listener, by backend."""
    traffic: Mapping[str, Mapping[str, Any]]
    """What each listener saw, by backend."""

    @property
    def where(self) -> str:
        """The load balancer, for people."""
        addresses = dict.fromkeys(address for probe in self.probes.values() for address in probe["addresses"])
        ends = _listed(f"[{address}]:{self.port}" if ":" in address else f"{address}:{self.port}" for address in addresses)
        return f"{self.name} ({ends or self.port})"

    def total(self, kind: str) -> int:
        """So many connections of the hosts' last rounds ended this way."""
        return sum(int(probe["last"][kind]) for probe in self.probes.values())


class Backed(NamedTuple):
    """What is known of one backend."""

    name: str
    address: str
    reached: bool | None
    reached_from: list[str]
    not_from: list[str]
    hairpin: str
    checks: Optional[list[str]]
    """Where health checks came from, and how; None when nobody looked."""


class Verdict(NamedTuple):
    """The lines, and what they come to: empty when all is well."""

    checks: list[Check]
    failure: str
    warning: str
    backends: list[Backed]


def judge(evidence: Evidence) -> Verdict:
    """Judge what all hosts found together: one host may see one backend alone, if the load balancer uses affinity by client address."""
    if not evidence.probes:
        return Verdict([Check(f"The load balancer {evidence.name}", None, "not tested: check mode opens no listener")], "", "", [])
    backed = [_backed(evidence, backend) for backend in evidence.backends]
    checks = [_line(evidence, one) for one in backed]
    missing = [one for one in backed if one.reached is False]
    problems = [f"does not reach {_listed(one.name for one in missing)}"] if missing else []

    strangers = _strangers(evidence)
    if strangers:
        checks.append(Check(f"Nothing else answers at {evidence.where}", False, _several(strangers)))
        problems.append("forwards to something else")
    cut_off = _cut_off(evidence) if len(missing) < len(backed) else []
    if cut_off:
        checks.append(Check("Every host gets an answer through the load balancer", False, _several(cut_off)))
        problems.append("does not answer every host")

    apart = [one.name for one in backed if one.hairpin == "no"] if evidence.needs_hairpin else []
    if apart:
        checks.append(Check("Every backend reaches itself through the load balancer", False, f"not {_listed(apart)}"))
        problems.append(f"does not support hairpin connections of {_listed(apart)}")

    failure = ""
    if problems:
        failure = (
            f"The load balancer {evidence.where} {' and '.join(problems)}. "
            f"Check {evidence.subject}, then the load balancer's settings, the most likely cause first:"
        )
        failure += "".join(f"\n  - {advice}" for advice in _advice(evidence, missing, strangers, apart))
    unknown = [one.name for one in backed if one.reached is None]
    warning = (
        f"Whether the load balancer {evidence.where} reaches {_listed(unknown)} is unknown: no other host has tried, and a backend that does not reach itself "
        "through its load balancer proves nothing. Test again from another host."
        if unknown
        else ""
    )
    return Verdict(checks, failure, warning, backed)


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names)


def _several(problems: Sequence[str]) -> str:
    return problems[0] if len(problems) == 1 else "".join(f"{BELOW}{problem}" for problem in problems)


def _label(host: str, probe: Mapping[str, Any]) -> str:
    """Backends are known by their own names."""
    return str(probe["host"] or host)


def _saw(evidence: Evidence, probe: Mapping[str, Any], name: str) -> bool:
    wanted = evidence.marks.get(name)
    return any(one["name"] == name and (not evidence.listening or one["mark"] == wanted) for one in probe["reached"])


def _backed(evidence: Evidence, backend: Backend) -> Backed:
    # One that knows no way to the load balancer has not tried.
    who = {_label(host, probe): probe for host, probe in evidence.probes.items() if probe["addresses"]}
    reached_from = [label for label, probe in who.items() if _saw(evidence, probe, backend.name)]
    others = [label for label in who if label != backend.name]
    own = who.get(backend.name)
    reached: bool | None = bool(reached_from)
    if not reached and not others and (own is None or own["last"]["timed_out"]):
        # Nobody else has tried, and what a backend without hairpin sees of itself is nothing.
        reached = None
    proven = "no" if own is not None and own["hairpin"] == "no" and reached_from else "unknown"
    traffic = evidence.traffic.get(backend.name)
    return Backed(
        backend.name,
        backend.address,
        reached,
        [label for label in reached_from if label != backend.name],
        [label for label in others if label not in reached_from],
        "yes" if backend.name in reached_from else proven,
        _health_checks(traffic) if traffic is not None else None,
    )


def _health_checks(traffic: Mapping[str, Any]) -> list[str]:
    kinds: dict[str, list[str]] = {}
    for other in traffic["others"]:
        kinds.setdefault(other["source"], []).append(_said(other["kind"]))
    return [f"{source} ({_listed(sorted(said))})" for source, said in sorted(kinds.items())]


def _said(kind: str) -> str:
    return {"tcp": "TCP", "http": "plain HTTP", "tls": "TLS", "https": "HTTPS"}[kind]


def _line(evidence: Evidence, one: Backed) -> Check:
    if one.reached_from:
        said = f"reached from {_listed(one.reached_from)}" + (f", not from {_listed(one.not_from)}" if one.not_from else "")
    elif one.reached:
        said = "reached only from itself"
    elif one.reached is None:
        said = "unknown, no other host has tried"
    else:
        said = f"not reached from {_listed(one.not_from) or 'itself'}"
    parts = [said]
    if one.reached is not False:
        parts.append(f"hairpin {one.hairpin}")
    if one.checks is not None:
        more = f" and {len(one.checks) - 4} more" if len(one.checks) > 4 else ""
        parts.append(f"health checks from {_listed(one.checks[:4])}{more}" if one.checks else "no health check arrived")
    return Check(f"{one.name} ({one.address}:{evidence.backend_port})", one.reached, "; ".join(parts))


def _strangers(evidence: Evidence) -> list[str]:
    """Those who answered and are none of the backends, each with the hosts that met it."""
    met: dict[str, list[str]] = {}
    for host, probe in evidence.probes.items():
        found = [str(stranger["what"]) for stranger in probe["last"]["strangers"]]
        if evidence.listening:
            found += [f"the listener {one['name']} of another test" for one in probe["reached"] if evidence.marks.get(one["name"]) != one["mark"]]
        for what in found:
            met.setdefault(what, []).append(_label(host, probe))
    return [f"{what}, seen by {_listed(hosts)}" for what, hosts in met.items()]


def _cut_off(evidence: Evidence) -> list[str]:
    """Observers without an answer. A backend may always be sent to itself, where that leads nowhere."""
    return [
        f"{host}: {_fate(probe['last'])}"
        for host, probe in evidence.probes.items()
        if not probe["host"] and not probe["reached"] and not probe["last"]["strangers"]
    ]


def _fate(last: Mapping[str, Any]) -> str:
    said = {"refused": "refused", "timed_out": "timed out", "mute": "accepted and not answered", "closed": "closed without an answer"}
    parts = [f"{last[kind]} {words}" for kind, words in said.items() if last[kind]]
    parts += [f"{one['connections']} failed ({one['error']})" for one in last["unreachable"]]
    return f"connections {_listed(parts)}" if parts else "no connection was tried"


def _advice(evidence: Evidence, missing: Sequence[Backed], strangers: Sequence[str], apart: Sequence[str]) -> list[str]:
    """What to look at. What the evidence points at comes first, the rest says what has to be true."""
    answered, refused, lost, mute = (evidence.total(kind) for kind in ("answered", "refused", "timed_out", "mute"))
    # A busy host loses a connection now and then: what most of them met is what counts.
    refusing, losing = not answered and refused > lost, not answered and lost > 0 and lost >= refused
    port, backend_port = evidence.port, evidence.backend_port
    unchecked = _listed(one.name for one in missing if one.checks == [])
    checked = [one for one in missing if one.checks]
    names = _listed(one.name for one in checked)
    plain = _listed(one.name for one in checked if any("plain HTTP" in check for check in one.checks or []))

    listener = group = health = security = ""
    if strangers:
        listener = f"port {port} leads to something other than port {backend_port} of the backends"
    elif mute and not answered:
        listener = f"something accepts connections on port {port} and does not answer the TLS handshake"
    elif refusing:
        listener = f"connections to port {port} are refused: the load balancer has no listener there"
        listener += f", because health checks arrive at {names}" if checked else ", or no healthy backend"
    if unchecked:
        group = f"no health check arrived at {unchecked}: not in the target group, or in it with a port other than {backend_port}"
        security = f"allow the load balancer to port {backend_port} of {unchecked}, for health checks as well"
    if plain:
        health = f"it uses plain HTTP for {plain}, which API servers answer with 400: use TCP, or HTTPS with the path /readyz"
    elif checked and (answered or losing) and not strangers:
        health = f"it arrives at {names}, which does not become healthy: use TCP, or HTTPS with the path /readyz, or let the test wait longer"
    if losing:
        security = f"connections time out: allow the hosts to port {port} of the load balancer"
        security += f", and the load balancer to port {backend_port} of the backends" if not checked else ""

    every = _listed(one.name for one in evidence.backends)
    hairpin = "backends cannot reach themselves: disable the preservation of client addresses, or make each of them resolve the name to itself"
    items = [
        *([("hairpin", hairpin, "")] if apart else []),
        ("listener port", listener, f"TCP on port {port}, passed through without TLS termination"),
        ("target group", group, f"{every}, each with port {backend_port}"),
        ("health check", health, f"TCP, or HTTPS with the path /readyz, to port {backend_port}"),
        ("security group", security, f"allow the hosts to port {port} of the load balancer, and the load balancer to port {backend_port} of the backends"),
    ]
    return [f"{what}: {found or needed}" for what, found, needed in sorted(items, key=lambda item: not item[1])]
