# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A TLS listener that stands in for an API server for a moment, and notes who comes by."""

from __future__ import annotations

import json
import os
import signal
import socket
import ssl
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import FrameType
from typing import Any, NamedTuple, NoReturn, Optional

from ansible_collections.quorum.kubeadm.plugins.module_utils.balancer import USER_AGENT
from ansible_collections.quorum.kubeadm.plugins.module_utils.machine import parse_listeners

# As `ps` and `ss` show it; the kernel keeps 15 letters.
PROCESS = "quorum-listener"
PATHS = (b"/readyz", b"/healthz", b"/livez")
TLS_HANDSHAKE = b"\x16"
# Word for word what an API server says to one who speaks HTTP where TLS is due. A health check that is content with less would be no longer after init.
NOT_TLS = b"HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n"
PATIENCE = 5.0


class Files(NamedTuple):
    """Where a listener that runs leaves its traces."""

    pid: Path = Path("/run/quorum.kubeadm.listener.pid")
    report: Path = Path("/run/quorum.kubeadm.listener.json")
    proc: Path = Path("/proc")


class Traffic:
    """Who connected, and how: kind is tcp (not a word), http (without TLS), tls (a handshake alone), https, or probe (ours)."""

    LIMIT = 32

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._probes = 0
        self._others: dict[tuple[str, str], int] = {}
        self._untold = 0

    def count(self, source: str, kind: str) -> None:
        """Note a connection."""
        with self._lock:
            if kind == "probe":
                self._probes += 1
            elif (source, kind) in self._others or len(self._others) < self.LIMIT:
                self._others[source, kind] = self._others.get((source, kind), 0) + 1
            else:
                self._untold += 1

    def report(self) -> dict[str, Any]:
        """What was noted."""
        with self._lock:
            others = [{"source": source, "kind": kind, "connections": count} for (source, kind), count in sorted(self._others.items())]
            return {"probes": self._probes, "others": others, "untold": self._untold}


def answer(connection: socket.socket, context: ssl.SSLContext, page: str) -> str:
    """Serve one connection and return of which kind it was."""
    kind = "tcp"
    try:
        connection.settimeout(PATIENCE)
        first = connection.recv(1, socket.MSG_PEEK)
        if first and first != TLS_HANDSHAKE:
            kind = "http"
            connection.recv(8192)  # what is unread would turn the answer into a reset
            connection.sendall(NOT_TLS)
        elif first:
            kind = "tls"
            with context.wrap_socket(connection, server_side=True) as server:
                request = b""
                while b"\r\n\r\n" not in request and len(request) < 8192 and (chunk := server.recv(8192)):
                    request += chunk
                if request:
                    kind = "probe" if USER_AGENT.encode() in request else "https"
                    found = request.split(b" ", 2)[1:2] and request.split(b" ", 2)[1].partition(b"?")[0] in PATHS
                    body = page.encode() if found else b"not found\n"
                    status = b"200 OK" if found else b"404 Not Found"
                    server.sendall(b"HTTP/1.1 %s\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s" % (status, len(body), body))
    except OSError:
        # Health checks hang up as soon as they have seen enough.
        pass
    finally:
        connection.close()
    return kind


