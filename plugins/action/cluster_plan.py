# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Controller side of cluster_plan: gathers every host's inputs and what it was found to be, and makes the plan."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ansible.errors import AnsibleError
from ansible.plugins.action import ActionBase

from ansible_collections.quorum.kubeadm.plugins.plugin_utils.cluster_endpoint import Groups
from ansible_collections.quorum.kubeadm.plugins.plugin_utils.cluster_inputs import PREFIX, Untemplated
from ansible_collections.quorum.kubeadm.plugins.plugin_utils.cluster_model import Request
from ansible_collections.quorum.kubeadm.plugins.plugin_utils.cluster_plan import Refused, make_plan

HOSTS = {"type": "list", "elements": "str", "default": []}


def plain(value: Any) -> Any:
    """A value without Ansible's own types around it; templates in it are resolved on the way."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return str(value)
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return float(value)
    if isinstance(value, Mapping):
        return {plain(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return str(value)


class ActionModule(ActionBase):  # type: ignore[misc]  # the base class is untyped
    """Runs on the controller alone and changes nothing, so check mode is no different."""

    _supports_check_mode = True
    _requires_connection = False
    TRANSFERS_FILES = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        task_vars = task_vars or {}
        _validation, arguments = self.validate_argument_spec(
            argument_spec={
                "control_planes": HOSTS,
                "workers": HOSTS,
                "proxies": HOSTS,
                "run_hosts": {"type": "list", "elements": "str"},
                "facts_variable": {"type": "str", "default": "found"},
                "found_elsewhere": {"type": "list", "elements": "dict", "default": []},
                "cluster": {"type": "dict"},
            }
        )
        groups = Groups(*(arguments[name] for name in ("control_planes", "workers", "proxies")))
        hosts = [host for group in groups for host in group]
        found = {
            **self._found(hosts, arguments["facts_variable"], task_vars),
            **{str(item["item"]): plain(item["node"]) for item in arguments["found_elsewhere"] if item.get("node")},
        }
        run = arguments["run_hosts"] if arguments["run_hosts"] is not None else task_vars.get("ansible_play_hosts_all", hosts)
        request = Request(groups=groups, run=frozenset(run), variables=self._variables(hosts, task_vars), found=found, cluster=plain(arguments["cluster"]))
        try:
            plan = make_plan(request)
        except Refused as refused:
            return {**result, "failed": True, "msg": str(refused), "problems": [problem._asdict() for problem in refused.problems]}
        return {**result, "changed": False, "plan": dict(plan), "warnings": plan["warnings"]}

    def _variables(self, hosts: list[str], task_vars: dict[str, Any]) -> dict[str, dict[str, Any]]:
        """The variables of each host that the plan reads, templated as that host sees them."""

        def read(source: Mapping[str, Any], names: Iterable[str], template: Callable[[Any], Any] = lambda value: value) -> dict[str, Any]:
            values: dict[str, Any] = {}
            for name in names:
                if name.startswith(PREFIX) or name == "ansible_host":
                    try:
                        values[str(name)] = plain(template(source[name]))
                    except AnsibleError as error:
                        values[str(name)] = Untemplated(str(error))
            return values

        hostvars = task_vars["hostvars"]
        # What the play itself sets, hostvars does not show; it counts for all hosts.
        raw = hostvars.raw_get(task_vars["inventory_hostname"])
        set_by_play = [name for name in task_vars if name.startswith(PREFIX) and (name not in raw or task_vars[name] != raw[name])]
        by_play = read(task_vars, set_by_play, self._templar.template)
        return {host: {**read(hostvars[host], hostvars[host]), **by_play} for host in hosts}

    def _found(self, hosts: list[str], name: str, task_vars: dict[str, Any]) -> dict[str, Any]:
        registered = {host: plain(task_vars["hostvars"][host].get(name)) for host in hosts}
        return {host: result["node"] for host, result in registered.items() if isinstance(result, dict) and result.get("node")}
