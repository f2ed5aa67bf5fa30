# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Controller side of cluster_visits: says which nodes a procedure visits, and in which order."""

from __future__ import annotations

from typing import Any

from ansible.utils.display import Display

from ansible_collections.quorum.kubeadm.plugins.plugin_utils.controller_action import ControllerAction
from ansible_collections.quorum.kubeadm.plugins.plugin_utils.visits import lines, visits


class ActionModule(ControllerAction):
    """Changes nothing, so check mode is no different."""

    OPTIONS = {
        "plan": {"type": "dict", "required": True},
        "procedure": {"type": "str", "required": True},
        "todo": {"type": "list", "elements": "str", "required": True},
    }

    def work(self, arguments: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        plan = arguments["plan"]
        made = visits(plan["order"], arguments["todo"], plan["inputs"]["workers_at_once"])
        said = lines(made, arguments["procedure"], plan["drains"], plan["notes"])
        for line in said:
            Display().display(line)
        return {"changed": False, "visits": {**made, "nodes": [*made["control_planes"], *made["workers"]]}, "lines": said}
