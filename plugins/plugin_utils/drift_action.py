# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the actions share that compare a living cluster with its description: their arguments, and what they gather from the hosts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.quorum.kubeadm.plugins.plugin_utils.controller_action import registered
from ansible_collections.quorum.kubeadm.plugins.plugin_utils.drift import Drift, Seen, compare

OPTIONS: dict[str, Any] = {
    "plan": {"type": "dict", "required": True},
    "cluster": {"type": "dict", "default": {}},
    "found_variable": {"type": "str", "default": "found"},
    "files_variable": {"type": "str", "default": "kubeadm_files"},
}


def compared(arguments: Mapping[str, Any], task_vars: Mapping[str, Any]) -> Drift:
    """Compare the plan with all that was read of the cluster and of the plan's hosts."""
    plan = arguments["plan"]
    found = registered(task_vars, plan["nodes"], arguments["found_variable"], "node")
    seen = Seen(
        plan=plan,
        cluster=arguments["cluster"],
        found={host: value["node"] for host, value in found.items()},
        files=registered(task_vars, plan["nodes"], arguments["files_variable"], "files"),
    )
    return compare(seen)
