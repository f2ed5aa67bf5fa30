# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Controller side of cluster_reconfiguration: compares the cluster with the plan, and makes of it what is to be done on each node."""

from __future__ import annotations

from typing import Any

from ansible.utils.display import Display

from ansible_collections.quorum.kubeadm.plugins.plugin_utils import drift_action
from ansible_collections.quorum.kubeadm.plugins.plugin_utils.controller_action import ControllerAction, registered
from ansible_collections.quorum.kubeadm.plugins.plugin_utils.reconfigure import obstacles, reconfiguration


class ActionModule(ControllerAction):
    """Changes nothing, so check mode is no different."""

    OPTIONS = {**drift_action.OPTIONS, "written_variable": {"type": "str", "default": "control_plane_files_written"}}

    def work(self, arguments: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        drift = drift_action.compared(arguments, task_vars)
        for line in drift.rows:
            Display().display(line)
        in_the_way = obstacles(drift)
        if in_the_way:
            return {"failed": True, "msg": "\n".join(in_the_way)}
        written = registered(task_vars, arguments["plan"]["nodes"], arguments["written_variable"], "results")
        rewritten = [host for host, result in written.items() if result["changed"]]
        return {"changed": False, **reconfiguration(drift, arguments["plan"], rewritten)}
