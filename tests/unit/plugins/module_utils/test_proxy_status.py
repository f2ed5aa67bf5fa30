# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What HAProxy and keepalived say of themselves."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.quorum.kubeadm.plugins.module_utils import proxy_status
from ansible_collections.quorum.kubeadm.plugins.module_utils.proxy_status import ProxiedServer

FIXTURES = Path(__file__).parents[2] / "fixtures" / "proxy"


@pytest.mark.parametrize(
    ("file", "expected"),
    [
        (
            "show_stat_haproxy_2_6.csv",
            [
                ProxiedServer(name="api", address="198.18.66.12:6443", up=True, check_status="L7OK", check_result="Layer7 check passed", last_change=18),
                ProxiedServer(
                    name="closed", address="198.18.66.12:6444", up=False, check_status="L4CON",
                    check_result="Layer4 connection problem: Connection refused", last_change=37,
                ),
                ProxiedServer(name="nobody", address="198.18.66.99:6443", up=False, check_status="L4TOUT", check_result="Layer4 timeout", last_change=36),
            ],
        ),
        (
            "show_stat_hung_haproxy_2_6.csv",
            [ProxiedServer(name="api", address="198.18.66.12:6443", up=True, check_status="L6TOUT", check_result="Layer6 timeout", last_change=20)],
        ),
    ],
)  # fmt: skip
def test_backends(file: str, expected: list[ProxiedServer]) -> None:
    assert proxy_status.backends((FIXTURES / file).read_text()) == expected


@pytest.mark.parametrize(
    ("status", "up"),
    [("UP", True), ("UP 1/2", True), ("DOWN", False), ("DOWN 1/2", False), ("MAINT", False), ("DRAIN", False), ("NOLB", False), ("no check", False)],
)
def test_states_of_a_server(status: str, up: bool) -> None:
    """The states that HAProxy's management guide lists."""
    text = f"# pxname,svname,status,lastchg,check_status,\napi_servers,FRONTEND,OPEN,,,\napi_servers,cp1,{status},,,\napi_servers,BACKEND,UP,3,,\n"
    assert [(server["name"], server["up"]) for server in proxy_status.backends(text)] == [("cp1", up)]


@pytest.mark.parametrize(
    ("address", "expected"),
    [("198.18.66.10", True), ("198.18.66.11", True), ("198.18.66.1", False), ("198.18.66.100", False), ("2001:db8::10", False)],
)
def test_holds(address: str, expected: bool) -> None:
    assert proxy_status.holds((FIXTURES / "ip_address.json").read_text(), address) is expected


def test_holds_an_address_however_it_is_written() -> None:
    links = '[{"ifname": "eth0", "addr_info": [{"family": "inet6", "local": "2001:db8::10", "prefixlen": 64, "scope": "global"}]}]'
    assert proxy_status.holds(links, "2001:DB8:0:0::10")


@pytest.mark.parametrize(
    ("active", "has_address", "worth", "state"),
    [
        (False, True, 0, "stopped"),
        (True, True, 0, "master"),
        # The address is on its way off.
        (True, True, -254, "master"),
        (True, False, 0, "backup"),
        (True, False, -1, "backup"),
        (True, False, -2, "fault"),
        (True, False, -254, "fault"),
        (True, False, None, "backup"),
    ],
)
def test_keepalived_state(active: bool, has_address: bool, worth: int | None, state: str) -> None:
    assert proxy_status.keepalived_state(active, has_address, worth) == state
