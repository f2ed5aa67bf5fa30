# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Controller side of bundle_files: ask the node what it lacks, put that there, let it install."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from ansible_collections.quorum.kubeadm.plugins.module_utils.bundle_files import BundleError, Wanted, read_sums, select, sha256_of

MODULE = "quorum.kubeadm.bundle_files"


class ActionModule(ActionBase):  # type: ignore[misc]
    """Install files of a bundle on a node."""

    _requires_connection = True
    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Ask, transfer what is missing, install."""
        super().run(tmp, task_vars)
        _validation, args = self.validate_argument_spec(
            argument_spec={
                "path": {"type": "str", "required": True},
                "files": {
                    "type": "list",
                    "elements": "dict",
                    "required": True,
                    "options": {"src": {"type": "str", "required": True}, "dest": {"type": "str", "required": True}},
                },
                "texts": {"type": "list", "elements": "dict", "default": []},
                "mode": {"type": "str", "default": "0755"},
                "units": {"type": "list", "elements": "str", "default": []},
                "boot_units": {"type": "list", "elements": "str", "default": []},
            }
        )
        bundle = self._loader.path_dwim(args["path"])
        try:
            files = select(bundle, read_sums(bundle), args["files"])
        except BundleError as error:
            raise AnsibleActionFail(str(error)) from error

        module_args = {**args, "path": bundle, "files": [{"src": file.src, "dest": file.dest, "_sha256": file.sha256} for file in files]}
        result: dict[str, Any] = self._execute_module(module_name=MODULE, module_args=module_args, task_vars=task_vars)
        missing = result.pop("_missing", [])
        if missing and not self._task.check_mode:
            staging = self._connection._shell.tmpdir or self._make_tmp_path()
            sent = {file.sha256: file for file in files if file.sha256 in missing}
            for sha256, file in sent.items():
                self._transfer_file(os.path.join(bundle, file.src), self._connection._shell.join_path(staging, sha256))
            result = self._execute_module(module_name=MODULE, module_args={**module_args, "_staging": staging}, task_vars=task_vars)
            result.pop("_missing", None)
            if result.get("failed"):
                blame(bundle, sent.values())
        return result


def blame(bundle: str, files: Iterable[Wanted]) -> None:
    """Say so when the bundle itself does not match its list; while all goes well the controller need not read it twice."""
    broken = [file.src for file in files if sha256_of(os.path.join(bundle, file.src)) != file.sha256]
    if broken:
        raise AnsibleActionFail(f"Bundle {bundle}: {', '.join(broken)} does not match SHA256SUMS. Make or copy the bundle again.")
