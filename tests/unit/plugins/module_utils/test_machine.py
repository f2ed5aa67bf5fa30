# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What Linux tells of a machine."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from ansible_collections.quorum.kubeadm.plugins.module_utils import machine

FIXTURES = Path(__file__).parents[2] / "fixtures" / "node"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            'PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\nNAME="Debian GNU/Linux"\nVERSION_ID="12"\nVERSION_CODENAME=bookworm\nID=debian\n',
            ("debian", "12", "bookworm", "Debian GNU/Linux 12 (bookworm)", "deb"),
        ),
        ("NAME='AlmaLinux'\nID='almalinux'\nID_LIKE=\"rhel fedora\"\nVERSION_ID='10.1'\n", ("almalinux", "10.1", "", "AlmaLinux", "rpm")),
        (
            '# a comment\nID=ubuntu\nID_LIKE=debian\nVERSION_ID="24.04"\nVERSION_CODENAME=noble\nPRETTY_NAME="Ubuntu 24.04.3 LTS"\n\n',
            ("ubuntu", "24.04", "noble", "Ubuntu 24.04.3 LTS", "deb"),
        ),
        ('ID=arch\nPRETTY_NAME="Arch Linux"\n', ("arch", "", "", "Arch Linux", "")),
        ("", ("linux", "", "", "", "")),
    ],
)
def test_os_release(text: str, expected: tuple[str, ...]) -> None:
    system = machine.parse_os_release(text, "x86_64")
    assert (system["id"], system["version_id"], system["codename"], system["name"], system["packages"]) == expected
    assert system["architecture"] == "x86_64"


def test_addresses() -> None:
    interfaces = machine.parse_addresses((FIXTURES / "ip_address.json").read_text())
    assert interfaces == [
        {"name": "lo", "addresses": [{"address": "127.0.0.1", "prefix": 8}]},
        {"name": "eth0", "addresses": [{"address": "198.18.79.11", "prefix": 24}]},
    ]
    assert machine.interface_of(interfaces, "198.18.79.11") == "eth0"
    assert machine.interface_of(interfaces, "198.18.79.12") is None
    assert machine.interface_of(interfaces, None) is None


def test_addresses_of_the_link_are_left_out() -> None:
    text = (
        '[{"ifname":"eth0","addr_info":[{"family":"inet6","local":"2001:db8::5","prefixlen":64,"scope":"global"},'
        '{"family":"inet6","local":"fe80::1","prefixlen":64,"scope":"link"}]},{},{"ifname":"tun0","addr_info":[{}]}]'
    )
    assert machine.parse_addresses(text) == [
        {"name": "eth0", "addresses": [{"address": "2001:db8::5", "prefix": 64}]},
        {"name": "tun0", "addresses": []},
    ]


def test_listeners() -> None:
    sockets = machine.parse_listeners((FIXTURES / "proc_net_tcp").read_text()) + machine.parse_listeners((FIXTURES / "proc_net_tcp6").read_text())
    assert [(one["address"], one["port"]) for one in sockets] == [
        ("127.0.0.1", 34089),
        ("127.0.0.1", 2381),
        ("127.0.0.1", 2379),
        ("198.18.79.11", 2380),
        ("198.18.79.11", 2379),
        ("127.0.0.11", 43645),
        ("0.0.0.0", 22),
        ("127.0.0.1", 10259),
        ("127.0.0.1", 10257),
        ("127.0.0.1", 10249),
        ("127.0.0.1", 10248),
        ("::", 6443),
        ("::", 22),
        ("::", 10250),
        ("::", 10256),
    ]
    assert sockets[11]["inode"] == "194104"


def test_address_of_ipv6_and_mapped_ipv4() -> None:
    head = "sl\n"
    line = "0: {}:192B 0:0 0A 0:0 0:0 0 0 0 7 1\n"
    assert machine.parse_listeners(head + line.format("B80D0120000000000000000001000000"))[0]["address"] == "2001:db8::1"
    assert machine.parse_listeners(head + line.format("0000000000000000FFFF00000B4F12C6"))[0]["address"] == "198.18.79.11"


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("containerd github.com/containerd/containerd/v2 2.3.7 go-module", "2.3.7"),
        ("containerd github.com/containerd/containerd 1.6.20~ds1 1.6.20~ds1-1+deb12u3", "1.6.20"),
        ("containerd containerd.io v2.2.1 dea7da592f5d1d2b7755e3a161be07f43fad8f75", "2.2.1"),
        ("Kubernetes v1.37.2", "1.37.2"),
        ("v1.37.2\n", "1.37.2"),
        ("v1.38.0-alpha.1", "1.38.0"),
        ("", None),
        ("no version", None),
    ],
)
def test_version(text: str, version: str | None) -> None:
    assert machine.parse_version(text) == version


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("containerd:\n  Installed: (none)\n  Candidate: 1.6.20~ds1-1+deb12u3\n  Version table:\n", "1.6.20"),
        ("containerd:\n  Installed: 1.7.24~ds1-6\n  Candidate: 1.7.24~ds1-6\n", "1.7.24"),
        ("containerd:\n  Candidate: 1:2.1.3-0ubuntu3\n", "2.1.3"),
        ("containerd:\n  Installed: (none)\n  Candidate: (none)\n", None),
        ("", None),
    ],
)
def test_candidate(text: str, version: str | None) -> None:
    assert machine.parse_candidate(text) == version


def test_memory_and_swap() -> None:
    assert machine.parse_memory_mb("MemTotal:       24684432 kB\nMemFree: 1 kB\n") == 24105
    assert machine.parse_memory_mb("") == 0
    assert machine.has_swap("Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n/dev/sda2 partition 1000 0 -2\n")
    assert not machine.has_swap("Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n")
    assert not machine.has_swap("")


def test_outward_address_of_a_target_that_can_be_reached() -> None:
    assert machine.outward_address([(socket.AF_INET, "127.0.0.1")]) == "127.0.0.1"


def test_outward_address_without_a_route() -> None:
    assert machine.outward_address([(socket.AF_INET, "not an address")]) is None
