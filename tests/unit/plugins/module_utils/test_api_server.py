# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether an API server is ready, asked of a real TLS server."""

from __future__ import annotations

import http.server
import shutil
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ansible_collections.quorum.kubeadm.plugins.module_utils import api_server
from ansible_collections.quorum.kubeadm.plugins.module_utils.node_state import CA_CERTIFICATE, KUBELET_CERTIFICATE, ApiServer

NOT_READY = "[+]ping ok\n[-]etcd failed: reason withheld\n[-]shutdown failed: reason withheld\nreadyz check failed\n"


class Server(http.server.ThreadingHTTPServer):
    """Answers with what it holds."""

    status = 200
    body = "ok"
    context: ssl.SSLContext | None = None


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers /readyz and asks after one node."""

    server: Server

    def do_GET(self) -> None:
        self.send_response(self.server.status if self.path in ("/readyz", "/api/v1/nodes/cp1") else 404)
        self.end_headers()
        self.wfile.write(self.server.body.encode())

    def log_message(self, format: str, *args: object) -> None:
        pass


def certificate(directory: Path, name: str, san: str) -> None:
    if not shutil.which("openssl"):
        pytest.skip("openssl is not installed")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=test", "-days", "1"]
        + ["-addext", f"subjectAltName={san}", "-keyout", str(directory / f"{name}.key"), "-out", str(directory / f"{name}.crt")],
        check=True,
        capture_output=True,
    )


@pytest.fixture(name="server")
def start_server(tmp_path: Path) -> Iterator[Server]:
    certificate(tmp_path, "server", "IP:127.0.0.1")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "server.crt", tmp_path / "server.key")
    server = Server(("127.0.0.1", 0), Handler)
    server.context = context
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    trust(tmp_path, "server")
    yield server
    server.shutdown()
    server.server_close()


def trust(root: Path, name: str) -> None:
    (root / CA_CERTIFICATE).parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(root / f"{name}.crt", root / CA_CERTIFICATE)


def at(server: Server, address: str = "127.0.0.1") -> ApiServer:
    return ApiServer(address, server.server_address[1])


def test_ready(server: Server, tmp_path: Path) -> None:
    assert api_server.why_not_ready(tmp_path, at(server)) is None


def test_not_ready_says_what_fails(server: Server, tmp_path: Path) -> None:
    server.status, server.body = 500, NOT_READY
    reason = api_server.why_not_ready(tmp_path, at(server))
    assert reason is not None
    assert reason.endswith("/readyz answers 500: etcd failed: reason withheld, shutdown failed: reason withheld")


def test_forbidden_shows_the_answer(server: Server, tmp_path: Path) -> None:
    server.status, server.body = 403, "anonymous access is off\n"
    assert (api_server.why_not_ready(tmp_path, at(server)) or "").endswith("answers 403: anonymous access is off")


def test_a_stranger_is_not_believed(server: Server, tmp_path: Path) -> None:
    certificate(tmp_path, "other", "IP:127.0.0.1")
    trust(tmp_path, "other")
    assert "certificate verify failed" in (api_server.why_not_ready(tmp_path, at(server)) or "")


def test_another_name_is_not_believed(server: Server, tmp_path: Path) -> None:
    assert "certificate" in (api_server.why_not_ready(tmp_path, at(server, "localhost")) or "")


def test_the_client_shows_its_certificate_when_there_is_one(server: Server, tmp_path: Path) -> None:
    certificate(tmp_path, "client", "DNS:client")
    for part in ("crt", "key"):
        shutil.copy(tmp_path / f"client.{part}", tmp_path / f"{api_server.CLIENT}.{part}")
    assert server.context is not None
    server.context.load_verify_locations(tmp_path / "client.crt")
    server.context.verify_mode = ssl.CERT_REQUIRED
    assert api_server.why_not_ready(tmp_path, at(server)) is None
    (tmp_path / f"{api_server.CLIENT}.crt").unlink()
    assert "does not answer" in (api_server.why_not_ready(tmp_path, at(server)) or "")


def test_nobody_there(server: Server, tmp_path: Path) -> None:
    assert "does not answer" in (api_server.why_not_ready(tmp_path, ApiServer("127.0.0.1", 1)) or "")


def test_no_ca(server: Server, tmp_path: Path) -> None:
    (tmp_path / CA_CERTIFICATE).unlink()
    assert "does not answer" in (api_server.why_not_ready(tmp_path, at(server)) or "")


@pytest.mark.parametrize(
    ("status", "body", "name", "node"),
    [
        (200, '{"kind": "Node", "metadata": {"name": "cp1"}}', "cp1", {"kind": "Node", "metadata": {"name": "cp1"}}),
        (200, '{"kind": "Node"}', "cp2", None),
        (403, '{"kind": "Status"}', "cp1", None),
        (200, "not json", "cp1", None),
    ],
)
def test_own_node_is_asked_for_as_its_kubelet(server: Server, tmp_path: Path, status: int, body: str, name: str, node: object) -> None:
    certificate(tmp_path, "client", "DNS:client")
    pem = tmp_path / KUBELET_CERTIFICATE
    pem.parent.mkdir(parents=True)
    pem.write_text((tmp_path / "client.crt").read_text() + (tmp_path / "client.key").read_text())
    assert server.context is not None
    server.context.load_verify_locations(tmp_path / "client.crt")
    server.context.verify_mode = ssl.CERT_REQUIRED
    server.status, server.body = status, body
    assert api_server.read_own_node(tmp_path, at(server), name) == node
    pem.unlink()
    assert api_server.read_own_node(tmp_path, at(server), name) is None


def test_wait_ends_when_it_is_ready(server: Server, tmp_path: Path) -> None:
    server.status = 500
    threading.Timer(0.5, lambda: setattr(server, "status", 200)).start()
    start = time.monotonic()
    assert api_server.wait_ready(tmp_path, at(server), timeout=60) is None
    assert time.monotonic() - start < 30


def test_wait_is_bounded(server: Server, tmp_path: Path) -> None:
    server.status = 500
    assert "answers 500" in (api_server.wait_ready(tmp_path, at(server), timeout=0.3) or "")


def test_the_names_that_are_served(server: Server, tmp_path: Path) -> None:
    """Also where the name by which it is asked is none of them."""
    assert api_server.served_names(tmp_path, at(server, "localhost")) == ["127.0.0.1"]


def test_the_names_of_a_stranger_are_not_believed(server: Server, tmp_path: Path) -> None:
    certificate(tmp_path, "other", "IP:127.0.0.1")
    trust(tmp_path, "other")
    with pytest.raises(OSError, match="certificate verify failed"):
        api_server.served_names(tmp_path, at(server))
