# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read what a machine is from what Linux tells: addresses, listeners, its system, its versions."""

from __future__ import annotations

import ipaddress
import json
import re
import socket
from typing import Iterable, Literal, TypedDict


class InterfaceAddress(TypedDict):
    """An address of an interface."""

    address: str
    prefix: int


class Interface(TypedDict):
    """A network interface."""

    name: str
    addresses: list[InterfaceAddress]


class Socket(TypedDict):
    """A listening TCP socket as the kernel lists it."""

    port: int
    address: str
    inode: str


class System(TypedDict):
    """The operating system."""

    id: str
    version_id: str
    codename: str
    name: str
    packages: Literal["deb", "rpm", ""]
    architecture: str


def parse_os_release(text: str, architecture: str) -> System:
    """Read /etc/os-release."""
    values = {}
    for line in text.splitlines():
        name, assigned, value = line.partition("=")
        if assigned and not line.startswith("#"):
            values[name.strip()] = value.strip().strip("\"'")
    return System(
        id=values.get("ID", "linux"),
        version_id=values.get("VERSION_ID", ""),
        codename=values.get("VERSION_CODENAME", ""),
        name=values.get("PRETTY_NAME", values.get("NAME", "")),
        packages=_packages({values.get("ID", ""), *values.get("ID_LIKE", "").split()}),
        architecture=architecture,
    )


def _packages(kin: set[str]) -> Literal["deb", "rpm", ""]:
    """Return how a system's programs are packed, by its own id and those that it calls alike (os-release(5), ID_LIKE)."""
    if "debian" in kin:
        return "deb"
    return "rpm" if kin & {"rhel", "fedora"} else ""


def parse_addresses(text: str) -> list[Interface]:
    """Read `ip -json address`; addresses of the link alone are left out."""
    return [
        Interface(
            name=interface["ifname"],
            addresses=[
                InterfaceAddress(address=address["local"], prefix=address["prefixlen"])
                for address in interface.get("addr_info", [])
                if address.get("scope") != "link" and "local" in address
            ],
        )
        for interface in json.loads(text or "[]")
        if "ifname" in interface
    ]


def interface_of(interfaces: Iterable[Interface], address: str | None) -> str | None:
    """Return the name of the interface that holds an address."""
    for interface in interfaces:
        if any(own["address"] == address for own in interface["addresses"]):
            return interface["name"]
    return None


def outward_address(targets: Iterable[tuple[socket.AddressFamily, str]] = ((socket.AF_INET, "192.0.2.1"), (socket.AF_INET6, "2001:db8::1"))) -> str | None:
    """Return the address from which the default route is used. Connecting a datagram socket sends nothing."""
    for family, target in targets:
        try:
            with socket.socket(family, socket.SOCK_DGRAM) as probe:
                probe.connect((target, 9))
                return str(probe.getsockname()[0])
        except OSError:
            continue
    return None


def parse_listeners(text: str) -> list[Socket]:
    """Read /proc/net/tcp or tcp6: the sockets that listen."""
    sockets = []
    for line in text.splitlines()[1:]:
        fields = line.split()
        if len(fields) < 10 or fields[3] != "0A":
            continue
        address, port = fields[1].rsplit(":", 1)
        # The kernel prints each 32 bit word in the byte order of the machine, which is little-endian wherever Kubernetes runs but s390x.
        words = [bytes.fromhex(address[start : start + 8])[::-1] for start in range(0, len(address), 8)]
        listens_on = ipaddress.ip_address(b"".join(words))
        mapped = listens_on.ipv4_mapped if isinstance(listens_on, ipaddress.IPv6Address) else None
        sockets.append(Socket(port=int(port, 16), address=str(mapped or listens_on), inode=fields[9]))
    return sockets


def parse_version(text: str) -> str | None:
    """Return the version in the words of `containerd --version`, `kubelet --version`, `kubeadm version`, without v and suffixes."""
    found = re.search(r"(?<![\w.])v?(\d+\.\d+\.\d+)", text)
    return found.group(1) if found else None


def parse_candidate(text: str) -> str | None:
    """Return upstream's part of the candidate version in the words of `apt-cache policy`."""
    found = re.search(r"^\s*Candidate:\s*(?:\d+:)?(\d+\.\d+\.\d+)", text, re.MULTILINE)
    return found.group(1) if found else None


def parse_memory_mb(meminfo: str) -> int:
    """Return the machine's memory in MiB from /proc/meminfo."""
    found = re.search(r"^MemTotal:\s+(\d+) kB", meminfo, re.MULTILINE)
    return int(found.group(1)) // 1024 if found else 0


def has_swap(swaps: str) -> bool:
    """Tell from /proc/swaps whether the machine swaps."""
    return len(swaps.strip().splitlines()) > 1
