# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Controller side of balancer_verdict: gathers what each host registered, judges, and prints a line for each backend."""

from __future__ import annotations

from typing import Any

from ansible_collections.quorum.kubeadm.plugins.action.cluster_verdict import show
from ansible_collections.quorum.kubeadm.plugins.module_utils.balancer import Backend
from ansible_collections.quorum.kubeadm.plugins.plugin_utils.balancer_verdict import Evidence, judge
from ansible_collections.quorum.kubeadm.plugins.plugin_utils.controller_action import ControllerAction, registered

BACKEND = {"name": {"type": "str", "required": True}, "address": {"type": "str", "required": True}}


class ActionModule(ControllerAction):
    """Changes nothing, so check mode is no different."""

    OPTIONS = {
        "name": {"type": "str", "required": True},
        "port": {"type": "int", "default": 6443},
        "backends": {"type": "list", "elements": "dict", "required": True, "options": BACKEND},
        "backend_port": {"type": "int", "default": 6443},
        "subject": {"type": "str", "required": True},
        "listening": {"type": "bool", "required": True},
        "needs_hairpin": {"type": "bool", "default": False},
        "on_failure": {"type": "str", "choices": ["fail", "warn"], "default": "fail"},
        "hosts": {"type": "list", "elements": "str", "required": True},
        "opened_variable": {"type": "str", "default": "opened"},
        "probed_variable": {"type": "str", "default": "probed"},
        "closed_variable": {"type": "str", "default": "closed"},
    }

    def work(self, arguments: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        def told(variable: str, proof: str) -> dict[str, Any]:
            return {host: value[proof] for host, value in registered(task_vars, arguments["hosts"], variable, proof).items()}

        probes = told(arguments["probed_variable"], "probe")
        backends = {host: probe["host"] for host, probe in probes.items() if probe["host"]}

        def by_backend(found: dict[str, Any]) -> dict[str, Any]:
            return {backends[host]: value for host, value in found.items() if host in backends}

        verdict = judge(
            Evidence(
                name=arguments["name"],
                port=arguments["port"],
                backends=[Backend(**backend) for backend in arguments["backends"]],
                backend_port=arguments["backend_port"],
                subject=arguments["subject"],
                listening=arguments["listening"],
                needs_hairpin=arguments["needs_hairpin"],
                probes=probes,
                marks=by_backend(told(arguments["opened_variable"], "mark")),
                traffic=by_backend(told(arguments["closed_variable"], "traffic")) if arguments["listening"] else {},
            )
        )
        printed = show(verdict.checks)
        failing = bool(verdict.failure) and arguments["on_failure"] == "fail"
        warnings = [text for text in (verdict.warning, "" if failing else verdict.failure) if text]
        return {
            "changed": False,
            "failed": failing,
            "msg": verdict.failure or verdict.warning or "; ".join(printed),
            "reached": False if verdict.failure else None if any(check.passed is None for check in verdict.checks) else True,
            "backends": [one._asdict() for one in verdict.backends],
            "lines": printed,
            **({"warnings": warnings} if warnings else {}),
        }
