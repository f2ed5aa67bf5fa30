# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Controller side of cluster_verdict: gathers what each host registered, judges, and prints a line for each check."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible import constants
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible_collections.quorum.kubeadm.plugins.plugin_utils.verification import Check, Evidence, lines, verify

COLOURS = {True: "COLOR_OK", False: "COLOR_ERROR", None: "COLOR_SKIP"}


def show(checks: Sequence[Check]) -> list[str]:
    """Print the checks, each in the colour of what it came to, and return the lines."""
    shown = lines(checks)
    for check, line in zip(checks, shown):
        Display().display(line, color=getattr(constants, COLOURS[check.passed]))
    return shown


class ActionModule(ActionBase):  # type: ignore[misc]  # the base class is untyped
    """Runs on the controller alone and changes nothing, so check mode is no different."""

    _supports_check_mode = True
    _requires_connection = False
    TRANSFERS_FILES = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        _validation, arguments = self.validate_argument_spec(
            argument_spec={
                "plan": {"type": "dict", "required": True},
                "cluster": {"type": "dict", "default": {}},
                "pods": {"type": "dict", "default": {}},
                "balancer": {"type": "dict", "default": {}},
                "found_variable": {"type": "str", "default": "found"},
                "proxy_variable": {"type": "str", "default": "proxy"},
                "endpoint_variable": {"type": "str", "default": "endpoint"},
            }
        )
        plan = arguments["plan"]
        hosts = dict.fromkeys([*plan["nodes"], *plan["proxies"]])
        hostvars = (task_vars or {})["hostvars"]

        def registered(variable: str, proof: str) -> dict[str, Any]:
            """What each host has, left out where its task was skipped, failed or did not reach it."""
            results = {host: hostvars[host].get(variable) for host in hosts if host in hostvars}
            return {host: value for host, value in results.items() if isinstance(value, Mapping) and proof in value}

        checks = verify(
            Evidence(
                plan=plan,
                cluster=arguments["cluster"],
                found={host: value["node"] for host, value in registered(arguments["found_variable"], "node").items()},
                proxies={host: value["proxy"] for host, value in registered(arguments["proxy_variable"], "proxy").items()},
                endpoint=registered(arguments["endpoint_variable"], "verified"),
                pods=arguments["pods"] if "pods" in arguments["pods"] else None,
                balancer=arguments["balancer"] if "reached" in arguments["balancer"] else None,
            )
        )
        show(checks)
        wrong = [check for check in checks if check.passed is False]
        return {
            **result,
            "changed": False,
            "failed": bool(wrong),
            "msg": (
                f"{len(wrong)} of {len(checks)} checks failed, the lines above say why: {'; '.join(check.name for check in wrong)}"
                if wrong
                else f"{len(checks)} checks, none failed"
            ),
            "checks": [check._asdict() for check in checks],
        }
