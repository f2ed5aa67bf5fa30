# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How long each single fault can cost: the timing model of keepalived, HAProxy and etcd as the roles configure them.

An outage lasts from the start of the last request that succeeded before the first failure to the start of the first one after which none
fails. What is computed here is its upper bound for a client that asks all the time; a client that asks every 50 ms measures up to two of
those more (`measurable`). All times are milliseconds.

Where the formulas come from:

keepalived
    A backup waits for `3 * advertisement + skew` after the last advertisement it heard (RFC 5798, 6.1), and its skew is
    `(256 - priority) * advertisement / 256`: the fault that strikes right after an advertisement costs all of it. Version 2 has a skew of
    `(256 - priority) / 256` seconds, whatever the interval. An active router that lets go says so with an advertisement of priority 0, after
    which the next one waits for its skew alone. The successor is the highest of the others, so the highest but one is the slowest successor
    there is after a single fault.
HAProxy
    A check begins `inter` after the last one ended, or `fastinter` after it while a server is between up and down. A connection that is
    refused fails a check at once. Connecting and the TLS handshake may take `min(inter, timeout connect)`, the answer after that
    `timeout check`. So a server that went silent right after a good check is out after `inter`, `fall` time-outs, and `fastinter` between
    them. The role asks each server in two ways: after one late answer it gets no new connections (`check_...`), which costs nobody
    anything; after several it is of no use, and the connections that it has are shut (`dead_...`), so that watches go to another one. A connection
    that nobody takes goes to another server after `timeout connect` (`option redispatch 1`), and one that is refused goes there at once.
The watcher of the role haproxy
    A proxy that dies is told to keepalived by systemd, an event (`told_late` is 0), and the active router lets go. One that hangs is asked every
    `PAUSE` and given `TIMEOUT` to answer. Others let keepalived run a script, which notices after `interval * fall`, and whose weight
    only makes the active router less than the next one, who then waits as if it had heard nothing (`lets_go` is false).
