# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Controller side of drill_scene: chooses the target and the probes of a round."""

from __future__ import annotations

from typing import Any

from ansible_collections.quorum.kubeadm.plugins.module_utils.drill_faults import FAULTS
from ansible_collections.quorum.kubeadm.plugins.plugin_utils.controller_action import ControllerAction
from ansible_collections.quorum.kubeadm.plugins.plugin_utils.drill_scene import set_scene


class ActionModule(ControllerAction):
    """Changes nothing, so check mode is no different."""

    OPTIONS = {
        "fault": {"type": "str", "required": True, "choices": list(FAULTS)},
        "repeat": {"type": "int", "default": 1},
        "looked": {"type": "list", "elements": "dict", "required": True},
        "etcd_leader": {"type": "str", "default": ""},
        "nodes": {"type": "dict", "required": True},
        "proxies": {"type": "list", "elements": "str", "required": True},
        "probes": {"type": "list", "elements": "str", "default": []},
        "probe_count": {"type": "int", "default": 1},
        "commands": {"type": "dict", "default": {}},
    }

    def work(self, arguments: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        scene = set_scene(
            fault=arguments["fault"],
            repeat=arguments["repeat"],
            found={one["item"]: one["proxy"] for one in arguments["looked"] if "proxy" in one},
            etcd_leader=arguments["etcd_leader"],
            nodes=arguments["nodes"],
            proxies=arguments["proxies"],
            probes=arguments["probes"],
            probe_count=arguments["probe_count"],
            commands=arguments["commands"],
        )
        return {"changed": False, "failed": bool(scene["problems"]), "msg": "; ".join(scene["problems"]) or "all is well", "scene": scene}
