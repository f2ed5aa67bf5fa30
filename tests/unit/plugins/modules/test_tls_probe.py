# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A TLS server asked for a page."""

from __future__ import annotations

import http.server
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from .authority import authority, served

OURS, ANOTHER = authority("ours"), authority("another")


class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/readyz" else 404)
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, *_arguments: Any) -> None:
        pass


Serve = Callable[..., int]


@pytest.fixture(name="serve")
def server_factory(tmp_path: Path) -> Iterator[Serve]:
    """Return what starts a TLS server on a port of 127.0.0.1 with a certificate for these names."""
    servers: list[http.server.HTTPServer] = []

    def start(names: list[str], days: int = 1) -> int:
        (tmp_path / "server.pem").write_text(served("server", OURS, names, days))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(tmp_path / "server.pem")
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Page)
        server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        servers.append(server)
        return server.server_address[1]

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def probe(run_module: Callable[..., dict[str, Any]], port: int, **arguments: Any) -> dict[str, Any]:
    return run_module("tls_probe", **{"host": "127.0.0.1", "port": port, "ca_certificate": OURS.pem, "timeout": 3, **arguments})


@pytest.mark.parametrize("check_mode", [False, True])
def test_the_right_server(serve: Serve, run_module: Callable[..., dict[str, Any]], check_mode: bool) -> None:
    found = probe(run_module, serve(["api.example.org", "127.0.0.1"]), server_name="api.example.org", check_mode=check_mode)
    assert not found["changed"]
    assert (found["verified"], found["status"], found["body"], found["error"]) == (True, 200, "ok", "")
    assert found["subject_alt_names"] == ["api.example.org", "127.0.0.1"]
    assert 0 < found["seconds"] < 3


def test_another_page(serve: Serve, run_module: Callable[..., dict[str, Any]]) -> None:
    assert probe(run_module, serve(["127.0.0.1"]), path="/other")["status"] == 404


def test_another_name(serve: Serve, run_module: Callable[..., dict[str, Any]]) -> None:
    found = probe(run_module, serve(["old.example.org"]), server_name="api.example.org")
    assert (found["verified"], found["status"]) == (False, 200)
    assert found["error"] == "the certificate is not for api.example.org but for old.example.org"


def test_another_authority(serve: Serve, run_module: Callable[..., dict[str, Any]]) -> None:
    found = probe(run_module, serve(["127.0.0.1"]), ca_certificate=ANOTHER.pem)
    assert (found["verified"], found["status"], found["subject_alt_names"]) == (False, None, [])
    assert found["error"] == "certificate: unable to get local issuer certificate"


def test_an_expired_certificate(serve: Serve, run_module: Callable[..., dict[str, Any]]) -> None:
    assert probe(run_module, serve(["127.0.0.1"], days=-1))["error"] == "certificate: certificate has expired"


def test_nobody_there(run_module: Callable[..., dict[str, Any]]) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        found = probe(run_module, unused.getsockname()[1])
    assert (found["verified"], found["status"], found["error"]) == (False, None, "connection refused")


def test_nobody_for_so_long(run_module: Callable[..., dict[str, Any]]) -> None:
    """Whoever only asks is told; who waits for the server fails."""
    arguments = {"host": "127.0.0.1", "port": 1, "ca_certificate": OURS.pem, "wait": 0.1}
    assert run_module("tls_probe", **arguments, must_answer=False)["error"]
    assert "did not answer correctly within 0 s" in run_module("tls_probe", **arguments)["msg"]


def test_one_who_says_nothing(run_module: Callable[..., dict[str, Any]]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        found = probe(run_module, silent.getsockname()[1], timeout=0.2)
    assert (found["verified"], found["status"]) == (False, None)
    assert "timed out" in found["error"]


@pytest.mark.parametrize("pem", ["", "nonsense"])
def test_no_certificate_authority(run_module: Callable[..., dict[str, Any]], pem: str) -> None:
    found = probe(run_module, 1, ca_certificate=pem)
    assert found["failed"]
    assert found["msg"].startswith("ca_certificate: ")
