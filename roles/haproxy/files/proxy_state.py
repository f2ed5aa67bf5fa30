#!/usr/bin/python3
# Managed by Ansible, role quorum.kubeadm.haproxy: changes made here are overwritten.
"""Tell keepalived what this host's HAProxy is worth, in a file that keepalived watches.

usage: proxy-state MONITOR_PORT FILE SETTLING_SECONDS

   0   serves: has had a healthy API server for SETTLING_SECONDS
  -1   runs, but has no healthy API server, or not for long: any proxy that serves is better
-254   does not answer: the address must go

Others may write there too (proxy-leaves does when HAProxy stops); what they wrote stands until HAProxy has shown for SETTLING_SECONDS
that it serves.
"""

from __future__ import annotations

import os
import socket
import sys
import time

SERVES, EMPTY, DEAD = 0, -1, -254
PAUSE = 0.1
# HAProxy answers its monitor in less than a millisecond, and on a busy machine within some tens.
TIMEOUT = 0.5


def ask(port: int) -> bool | None:
    """Return whether HAProxy has a healthy API server, None when it does not answer."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT) as connection:
            connection.sendall(b"GET / HTTP/1.0\r\n\r\n")
            answer = connection.recv(64).split()
    except OSError:
        return None
    return answer[1:2] == [b"200"] if answer else None


def worth(healthy: bool | None, known: int | None, settled: bool) -> int:
    """Return what to tell keepalived, given what it was told last."""
    if healthy is None:
        return DEAD
    return SERVES if healthy and (settled or known == SERVES) else EMPTY


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


def main(port: int, path: str, settling: float) -> None:
    """Watch HAProxy for ever."""
    told: int | None = None
    healthy_since = time.monotonic()
    while True:
        # In this order: what HAProxy says is newer than what somebody wrote when it died.
        known = read(path)
        healthy = ask(port)
        if not healthy or known != told:
            healthy_since = time.monotonic()
        told = worth(healthy, known, time.monotonic() - healthy_since >= settling)
        if told != known:
            print(f"HAProxy {'is dead' if told == DEAD else 'serves' if told == SERVES else 'has no healthy API server yet'}", flush=True)
            tell(path, told)
        time.sleep(PAUSE)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], float(sys.argv[3]))
