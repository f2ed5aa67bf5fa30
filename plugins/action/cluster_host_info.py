# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Controller side of cluster_host_info: asks node_info for what the inputs make worth knowing."""

from __future__ import annotations

from typing import Any

from ansible.plugins.action import ActionBase

from ansible_collections.quorum.kubeadm.plugins.plugin_utils.ansible_values import resolved
from ansible_collections.quorum.kubeadm.plugins.plugin_utils.cluster_questions import NAMES, questions
from ansible_collections.quorum.kubeadm.plugins.plugin_utils.procedures import CHOSEN_BY

MODULE = "quorum.kubeadm.node_info"


class ActionModule(ActionBase):  # type: ignore[misc]  # the base class is untyped
    """Changes nothing, so check mode is no different."""

    _supports_check_mode = True
    _requires_connection = True
    TRANSFERS_FILES = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        self.validate_argument_spec(argument_spec={})
        variables = task_vars or {}
        asked = questions(resolved(variables, (name for name in NAMES if name in variables), self._templar.template), str(variables.get(CHOSEN_BY, "")))
        result.update(self._execute_module(module_name=MODULE, module_args=asked, task_vars=task_vars))
        return result
