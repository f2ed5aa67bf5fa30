# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What takes a node out of service, as Ansible runs it: the address, and a HAProxy behind its socket."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.quorum.kubeadm.plugins.module_utils.command import Result
from ansible_collections.quorum.kubeadm.plugins.modules import address_handover

RunModule = Callable[..., dict[str, Any]]
VIP = "198.18.64.10"
STATISTICS = (Path(__file__).parents[2] / "fixtures/proxy/show_stat_drained_haproxy_2_6.csv").read_text()


class Host:
    """A host with keepalived; whoever asks the others to take the address, they take it, or not."""

    def __init__(self, has: bool, active: bool = True, enabled: bool = True, others_take: bool = True) -> None:
        self.has, self.active, self.enabled, self.others_take = has, active, enabled, others_take
        self.did: list[str] = []

    def run(self, argv: Sequence[str], **more: Any) -> Result:
        if argv[0] == "ip":
            addresses = [{"local": address, "prefixlen": 24, "scope": "global"} for address in ["198.18.64.11", *([VIP] if self.has else [])]]
            return Result(0, json.dumps([{"ifname": "eth0", "addr_info": addresses}]), "")
        if argv[1] in ("is-enabled", "is-active"):
            return Result(0 if {"is-enabled": self.enabled, "is-active": self.active}[argv[1]] else 3, "", "")
        if argv[0] == address_handover.LEAVES:
            assert more["extra_environment"] == {"SERVICE_RESULT": "success"} and argv[1:] == ["/run/quorum-kubeadm/proxy", VIP]
            self.did.append("asks the others")
            self.has = self.has and not self.others_take
            return Result(0, "", "")
        self.did.append(argv[1])
        self.active = argv[1] == "start"
        return Result(0, "", "")


@pytest.fixture(name="hand")
def handing(monkeypatch: pytest.MonkeyPatch, run_module: RunModule) -> Callable[..., dict[str, Any]]:
    """Return what runs the module on a host."""

    def hand(host: Host, state: str, check_mode: bool = False, leaves: bool = True) -> dict[str, Any]:
        monkeypatch.setattr(address_handover, "run", host.run)
        monkeypatch.setattr("os.path.exists", lambda path: leaves and path == address_handover.LEAVES)
        return run_module("address_handover", check_mode, address=VIP, state=state, timeout=0.3)

    return hand


@pytest.mark.parametrize(
    ("host", "did"),
    [
        (Host(has=True), ["asks the others", "stop"]),
        (Host(has=False), ["stop"]),
        (Host(has=False, active=False), []),
        (Host(has=False, active=False, enabled=False), []),
    ],
)
def test_the_address_is_away_before_keepalived_stops(hand: Callable[..., dict[str, Any]], host: Host, did: list[str]) -> None:
    had = host.has
    assert hand(host, "away", check_mode=True)["changed"] == bool(did) and host.did == []
    result = hand(host, "away")
    assert (result["changed"], result["had_address"], host.did) == (bool(did), had, did)
    assert not host.active


def test_keepalived_goes_on_where_nobody_takes_the_address(hand: Callable[..., dict[str, Any]]) -> None:
    host = Host(has=True, others_take=False)
    result = hand(host, "away")
    assert result["failed"] and f"no other host takes {VIP} within 0.3 s" in result["msg"] and host.did == ["asks the others"] and host.active


def test_without_our_haproxy_keepalived_alone_is_stopped(hand: Callable[..., dict[str, Any]]) -> None:
    host = Host(has=True)
    assert hand(host, "away", leaves=False)["changed"] and host.did == ["stop"]


@pytest.mark.parametrize(("host", "did"), [(Host(False, active=False), ["start"]), (Host(False), []), (Host(False, active=False, enabled=False), [])])
def test_keepalived_takes_part_again(hand: Callable[..., dict[str, Any]], host: Host, did: list[str]) -> None:
    assert hand(host, "present")["changed"] == bool(did) and host.did == did


def serve(path: Path, said: list[str]) -> None:
    """A HAProxy in which cp2 is drained, and which obeys."""
    server = socket.socket(socket.AF_UNIX)
    server.bind(str(path))
    server.listen()

    def answer() -> None:
        while True:
            connection, _address = server.accept()
            with connection:
                command = connection.recv(4096).decode().strip()
                said.append(command)
                connection.sendall((STATISTICS if command.startswith("show stat") else "\n").encode())

    threading.Thread(target=answer, daemon=True).start()


def test_a_server_is_drained_by_haproxys_socket(tmp_path: Path, run_module: RunModule) -> None:
    said: list[str] = []
    serve(tmp_path / "stats", said)
    arguments = {"state": "drained", "patience": 0.1, "socket": str(tmp_path / "stats")}
    assert run_module("proxy_server", True, name="cp1", **arguments)["changed"] and not any(one.startswith("set") for one in said)
    assert not run_module("proxy_server", name="cp2", **arguments)["changed"]
    assert "set server api_servers/cp2 state drain" in said
    assert run_module("proxy_server", name="cp2", state="drained", socket=str(tmp_path / "nothing"))["failed"]
