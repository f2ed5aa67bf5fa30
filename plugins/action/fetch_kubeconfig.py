# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Controller side of fetch_kubeconfig: reads the file on the host, and writes it on the controller."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from ansible_collections.quorum.kubeadm.plugins.plugin_utils.kubeconfig import is_as_wanted, with_server, write


class ActionModule(ActionBase):  # type: ignore[misc]  # the base class is untyped
    """Neither fetch nor slurp with copy: fetch leaves the file for a moment with the mode of any file, and two tasks cost twice."""

    _supports_check_mode = True
    TRANSFERS_FILES = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Read, compare, write what differs. Nothing of the content is returned."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        _validation, arguments = self.validate_argument_spec(
            argument_spec={
                "src": {"type": "path", "default": "/etc/kubernetes/admin.conf"},
                "dest": {"type": "path", "required": True},
                "server": {"type": "str", "default": ""},
            }
        )
        # With -vvv the connection shows what a command printed; with no_log on the task, nobody would see why it failed.
        shown, self._play_context.no_log = self._play_context.no_log, True
        try:
            found = self._execute_module(module_name="ansible.builtin.slurp", module_args={"src": arguments["src"]}, task_vars=task_vars)
        finally:
            self._play_context.no_log = shown
        if found.get("failed"):
            raise AnsibleActionFail(f"{arguments['src']} cannot be read: {found.get('msg')}")
        text = with_server(base64.b64decode(found["content"]).decode(), arguments["server"])
        dest = Path(arguments["dest"])
        changed = not is_as_wanted(dest, text)
        if changed and not self._task.check_mode:
            try:
                write(dest, text)
            except OSError as error:
                raise AnsibleActionFail(f"{dest} cannot be written on the controller: {error.strerror}") from error
        return {**result, "changed": changed, "dest": str(dest)}
