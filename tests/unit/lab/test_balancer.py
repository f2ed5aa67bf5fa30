# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's load balancer: its rules and its mind about health."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.quorum.kubeadm.lab.balancer.balancer import Backend, Health, rules

A, B = Backend("a", "198.18.74.11", 6443), Backend("b", "198.18.74.12", 6444)
CONFIG: dict[str, Any] = {"address": "198.18.74.10", "port": 443, "hairpin": False}
HEAD = ["*nat", ":LAB-BALANCER-IN - [0:0]", ":LAB-BALANCER-OUT - [0:0]"]
IN = "-A LAB-BALANCER-IN -d 198.18.74.10/32 -p tcp --dport 443"
BACK = "-m conntrack --ctstate DNAT --ctorigdst 198.18.74.10 -j MASQUERADE"


def test_each_backend_gets_its_share_and_keeps_its_own_address() -> None:
    assert rules(CONFIG, [A, B]).splitlines() == [
        *HEAD,
        f"{IN} -m statistic --mode random --probability 0.50000000 -j DNAT --to-destination 198.18.74.11:6443",
        f"{IN} -j DNAT --to-destination 198.18.74.12:6444",
        f"-A LAB-BALANCER-OUT ! -s 198.18.74.11/32 -d 198.18.74.11/32 -p tcp --dport 6443 {BACK}",
        f"-A LAB-BALANCER-OUT ! -s 198.18.74.12/32 -d 198.18.74.12/32 -p tcp --dport 6444 {BACK}",
        "COMMIT",
    ]


def test_one_that_does_hairpin_hides_every_client() -> None:
    assert rules({**CONFIG, "hairpin": True}, [A]).splitlines() == [
        *HEAD,
        f"{IN} -j DNAT --to-destination 198.18.74.11:6443",
        f"-A LAB-BALANCER-OUT -d 198.18.74.11/32 -p tcp --dport 6443 {BACK}",
        "COMMIT",
    ]


def test_nobody_healthy() -> None:
    assert rules(CONFIG, []).splitlines() == [*HEAD, "COMMIT"]


@pytest.mark.parametrize(
    ("checks", "healthy"),
    [("", False), ("+", False), ("++", True), ("+-+", False), ("++-", True), ("++--", False), ("++-+-", True), ("++--+", False), ("---+", False)],
)
def test_it_takes_two_in_a_row(checks: str, healthy: bool) -> None:
    health = Health()
    for check in checks:
        health.note(check == "+")
    assert health.healthy is healthy
