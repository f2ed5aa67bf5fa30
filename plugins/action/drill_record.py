# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Controller side of drill_record: keeps what a round recorded, and says what it cost."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ansible import constants
from ansible.utils.display import Display
from ansible_collections.quorum.kubeadm.plugins.plugin_utils.controller_action import ControllerAction
from ansible_collections.quorum.kubeadm.plugins.plugin_utils.drill_analysis import analyse
from ansible_collections.quorum.kubeadm.plugins.module_utils.drill_faults import FAULTS


class ActionModule(ControllerAction):
    """Writes one file on the controller."""

    _supports_check_mode = False
    OPTIONS = {
        "path": {"type": "path", "required": True},
        "fault": {"type": "str", "required": True, "choices": list(FAULTS)},
        "repeat": {"type": "int", "default": 1},
        "scene": {"type": "dict", "required": True},
        "events": {"type": "list", "elements": "list", "default": []},
        "measured": {"type": "list", "elements": "dict", "required": True},
        "problem": {"type": "str", "default": ""},
    }

    def work(self, arguments: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        fault, repeat, scene = FAULTS[arguments["fault"]], arguments["repeat"], arguments["scene"]
        records = {one["item"]: [json.loads(line) for line in one["records"].splitlines()] for one in arguments["measured"] if one.get("records")}
        events = [(str(one[0]), float(one[1])) for one in arguments["events"]]
        figures = {host: analyse(lines, events) for host, lines in records.items()}
        kept = {
            "fault": fault.name,
            "repeat": repeat,
            "active_router": scene.get("active_router", ""),
            "target": scene.get("target", ""),
            "events": events,
            "problem": arguments["problem"],
            "figures": figures,
            "records": records,
        }
        Path(arguments["path"]).write_text(json.dumps(kept, separators=(",", ":")) + "\n", encoding="utf-8")
        for host, one in figures.items():
            bad = arguments["problem"] or one["problems"] or one["lost_writes"]
            Display().display(
                f"{fault.title} ({kept['target']}), {repeat}: outage {one['outage']:.2f} s, "
                f"{one['failed']} failed and {one['slow']} slow of {one['requests']} requests, "
                f"watch stalled for {one['watch_stalled']:.2f} s, no write for {one['writes_stalled']:.2f} s, seen from {host}",
                color=constants.COLOR_ERROR if bad else constants.COLOR_OK,
            )
        return {"changed": True, "figures": figures}
