# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The table of ports, and what says the same elsewhere: the roles' defaults and the README."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from ansible_collections.quorum.kubeadm.plugins.module_utils import ports

ROOT = Path(__file__).parents[4]
README = (ROOT / "README.md").read_text(encoding="utf-8")
ON = {
    "proxy": "proxies",
    "etcd_proxy": "control planes that are also proxies",
    "control_plane": "control planes",
    "etcd_member": "control planes",
    "node": "every node",
}


def rows() -> dict[int, tuple[str, str]]:
    """The README's TCP ports of ours, each with the hosts that have it and with those that must reach it."""
    found = re.findall(r"^\| ([\d, ]+)/tcp \| ([^|]*) \| ([^|]*) \|$", README, re.MULTILINE)
    return {int(number): (on, reached_from) for numbers, on, reached_from in found for number in numbers.split(",")}


def test_the_readme_has_every_port_that_a_firewall_must_open() -> None:
    assert set(rows()) == {port.number for port in ports.PORTS if port.reached_from}


@pytest.mark.parametrize("port", [port for port in ports.PORTS if port.reached_from], ids=lambda port: str(port.number))
def test_the_readme_says_who_has_it_and_who_must_reach_it(port: ports.Port) -> None:
    on, reached_from = rows()[port.number]
    assert on.partition(";")[0] == ON[port.on]
    for peer in port.reached_from:
        assert peer in reached_from or (peer == "proxies" and "each other" in reached_from)


@pytest.mark.parametrize(
    ("role", "variable", "number"),
    [
        ("haproxy", "haproxy_port", ports.ENDPOINT),
        ("haproxy", "haproxy_statistics_port", ports.STATISTICS),
        ("haproxy", "haproxy_monitor_port", ports.MONITOR),
        ("haproxy", "haproxy_etcd_port", ports.ETCD_HEALTH),
        ("drill", "drill_endpoint_port", ports.ENDPOINT),
        ("balancer_test", "balancer_test_port", ports.API_SERVER),
        ("balancer_test", "balancer_test_backend_port", ports.API_SERVER),
    ],
)
def test_roles_have_the_same_ports_by_default(role: str, variable: str, number: int) -> None:
    assert yaml.safe_load((ROOT / "roles" / role / "defaults" / "main.yml").read_text(encoding="utf-8"))[variable] == number


def test_haproxy_asks_etcd_where_its_metrics_are() -> None:
    given = yaml.safe_load((ROOT / "roles/haproxy/vars/main.yml").read_text(encoding="utf-8"))
    assert given["__haproxy_etcd"] == f"127.0.0.1:{ports.ETCD_METRICS}"
    backends = yaml.safe_load((ROOT / "roles/haproxy/meta/argument_specs.yml").read_text(encoding="utf-8"))["argument_specs"]["main"]["options"]
    assert backends["haproxy_backends"]["options"]["port"]["default"] == ports.API_SERVER
    template = (ROOT / "roles/haproxy/templates/haproxy.cfg.j2").read_text(encoding="utf-8")
    assert set(re.findall(r"backend\.port \| default\((\d+)\)", template)) == {str(ports.API_SERVER)}