def server_context(certificate: str) -> ssl.SSLContext:
    """Return a server's context for a key and its certificate, PEM. OpenSSL reads files alone, so they are one in memory."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    descriptor = os.memfd_create("certificate")
    try:
        os.write(descriptor, certificate.encode())
        context.load_cert_chain(f"/proc/self/fd/{descriptor}")
    finally:
        os.close(descriptor)
    return context


def bind(port: int) -> socket.socket:
    """Listen at all addresses of the host, as an API server does."""
    if socket.has_dualstack_ipv6():
        return socket.create_server(("::", port), family=socket.AF_INET6, dualstack_ipv6=True, backlog=256)
    return socket.create_server(("0.0.0.0", port), backlog=256)


def launch(listener: socket.socket, context: ssl.SSLContext, page: str, lifetime: int, files: Files = Files()) -> int:
    """Serve in a process of its own, which ends after ``lifetime`` seconds whatever happens. Return its number."""
    files.report.unlink(missing_ok=True)
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.setsid()
            if os.fork() == 0:
                _detach(listener, writer)
                # The kernel's own alarm ends the process even where Python hangs.
                signal.signal(signal.SIGALRM, signal.SIG_DFL)
                signal.alarm(lifetime)
                files.pid.write_text(f"{os.getpid()}\n", encoding="ascii")
                os.write(writer, str(os.getpid()).encode())
                os.close(writer)
                _serve(listener, context, page, files)
        finally:
            # Never back into the code that called, nor through the cleaning up that is its parent's.
            os._exit(0)
    os.close(writer)
    os.waitpid(child, 0)
    with os.fdopen(reader, "rb") as told:
        return int(told.read() or 0)


def _detach(listener: socket.socket, writer: int) -> None:
    """Hold nothing that somebody may wait for: SSH waits until all that has its standard output is gone."""
    os.chdir("/")
    null = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(null, standard)
    keep = {0, 1, 2, listener.fileno(), writer}
    for descriptor in {int(name) for name in os.listdir("/proc/self/fd")} - keep:
        try:
            os.close(descriptor)
        except OSError:  # the one that listed them
            pass
    Path("/proc/self/comm").write_text(PROCESS, encoding="ascii")


def _serve(listener: socket.socket, context: ssl.SSLContext, page: str, files: Files) -> NoReturn:
    traffic = Traffic()

    def finish(_signal: int, _frame: Optional[FrameType]) -> None:
        beside = files.report.with_suffix(".writing")
        beside.write_text(json.dumps(traffic.report()), encoding="utf-8")
        beside.replace(files.report)
        os._exit(0)

    def attend(connection: socket.socket, source: str) -> None:
        traffic.count(source, answer(connection, context, page))

    signal.signal(signal.SIGTERM, finish)
    with ThreadPoolExecutor(max_workers=64) as side_by_side:
        while True:
            connection, peer = listener.accept()
            source = str(peer[0])
            side_by_side.submit(attend, connection, source[len("::ffff:") :] if source.startswith("::ffff:") else source)


def running(files: Files = Files()) -> int | None:
    """Return the number of the listener's process, None when there is none."""
    try:
        pid = int(files.pid.read_text(encoding="ascii"))
        process = files.proc / str(pid)
        name, _mark, state = (process / "stat").read_text(encoding="utf-8", errors="replace").partition(" (")[2].rpartition(") ")
        # The first thread can be a zombie while others have not let go of the port.
        ended = state.startswith("Z") and len(os.listdir(process / "task")) == 1
    except (OSError, ValueError):
        return None
    # Numbers are given to others later.
    return pid if name == PROCESS and not ended else None


def stop(files: Files = Files()) -> dict[str, Any] | None:
    """End the listener and return what it saw, None when it tells nothing any more."""
    for signal_number in (signal.SIGTERM, signal.SIGKILL):
        pid = running(files)
        if pid is None:
            break
        try:
            os.kill(pid, signal_number)
        except ProcessLookupError:
            break
        patience = time.monotonic() + PATIENCE
        while running(files) is not None and time.monotonic() < patience:
            time.sleep(0.02)  # it is no child of ours to wait for
    report: dict[str, Any] | None = None
    try:
        report = json.loads(files.report.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        pass
    for file in (files.pid, files.report):
        file.unlink(missing_ok=True)
    return report


def listening_process(port: int, proc: Path = Path("/proc")) -> str | None:
    """Return who listens at a port, for people; None when nobody does."""
    inodes = set()
    for table in ("tcp", "tcp6"):
        try:
            inodes |= {one["inode"] for one in parse_listeners((proc / "net" / table).read_text(encoding="ascii")) if one["port"] == port}
        except OSError:  # no IPv6
            continue
    wanted = {f"socket:[{inode}]" for inode in inodes}
    for process in proc.iterdir() if wanted else ():
        try:
            if process.name.isdigit() and any(os.readlink(descriptor.path) in wanted for descriptor in os.scandir(process / "fd")):
                return f"{(process / 'comm').read_text(encoding='utf-8').strip()} (process {process.name})"
        except OSError:  # gone meanwhile
            continue
    return "a process that cannot be seen" if wanted else None
