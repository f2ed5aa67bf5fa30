# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ask a cluster's endpoint over and over, and write down what came of it.

The drill runs this on a node, by itself (see drill_background): it is given its job on standard input and imports the standard library
alone. It writes one JSON list a line, the first member of which says what it is:

    ["b", t]                begun: its object is made, and all that follows is measured; again, where it was started anew
    ["r", start, end, why]  a new TLS connection and what was read over it; why it failed, or null; where it did, it was repeated once after
                            RETRY_AFTER, and a fifth member says why that failed too, or null
    ["p", start, end, why]  a new connection to a Service on this node's port, and what was read over it; repeated as above
    ["w", start, end, why, n]  write number n
    ["o", t]                the watch is open
    ["v", t, n]             the watch told of write number n
    ["c", t, why]           the watch broke
    ["h", t, who]           who has the address, as this node's neighbour table has it: a host's name, a MAC address, or null
    ["l", t, seconds]       this program itself was late by that much
    ["k", [n, ...]]         the writes that its objects have at the end; null when they could not be read
    ["x", t, why]           it could not go on
    ["z", t]                ended

Times are seconds since the epoch by a clock that is not set while it runs.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import json
import os
import signal
import socket
import ssl
import struct
import time
import urllib.parse
from typing import Any, AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping, NamedTuple, Optional, TextIO

# More than all objects of twelve hours have, and a bound.
LIMIT = 32 * 1024 * 1024
LINE = 1 << 20
# Writes for which there is one object: each sends the whole object to etcd and to the watch.
KEYS = 250
LABEL = "quorum.kubeadm/probe"
# How long it tries to make its object, to read it at the end, and to take it away.
PATIENCE = 15.0
# It measures once so many requests in a row took no longer than this: what the round before left behind is no fault's. Once, 0.69 s of a frozen
# active_router had begun with requests that waited for a node that was still starting its pods.
CALM = 10
QUICK = 0.25
CALM_WITHIN = 10.0
REOPEN = 0.1
RENEW = 1.0
# Seconds that client-go waits before it repeats a request that met a broken connection (rest/with_retry.go: its Retry-After is "1").
RETRY_AFTER = 1.0
LOOK = 0.02


class Refused(Exception):
    """An answer that is none: the status, and the beginning of what it says."""


FAILURES = (OSError, EOFError, ValueError, IndexError, Refused, asyncio.TimeoutError, asyncio.LimitOverrunError)


class Answer(NamedTuple):
    """An HTTP answer; the body of one that streams is read by others."""

    status: int
    length: Optional[int]
    """None: in chunks."""


def read_head(head: bytes) -> Answer:
    """Read status and length from the head of an HTTP/1.1 answer."""
    lines = head.decode("latin-1").split("\r\n")
    headers = {name.strip().lower(): value.strip() for name, _colon, value in (line.partition(":") for line in lines[1:])}
    chunked = headers.get("transfer-encoding", "").lower() == "chunked"
    return Answer(int(lines[0].split(" ")[1]), None if chunked else int(headers.get("content-length", "0")))


def why(error: BaseException, doing: str, timeout: float) -> str:
    """A failure in few words."""
    if isinstance(error, (asyncio.TimeoutError, TimeoutError)):
        return f"{doing}: no answer within {timeout:g} s"
    if isinstance(error, (asyncio.IncompleteReadError, EOFError)):
        return f"{doing}: closed"
    if isinstance(error, ConnectionResetError):
        return f"{doing}: reset"
    return f"{doing}: {str(error) or type(error).__name__}"[:200]


def neighbours(dump: bytes) -> Iterator[tuple[str, str]]:
    """The address and MAC address of each usable entry in the kernel's answer to RTM_GETNEIGH."""
    while len(dump) >= 16:
        length, kind = struct.unpack_from("=IH", dump)
        if length < 16:
            return
        message, dump = dump[16:length], dump[(length + 3) & ~3 :]
        if kind != 28 or len(message) < 12:  # RTM_NEWNEIGH
            continue
        (state,) = struct.unpack_from("=H", message, 8)
        values, rest = {}, message[12:]
        while len(rest) >= 4:
            size, attribute = struct.unpack_from("=HH", rest)
            if size < 4:
                break
            values[attribute], rest = rest[4:size], rest[(size + 3) & ~3 :]
        # Neither incomplete (1) nor failed (32); 1 is its address, 2 its MAC address.
        if not state & 0x21 and len(values.get(2, b"")) == 6 and len(values.get(1, b"")) in (4, 16):
            yield str(ipaddress.ip_address(values[1])), values[2].hex(":")


