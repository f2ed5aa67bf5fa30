# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The listener that stands in for an API server, as a process of its own, met in all the ways that health checks have."""

from __future__ import annotations

import os
import signal
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from ansible_collections.quorum.kubeadm.plugins.action.balancer_listener import throwaway_certificate
from ansible_collections.quorum.kubeadm.plugins.module_utils.balancer import USER_AGENT
from ansible_collections.quorum.kubeadm.plugins.module_utils.balancer_listener import (
    PROCESS,
    Files,
    Traffic,
    bind,
    listening_process,
    launch,
    running,
    stop,
    server_context,
)

PAGE = "quorum.kubeadm listener cp1 8f14\n"


@pytest.fixture(name="files")
def made_files(tmp_path: Path) -> Iterator[Files]:
    files = Files(tmp_path / "listener.pid", tmp_path / "listener.json")
    yield files
    stop(files)


Start = Callable[..., tuple[int, int]]


@pytest.fixture(name="start")
def listener_starter(files: Files) -> Start:
    """Return what starts a listener, and returns its port and its process."""

    def start(lifetime: int = 30) -> tuple[int, int]:
        with bind(0) as listener:
            port = int(listener.getsockname()[1])
            return port, launch(listener, server_context(throwaway_certificate("cp1")), PAGE, lifetime, files)

    return start


def shake_hands(port: int) -> ssl.SSLSocket:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context.wrap_socket(socket.create_connection(("127.0.0.1", port), timeout=3))


def read(connection: socket.socket) -> bytes:
    answer = b""
    while chunk := connection.recv(4096):
        answer += chunk
    return answer


def get(port: int, path: str, agent: str = "ELB-HealthChecker/2.0") -> bytes:
    with shake_hands(port) as server:
        server.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\nUser-Agent: {agent}\r\n\r\n".encode())
        return read(server)


def wait_until(true: Callable[[], bool]) -> None:
    patience = time.monotonic() + 5
    while not true() and time.monotonic() < patience:
        time.sleep(0.02)
    assert true()


@pytest.mark.parametrize("path", ["/readyz", "/healthz", "/livez", "/readyz?verbose"])
def test_the_pages_of_an_api_server(start: Start, path: str) -> None:
    port, _pid = start()
    head, _blank, body = get(port, path).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 OK\r\n")
    assert body.decode() == PAGE


def test_another_page(start: Start) -> None:
    assert get(start()[0], "/").startswith(b"HTTP/1.1 404 ")


def test_http_without_tls_is_answered_as_by_an_api_server(start: Start) -> None:
    with socket.create_connection(("127.0.0.1", start()[0]), timeout=3) as connection:
        connection.sendall(b"GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n")
        assert read(connection) == b"HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n"


def test_it_tells_probes_and_all_kinds_of_health_checks_apart(start: Start, files: Files) -> None:
    port, pid = start()
    assert running(files) == pid
    socket.create_connection(("127.0.0.1", port)).close()
    shake_hands(port).close()
    get(port, "/readyz")
    for _time in range(3):
        get(port, "/readyz", USER_AGENT)
    with socket.create_connection(("127.0.0.1", port)) as plain:
        plain.sendall(b"GET / HTTP/1.0\r\n\r\n")
        read(plain)
    time.sleep(0.2)  # the first two hung up, and are still being counted
    assert stop(files) == {
        "probes": 3,
        "others": [{"source": "127.0.0.1", "kind": kind, "connections": 1} for kind in ("http", "https", "tcp", "tls")],
        "untold": 0,
    }
    assert running(files) is None
    assert not files.pid.exists() and not files.report.exists()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port))


def test_the_port_is_free_when_it_has_stopped(start: Start, files: Files) -> None:
    port, _pid = start()
    for _time in range(5):
        with shake_hands(port):  # keeps one of its threads busy
            stop(files)
        with bind(port) as listener:
            launch(listener, server_context(throwaway_certificate("cp1")), PAGE, 30, files)


def test_it_is_a_process_of_its_own(start: Start) -> None:
    _port, pid = start()
    assert Path(f"/proc/{pid}/comm").read_text() == f"{PROCESS}\n"
    assert os.getsid(pid) != os.getsid(0)
    open_files = [os.readlink(f"/proc/{pid}/fd/{descriptor}") for descriptor in os.listdir(f"/proc/{pid}/fd")]
    assert sorted(file for file in open_files if not file.startswith("socket:")) == ["/dev/null"] * 3
    assert len(open_files) == 4


def test_it_ends_by_itself(start: Start, files: Files) -> None:
    start(lifetime=1)
    assert running(files) is not None
    wait_until(lambda: running(files) is None)
    assert stop(files) is None


def test_a_process_that_has_the_number_now_is_left_alone(files: Files) -> None:
    files.pid.write_text(f"{os.getpid()}\n")
    assert running(files) is None
    assert stop(files) is None
    assert not files.pid.exists()


@pytest.mark.parametrize("left", ["", "nonsense", "4194305\n"])
def test_a_broken_pid_file(files: Files, left: str) -> None:
    files.pid.write_text(left)
    assert stop(files) is None


def test_one_that_hangs_is_killed(start: Start, files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ansible_collections.quorum.kubeadm.plugins.module_utils.balancer_listener.PATIENCE", 0.2)
    _port, pid = start()
    os.kill(pid, signal.SIGSTOP)
    assert stop(files) is None
    files.pid.write_text(f"{pid}\n")
    assert running(files) is None


def test_who_has_the_port() -> None:
    with socket.create_server(("127.0.0.1", 0)) as mine:
        port = mine.getsockname()[1]
        assert listening_process(port) == f"{Path('/proc/self/comm').read_text().strip()} (process {os.getpid()})"
    assert listening_process(port) is None


def test_traffic_is_bounded() -> None:
    traffic = Traffic()
    for number in range(Traffic.LIMIT + 5):
        traffic.count(f"198.18.74.{number}", "tcp")
    traffic.count("198.18.74.0", "tcp")
    report = traffic.report()
    assert (len(report["others"]), report["untold"]) == (Traffic.LIMIT, 5)
    assert {"source": "198.18.74.0", "kind": "tcp", "connections": 2} in report["others"]
