# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""node_info is sent to a host with what the inputs make worth asking."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.plugins.action import ActionBase
from ansible.template import Templar, trust_as_template

from ansible_collections.quorum.kubeadm.plugins.action.cluster_host_info import ActionModule


class Task:
    """As much of a task as an action plugin looks at."""

    args: dict[str, Any] = {}


def ask(monkeypatch: pytest.MonkeyPatch, variables: dict[str, Any]) -> dict[str, Any]:
    """Run the action, and return the arguments of the module that it sends."""
    sent: list[dict[str, Any]] = []

    def execute(_self: Any, module_name: str, module_args: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        assert module_name == "quorum.kubeadm.node_info" and task_vars is variables
        sent.append(module_args)
        return {"changed": False, "node": {"state": "clean"}}

    monkeypatch.setattr(ActionBase, "run", lambda _self, _tmp, _vars: {})
    monkeypatch.setattr(ActionBase, "_execute_module", execute)
    variables.update({name: trust_as_template(value) for name, value in variables.items()})
    action = ActionModule.__new__(ActionModule)
    action._task, action._templar = Task(), Templar(loader=DataLoader(), variables=variables)
    assert action.run(None, variables) == {"changed": False, "node": {"state": "clean"}}
    return sent[0]


def test_inputs_are_resolved(monkeypatch: pytest.MonkeyPatch) -> None:
    variables = {
        "zone": "lab.test",
        "cluster_endpoint_name": "api.{{ zone }}",
        "cluster_containerd_source": "distribution",
        "cluster_name": "{{ not_defined }}",
    }
    assert ask(monkeypatch, variables) == {"containerd_candidate": True, "resolve": "api.lab.test", "ask_dns": True, "reboot_hint": False, "upgrade": False}


def test_what_cannot_be_resolved_is_left_to_the_plan(monkeypatch: pytest.MonkeyPatch) -> None:
    variables = {"cluster_endpoint_name": "api.{{ not_defined }}", "cluster_endpoint_address": "198.18.64.10"}
    assert ask(monkeypatch, variables) == {"containerd_candidate": False, "resolve": None, "ask_dns": False, "reboot_hint": False, "upgrade": False}