class Neighbourhood:
    """Who has an address, as far as this host's packets are concerned."""

    def __init__(self, address: str, hosts: Mapping[str, str]) -> None:
        """`hosts`: the name of the host that has each address."""
        self.address = str(ipaddress.ip_address(address))
        self._hosts = hosts
        self._names: dict[str, str] = {}
        self._family = socket.AF_INET6 if ":" in self.address else socket.AF_INET
        # A datagram that nobody waits for makes the kernel look for its MAC address.
        for one in hosts:
            with contextlib.suppress(OSError), socket.socket(self._family, socket.SOCK_DGRAM) as datagram:
                datagram.sendto(b"", (one, 9))

    def dump(self) -> dict[str, str]:
        """The neighbour table."""
        request = struct.pack("=IHHIIBBHiHBB", 28, 30, 0x301, 1, 0, int(self._family), 0, 0, 0, 0, 0, 0)
        answer = b""
        with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, 0) as link:
            link.settimeout(0.2)
            link.sendall(request)
            ended = False
            while not ended:
                part = link.recv(65536)
                answer += part
                ended = _ends(part)
        return dict(neighbours(answer))

    def active_router(self) -> Optional[str]:
        """A host's name, a MAC address that belongs to none of them, or None."""
        with contextlib.suppress(OSError), socket.socket(self._family, socket.SOCK_DGRAM) as own:
            own.bind((self.address, 0))
            return "this node"
        try:
            table = self.dump()
        except OSError:
            return None
        self._names.update({table[address]: name for address, name in self._hosts.items() if address in table})
        mac = table.get(self.address)
        return None if mac is None else self._names.get(mac, mac)


def _ends(part: bytes) -> bool:
    """Whether a part of a dump has its last message (NLMSG_DONE) or an error."""
    while len(part) >= 16:
        length, kind = struct.unpack_from("=IH", part)
        if kind in (2, 3) or length < 16:
            return True
        part = part[(length + 3) & ~3 :]
    return False


