# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Controller side of bundle_images: ask the node which images it lacks, put their archives there, let it import them."""

from __future__ import annotations

import os
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from ansible_collections.quorum.kubeadm.plugins.action.bundle_files import blame
from ansible_collections.quorum.kubeadm.plugins.module_utils.bundle_files import BundleError, read_sums, select
from ansible_collections.quorum.kubeadm.plugins.module_utils.bundle_images import DIRECTORY, component, read_archive

MODULE = "quorum.kubeadm.bundle_images"


class ActionModule(ActionBase):  # type: ignore[misc]
    """Load the images of a bundle into a node's containerd."""

    _requires_connection = True
    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Ask, transfer what is missing, import."""
        super().run(tmp, task_vars)
        _validation, args = self.validate_argument_spec(
            argument_spec={
                "path": {"type": "str", "required": True},
                "exclude": {"type": "list", "elements": "str", "default": []},
                "repository": {"type": "str"},
                "address": {"type": "path", "default": "/run/containerd/containerd.sock"},
                "namespace": {"type": "str", "default": "k8s.io"},
                "timeout": {"type": "int", "default": 60},
            }
        )
        bundle = self._loader.path_dwim(args["path"])
        try:
            files = {os.path.basename(file.src): file for file in select(bundle, read_sums(bundle), [{"src": DIRECTORY, "dest": ""}])}
            archives = {name: read_archive(os.path.join(bundle, file.src)) for name, file in files.items()}
        except BundleError as error:
            raise AnsibleActionFail(str(error)) from error
        wanted = {name: images for name, images in archives.items() if any(component(image.name) not in args["exclude"] for image in images)}

        module_args = {**args, "path": bundle, "_archives": wanted}
        result: dict[str, Any] = self._execute_module(module_name=MODULE, module_args=module_args, task_vars=task_vars)
        missing = result.pop("_missing", [])
        if missing and not self._task.check_mode:
            staging = self._connection._shell.tmpdir or self._make_tmp_path()
            for name in missing:
                self._transfer_file(os.path.join(bundle, files[name].src), self._connection._shell.join_path(staging, name))
            result = self._execute_module(module_name=MODULE, module_args={**module_args, "_staging": staging}, task_vars=task_vars)
            result.pop("_missing", None)
            if result.get("failed"):
                blame(bundle, [files[name] for name in missing])
        repository = args["repository"]
        if repository and not any(image.name.startswith(f"{repository}/") for images in archives.values() for image in images):
            result.setdefault("warnings", []).append(
                f"No image of bundle {bundle} is below {repository}, where this node will look for Kubernetes' images: it must be able to pull them."
            )
        return result
