# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The drill's client, against a server of the test's own that does what an API server does for one ConfigMap."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import io
import ipaddress
import json
import socket
import ssl
from collections.abc import Awaitable, Callable
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.quorum.kubeadm.plugins.module_utils import drill_client
from ansible_collections.quorum.kubeadm.plugins.plugin_utils.drill_analysis import analyse
from ansible_collections.quorum.kubeadm.plugins.module_utils.drill_client import Answer, Client, neighbours, read_head, why
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

NAME = "api.example.org"


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drill_client, "CALM", 1)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A certificate that signs itself: the file with its key, and the PEM to trust."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, NAME)])
    now = datetime.datetime.now(datetime.timezone.utc)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(NAME), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = made.public_bytes(serialization.Encoding.PEM)
    private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path = tmp_path_factory.mktemp("tls") / "server.pem"
    path.write_bytes(private + pem)
    return path, pem.decode()


class Server:
    """What of an API server the client needs, and the faults it may have."""

    def __init__(self) -> None:
        self.objects: dict[str, dict[str, str]] = {}
        self.made: list[str] = []
        self.version = 1
        self.watchers: list[asyncio.StreamWriter] = []
        self.tokens: set[str] = set()
        self.not_older_than: set[str] = set()
        self.refuse_reads = 0
        self.hang_reads = 0
        self.forget_write = ""

    @cached_property
    def for_ever(self) -> asyncio.Event:
        """Made where it is first waited for: Python 3.9 ties it to the loop of then."""
        return asyncio.Event()

    def shown(self, name: str) -> dict[str, Any]:
        return {"kind": "ConfigMap", "metadata": {"name": name, "resourceVersion": str(self.version)}, "data": self.objects[name]}

    def event(self, name: str) -> bytes:
        line = json.dumps({"type": "MODIFIED", "object": self.shown(name)}).encode() + b"\n"
        # In two chunks, as a long one may come.
        return b"".join(f"{len(part):x}\r\n".encode() + part + b"\r\n" for part in (line[:7], line[7:]))

    def answer(self, method: str, path: str, body: Any) -> tuple[int, bytes]:
        if path == "/readyz":
            return 200, b"ok"
        place, _mark, query = path.partition("?")
        name = place.rpartition("/")[2]
        if method == "POST":
            name = body["metadata"]["name"]
            assert body["metadata"]["labels"] == {"quorum.kubeadm/probe": "w1"}
            self.objects[name] = {}
            self.made.append(name)
        elif method == "PATCH":
            self.objects[name].update(body["data"])
            self.objects[name].pop(self.forget_write, None)
            self.version += 1
            for watcher in self.watchers:
                watcher.write(self.event(name))
        elif method == "DELETE":
            return 200, json.dumps({"kind": "Status", "was": self.objects.pop(name)}).encode()
        elif query == "labelSelector=quorum.kubeadm%2Fprobe%3Dw1":
            return 200, json.dumps({"kind": "List", "items": [self.shown(one) for one in self.objects]}).encode()
        elif self.refuse_reads:
            self.refuse_reads -= 1
            return 503, b'{"message":"etcdserver: no leader"}'
        elif query.startswith("resourceVersion="):
            self.not_older_than.add(query.partition("=")[2])
        return 200, json.dumps(self.shown(name)).encode()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError, ssl.SSLError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                method, path, _version = head.split("\r\n")[0].split(" ")
                headers = dict(line.split(": ", 1) for line in head.split("\r\n")[1:] if line)
                self.tokens.add(headers["Authorization"])
                body = await reader.readexactly(int(headers["Content-Length"]))
                if "watch=true" in path:
                    assert "labelSelector=quorum.kubeadm%2Fprobe%3Dw1&" in path
                    writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"".join(self.event(name) for name in self.objects))
                    self.watchers.append(writer)
                    await self.for_ever.wait()
                    break
                if method == "GET" and "resourceVersion=" in path and self.hang_reads:
                    self.hang_reads -= 1
                    await self.for_ever.wait()
                    break
                status, content = self.answer(method, path, json.loads(body) if body else None)
                writer.write(f"HTTP/1.1 {status} X\r\nContent-Length: {len(content)}\r\n\r\n".encode() + content)
                await writer.drain()
        writer.close()

    def cut_watches(self) -> None:
        for watcher in self.watchers:
            watcher.transport.abort()
        self.watchers.clear()


Meanwhile = Callable[[Server], Awaitable[None]]


