# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Controller side of cluster_summary: says at the end of a run what was done."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from ansible import constants, context
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

from ansible_collections.quorum.kubeadm.plugins.plugin_utils.cluster_summary import summary, verify_command

COLLECTION = str(Path(__file__).resolve().parents[2])


def verify_as_this_run_was_started() -> str:
    """The command that verifies the cluster, with the playbook and the inventories named as the user has named them."""
    arguments = context.CLIARGS
    default = constants.DEFAULT_HOST_LIST
    inventories = [str(path) for path in arguments.get("inventory") or () if path not in default]
    return verify_command(str((arguments.get("args") or ("",))[0]), inventories, COLLECTION, os.getcwd())


class ActionModule(ActionBase):  # type: ignore[misc]  # the base class is untyped
    """Runs on the controller alone and changes nothing."""

    _supports_check_mode = True
    _requires_connection = False
    TRANSFERS_FILES = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        _validation, arguments = self.validate_argument_spec(argument_spec={"plan": {"type": "dict", "required": True}})
        lines = summary(arguments["plan"], self._task.check_mode, verify_as_this_run_was_started())
        for line in lines:
            Display().display(line, color=constants.COLOR_OK)
        return {**result, "changed": False, "summary": lines}
