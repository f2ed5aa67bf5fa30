# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Controller side of bundle_files: finds in the bundle what is asked for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.quorum.kubeadm.plugins.module_utils.bundle_files import OPTIONS, read_sums, select
from ansible_collections.quorum.kubeadm.plugins.plugin_utils.bundle_action import BundleAction, Offer


class ActionModule(BundleAction):
    """Install files of a bundle on a node."""

    MODULE = "quorum.kubeadm.bundle_files"
    OPTIONS = OPTIONS

    def offer(self, bundle: str, args: Mapping[str, Any]) -> Offer:
        """Return the files, by their checksums: what has the same contents travels once."""
        files = select(bundle, read_sums(bundle), args["files"])
        return Offer({file.sha256: file for file in files}, {"_wanted": [list(file) for file in files]})
