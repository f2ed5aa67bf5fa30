# Managed by Ansible, role quorum.kubeadm.haproxy: changes made here are overwritten.
"""Watch this host's HAProxy: shut the connections of API servers that are dead, and tell keepalived what the proxy is worth.

usage: proxy-state SOCKET MONITOR_PORT [FILE SETTLING_SECONDS [ADDRESS]]

SOCKET is HAProxy's. It finds out itself which servers are not usable (usable_api_servers in haproxy.cfg), but can shut only connections that
came by the same backend, and does not see whether there is another server for them. FILE is the one that keepalived watches:

   1   serves, this host has ADDRESS, and has reached most API servers for SETTLING_SECONDS: nobody else is to take it, whatever its priority. An
       active router that was cut off, and reached its own server alone, does not say so, and leaves the address to the new one when it is back
   0   serves: has had a healthy API server for SETTLING_SECONDS
  -1   runs, but has no healthy API server, or not for long: any proxy that serves is better. Where most hosts answer, it said 0 or 1 for two seconds
       more: while another host booted, all checks of an active router were late for half a second, and to move the address cost more than to wait
-254   does not answer: the address must go

Others may write there too (proxy-leaves does when HAProxy stops); what they wrote stands until HAProxy has shown for SETTLING_SECONDS
that it serves.
"""

from __future__ import annotations

import contextlib
import csv
import os
import select
import socket
import struct
import sys
import time
from typing import Iterator, NamedTuple

ACTIVE, SERVES, EMPTY, DEAD = 1, 0, -1, -254
WORDS = {ACTIVE: "serves and has the address", SERVES: "serves", EMPTY: "has no healthy API server yet", DEAD: "is dead"}
PAUSE = 0.1
# HAProxy answers its monitor in less than a millisecond, and on a busy machine within some tens. Two processors that had six nodes to carry let it wait
# for half a second, and to move the address cost more than to wait.
TIMEOUT = 0.6
# HAProxy's socket answers as quickly, or HAProxy hangs, which its monitor tells.
COMMAND_TIMEOUT = 0.1
# An API server that does not answer may only be busy, and what is cut off then was not lost: with every processor kept busy for ten minutes, 41 of 44
# that HAProxy found dead answered again within a second, and requests failed since the connections of one that did not were shut.
SILENT = 2.0
# An API server that says it is not ready may only lack an etcd with a leader, like all the others: they say so within a second of each other.
UNREADY = 3.0
# The results of HAProxy's checks that begin so are of hosts that did not answer, or refused (check_status in its management guide, chapter 9.1).
UNREACHED = "L4"
USABLE, LIVING = "usable_api_servers", "living_api_servers"
BACKENDS = ("api_servers", USABLE, LIVING, "unchecked_api_servers")
# RTMGRP_IPV4_IFADDR and RTMGRP_IPV6_IFADDR of linux/rtnetlink.h: the kernel tells of every address that comes or goes.
ADDRESSES = 0x10 | 0x100


def ask(port: int) -> bool | None:
    """Return whether HAProxy has a healthy API server, None when it does not answer."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT) as connection:
            connection.sendall(b"GET / HTTP/1.0\r\n\r\n")
            answer = connection.recv(64).split()
    except OSError:
        return None
    return answer[1:2] == [b"200"] if answer else None


def command(path: str, *words: str) -> str:
    """Give HAProxy a command and return its answer; nothing when it does not answer."""
    answer = b""
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(COMMAND_TIMEOUT)
        connection.connect(path)
        connection.sendall(" ".join(words).encode() + b"\n")
        while part := connection.recv(65536):
            answer += part
    return answer.decode("utf-8", "replace")


class Server(NamedTuple):
    """An API server as HAProxy finds it."""

    reached: bool
    """Its host answers, and the API server may hang or be late: while another host booted, an active router whose checks were late for half a second once
    took itself for cut off, and gave the address away."""
    useful: bool
    """It is usable, be it slow or about to stop."""
    says_no: bool
    """It answered that it is not ready: it is not dead."""


def servers(statistics: str) -> dict[str, Server]:
    """Return the API servers in what HAProxy shows of its servers; none when it did not show all."""
    if not statistics.endswith("\n"):
        return {}
    rows = {(row["pxname"], row["svname"]): row for row in csv.DictReader(statistics.removeprefix("# ").splitlines())}
    return {
        name: Server(
            reached=(LIVING, name) in rows and (is_up(rows[LIVING, name]) or not result(rows[LIVING, name]).startswith(UNREACHED)),
            useful=is_up(row),
            says_no=result(row) == "L7STS",
        )
        for (backend, name), row in rows.items()
        if backend == USABLE
    }


def is_up(row: dict[str, str]) -> bool:
    """Return whether HAProxy sends connections to a server, or would if it were not about to stop."""
    return not row["status"].startswith("DOWN")


def result(row: dict[str, str]) -> str:
    """Return what the last check of a server came to. HAProxy puts a star before it while the next one is on its way."""
    return row["check_status"].lstrip("* ")


class Useless:
    """Which servers nobody should stay connected to, since they are not usable while another one is."""

    def __init__(self) -> None:
        self._since: dict[str, float] = {}

    def look(self, known: dict[str, Server], now: float) -> set[str]:
        """Return those servers. Where none is usable, as without etcd's quorum, connections are well where they are."""
        useless = {name for name, server in known.items() if not server.useful} if any(server.useful for server in known.values()) else set()
        self._since = {name: self._since.get(name, now) for name in useless}
        return {name for name, since in self._since.items() if now - since >= (UNREADY if known[name].says_no else SILENT)}


