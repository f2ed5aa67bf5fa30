# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Modules that test a load balancer, against servers of all the kinds that can be behind one."""

from __future__ import annotations

import itertools
import json
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from ansible_collections.quorum.kubeadm.plugins.action.balancer_listener import throwaway_certificate
from ansible_collections.quorum.kubeadm.plugins.module_utils import balancer_listener
from ansible_collections.quorum.kubeadm.plugins.module_utils.balancer import Outcome, greeting
from ansible_collections.quorum.kubeadm.plugins.modules import balancer_listener as listener_module
from ansible_collections.quorum.kubeadm.plugins.modules import balancer_probe

from .authority import Authority, authority, served

RunModule = Callable[..., dict[str, Any]]
BACKENDS = [{"name": "b1", "address": "198.18.74.11"}, {"name": "b2", "address": "198.18.74.12"}]


OURS, ANOTHER = authority("kubernetes"), authority("another")


def api_server(issuer: Authority, *names: str) -> str:
    """The key and certificate of an API server, PEM."""
    return served("kube-apiserver", issuer, list(names))


class Behind(NamedTuple):
    """What a connection meets: a page over TLS with this certificate, or raw words without TLS; each connection the next one."""

    certificate: str = ""
    page: str = ""
    raw: bytes = b""


@pytest.fixture(name="balancer")
def made_balancer() -> Iterator[Callable[..., int]]:
    """Return what opens a port that leads to these in turn, and returns it."""
    listeners: list[socket.socket] = []

    def serve(listener: socket.socket, behind: tuple[Behind, ...]) -> None:
        contexts = [balancer_listener.server_context(one.certificate) if one.certificate else None for one in behind]
        count = 0
        while True:
            try:
                connection, _peer = listener.accept()
            except OSError:
                return
            one, context = behind[count % len(behind)], contexts[count % len(behind)]
            count += 1
            threading.Thread(target=attend, args=(connection, one, context), daemon=True).start()

    def attend(connection: socket.socket, one: Behind, context: ssl.SSLContext | None) -> None:
        if context:
            balancer_listener.answer(connection, context, one.page)
            return
        with connection:
            connection.settimeout(3)
            try:
                connection.recv(4096)
                connection.sendall(one.raw)
                if not one.raw:
                    connection.recv(4096)
            except OSError:
                pass

    def start(*behind: Behind) -> int:
        listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        listeners.append(listener)
        threading.Thread(target=serve, args=(listener, behind), daemon=True).start()
        return int(listener.getsockname()[1])

    yield start
    for listener in listeners:
        listener.close()


def probe(run_module: RunModule, port: int, **arguments: Any) -> dict[str, Any]:
    parameters = {"name": "api.example.org", "addresses": ["127.0.0.1"], "port": port, "backends": BACKENDS, "wait": 0, "timeout": 0.5, **arguments}
    result = run_module("balancer_probe", **parameters)
    assert not result.get("failed"), result
    assert not result["changed"]
    found: dict[str, Any] = result["probe"]
    return found


def listeners() -> list[Behind]:
    return [Behind(throwaway_certificate(name), greeting(name, f"mark-{name}")) for name in ("b1", "b2")]


def names(found: dict[str, Any]) -> list[str]:
    return [one["name"] for one in found["reached"]]


def test_listeners_are_known_by_their_marks(run_module: RunModule, balancer: Callable[..., int]) -> None:
    found = probe(run_module, balancer(*listeners()))
    assert [(one["name"], one["mark"]) for one in found["reached"]] == [("b1", "mark-b1"), ("b2", "mark-b2")]
    assert (found["connections"], found["rounds"], found["hairpin"], found["last"]["answered"]) == (21, 1, None, 21)
    assert sum(one["connections"] for one in found["reached"]) == 21


@pytest.mark.parametrize(("own", "hairpin"), [("b1", "yes"), ("b2", "no")])
def test_a_backend_that_is_sent_to_itself(run_module: RunModule, monkeypatch: pytest.MonkeyPatch, own: str, hairpin: str) -> None:
    """A lost connection cannot be made on the loopback interface."""
    outcomes = itertools.cycle([Outcome("answered", "b1", "m"), Outcome("timed_out")])
    monkeypatch.setattr(balancer_probe, "connect", lambda *_arguments: next(outcomes))
    found = probe(run_module, 1, host=own)
    assert (found["hairpin"], found["rounds"]) == (hairpin, 1)


def test_one_that_is_missing_is_waited_for(run_module: RunModule, balancer: Callable[..., int]) -> None:
    found = probe(run_module, balancer(listeners()[0]), wait=0.7)
    assert names(found) == ["b1"]
    assert found["rounds"] > 1
    assert found["seconds"] >= 0.7


def test_nobody_listens(run_module: RunModule) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        found = probe(run_module, unused.getsockname()[1])
    assert (names(found), found["last"]["refused"]) == ([], 21)


@pytest.mark.parametrize(
    ("behind", "what"),
    [
        (Behind(raw=b"HTTP/1.0 400 Bad Request\r\n\r\n"), "a server without TLS"),
        (Behind(raw=b"SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u7\r\n"), "a server without TLS"),
        (Behind(throwaway_certificate("x"), "<html>welcome"), "a TLS server with a certificate for quorum-listener x"),
    ],
)
def test_strangers(run_module: RunModule, balancer: Callable[..., int], behind: Behind, what: str) -> None:
    found = probe(run_module, balancer(behind))
    assert (names(found), found["last"]["strangers"]) == ([], [{"what": what, "connections": 21}])


