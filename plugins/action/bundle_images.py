# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Controller side of bundle_images: finds out which archives of the bundle have an image that the node is to have."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from ansible_collections.quorum.kubeadm.plugins.module_utils.bundle_files import read_sums, select
from ansible_collections.quorum.kubeadm.plugins.module_utils.bundle_images import DIRECTORY, OPTIONS, component, read_archive
from ansible_collections.quorum.kubeadm.plugins.plugin_utils.bundle_action import BundleAction, Offer


class ActionModule(BundleAction):
    """Load the images of a bundle into a node's containerd."""

    MODULE = "quorum.kubeadm.bundle_images"
    OPTIONS = OPTIONS

    def offer(self, bundle: str, args: Mapping[str, Any]) -> Offer:
        """Return the archives, by their names in the directory of images."""
        files = {os.path.basename(file.src): file for file in select(bundle, read_sums(bundle), [{"src": DIRECTORY, "dest": ""}])}
        archives = {name: read_archive(os.path.join(bundle, file.src)) for name, file in files.items()}
        wanted = {name: images for name, images in archives.items() if any(component(image.name) not in args["exclude"] for image in images)}
        repository = args["repository"]
        elsewhere = repository and not any(image.name.startswith(f"{repository}/") for images in archives.values() for image in images)
        warning = f"No image of bundle {bundle} is below {repository}, where this node will look for Kubernetes' images: it must be able to pull them."
        return Offer(files, {"_archives": wanted}, [warning] if elsewhere else [])