def messages(dump: bytes) -> Iterator[tuple[int, bytes]]:
    """Return kind and body of each message in a datagram of the kernel (netlink(7))."""
    while len(dump) >= 16:
        length, kind = struct.unpack_from("=IH", dump)
        if length < 16:
            return
        yield kind, dump[16:length]
        dump = dump[(length + 3) & ~3 :]


def addresses(message: bytes) -> Iterator[bytes]:
    """Return the packed addresses in the body of an RTM_NEWADDR (rtnetlink(7))."""
    attributes = message[8:]
    while len(attributes) >= 4:
        size, what = struct.unpack_from("=HH", attributes)
        if what in (1, 2):  # IFA_ADDRESS, and IFA_LOCAL where both ends of a line have one
            yield attributes[4:size]
        attributes = attributes[(max(size, 4) + 3) & ~3 :]


def holds(address: bytes) -> bool:
    """Return whether an interface of this host has the address. To bind to it tells nothing where net.ipv4.ip_nonlocal_bind is set."""
    family = socket.AF_INET if len(address) == 4 else socket.AF_INET6
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, 0) as link:
        link.settimeout(COMMAND_TIMEOUT)
        # RTM_GETADDR, NLM_F_REQUEST | NLM_F_DUMP
        link.sendall(struct.pack("=IHHIIBBBBI", 24, 22, 0x301, 1, 0, family, 0, 0, 0, 0))
        with contextlib.suppress(OSError):
            while True:
                for kind, message in messages(link.recv(65536)):
                    if kind in (2, 3):  # NLMSG_ERROR, NLMSG_DONE
                        return False
                    if kind == 20 and address in addresses(message):  # RTM_NEWADDR
                        return True
    return False


def worth(healthy: bool | None, known: int | None, settled: bool, active: bool) -> int:
    """Return what to tell keepalived, given what it was told last."""
    if healthy is None:
        return DEAD
    if not healthy or not (settled or known in (ACTIVE, SERVES)):
        return EMPTY
    return ACTIVE if active else SERVES


def read(path: str) -> int | None:
    """Return what keepalived was told last, None when that was nothing."""
    try:
        with open(path, encoding="ascii") as file:
            return int(file.read())
    except (FileNotFoundError, ValueError):
        return None


def tell(path: str, value: int) -> None:
    """Write the file whole: keepalived reads an empty file as 0."""
    beside = f"{path}.watching"
    with open(beside, "w", encoding="ascii") as file:
        file.write(f"{value}\n")
    os.replace(beside, path)


def packed(address: str) -> bytes:
    """Return an address as the kernel has it."""
    return socket.inet_pton(socket.AF_INET6 if ":" in address else socket.AF_INET, address)


def news() -> socket.socket:
    """Return a socket that can be read whenever this host gets an address or loses one."""
    link = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, 0)
    link.setblocking(False)
    link.bind((0, ADDRESSES))
    return link


def wait(link: socket.socket, seconds: float) -> None:
    """Wait that long, or until there is news of an address."""
    if select.select([link], [], [], seconds)[0]:
        # What it says is looked up; more than fits into its buffer (ENOBUFS) is news as well.
        with contextlib.suppress(OSError):
            while link.recv(65536):
                pass


def main(path: str, port: int, file: str = "", settling: float = 0, address: bytes = b"") -> None:
    """Watch HAProxy for ever."""
    link, dead = news(), Useless()
    told: int | None = None
    shut: set[str] = set()
    known_servers: dict[str, Server] = {}
    healthy_since = most_since = served = time.monotonic()
    while True:
        # In this order: what HAProxy says is newer than what somebody wrote when it died.
        known = read(file) if file else None
        healthy = ask(port)
        if healthy is not None:
            # One that did not answer in time has the servers that it had.
            known_servers = servers(command(path, "show stat -1 4 -1")) or known_servers
        now = time.monotonic()
        most = 2 * sum(server.reached for server in known_servers.values()) > len(known_servers)
        if not most:
            most_since = now
        if healthy is not False:
            served = now
        elif most and known in (ACTIVE, SERVES) and now - served < SILENT:
            # Hosts that answer while none of their API servers does: every check may be late, for all that this host had to do.
            healthy = True
        if not healthy or known != told:
            healthy_since = now
        # Who said so goes on, also a watcher that was started again.
        keeps = most and (now - most_since >= settling or known == ACTIVE)
        told = worth(healthy, known, now - healthy_since >= settling, keeps and address != b"" and holds(address))
        if file and told != known:
            print(f"HAProxy {WORDS[told]}", flush=True)
            tell(file, told)
        useless = dead.look(known_servers, now) if healthy is not None else shut
        for server in useless - shut:
            print(f"{server} is not usable: its connections are shut", flush=True)
            for backend in BACKENDS:
                command(path, "shutdown sessions server", f"{backend}/{server}")
        shut = useless
        wait(link, PAUSE)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), *sys.argv[3:4], *map(float, sys.argv[4:5]), *map(packed, sys.argv[5:6]))
