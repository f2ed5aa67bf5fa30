#!/usr/bin/python3
# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A layer-4 load balancer as clouds have it: the kernel translates addresses, and this program keeps its rules to the healthy backends.

usage: balancer.py CONFIG, a JSON file {"address", "port", "backends": [{"name", "address", "port"}], "hairpin", "interval"}
"""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

RISE = FALL = 2
TIMEOUT = 1.0
CHAINS = {"LAB-BALANCER-IN": "PREROUTING", "LAB-BALANCER-OUT": "POSTROUTING"}
KERNEL = {
    "net/ipv4/ip_forward": "1",
    # Packets go back where they came from, which the kernel would tell clients to do themselves, past the balancer.
    "net/ipv4/conf/all/send_redirects": "0",
    "net/ipv4/conf/default/send_redirects": "0",
    "net/ipv4/conf/eth0/send_redirects": "0",
    "net/ipv4/conf/all/rp_filter": "0",
    "net/ipv4/conf/eth0/rp_filter": "0",
}


class Backend(NamedTuple):
    """A member of the target group."""

    name: str
    address: str
    port: int


class Health:
    """Whether a backend is healthy, by its last checks."""

    def __init__(self) -> None:
        self.healthy = False
        self._against = 0

    def note(self, answers: bool) -> None:
        """Take a check in: it takes several in a row to change."""
        self._against = 0 if answers == self.healthy else self._against + 1
        if self._against >= (FALL if self.healthy else RISE):
            self.healthy, self._against = answers, 0


def rules(config: Mapping[str, Any], healthy: Sequence[Backend]) -> str:
    """Return the translation for `iptables-restore --noflush`. Without a healthy backend there is none, and the kernel itself refuses connections."""
    incoming = f"-A LAB-BALANCER-IN -d {config['address']}/32 -p tcp --dport {config['port']}"
    lines = ["*nat", *(f":{chain} - [0:0]" for chain in CHAINS)]
    for index, backend in enumerate(healthy):
        left = len(healthy) - index
        chance = f" -m statistic --mode random --probability {1 / left:.8f}" if left > 1 else ""
        lines.append(f"{incoming}{chance} -j DNAT --to-destination {backend.address}:{backend.port}")
    for backend in healthy:
        # A backend that is sent to itself keeps its address, and drops what claims to come from there: the hairpin that fails.
        itself = "" if config["hairpin"] else f" ! -s {backend.address}/32"
        target = f"-d {backend.address}/32 -p tcp --dport {backend.port}"
        lines.append(f"-A LAB-BALANCER-OUT{itself} {target} -m conntrack --ctstate DNAT --ctorigdst {config['address']} -j MASQUERADE")
    return "\n".join([*lines, "COMMIT", ""])


def answers(backend: Backend) -> bool:
    """A TCP health check."""
    try:
        socket.create_connection((backend.address, backend.port), timeout=TIMEOUT).close()
    except OSError:
        return False
    return True


def iptables(program: str, *arguments: str, stdin: str = "", check: bool = True) -> int:
    """Run one of iptables' programs."""
    return subprocess.run([f"/usr/sbin/{program}", "-w", *arguments], input=stdin, text=True, check=check, capture_output=not check).returncode


def hook_in() -> None:
    """Send packets through chains of our own: Docker has rules in the same table."""
    for chain, hook in CHAINS.items():
        if iptables("iptables", "-t", "nat", "-C", hook, "-j", chain, check=False) != 0:
            iptables("iptables", "-t", "nat", "-A", hook, "-j", chain)


def balance(config: Mapping[str, Any]) -> None:
    """Check, and keep the rules to what is healthy."""
    backends = [Backend(**backend) for backend in config["backends"]]
    health = {backend: Health() for backend in backends}
    current: list[Backend] | None = None
    try:
        with ThreadPoolExecutor(max_workers=len(backends) or 1) as side_by_side:
            while True:
                began = time.monotonic()
                for backend, well in zip(backends, side_by_side.map(answers, backends)):
                    health[backend].note(well)
                healthy = [backend for backend in backends if health[backend].healthy]
                if healthy != current:
                    apply(config, healthy, hook=current is None)
                    current = healthy
                time.sleep(max(0.0, began + config["interval"] - time.monotonic()))
    finally:
        apply(config, [], hook=False)


def apply(config: Mapping[str, Any], healthy: Sequence[Backend], hook: bool) -> None:
    """Replace all rules at once."""
    iptables("iptables-restore", "--noflush", stdin=rules(config, healthy))
    if hook:
        hook_in()
    print(f"healthy: {names(healthy)}", flush=True)


def names(backends: Iterable[Backend]) -> str:
    """The backends' names, for the journal."""
    return ", ".join(backend.name for backend in backends) or "none"


def main() -> None:
    """Balance until told to stop."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    for setting, value in KERNEL.items():
        Path("/proc/sys", setting).write_text(value, encoding="ascii")
    balance(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")))


if __name__ == "__main__":
    main()
