# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the actions share that bring something of a bundle to a node: ask the node what it lacks, put that there, let it be taken."""

from __future__ import annotations

import os
from abc import abstractmethod
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, NamedTuple

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from ansible_collections.quorum.kubeadm.plugins.module_utils.bundle_files import BundleError, Wanted, sha256_of


class Offer(NamedTuple):
    """What a node can have of a bundle."""

    files: Mapping[str, Wanted]
    """By the name under which the module finds each in its staging directory, and names it when it is missing."""
    arguments: Mapping[str, Any]
    """What tells the module of them."""
    warnings: list[str] = []


class BundleAction(ActionBase):  # type: ignore[misc]  # the base class is untyped
    """Runs the module of its name, once to ask, and again when something was transferred."""

    MODULE: ClassVar[str]
    OPTIONS: ClassVar[Mapping[str, Any]]

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        super().run(tmp, task_vars)
        _validation, args = self.validate_argument_spec(argument_spec=self.OPTIONS)
        bundle = self._loader.path_dwim(args["path"])
        try:
            offer = self.offer(bundle, args)
        except BundleError as error:
            raise AnsibleActionFail(str(error)) from error

        def run_module(**more: str) -> tuple[dict[str, Any], list[str]]:
            arguments = {**args, "path": bundle, **offer.arguments, **more}
            result: dict[str, Any] = self._execute_module(module_name=self.MODULE, module_args=arguments, task_vars=task_vars)
            return result, result.pop("_missing", [])

        result, missing = run_module()
        if missing and not self._task.check_mode:
            staging = self._connection._shell.tmpdir or self._make_tmp_path()
            for name in missing:
                self._transfer_file(os.path.join(bundle, offer.files[name].src), self._connection._shell.join_path(staging, name))
            result, _missing = run_module(_staging=staging)
            if result.get("failed"):
                blame(bundle, [offer.files[name] for name in missing])
        if offer.warnings:
            result.setdefault("warnings", []).extend(offer.warnings)
        return result

    @abstractmethod
    def offer(self, bundle: str, args: Mapping[str, Any]) -> Offer:
        """Return what the node can have; raise BundleError when the bundle does not have what is asked for."""


def blame(bundle: str, files: Iterable[Wanted]) -> None:
    """Say so when the bundle itself does not match its list; while all goes well the controller need not read it twice."""
    broken = [file.src for file in files if sha256_of(os.path.join(bundle, file.src)) != file.sha256]
    if broken:
        raise AnsibleActionFail(f"Bundle {bundle}: {', '.join(broken)} does not match SHA256SUMS. Make or copy the bundle again.")
