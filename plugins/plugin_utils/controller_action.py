# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the actions share that work on the controller alone, and how they read what hosts have registered."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from ansible.plugins.action import ActionBase


class ControllerAction(ActionBase):  # type: ignore[misc]  # the base class is untyped
    """An action without a connection to any host: its arguments are checked against OPTIONS, an argument spec, and handed to `work`."""

    OPTIONS: ClassVar[Mapping[str, Any]] = {}
    _requires_connection = False
    TRANSFERS_FILES = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        _validation, arguments = self.validate_argument_spec(argument_spec=self.OPTIONS)
        return {**result, **self.work(arguments, task_vars or {})}

    @abstractmethod
    def work(self, arguments: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        """Return what the task registers."""


def registered(task_vars: Mapping[str, Any], hosts: Iterable[str], variable: str, proof: str) -> dict[str, Any]:
    """Return what each host has in a variable, left out where the task was skipped, failed or did not reach it: then the result has no `proof`."""
    hostvars = task_vars["hostvars"]
    results = {host: hostvars[host].get(variable) for host in hosts if host in hostvars}
    return {host: value for host, value in results.items() if isinstance(value, Mapping) and value.get(proof) is not None}