etcd
    A follower calls an election when it has heard nothing for one to two election time-outs (raft draws it anew each time), counted in
    ticks of a heartbeat. Until then nothing is written, whatever the endpoint does: a row of its own, outside the budget. The API server beside
    the member that is gone has no other one, and goes on taking writes (each third one, as HAProxy takes servers in turn) until it says that it
    is not ready: what it says of etcd may be a second old, and a probe has two (newETCD3Check and etcd-readycheck-timeout of k8s.io/apiserver).
    Where the proxies are the control planes each asks the etcd of its host, and the others ask it in the same check (`etcd_asked`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, fields
from typing import Any, Iterable, Mapping, NamedTuple, Sequence

from ansible_collections.quorum.kubeadm.plugins.module_utils.state_file import WEIGHT


def _set_by(default: Any, name: str) -> Any:
    """A field and the role's variable that sets it; what no role lets a user set is named by its file."""
    # A dataclass's field all the same: only its metadata is written once.
    return field(default=default, metadata={"set_by": name})  # pylint: disable=invalid-field-call


@dataclass(frozen=True)
class Timings:
    """Every wait that is configured, in milliseconds, as the roles have it by default."""

    advertisement: int = _set_by(100, "keepalived_advert_interval")
    priorities: tuple[int, ...] = _set_by((200, 137, 74), "keepalived_priority")
    vrrp_version: int = _set_by(3, "vrrp_version in keepalived.conf")
    announce_again: int = _set_by(0, "vrrp_garp_master_refresh in keepalived.conf")
    keepalived_restart: int = _set_by(100, "RestartSec of keepalived.service")
    check_interval: int = _set_by(100, "haproxy_check_interval")
    check_fast_interval: int = _set_by(25, "fastinter in haproxy.cfg")
    check_timeout: int = _set_by(120, "haproxy_check_timeout")
    check_fall: int = _set_by(1, "fall in haproxy.cfg")
    reads_answers: bool = _set_by(True, "option httpchk in haproxy.cfg")
    dead_interval: int = _set_by(300, "haproxy_dead_interval")
    dead_timeout: int = _set_by(250, "haproxy_dead_timeout")
    dead_fall: int = _set_by(2, "haproxy_dead_fall")
    shuts_sessions: bool = _set_by(True, "on-marked-down shutdown-sessions in haproxy.cfg")
    connect_timeout: int = _set_by(200, "haproxy_connect_timeout")
    redispatch: bool = _set_by(True, "option redispatch in haproxy.cfg")
    told_late: int = _set_by(0, "interval and fall of the script in keepalived.conf")
    lets_go: bool = _set_by(True, "weight in keepalived.conf")
    watched: bool = _set_by(True, "track_file in keepalived.conf")
    watch_pause: int = _set_by(100, "PAUSE of proxy-state")
    watch_timeout: int = _set_by(600, "TIMEOUT of proxy-state")
    watch_command: int = _set_by(100, "COMMAND_TIMEOUT of proxy-state")
    watch_silent: int = _set_by(2000, "SILENT of proxy-state")
    settling: int = _set_by(2000, "the settling time of proxy-state")
    etcd_heartbeat: int = _set_by(100, "heartbeat-interval of etcd")
    etcd_election: int = _set_by(1000, "election-timeout of etcd")
    etcd_asked: bool = _set_by(True, "haproxy_etcd_address")
    etcd_said: int = _set_by(1000, "the age of what /readyz says of etcd")
    etcd_probe: int = _set_by(2000, "etcd-readycheck-timeout of kube-apiserver")
    reaction: int = _set_by(50, "what machines need to do anything at all")

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> Timings:
        """The defaults, and what is given otherwise; a name that is none of them is an error."""
        unknown = sorted(set(given) - {one.name for one in fields(cls)})
        if unknown:
            raise ValueError(f"there is no timing {', '.join(unknown)}; there are {', '.join(one.name for one in fields(cls))}")
        return cls(**{**given, **({"priorities": tuple(given["priorities"])} if "priorities" in given else {})})


SET_BY = {one.name: str(one.metadata["set_by"]) for one in fields(Timings)}


class Term(NamedTuple):
    """A part of a wait."""

    what: str
    milliseconds: float
    timings: tuple[str, ...]
    """The names of fields of Timings."""


class WorstCase(NamedTuple):
    """What one fault costs at worst."""

    fault: str
    noticed_by: str
    terms: tuple[Term, ...]
    budgeted: bool = True
    on_purpose: float = 0
    """How much of it is waited on purpose, on top of any budget."""

    @property
    def counted(self) -> float:
        """What a budget has to hold."""
        return self.milliseconds - self.on_purpose

    @property
    def milliseconds(self) -> float:
        """The whole wait, in whole milliseconds; infinite when it ends with the fault only."""
        total = sum(term.milliseconds for term in self.terms)
        return total if math.isinf(total) else math.ceil(round(total, 6))

    @property
    def timings(self) -> tuple[str, ...]:
        """The fields of Timings that make it longer, the longest term's first."""
        longest = sorted(self.terms, key=lambda term: -term.milliseconds)
        return tuple(dict.fromkeys(name for term in longest if term.milliseconds > 0 for name in term.timings))

    @property
    def computed_from(self) -> str:
        """The sum in words."""
        shown = [f"{term.what} {'∞' if math.isinf(term.milliseconds) else format(term.milliseconds, '.0f')}" for term in self.terms if term.milliseconds > 0]
        return " + ".join(shown) or "nothing"


class Refusal(NamedTuple):
    """A fault that costs more than the budget, and what to lower."""

    fault: str
    milliseconds: float
    budget: int
    timings: tuple[str, ...]

    def __str__(self) -> str:
        costs = "as long as it lasts" if math.isinf(self.milliseconds) else f"up to {self.milliseconds:.0f} ms"
        remedy = f"lower {', '.join(SET_BY[name] for name in self.timings)}" if self.timings else "no input makes it less"
        return f"{self.fault} costs {costs}, the budget is {self.budget} ms: {remedy}"


def skew(timings: Timings, priority: int) -> float:
    """How much longer than three advertisements a backup of this priority waits."""
    return (256 - priority) * (timings.advertisement if timings.vrrp_version >= 3 else 1000) / 256


def priorities(count: int) -> list[int]:
    """VRRP priorities, highest first, as far apart as they can be.

    Backups with alike priorities take over together and fight for the address, which costs seconds. All lie within less than one weight of the
    state file: a proxy without an API server must rank below every one that has some, and the active router above all.
    """
    distance = (WEIGHT - 1) // max(1, count - 1)
    highest = 200
    return [highest - distance * position for position in range(count)]


def slowest_successor(priorities: Iterable[int]) -> int:
    """The priority of the host that takes over from the highest one; with one host there is nobody, and it is the lowest there can be."""
    return (sorted(priorities, reverse=True)[1:] or [1])[0]


def _takes_over(timings: Timings) -> Term:
    return Term("skew", skew(timings, slowest_successor(timings.priorities)), ("advertisement", "priorities"))


def _silence(timings: Timings) -> tuple[Term, ...]:
    """An active router of whom nothing is heard any more."""
    return (Term("3 advertisements", 3 * timings.advertisement, ("advertisement",)), _takes_over(timings), _reaction(timings))


def _reaction(timings: Timings) -> Term:
    return Term("reaction", timings.reaction, ())


def _marked_down(timings: Timings, answers_handshakes: bool, kind: str = "check") -> tuple[Term, ...]:
    """A server that hangs, until one kind of HAProxy's checks has it out."""
    interval, timeout, fall = f"{kind}_interval", f"{kind}_timeout", f"{kind}_fall"
    times: int = getattr(timings, fall)
    handshake = min(getattr(timings, interval), timings.connect_timeout)
    each = max(handshake, getattr(timings, timeout)) if answers_handshakes else handshake
    each_inputs = (timeout, fall) if each > handshake else (interval, "connect_timeout", fall)
    return (
        # The kernel of a program that hangs goes on taking connections.
        Term("nobody reads an answer", 0.0 if timings.reads_answers or not answers_handshakes else math.inf, ("reads_answers",)),
        Term("check interval", getattr(timings, interval), (interval,)),
        Term("time-out" if times == 1 else f"{times} time-outs", times * each, each_inputs),
        Term(f"{times - 1} fast intervals", (times - 1) * timings.check_fast_interval, ("check_fast_interval", fall)),
        _reaction(timings),
    )


def _total(terms: Sequence[Term]) -> float:
    return sum(term.milliseconds for term in terms)


def _dead_server(timings: Timings) -> tuple[Term, ...]:
    """A server that vanished with its machine: another one is tried, or nobody is until the checks have it out."""
    return () if timings.redispatch else _marked_down(timings, answers_handshakes=False)


def worst_cases(timings: Timings) -> list[WorstCase]:
    """What each fault costs at worst, and by what it is noticed.

    An active router that is lost as a whole takes an API server with it, so its row is the longer of two waits that run side by side: for the
    address to move, and for the server to be out.
    """
    silence = _silence(timings)
    hung = _marked_down(timings, answers_handshakes=True)
    vanished = max(silence, _dead_server(timings), key=_total)
    # The kernel of a frozen machine goes on taking connections; only what would answer them stands still.
    frozen = max(silence, _marked_down(timings, answers_handshakes=not timings.reads_answers), key=_total)
    early = Term("back before its checks are done", max(0.0, _total(hung) - timings.settling), ("settling", "check_interval", "check_timeout", "check_fall"))
    sessions = (
        *_marked_down(timings, answers_handshakes=True, kind="dead"),
        Term("patience of the watcher", timings.watch_silent, ()),
        Term("pause of the watcher", timings.watch_pause, ("watch_pause",)),
        Term("nobody shuts its connections", 0.0 if timings.shuts_sessions else math.inf, ("shuts_sessions",)),
    )
    election = (
        Term("2 election time-outs", 2 * timings.etcd_election, ("etcd_election",)),
        Term("a heartbeat", timings.etcd_heartbeat, ("etcd_heartbeat",)),
        _reaction(timings),
    )
    noticed = (
        (Term("its proxy's check of etcd", timings.check_interval, ("check_interval",)), Term("time-out of that", timings.check_timeout, ("check_timeout",)))
        if timings.etcd_asked
        else (
            Term("age of what its API server says of etcd", timings.etcd_said, ("etcd_said",)),
            Term("time-out of its probe", timings.etcd_probe, ("etcd_probe",)),
        )
    )
    alone = (
        Term("nobody reads that its API server is not ready", 0.0 if timings.reads_answers else math.inf, ("reads_answers",)),
        *noticed,
        Term("check interval", timings.check_interval, ("check_interval",)),
        _reaction(timings),
    )
    written = max(election, alone, key=_total)
    # The address stays on the interface and works; at worst the new keepalived takes it off first and the successor waits for its time.
    restarted = max(silence, (Term("restart", timings.keepalived_restart, ("keepalived_restart",)), _reaction(timings)), key=_total)
    event = (_takes_over(timings), _reaction(timings)) if timings.lets_go else silence
    told = Term("until keepalived is told", timings.told_late, ("told_late",))
    unwatched = Term("nobody asks whether it answers", 0.0 if timings.watched else math.inf, ("watched",))
    again = Term("both active routers announce the address again and again", math.inf if timings.announce_again else 0.0, ("announce_again",))
    return [
        WorstCase("haproxy_killed", "systemd tells keepalived that it died, and the active router lets go", (told, *event)),
        WorstCase(
            "haproxy_hung",
            "its monitor does not answer",
            (
                Term("pause", timings.watch_pause, ("watch_pause",)),
                Term("time-out of the monitor", timings.watch_timeout, ("watch_timeout",)),
                Term("time-out of a command", timings.watch_command, ("watch_command",)),
                *event,
                unwatched,
            ),
        ),
        WorstCase("keepalived_killed", "systemd starts it again, or its advertisements are missing", restarted),
        WorstCase("api_server_killed", "connections are refused and tried on another one", (_reaction(timings),)),
        WorstCase("api_server_hung", "a check times out", hung),
        WorstCase(
            "api_server_hung_watches", f"{timings.dead_fall} checks time out, and its connections are shut", sessions, on_purpose=timings.watch_silent
        ),
        WorstCase("active_router_powered_off", "its advertisements are missing", vanished),
        WorstCase("active_router_frozen", "its advertisements are missing; checks of its API server time out", frozen),
        WorstCase("active_router_cut_off", "its advertisements are missing", vanished),
        WorstCase("cable_pulled", "its advertisements are missing", vanished),
        WorstCase("vrrp_blocked", "its advertisements are missing, and there are two active routers", (_reaction(timings), again)),
        WorstCase("active_router_rebooted", "its advertisements are missing; where it takes the address back, its proxy has settled", (*vanished, early)),
        WorstCase("active_router_drained", "it asks the next one to take the address, and only then lets go", (_reaction(timings),)),
        WorstCase("etcd_leader_killed", "a follower calls an election; what is beside the leader says so", written, budgeted=False),
        WorstCase("etcd_leader_frozen", "a follower calls an election; what is beside the leader says so", written, budgeted=False),
    ]


def over_budget(timings: Timings, budget: int) -> list[Refusal]:
    """The faults that can cost more than the budget."""
    return [Refusal(case.fault, case.counted, budget, case.timings) for case in worst_cases(timings) if case.budgeted and case.counted > budget]


def measurable(case: WorstCase, between_requests: float) -> float:
    """The most that a client measures who asks once in so many milliseconds: it may have asked just before the fault, and again just before its end."""
    return case.milliseconds + 2 * between_requests
