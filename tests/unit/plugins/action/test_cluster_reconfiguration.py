# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What each host registered, put together to the work on each."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.quorum.kubeadm.plugins.action import cluster_reconfiguration
from ansible_collections.quorum.kubeadm.plugins.plugin_utils import drift_action
from ansible_collections.quorum.kubeadm.plugins.plugin_utils.drift import Difference, Drift

from .conftest import run_action

PLAN = {"nodes": {"cp1": {}, "w1": {}}, "todo": [], "primary": "cp1"}


def determine(drift: Drift, monkeypatch: pytest.MonkeyPatch, **registered: Any) -> dict[str, Any]:
    monkeypatch.setattr(drift_action, "compared", lambda arguments, task_vars: drift)
    result: dict[str, Any] = run_action(cluster_reconfiguration, {"plan": PLAN}, {"hostvars": {"cp1": registered, "w1": {}}})
    return result


def test_differences_are_printed_and_become_work(monkeypatch: pytest.MonkeyPatch, printed: list[str]) -> None:
    result = determine(Drift([Difference("kubelet maxPods", "w1", "110", "50", "reconfigure")], {}), monkeypatch)
    assert (result["changed"], result["todo"], result["hosts"]["w1"]["components"]) == (False, ["w1"], ["kubelet"])
    assert printed == ["ansible-playbook quorum.kubeadm.reconfigure brings this about:", "  w1  kubelet maxPods is 110; described: 50"]


@pytest.mark.parametrize(("changed", "todo"), [(True, ["cp1"]), (False, [])])
def test_a_host_whose_files_are_to_be_written_is_visited(changed: bool, todo: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    assert determine(Drift([], {}), monkeypatch, control_plane_files_written={"changed": changed, "results": []})["todo"] == todo


def test_what_is_in_the_way_ends_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    result = determine(Drift([], {"w1": "kubeadm refuses it"}), monkeypatch)
    assert result["failed"] and result["msg"] == "w1 could not be compared: kubeadm refuses it"
