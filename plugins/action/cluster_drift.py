# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Controller side of cluster_drift: gathers what each host registered, and prints where the cluster is not what the inventory describes."""

from __future__ import annotations

from typing import Any

from ansible import constants
from ansible.utils.display import Display

from ansible_collections.quorum.kubeadm.plugins.plugin_utils import drift_action
from ansible_collections.quorum.kubeadm.plugins.plugin_utils.controller_action import ControllerAction


class ActionModule(ControllerAction):
    """Changes nothing, so check mode is no different."""

    OPTIONS = drift_action.OPTIONS

    def work(self, arguments: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        drift = drift_action.compared(arguments, task_vars)
        for line in drift.lines:
            Display().display(line, color=constants.COLOR_WARN)
        return {
            "changed": False,
            "differences": [difference._asdict() for difference in drift.differences],
            "hosts": drift.hosts,
            "not_compared": drift.not_compared,
        }
