# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Controller side of cluster_plan: gathers every host's inputs and what it was found to be, makes the plan, and prints it."""

from __future__ import annotations

from typing import Any

from ansible import constants
from ansible.utils.display import Display
from ansible.utils.vars import load_extra_vars

from ansible_collections.quorum.kubeadm.plugins.plugin_utils.ansible_values import plain, resolved
from ansible_collections.quorum.kubeadm.plugins.plugin_utils.cluster_endpoint import Groups
from ansible_collections.quorum.kubeadm.plugins.plugin_utils.cluster_inputs import PREFIX
from ansible_collections.quorum.kubeadm.plugins.plugin_utils.cluster_model import Request
from ansible_collections.quorum.kubeadm.plugins.plugin_utils.cluster_plan import Refused, make_plan
from ansible_collections.quorum.kubeadm.plugins.plugin_utils.controller_action import ControllerAction
from ansible_collections.quorum.kubeadm.plugins.plugin_utils.procedure_run import judge, this_run
from ansible_collections.quorum.kubeadm.plugins.plugin_utils.procedures import PROCEDURES

HOSTS = {"type": "list", "elements": "str"}


class ActionModule(ControllerAction):
    """Changes nothing, so check mode is no different."""

    OPTIONS = {
        "procedure": {"type": "str", "choices": list(PROCEDURES), "default": "site"},
        "control_planes": HOSTS,
        "workers": HOSTS,
        "proxies": HOSTS,
        "facts_variable": {"type": "str", "default": "found"},
        "found_elsewhere": {"type": "list", "elements": "dict", "default": []},
        "cluster": {"type": "dict"},
    }

    def work(self, arguments: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        procedure = PROCEDURES[arguments["procedure"]]
        members = {name: task_vars["groups"].get(name, []) if arguments[name] is None else arguments[name] for name in Groups._fields}
        groups = Groups(**{name: [str(host) for host in hosts] for name, hosts in members.items()})
        hosts = [host for group in groups for host in group]
        found = {
            **self._found(hosts, arguments["facts_variable"], task_vars),
            **{str(item["item"]): plain(item["node"]) for item in arguments["found_elsewhere"] if item.get("node")},
        }
        own, living = this_run(), plain(arguments["cluster"])
        request = Request(
            groups=groups,
            run=frozenset(task_vars.get("ansible_play_hosts_all", hosts) if procedure.needs_hosts else ()),
            variables=self._variables(hosts, task_vars),
            found=found,
            cluster=living,
            procedure=procedure,
            said=frozenset(load_extra_vars(self._loader)),
            words={
                word: plain(value)
                for word, value in resolved(task_vars, (word for word in procedure.words if word in task_vars), self._templar.template).items()
            },
            own_run=own,
            lease_verdict=judge(living["lease"]["run"], own) if living and living.get("lease") else "unknown",
        )
        try:
            plan = make_plan(request)
        except Refused as refused:
            # Printed, since Ansible shows the message of a failure twice, the second time as one line of JSON.
            Display().display(str(refused), color=constants.COLOR_ERROR)
            count = len(refused.problems)
            return {"failed": True, "msg": f"{count} problem{'s' if count > 1 else ''}; the lines above say what to write or do"}
        for line in plan["summary"]:
            Display().display(line)
        return {"changed": False, "plan": dict(plan), "warnings": plan["warnings"]}

    def _variables(self, hosts: list[str], task_vars: dict[str, Any]) -> dict[str, dict[str, Any]]:
        """The variables of each host that the plan reads, templated as that host sees them."""
        hostvars = task_vars["hostvars"]
        # What the play itself sets, hostvars does not show; it counts for all hosts.
        raw = hostvars.raw_get(task_vars["inventory_hostname"])
        set_by_play = [name for name in task_vars if name.startswith(PREFIX) and (name not in raw or task_vars[name] != raw[name])]
        by_play = resolved(task_vars, set_by_play, self._templar.template)
        return {
            host: {**resolved(hostvars[host], [name for name in hostvars[host] if name.startswith(PREFIX) or name == "ansible_host"]), **by_play}
            for host in hosts
        }

    def _found(self, hosts: list[str], name: str, task_vars: dict[str, Any]) -> dict[str, Any]:
        registered = {host: plain(task_vars["hostvars"][host].get(name)) for host in hosts}
        return {host: result["node"] for host, result in registered.items() if isinstance(result, dict) and result.get("node")}
