# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Take a server out of a HAProxy for a while, and put it back."""

from __future__ import annotations

import csv
import time
from typing import Callable, NamedTuple

Ask = Callable[[str], str]
# HAProxy looks at its servers many times a second.
PAUSE = 0.1


class ProxyError(RuntimeError):
    """HAProxy does not do what it was told."""


class Server(NamedTuple):
    """A server in one backend of a HAProxy."""

    backend: str
    status: str
    sessions: int

    @property
    def drained(self) -> bool:
        """Whether it gets no new connections because somebody said so: whatever else it is, its weight is nothing."""
        return self.status.startswith(("DRAIN", "MAINT"))

    @property
    def up(self) -> bool:
        """Whether it gets new connections; a backend without checks has no opinion."""
        return self.status.startswith(("UP", "no check"))


def servers(statistics: str, name: str) -> list[Server]:
    """Return what C(show stat) says of the server of this name, once for each backend that has it."""
    rows = csv.DictReader(statistics.removeprefix("# ").splitlines())
    return [Server(row["pxname"], row["status"], int(row["scur"] or 0)) for row in rows if row["svname"] == name]


def look(ask: Ask, name: str) -> list[Server]:
    """Ask HAProxy for the server; raise ProxyError when it does not answer."""
    try:
        return servers(ask("show stat -1 4 -1"), name)
    except (OSError, KeyError, ValueError) as error:
        raise ProxyError(f"HAProxy does not say what it has of {name}: {error}") from None


def tell(ask: Ask, command: str) -> None:
    """Give a command; HAProxy answers one that it obeys with an empty line."""
    try:
        answer = ask(command).strip()
    except OSError as error:
        raise ProxyError(f"`{command}`: {error}") from None
    if answer:
        raise ProxyError(f"`{command}`: {answer}")


def drain(ask: Ask, name: str, patience: float, sleep: Callable[[float], None] = time.sleep, clock: Callable[[], float] = time.monotonic) -> int:
    """Give the server no new connections, wait that long for those that it has to end, and shut the others; return how many were shut."""
    for server in look(ask, name):
        tell(ask, f"set server {server.backend}/{name} state drain")
    end = clock() + patience
    while any(server.sessions for server in look(ask, name)) and clock() < end:
        sleep(PAUSE)
    left = [server for server in look(ask, name) if server.sessions]
    for server in left:
        tell(ask, f"shutdown sessions server {server.backend}/{name}")
    return sum(server.sessions for server in left)


def put_back(ask: Ask, name: str, patience: float, sleep: Callable[[float], None] = time.sleep, clock: Callable[[], float] = time.monotonic) -> None:
    """Give the server connections again, and wait until HAProxy finds it well; raise ProxyError when that takes longer."""
    for server in look(ask, name):
        tell(ask, f"set server {server.backend}/{name} state ready")
    end = clock() + patience
    while True:
        down = [server for server in look(ask, name) if not server.up]
        if not down:
            return
        if clock() >= end:
            said = ", ".join(f"{server.status} in {server.backend}" for server in down)
            raise ProxyError(f"after {patience:g} s HAProxy does not find {name} well: {said}. See `journalctl -u haproxy`, and /readyz of that API server")
        sleep(PAUSE)
