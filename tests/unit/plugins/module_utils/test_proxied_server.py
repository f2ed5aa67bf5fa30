# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A server that is taken out of HAProxy and put back."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.quorum.kubeadm.plugins.module_utils.proxied_server import ProxyError, Server, drain, put_back, servers

FIXTURES = Path(__file__).parents[2] / "fixtures" / "proxy"
# cp2 drained, as HAProxy 2.6 of the lab says it.
DRAINED = (FIXTURES / "show_stat_drained_haproxy_2_6.csv").read_text()
BACKENDS = ["api_servers", "usable_api_servers", "living_api_servers", "unchecked_api_servers"]


class HAProxy:
    """HAProxy's socket: it shows the lab's statistics with the state and the connections that commands leave."""

    def __init__(self, sessions: int = 0, down_for: int = 0, ends_after: int | None = None) -> None:
        self.status, self.sessions, self.down_for, self.ends_after = "UP", sessions, down_for, ends_after
        self.said: list[str] = []
        self.now = 0.0

    def __call__(self, command: str) -> str:
        if command.startswith("show stat"):
            return self.statistics()
        self.said.append(command)
        if "state drain" in command:
            self.status = "DRAIN"
        elif "state ready" in command:
            self.status = "DOWN" if self.down_for else "UP"
        elif command.startswith("shutdown sessions server api_servers/"):
            self.sessions = 0
        elif not command.startswith("shutdown sessions"):
            return "No such server.\n"
        return "\n"

    def statistics(self) -> str:
        rows = DRAINED.splitlines()
        for number, row in enumerate(rows):
            fields = row.split(",")
            if fields[1:2] == ["cp2"]:
                fields[17] = "no check" if fields[0] == "unchecked_api_servers" and self.status == "UP" else self.status
                fields[4] = str(self.sessions if fields[0] == "api_servers" else 0)
                rows[number] = ",".join(fields)
        return "\n".join(rows) + "\n"

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        if self.ends_after is not None and self.now >= self.ends_after:
            self.sessions = 0
        if self.down_for and self.now >= self.down_for:
            self.status = "UP"

    def clock(self) -> float:
        return self.now


def test_the_labs_haproxy_says_that_a_server_is_drained() -> None:
    found = servers(DRAINED, "cp2")
    assert [server.backend for server in found] == BACKENDS and all(server.drained and not server.up for server in found)
    others = servers(DRAINED, "cp1")
    assert [server.backend for server in others] == BACKENDS and all(server.up and not server.drained for server in others)
    assert servers(DRAINED, "cp9") == []


def test_no_new_connections_and_none_that_are_left() -> None:
    haproxy = HAProxy(sessions=4)
    assert drain(haproxy, "cp2", 3, haproxy.sleep, haproxy.clock) == 4
    assert haproxy.said == [*(f"set server {backend}/cp2 state drain" for backend in BACKENDS), "shutdown sessions server api_servers/cp2"]
    assert 3 <= haproxy.now < 3.2


def test_connections_may_end_by_themselves() -> None:
    haproxy = HAProxy(sessions=4, ends_after=1)
    assert drain(haproxy, "cp2", 3, haproxy.sleep, haproxy.clock) == 0
    assert not any(said.startswith("shutdown") for said in haproxy.said) and haproxy.now < 1.2


def test_a_server_is_back_when_haproxy_finds_it_well() -> None:
    haproxy = HAProxy(down_for=2)
    put_back(haproxy, "cp2", 5, haproxy.sleep, haproxy.clock)
    assert haproxy.said == [f"set server {backend}/cp2 state ready" for backend in BACKENDS] and 2 <= haproxy.now < 2.2


def test_one_that_stays_down_is_told() -> None:
    haproxy = HAProxy(down_for=99)
    with pytest.raises(ProxyError, match="after 5 s HAProxy does not find cp2 well: DOWN in api_servers, DOWN in usable_api_servers"):
        put_back(haproxy, "cp2", 5, haproxy.sleep, haproxy.clock)


def test_a_haproxy_that_does_not_obey_or_answer() -> None:
    with pytest.raises(ProxyError, match="`set server api_servers/cp2 state drain`: Permission denied"):
        drain(lambda command: DRAINED if command.startswith("show") else "Permission denied\n", "cp2", 0)

    def gone(_command: str) -> str:
        raise ConnectionRefusedError("refused")

    with pytest.raises(ProxyError, match="HAProxy does not say what it has of cp2: refused"):
        drain(gone, "cp2", 0)


def test_a_server_that_haproxy_does_not_have_needs_nothing() -> None:
    haproxy = HAProxy()
    assert drain(haproxy, "cp9", 0, haproxy.sleep, haproxy.clock) == 0 and haproxy.said == []
    assert Server("api_servers", "MAINT", 0).drained
