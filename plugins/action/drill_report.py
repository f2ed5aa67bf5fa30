# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Controller side of drill_report: the table, the JSON file and the HTML file of a drill."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

from ansible import constants
from ansible.utils.display import Display
from ansible_collections.quorum.kubeadm.plugins.plugin_utils.controller_action import ControllerAction
from ansible_collections.quorum.kubeadm.plugins.plugin_utils.drill_analysis import Row, doubt, row, table
from ansible_collections.quorum.kubeadm.plugins.module_utils.drill_faults import FAULTS
from ansible_collections.quorum.kubeadm.plugins.plugin_utils.drill_page import page
from ansible_collections.quorum.kubeadm.plugins.module_utils.drill_timings import together
from ansible_collections.quorum.kubeadm.plugins.plugin_utils.failover import Timings, worst_cases


class ActionModule(ControllerAction):
    """Reads and writes files on the controller."""

    _supports_check_mode = False
    OPTIONS = {
        "directory": {"type": "path", "required": True},
        "configured": {"type": "list", "elements": "dict", "default": []},
        "timings": {"type": "dict", "default": {}},
        "budget": {"type": "float", "default": 1.0},
        "write_budget": {"type": "float", "default": 2.0},
        "cluster": {"type": "str", "default": ""},
    }

    def work(self, arguments: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        directory = Path(arguments["directory"])
        rounds = [json.loads(path.read_text(encoding="utf-8")) for path in sorted((directory / "rounds").glob("*.json"))]
        timings = Timings.of({**together(one["timings"] for one in arguments["configured"]), **arguments["timings"]})
        computed = {case.fault: case for case in worst_cases(timings)}
        rows: list[Row] = []
        for fault in FAULTS.values():
            of_it = [one for one in rounds if one["fault"] == fault.name]
            if of_it:
                case = computed.get(fault.name)
                bounded = case is not None and not math.isinf(case.milliseconds)
                rows.append(
                    row(
                        fault=fault.name,
                        title=fault.title,
                        computed=round(case.milliseconds / 1000, 3) if case and bounded else None,
                        limit=arguments["write_budget"] if fault.writes else arguments["budget"],
                        writes=fault.writes,
                        planned=fault.planned,
                        undisturbed=fault.undisturbed,
                        rounds=[list(one["figures"].values()) for one in of_it],
                        wrong=list(dict.fromkeys(one["problem"] for one in of_it if one["problem"])),
                    )
                )
        doubted = doubt([list(one["figures"].values()) for one in rounds])
        summary = {"cluster": arguments["cluster"], "timings": timings.__dict__, "faults": rows, "doubt": doubted}
        (directory / "drill.json").write_text(json.dumps(summary, indent=2) + "\n", encoding="utf-8")
        computed_from = {name: case.computed_from for name, case in computed.items()}
        (directory / "drill.html").write_text(page(arguments["cluster"], rows, rounds, computed_from, doubted), encoding="utf-8")
        for index, line in enumerate(table(rows)):
            Display().display(line, color=None if index == 0 else constants.COLOR_OK if rows[index - 1]["held"] else constants.COLOR_ERROR)
        if doubted:
            Display().warning(doubted)
        Display().display(f"To look at: {directory / 'drill.html'}; for programs: {directory / 'drill.json'}")
        over = [one for one in rows if not one["held"]]
        said = "; ".join(f"{one['title']}: {', '.join(one['problems'])}" for one in over)
        return {
            "changed": True,
            "failed": bool(over) or not rows,
            "msg": said or ("every fault held its budget" if rows else "no round was measured"),
            "faults": rows,
            "report": str(directory / "drill.html"),
        }
