# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Controller side of procedure_report: the last table of a procedure, what each node's visit cost."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from ansible import constants
from ansible.utils.display import Display

from ansible_collections.quorum.kubeadm.plugins.plugin_utils.controller_action import ControllerAction
from ansible_collections.quorum.kubeadm.plugins.plugin_utils.drill_analysis import Record
from ansible_collections.quorum.kubeadm.plugins.plugin_utils.procedure_report import Visit, costs, lines, shifted


def visits_of(hosts: Iterable[str], variables: Mapping[str, Mapping[str, Any]]) -> list[Visit]:
    """The visits of hosts by their facts; a host without them was not visited, one without an end was lost on the way."""
    told = {host: variables[host] for host in hosts if host in variables and variables[host].get("visit_began") is not None}
    ends = [float(facts["visit_ended"]) for facts in told.values() if facts.get("visit_ended") is not None]
    return [
        Visit(
            (host,),
            began := float(facts["visit_began"]),
            float(facts["visit_ended"]) if facts.get("visit_ended") is not None else max([began, *ends]),
            str(facts.get("visit_failed") or ("" if facts.get("visit_ended") is not None else "it did not end")),
        )
        for host, facts in told.items()
    ]


def records_of(measured: Iterable[Mapping[str, Any]]) -> dict[str, list[Record]]:
    """What each client recorded, in the controller's time."""
    return {
        str(one["item"]): shifted((json.loads(line) for line in one["records"].splitlines()), float(one.get("ahead") or 0))
        for one in measured
        if one.get("records")
    }


class ActionModule(ControllerAction):
    """In check mode nothing was worked on, and there is nothing to say."""

    OPTIONS = {
        "visited": {"type": "list", "elements": "str", "required": True},
        "clients": {"type": "list", "elements": "str", "default": []},
        "measured": {"type": "list", "elements": "dict", "default": []},
    }

    def work(self, arguments: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        if self._task.check_mode:
            return {"changed": False, "skipped": True, "msg": "nothing was done in check mode"}
        found = costs(visits_of(arguments["visited"], task_vars["hostvars"]), records_of(arguments["measured"]), arguments["clients"])
        shown = lines(found)
        bad = bool(found["lost_writes"] or any(one["failed"] for one in found["visits"]))
        for line in shown[:-1]:
            Display().display(line, color=constants.COLOR_ERROR if line.startswith("✗") else None)
        Display().display(shown[-1], color=constants.COLOR_ERROR if bad else constants.COLOR_OK)
        warnings = [*found["doubts"], *(f"{client} was to measure, and did not" for client in found["silent"])]
        return {"changed": False, "msg": shown[-1], "lines": shown, "cost": dict(found), "warnings": warnings}