class Client:
    """Everything that runs side by side in one drill's client."""

    def __init__(self, job: Mapping[str, Any], file: TextIO) -> None:
        self.job = job
        self.timeout = float(job["timeout"])
        self.stop = asyncio.Event()
        self._file = file
        self._epoch = time.time() - time.monotonic()
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self._context.load_verify_locations(cadata=job["ca_certificate"])
        self._objects = f"/api/v1/namespaces/{job['namespace']}/configmaps"
        self._own = "labelSelector=" + urllib.parse.quote(f"{LABEL}={job['object']}", safe="")
        self._number = int(job["after"])
        self._full_at = 0
        self._read_object = self._write_object = ""
        self._version = "0"

    def now(self) -> float:
        return round(self._epoch + time.monotonic(), 4)

    def record(self, *values: Any) -> None:
        self._file.write(json.dumps(values, separators=(",", ":")) + "\n")

    @contextlib.asynccontextmanager
    async def connection(self) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
        """A new TLS connection, verified; shut without ado."""
        reader, writer = await asyncio.open_connection(
            self.job["address"], self.job["port"], ssl=self._context, server_hostname=self.job["server_name"], limit=LINE
        )
        try:
            yield reader, writer
        finally:
            writer.transport.abort()

    async def ask(self, streams: tuple[asyncio.StreamReader, asyncio.StreamWriter], method: str, path: str, body: Any = None) -> Answer:
        """Send a request and read the head of the answer."""
        reader, writer = streams
        content = b"" if body is None else json.dumps(body).encode()
        kind = "application/merge-patch+json" if method == "PATCH" else "application/json"
        writer.write(
            f"{method} {path} HTTP/1.1\r\nHost: {self.job['server_name']}\r\nAuthorization: Bearer {self.job['token']}\r\nAccept: application/json\r\n"
            f"Content-Type: {kind}\r\nContent-Length: {len(content)}\r\n\r\n".encode()
            + content
        )
        await writer.drain()
        return read_head(await reader.readuntil(b"\r\n\r\n"))

    async def chunks(self, reader: asyncio.StreamReader) -> AsyncIterator[bytes]:
        """The parts of a body in chunks."""
        while True:
            size = int((await reader.readuntil(b"\r\n")).split(b";")[0], 16)
            part = (await reader.readexactly(size + 2))[:-2]
            if not size:
                return
            yield part

    async def body(self, reader: asyncio.StreamReader, answer: Answer) -> bytes:
        """The whole body; anything but success is an error."""
        if answer.length is None:
            content = b""
            async for part in self.chunks(reader):
                content += part
                if len(content) > LIMIT:
                    raise Refused("an endless answer")
        else:
            content = await reader.readexactly(min(answer.length, LIMIT))
        if not 200 <= answer.status < 300:
            raise Refused(f"{answer.status} {content.decode('utf-8', 'replace').strip()[:120]}")
        return content

    async def once(self, method: str, path: str, body: Any = None) -> bytes:
        """One request over a connection of its own."""
        async with self.connection() as streams:
            return await self.body(streams[0], await self.ask(streams, method, path, body))

    async def measure(self, kind: str, once: Callable[[], Awaitable[str | None]]) -> None:
        """One measured request, repeated where it failed."""
        start = self.now()
        failed = await once()
        if failed is None:
            self.record(kind, start, self.now(), None)
        else:
            end = self.now()
            await asyncio.sleep(RETRY_AFTER)
            self.record(kind, start, end, failed, await once())

    async def _ask_service_once(self) -> str | None:
        """A new connection to a Service by this node's own address, plain HTTP."""
        doing = "connect"

        async def steps() -> None:
            nonlocal doing
            reader, writer = await asyncio.open_connection(self._own_address(), self.job["service_port"], limit=LINE)
            try:
                doing = "service"
                writer.write(b"GET / HTTP/1.1\r\nHost: service\r\n\r\n")
                await writer.drain()
                await self.body(reader, read_head(await reader.readuntil(b"\r\n\r\n")))
            finally:
                writer.transport.abort()

        try:
            await asyncio.wait_for(steps(), self.timeout)
        except FAILURES as error:
            return why(error, doing, self.timeout)
        return None

    def _own_address(self) -> str:
        """The address from which this node speaks to the endpoint."""
        kind, _type, _protocol, _name, address = socket.getaddrinfo(self.job["address"], self.job["port"], type=socket.SOCK_DGRAM)[0]
        with socket.socket(kind, socket.SOCK_DGRAM) as datagram:
            datagram.connect(address)
            return str(datagram.getsockname()[0])

    async def _read_once(self) -> Optional[str]:
        doing = "connect"

        async def steps() -> None:
            nonlocal doing
            async with self.connection() as streams:
                # The object as the API server's cache has it: whether etcd has a leader is what the writes measure. But no cache that is older than
                # the object: with 0 there, the first read of one drill in two hundred found none.
                for doing, path in (("readyz", self.job["readyz"]), ("object", f"{self._read_object}?resourceVersion={self._version}")):
                    await self.body(streams[0], await self.ask(streams, "GET", path))

        try:
            await asyncio.wait_for(steps(), self.timeout)
        except FAILURES as error:
            return why(error, doing, self.timeout)
        return None

    async def write(self, number: int) -> None:
        """One measured write, which leaves a key of its own in an object."""
        start, failed = self.now(), None
        try:
            await asyncio.wait_for(self.once("PATCH", self._write_object, {"data": {f"n{number}": "", "last": str(number)}}), self.timeout)
        except FAILURES as error:
            failed = why(error, "write", self.timeout)
        self.record("w", start, self.now(), failed, number)

    async def begin(self, what: str) -> None:
        """What is due."""
        if what == "write":
            self._number += 1
            await self.write(self._number)
        elif what == "service":
            await self.measure("p", self._ask_service_once)
        else:
            # A new connection, and over it /readyz and the object.
            await self.measure("r", self._read_once)

    async def every(self, rate: float, what: str) -> None:
        """Begin something so many times a second, whatever becomes of those that were begun before: a read, a write, or a request to a Service."""
        running: set[asyncio.Task[None]] = set()
        begun = time.monotonic()
        number = 0
        while not self.stop.is_set():
            number += 1
            task = asyncio.ensure_future(self.begin(what))
            running.add(task)
            task.add_done_callback(running.discard)
            wait = begun + number / rate - time.monotonic()
            if wait < -0.1:
                # Never made up for: a burst would be another measurement.
                self.record("l", self.now(), round(-wait, 3))
                begun -= wait
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self.stop.wait(), max(wait, 0.001))
        if running:
            await asyncio.wait(running, timeout=2 * self.timeout + RETRY_AFTER + 1)

    async def watch(self) -> None:
        """Hold a watch open. It is opened again at once where it broke, from the last event it told of, as clients do."""
        version = ""
        while not self.stop.is_set():
            reason = "closed"
            try:
                async with self.connection() as streams:
                    self._keep_alive(streams[1])
                    path = f"{self._objects}?watch=true&{self._own}&resourceVersion={version}&timeoutSeconds=3600"
                    answer = await asyncio.wait_for(self.ask(streams, "GET", path), self.timeout)
                    if answer.status != 200:
                        await asyncio.wait_for(self.body(streams[0], answer), self.timeout)
                    self.record("o", self.now())
                    rest = b""
                    async for part in self.chunks(streams[0]):
                        *lines, rest = (rest + part).split(b"\n")
                        for line in lines:
                            event = json.loads(line)
                            if event["type"] == "ERROR":
                                version = ""
                                raise Refused(event["object"].get("message", "ERROR"))
                            version = event["object"]["metadata"]["resourceVersion"]
                            last = event["object"].get("data", {}).get("last")
                            if last:
                                self.record("v", self.now(), int(last))
            except (*FAILURES, KeyError) as error:
                reason = why(error, "watch", self.timeout)
            self.record("c", self.now(), reason)
            await asyncio.sleep(REOPEN)

    def _keep_alive(self, writer: asyncio.StreamWriter) -> None:
        """Let the kernel ask an idle peer whether it is there: a new active router of the address says at once that it knows no such connection."""
        raw = writer.get_extra_info("socket")
        seconds = int(self.job["watch_keepalive"])
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, seconds)
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, seconds)
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 3)

    async def look(self) -> None:
        """Note each change of who has the address."""
        table = Neighbourhood(self.job["address"], self.job["hosts"])
        known: Optional[str] = ""
        while not self.stop.is_set():
            active_router = table.active_router()
            if active_router != known:
                self.record("h", self.now(), active_router)
                known = active_router
            await asyncio.sleep(LOOK)

    async def insist(self, method: str, path: str, body: Any = None) -> bytes:
        """A request that is not measured, tried until it succeeds or patience ends."""
        end = time.monotonic() + PATIENCE
        while True:
            try:
                return await asyncio.wait_for(self.once(method, path, body), self.timeout)
            except FAILURES as error:
                if time.monotonic() >= end:
                    raise Refused(why(error, f"{method} {path}", self.timeout)) from None
            await asyncio.sleep(0.2)

    async def make_object(self) -> None:
        """Make an object, into which is written from now on."""
        name = f"{self.job['object']}-{self._number}"
        metadata = {"name": name, "labels": {LABEL: self.job["object"]}}
        made = await self.insist("POST", self._objects, {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata})
        self._write_object, self._full_at = f"{self._objects}/{name}", self._number + KEYS
        if not self._read_object:
            self._read_object, self._version = self._write_object, json.loads(made)["metadata"]["resourceVersion"]

    async def renew(self) -> None:
        """Go on in another object when one is full; where none can be made, in the full one."""
        while True:
            await asyncio.sleep(RENEW)
            if self._number >= self._full_at:
                with contextlib.suppress(Refused):
                    await self.make_object()

    async def objects(self) -> dict[str, dict[str, str]]:
        """What is in each of its objects, also in those that it had before it was started anew."""
        found = json.loads(await self.insist("GET", f"{self._objects}?{self._own}"))["items"]
        return {one["metadata"]["name"]: one.get("data") or {} for one in found}

    async def remove(self, names: Iterable[str]) -> None:
        """Remove objects."""
        for name in names:
            await self.insist("DELETE", f"{self._objects}/{name}")

    async def wait_until_calm(self) -> None:
        """Wait until the endpoint answers quickly; where it never does, that is what is measured."""
        end = time.monotonic() + CALM_WITHIN
        in_a_row = 0
        while in_a_row < CALM and time.monotonic() < end and not self.stop.is_set():
            begun = time.monotonic()
            failed = await self._read_once()
            in_a_row = in_a_row + 1 if failed is None and time.monotonic() - begun <= QUICK else 0
            await asyncio.sleep(1 / float(self.job["rate"]))

    async def main(self) -> None:
        """Make an object, measure until told to stop, read the objects back."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            loop.add_signal_handler(number, self.stop.set)
        loop.call_later(float(self.job["seconds"]), self.stop.set)
        try:
            if not self._number:
                # Those that one left which did not end in order.
                await self.remove(await self.objects())
            await self.make_object()
        except Refused as error:
            self.record("x", self.now(), str(error))
            return
        await self.wait_until_calm()
        beside = [asyncio.ensure_future(one) for one in (self.watch(), self.renew(), *([self.look()] if self.job["hosts"] else []))]
        self.record("b", self.now())
        rates = {"read": self.job["rate"], "write": self.job["write_rate"], **({"service": self.job["rate"]} if self.job["service_port"] else {})}
        await asyncio.gather(*(self.every(float(rate), what) for what, rate in rates.items()))
        for task in beside:
            task.cancel()
        await asyncio.gather(*beside, return_exceptions=True)
        try:
            kept = await self.objects()
            self.record("k", sorted(int(key[1:]) for data in kept.values() for key in data if key.startswith("n")))
            await self.remove(kept)
        except Refused as error:
            self.record("k", None)
            self.record("x", self.now(), str(error))


def main(job: Mapping[str, Any]) -> None:
    """Do the job, and write it down line by line."""
    with contextlib.suppress(OSError):
        # What is measured is the endpoint, and not how busy this node is.
        os.nice(-10)
    with open(job["path"], "a", encoding="utf-8", buffering=1) as file:

        async def run() -> Client:
            client = Client(job, file)
            await client.main()
            return client

        client = asyncio.run(run())
        client.record("z", client.now())