def measure(
    certificate: tuple[Path, str], seconds: float, meanwhile: Meanwhile | None = None, before: Callable[[Server], None] | None = None, **more: Any
) -> tuple[Server, list[list[Any]]]:
    """What the client records of a server in some seconds."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate[0])
    server, file = Server(), io.StringIO()
    if before:
        before(server)

    async def both() -> None:
        listener = await asyncio.start_server(server.serve, "127.0.0.1", 0, ssl=context)
        job = {
            "address": "127.0.0.1",
            "port": listener.sockets[0].getsockname()[1],
            "server_name": NAME,
            "ca_certificate": certificate[1],
            "token": "whisper",
            "namespace": "quorum-drill",
            "object": "w1",
            "hosts": {"127.0.0.1": "w1"},
            "after": 0,
            "service_port": 0,
            "readyz": "/readyz",
            "rate": 20,
            "write_rate": 10,
            "timeout": 0.5,
            "watch_keepalive": 1,
            "seconds": seconds,
        }
        client = Client({**job, **more}, file)
        tasks = [asyncio.ensure_future(client.main())]
        if meanwhile:
            tasks.append(asyncio.ensure_future(meanwhile(server)))
        await asyncio.gather(*tasks)
        client.record("z", client.now())
        server.for_ever.set()
        listener.close()
        await asyncio.sleep(0.05)

    asyncio.run(both())
    return server, [json.loads(line) for line in file.getvalue().splitlines()]


def of(kind: str, records: list[list[Any]]) -> list[list[Any]]:
    return [one for one in records if one[0] == kind]


def test_a_server_that_is_well(certificate: tuple[Path, str]) -> None:
    server, records = measure(certificate, 1.0)
    found = analyse(records, [])
    assert (found["failed"], found["outage"], found["lost_writes"], found["problems"]) == (0, 0.0, [], [])
    assert 15 <= found["requests"] <= 22
    assert 8 <= found["writes"] <= 11
    assert found["watch_stalled"] < 0.2
    assert [one[2] for one in of("v", records)] == list(range(1, found["writes"] + 1))
    assert server.tokens == {"Bearer whisper"}
    # No cache is asked that may not know the object yet.
    assert server.not_older_than == {"1"}
    assert (server.made, server.objects) == (["w1-0"], {})
    assert {one[2] for one in of("h", records)} == {"this node"}
    assert "whisper" not in json.dumps(records)


def test_nobody_looks_for_the_router_of_a_name(certificate: tuple[Path, str]) -> None:
    _server, records = measure(certificate, 0.5, address="localhost", hosts={})
    assert of("r", records) and not of("h", records)


def test_a_full_object_is_followed_by_another_and_all_are_read_back(certificate: tuple[Path, str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drill_client, "KEYS", 5)
    monkeypatch.setattr(drill_client, "RENEW", 0.05)
    server, records = measure(certificate, 2.0, write_rate=20)
    found = analyse(records, [])
    assert len(server.made) >= 4 and server.made[0] == "w1-0" and server.objects == {}
    assert (found["lost_writes"], found["problems"], found["failed"]) == ([], [], 0)
    assert of("k", records)[0][1] == list(range(1, found["writes"] + 1))
    # The watch tells of all of them.
    assert [one[2] for one in of("v", records)] == list(range(1, found["writes"] + 1))


def test_a_service_on_the_own_address_is_asked_beside(certificate: tuple[Path, str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drill_client, "RETRY_AFTER", 0.3)
    answers = iter([b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", b"", b"HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n"])
    last = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"GET / HTTP/1.1\r\n")
        writer.write(next(answers, last))
        await writer.drain()
        writer.close()

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]

    async def serve(_server: Server) -> None:
        listener = await asyncio.start_server(answer, "127.0.0.1", port)
        await asyncio.sleep(1.2)
        listener.close()

    _server, records = measure(certificate, 1.2, serve, service_port=port, rate=10)
    asked = of("p", records)
    assert 9 <= len(asked) <= 13
    failed = [one for one in asked if one[3]]
    assert {one[3] for one in failed} == {"service: closed", "service: 503 "} and all(one[4] is None for one in failed)
    assert analyse(records, [])["failed"] == 0


def test_one_that_goes_on_reads_back_what_was_written_before_it(certificate: tuple[Path, str]) -> None:
    def before(server: Server) -> None:
        server.objects = {"w1-0": {"n1": "", "n2": ""}}

    server, records = measure(certificate, 0.5, before=before, after=2)
    assert (server.made, server.objects) == (["w1-2"], {})
    assert of("w", records)[0][4] == 3
    assert of("k", records)[0][1][:3] == [1, 2, 3]


def test_one_that_begins_removes_what_another_left(certificate: tuple[Path, str]) -> None:
    def before(server: Server) -> None:
        server.objects = {"w1-0": {"n1": "", "n2": ""}}

    server, records = measure(certificate, 0.5, before=before)
    assert (server.made, server.objects) == (["w1-0"], {})
    assert of("k", records)[0][1] == [one[4] for one in of("w", records)]


@pytest.mark.parametrize(("wait", "in_vain"), [pytest.param(0.0, 1, id="in the middle of it"), pytest.param(0.5, 0, id="when it is over")])
def test_errors_and_silence_are_failures_that_delay_nobody_else(
    certificate: tuple[Path, str], monkeypatch: pytest.MonkeyPatch, wait: float, in_vain: int
) -> None:
    monkeypatch.setattr(drill_client, "RETRY_AFTER", wait)

    async def misbehave(server: Server) -> None:
        await asyncio.sleep(0.4)
        server.refuse_reads, server.hang_reads = 3, 1

    _server, records = measure(certificate, 1.6, misbehave)
    failed = [one for one in of("r", records) if one[3]]
    assert {one[3] for one in failed} <= {'object: 503 {"message":"etcdserver: no leader"}', "object: no answer within 0.5 s"}
    assert any(one[3].startswith("object: no answer") for one in failed)
    # Each is repeated once.
    assert all(len(one) == 5 for one in failed)
    assert [one[4][:11] for one in failed if one[4]] == ["object: 503"] * in_vain
    starts = sorted(one[1] for one in of("r", records))
    assert max(later - earlier for earlier, later in zip(starts, starts[1:])) < 0.3


def test_what_is_over_before_the_endpoint_answers_calmly_is_not_measured(certificate: tuple[Path, str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drill_client, "CALM", 4)

    def stumble(server: Server) -> None:
        server.refuse_reads, server.hang_reads = 2, 2

    server, records = measure(certificate, 2.2, before=stumble)
    found = analyse(records, [])
    assert (server.refuse_reads, server.hang_reads, found["failed"]) == (0, 0, 0)
    assert found["requests"] >= 5


def test_an_endpoint_that_is_never_calm_is_measured_as_it_is(certificate: tuple[Path, str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drill_client, "CALM_WITHIN", 0.3)

    def refuse(server: Server) -> None:
        server.refuse_reads = 1000

    _server, records = measure(certificate, 0.8, before=refuse)
    assert analyse(records, [])["failed"] >= 5


def test_a_watch_that_breaks_is_opened_again(certificate: tuple[Path, str]) -> None:
    async def cut(server: Server) -> None:
        await asyncio.sleep(0.5)
        server.cut_watches()

    _server, records = measure(certificate, 1.2, cut)
    assert len(of("o", records)) == 2
    assert of("c", records)[0][2].startswith("watch: ")
    assert analyse(records, [])["watch_stalled"] < 0.5


def test_a_write_that_was_acknowledged_and_is_missing_is_lost(certificate: tuple[Path, str]) -> None:
    async def forget(server: Server) -> None:
        server.forget_write = "n2"

    # Long enough for the second write on a machine that has much else to do.
    _server, records = measure(certificate, 1.5, forget)
    assert analyse(records, [])["lost_writes"] == [2]


def test_another_authority_is_not_believed(certificate: tuple[Path, str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ansible_collections.quorum.kubeadm.plugins.module_utils.drill_client.PATIENCE", 0.3)
    _server, records = measure(certificate, 5, server_name="another.example.org")
    assert [one[0] for one in records] == ["x", "z"]
    assert "CERTIFICATE_VERIFY_FAILED" in records[0][2]


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 17\r\nX-A: b\r\n\r\n", Answer(200, 17)),
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: Chunked\r\n\r\n", Answer(200, None)),
        (b"HTTP/1.1 500 Internal Server Error\r\n\r\n", Answer(500, 0)),
    ],
)
def test_heads(head: bytes, expected: Answer) -> None:
    assert read_head(head) == expected


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (asyncio.TimeoutError(), "readyz: no answer within 2 s"),
        (asyncio.IncompleteReadError(b"", None), "readyz: closed"),
        (ConnectionResetError(104, "x"), "readyz: reset"),
        (ConnectionRefusedError(111, "Connect call failed"), "readyz: [Errno 111] Connect call failed"),
        (OSError(), "readyz: OSError"),
    ],
)
def test_reasons(error: BaseException, text: str) -> None:
    assert why(error, "readyz", 2) == text


def message(address: str, mac: str, state: int) -> bytes:
    """A neighbour as the kernel tells of it."""
    packed = ipaddress.ip_address(address).packed
    attributes = (len(packed) + 4).to_bytes(2, "little") + (1).to_bytes(2, "little") + packed
    if mac:
        attributes += (10).to_bytes(2, "little") + (2).to_bytes(2, "little") + bytes.fromhex(mac.replace(":", "")) + b"\0\0"
    family = 2 if len(packed) == 4 else 10
    body = bytes([family, 0, 0, 0]) + (2).to_bytes(4, "little") + state.to_bytes(2, "little") + b"\0\x01" + attributes
    return (len(body) + 16).to_bytes(4, "little") + (28).to_bytes(2, "little") + bytes(10) + body


def test_neighbours_with_an_address_of_their_own() -> None:
    done = (20).to_bytes(4, "little") + (3).to_bytes(2, "little") + bytes(14)
    table = [
        message("198.18.64.10", "02:42:c6:12:40:0b", 2),
        message("198.18.64.13", "02:42:c6:12:40:0d", 1),
        message("198.18.64.14", "02:42:c6:12:40:0e", 32),
        message("2001:db8::10", "02:42:c6:12:40:0c", 4),
    ]
    assert dict(neighbours(b"".join(table) + done)) == {"198.18.64.10": "02:42:c6:12:40:0b", "2001:db8::10": "02:42:c6:12:40:0c"}
    assert dict(neighbours(done)) == dict(neighbours(b"")) == {}
