# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What hosts have registered is compared, printed, and returned for who works on it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ansible_collections.quorum.kubeadm.plugins.action import cluster_drift

from .conftest import run_action

FIXTURES = Path(__file__).parents[2] / "fixtures" / "drift"
LIVING = json.loads((FIXTURES / "living.json").read_text())
CHANGED = json.loads((FIXTURES / "changed.json").read_text())


def drift(described: dict[str, Any], **skipped: Any) -> dict[str, Any]:
    """Run the action as the playbook does; what is `skipped` of a host takes the place of what it registered."""
    hostvars = {
        host: {"found": {"node": LIVING["found"][host]}, "kubeadm_files": {"changed": False, **described["files"][host]}, **skipped.get(host, {})}
        for host in LIVING["found"]
    }
    return run_action(cluster_drift, {"plan": described["plan"], "cluster": LIVING["cluster"]}, {"hostvars": hostvars})


def test_nothing_is_printed_where_nothing_differs(printed: list[str]) -> None:
    result = drift(LIVING)
    assert (result["changed"], result["differences"], result["not_compared"], printed) == (False, [], {}, [])


def test_what_differs_is_printed_and_returned(printed: list[str]) -> None:
    result = drift(CHANGED)
    assert printed[:2] == ["Drift: the cluster is not what the inventory describes.", "  ansible-playbook quorum.kubeadm.reconfigure brings this about:"]
    # A host whose version the row of another repeats is named with it.
    assert "    cp1, cp2, w1  kubelet maxPods is not there; described: 60" in printed
    assert result["hosts"] == {"upgrade": [], "reconfigure": ["cp1", "cp2", "w1"]}
    assert {"subject": "kubelet maxPods", "host": "w1", "there": "", "wanted": "60", "procedure": "reconfigure"} in result["differences"]


def test_hosts_that_told_nothing_are_left_out() -> None:
    result = drift(CHANGED, cp2={"found": {"unreachable": True}}, w1={"kubeadm_files": {"skipped": True}})
    assert result["hosts"]["reconfigure"] == ["cp1", "w1"]
    assert {one["subject"].split()[0] for one in result["differences"] if one["host"] == "w1"} == {"label", "taint"}
