# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Timings read from configuration files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible_collections.quorum.kubeadm.plugins.module_utils.drill_timings import (
    milliseconds,
    of_etcd,
    of_haproxy,
    of_keepalived,
    systemd_milliseconds,
    together,
)
from ansible_collections.quorum.kubeadm.plugins.plugin_utils.failover import Timings

FIXTURES = Path(__file__).parents[2] / "fixtures" / "drill"


def read(name: str) -> str:
    return (FIXTURES / name).read_text()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            read("haproxy.cfg"),
            {
                "check_interval": 100, "check_fast_interval": 25, "check_timeout": 120, "check_fall": 1, "connect_timeout": 200, "redispatch": True,
                "dead_interval": 300, "dead_timeout": 250, "dead_fall": 2, "shuts_sessions": True, "reads_answers": True, "etcd_asked": True,
            },
        ),
        (
            read("haproxy_guide.cfg"),
            {
                "check_interval": 2000, "check_fast_interval": 2000, "check_timeout": 10000, "check_fall": 3, "connect_timeout": 5000, "redispatch": True,
                "dead_interval": 2000, "dead_timeout": 10000, "dead_fall": 3, "shuts_sessions": False, "reads_answers": True, "etcd_asked": False,
            },
        ),
        # Settings of another section do not count; those of a server do.
        (
            "defaults\n timeout connect 1s\nbackend a\n timeout check 9s\n server x 192.0.2.1:80\nbackend b\n server y 192.0.2.1:80 check inter 1s fall 2\n",
            {
                "check_interval": 1000, "check_fast_interval": 1000, "check_timeout": 1000, "check_fall": 2, "connect_timeout": 1000, "redispatch": False,
                "dead_interval": 1000, "dead_timeout": 1000, "dead_fall": 2, "shuts_sessions": False, "reads_answers": False, "etcd_asked": False,
            },
        ),
        ("backend a\n server x 192.0.2.1:80 # check\n", {}),
        ("", {}),
    ],
)
def test_haproxy(text: str, expected: dict[str, Any]) -> None:
    assert of_haproxy(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (read("keepalived.conf"), {"vrrp_version": 3, "advertisement": 100, "priority": 200, "announce_again": 0}),
        (
            read("keepalived_guide.conf"),
            {
                "vrrp_version": 2, "advertisement": 1000, "priority": 101, "announce_again": 0,
                "told_late": 30_000, "lets_go": False, "watched": False, "settling": 0,
            },
        ),
        (
            "vrrp_instance a {\n garp_master_refresh 60 # seconds\n ! priority 7\n advert_int 0.25\n track_file {\n}\n}",
            {"vrrp_version": 2, "advertisement": 250, "announce_again": 60000},
        ),
    ],
)
def test_keepalived(text: str, expected: dict[str, Any]) -> None:
    assert of_keepalived(text) == expected


def test_etcd() -> None:
    text = read("etcd.yaml")
    assert of_etcd(text) == {"etcd_heartbeat": 100, "etcd_election": 500}
    assert of_etcd(text.replace("--election-timeout=500", "--election-timeout=5000").replace("- etcd\n", "- etcd\n    - --heartbeat-interval=250\n")) == {
        "etcd_heartbeat": 250,
        "etcd_election": 5000,
    }
    assert of_etcd(text.replace("    - --election-timeout=500\n", "")) == {"etcd_heartbeat": 100, "etcd_election": 1000}


@pytest.mark.parametrize(("text", "expected"), [("150", 150), ("150ms", 150), ("5s", 5000), ("4h", 14_400_000), ("5000us", 5)])
def test_milliseconds(text: str, expected: int) -> None:
    assert milliseconds(text) == expected


def test_what_is_no_time() -> None:
    with pytest.raises(ValueError, match="soon is no time"):
        milliseconds("soon")


@pytest.mark.parametrize(("text", "expected"), [("100ms", 100), ("1min 30s", 90_000), ("1.5s", 1500), ("", 0)])
def test_systemd(text: str, expected: int) -> None:
    assert systemd_milliseconds(text) == expected


def test_all_proxies_together_are_as_slow_as_the_slowest() -> None:
    hosts = [
        {"priority": 100, "advertisement": 100, "redispatch": True, "vrrp_version": 3, "lets_go": True},
        {"priority": 200, "advertisement": 200, "redispatch": False, "vrrp_version": 2, "lets_go": False},
    ]
    merged = together(hosts)
    assert merged == {"priorities": [200, 100], "advertisement": 200, "redispatch": False, "vrrp_version": 2, "lets_go": False}
    assert Timings.of(merged).priorities == (200, 100)
    assert together([]) == {}


def test_a_timing_that_is_none() -> None:
    with pytest.raises(ValueError, match="there is no timing patience; there are advertisement, priorities"):
        Timings.of({"patience": 1})