def test_one_who_says_nothing(run_module: RunModule, balancer: Callable[..., int]) -> None:
    found = probe(run_module, balancer(Behind()), timeout=0.2)
    assert (names(found), found["last"]["mute"], found["last"]["strangers"]) == ([], 21, [])


def test_a_living_cluster_is_known_by_its_certificates(run_module: RunModule, balancer: Callable[..., int]) -> None:
    behind = [Behind(api_server(OURS, "kubernetes", name, address)) for name, address in (("b1", "198.18.74.11"), ("b2", "198.18.74.12"))]
    found = probe(run_module, balancer(*behind), ca_certificate=OURS.pem)
    assert [(one["name"], one["mark"]) for one in found["reached"]] == [("b1", ""), ("b2", "")]
    assert found["last"]["strangers"] == []


@pytest.mark.parametrize(
    ("issuer", "address", "what"),
    [
        (ANOTHER, "198.18.74.11", "a TLS server that the cluster's CA has not certified, with a certificate for kube-apiserver"),
        (OURS, "198.18.74.19", "an API server of this cluster for kubernetes, 198.18.74.19"),
    ],
)
def test_strangers_in_a_living_cluster(run_module: RunModule, balancer: Callable[..., int], issuer: Authority, address: str, what: str) -> None:
    found = probe(run_module, balancer(Behind(api_server(issuer, "kubernetes", address))), ca_certificate=OURS.pem)
    assert (names(found), [stranger["what"] for stranger in found["last"]["strangers"]]) == ([], [what])


def test_without_addresses_the_name_is_resolved(run_module: RunModule, balancer: Callable[..., int]) -> None:
    assert "127.0.0.1" in probe(run_module, balancer(*listeners()), name="localhost", addresses=[])["addresses"]


def test_a_backend_whose_name_for_it_leads_to_itself_does_not_try(run_module: RunModule, balancer: Callable[..., int]) -> None:
    found = probe(run_module, balancer(*listeners()), name="localhost", addresses=[], host="b1", wait=60)
    assert (found["addresses"], found["reached"], found["connections"], found["hairpin"]) == ([], [], 0, "unknown")
    assert found["seconds"] < 5


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"host": "b3"}, "host must be one of them or empty"),
        ({"backends": []}, "backends must name those that are to answer"),
        ({"ca_certificate": "nonsense"}, "ca_certificate: no PEM certificate"),
        ({"name": "nobody.invalid", "addresses": []}, "nobody.invalid, the load balancer's name, cannot be resolved"),
    ],
)
def test_bad_arguments(run_module: RunModule, arguments: dict[str, Any], message: str) -> None:
    result = run_module("balancer_probe", **{"name": "x", "addresses": ["127.0.0.1"], "backends": BACKENDS, "wait": 0, **arguments})
    assert result["failed"]
    assert message in result["msg"]


@pytest.fixture(name="files")
def made_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[balancer_listener.Files]:
    """Let the module's listener keep its files here."""
    files = balancer_listener.Files(tmp_path / "listener.pid", tmp_path / "listener.json")
    for name in ("launch", "running", "stop"):
        function = getattr(balancer_listener, name)
        monkeypatch.setattr(listener_module, name, lambda *arguments, function=function: function(*arguments, files))
    yield files
    balancer_listener.stop(files)


@pytest.fixture(name="port")
def free_port() -> int:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        return int(unused.getsockname()[1])


def listen(run_module: RunModule, port: int, **arguments: Any) -> dict[str, Any]:
    return run_module("balancer_listener", **{"name": "b1", "port": port, "lifetime": 30, "_certificate": throwaway_certificate("b1"), **arguments})


def test_listen_replace_and_stop(run_module: RunModule, files: balancer_listener.Files, port: int) -> None:
    first = listen(run_module, port)
    assert (first["changed"], first["replaced"]) == (True, False)
    second = listen(run_module, port)
    assert (second["changed"], second["replaced"]) == (True, True)
    assert second["mark"] != first["mark"] and second["pid"] != first["pid"]
    found = probe(run_module, port, backends=BACKENDS[:1])
    assert [(one["name"], one["mark"]) for one in found["reached"]] == [("b1", second["mark"])]
    closed = run_module("balancer_listener", state="absent")
    assert (closed["changed"], closed["traffic"]) == (True, {"probes": 1, "others": [], "untold": 0})
    again = run_module("balancer_listener", state="absent")
    assert (again["changed"], again["traffic"]) == (False, None)


def test_check_mode_listens_to_nothing(run_module: RunModule, files: balancer_listener.Files, port: int) -> None:
    result = listen(run_module, port, check_mode=True)
    assert (result["changed"], result["mark"], result["msg"]) == (True, "", f"would listen at port {port}")
    assert not files.pid.exists()
    listen(run_module, port)
    assert run_module("balancer_listener", check_mode=True, state="absent")["changed"]
    assert balancer_listener.running(files) is not None


@pytest.mark.parametrize("check_mode", [False, True])
def test_a_port_that_is_taken(run_module: RunModule, files: balancer_listener.Files, check_mode: bool) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        result = listen(run_module, other.getsockname()[1], check_mode=check_mode)
    assert result["failed"]
    assert f"is taken by {Path('/proc/self/comm').read_text().strip()} (process " in result["msg"]


def test_the_key_is_not_told(run_module: RunModule, files: balancer_listener.Files, port: int) -> None:
    assert "PRIVATE KEY" not in json.dumps(listen(run_module, port))
