# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Controller side of cluster_verdict: gathers what each host registered, judges, and prints a line for each check."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timezone
from typing import Any

from ansible import constants
from ansible.utils.display import Display
from ansible_collections.quorum.kubeadm.plugins.plugin_utils import drift_action
from ansible_collections.quorum.kubeadm.plugins.plugin_utils.controller_action import ControllerAction, registered
from ansible_collections.quorum.kubeadm.plugins.plugin_utils.verification import Check, Evidence, lines, verify

COLOURS = {True: "COLOR_OK", False: "COLOR_ERROR", None: "COLOR_SKIP"}


def show(checks: Sequence[Check]) -> list[str]:
    """Print the checks, each in the colour of what it came to, and return the lines."""
    shown = lines(checks)
    for check, line in zip(checks, shown):
        Display().display(line, color=constants.COLOR_WARN if check.warning else getattr(constants, COLOURS[check.passed]))
    return shown


class ActionModule(ControllerAction):
    """Changes nothing, so check mode is no different."""

    OPTIONS = {
        **drift_action.OPTIONS,
        "pods": {"type": "dict", "default": {}},
        "balancer": {"type": "dict", "default": {}},
        "proxy_variable": {"type": "str", "default": "proxy"},
        "endpoint_variable": {"type": "str", "default": "endpoint"},
    }

    def work(self, arguments: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        plan = arguments["plan"]
        hosts = dict.fromkeys([*plan["nodes"], *plan["proxies"]])

        def told(variable: str, proof: str) -> dict[str, Any]:
            return registered(task_vars, hosts, variable, proof)

        checks = verify(
            Evidence(
                plan=plan,
                cluster=arguments["cluster"],
                found={host: value["node"] for host, value in told(arguments["found_variable"], "node").items()},
                proxies={host: value["proxy"] for host, value in told(arguments["proxy_variable"], "proxy").items()},
                endpoint=told(arguments["endpoint_variable"], "verified"),
                pods=arguments["pods"] if "pods" in arguments["pods"] else None,
                now=datetime.now(timezone.utc),
                balancer=arguments["balancer"] if "reached" in arguments["balancer"] else None,
                drift=drift_action.compared(arguments, task_vars),
            )
        )
        show(checks)
        wrong = [check for check in checks if check.passed is False]
        return {
            "changed": False,
            "failed": bool(wrong),
            "msg": (
                f"{len(wrong)} of {len(checks)} checks failed, the lines above say why: {'; '.join(check.name for check in wrong)}"
                if wrong
                else f"{len(checks)} checks, none failed"
            ),
            "checks": [check._asdict() for check in checks],
        }
