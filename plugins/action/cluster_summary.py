# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Controller side of cluster_summary: says at the end of a run what was done."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from ansible import constants, context
from ansible.utils.display import Display

from ansible_collections.quorum.kubeadm.plugins.plugin_utils import drift_action
from ansible_collections.quorum.kubeadm.plugins.plugin_utils.cluster_summary import summary, verify_command
from ansible_collections.quorum.kubeadm.plugins.plugin_utils.controller_action import ControllerAction

COLLECTION = str(Path(__file__).resolve().parents[2])


def verify_as_this_run_was_started() -> str:
    """The command that verifies the cluster, with the playbook and the inventories named as the user has named them."""
    arguments = context.CLIARGS
    default = constants.DEFAULT_HOST_LIST
    inventories = [str(path) for path in arguments.get("inventory") or () if path not in default]
    return verify_command(str((arguments.get("args") or ("",))[0]), inventories, COLLECTION, os.getcwd())


class ActionModule(ControllerAction):
    """Changes nothing, so check mode is no different."""

    OPTIONS = drift_action.OPTIONS

    def work(self, arguments: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        differing = drift_action.compared(arguments, task_vars).lines
        done = summary(arguments["plan"], self._task.check_mode, verify_as_this_run_was_started(), is_as_described=not differing)
        for lines, color in ((done, constants.COLOR_OK), (differing, constants.COLOR_WARN)):
            for line in lines:
                Display().display(line, color=color)
        return {"changed": False, "summary": [*done, *differing]}
