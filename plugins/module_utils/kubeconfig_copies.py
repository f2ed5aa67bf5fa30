# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Copies of the administrator's kubeconfig in the home directories of a control plane."""

from __future__ import annotations

import os
import re
from pathlib import Path

from ansible_collections.quorum.kubeadm.plugins.module_utils.node_state import ADMIN_KUBECONFIG

# Where kubeadm's own words tell an administrator to put it.
PLACES = ("root/.kube/config", "home/*/.kube/config")
_CREDENTIALS = re.compile(r"^(\s+client-(?:certificate|key)-data:).*$", re.MULTILINE)


def _without_credentials(kubeconfig: str) -> str:
    return _CREDENTIALS.sub(r"\1", kubeconfig)


def outdated_copies(root: Path, to_be_renewed: bool = False) -> list[Path]:
    """Return the files that are the administrator's kubeconfig but for the certificate and its key: copies of an older one.

    Where that is still to be renewed, these are all copies.
    """
    source = root / ADMIN_KUBECONFIG
    if not source.exists():
        return []
    text = source.read_text(encoding="utf-8")
    copies = []
    for path in (path for place in PLACES for path in sorted(root.glob(place))):
        # A link to the real one is always the newest.
        there = path.read_text(encoding="utf-8", errors="replace") if path.is_file() and not path.is_symlink() else ""
        if (there != text or to_be_renewed) and _without_credentials(there) == _without_credentials(text):
            copies.append(path)
    return copies


def update_copy(path: Path, root: Path) -> None:
    """Write the administrator's kubeconfig over an older copy, in one step; owner and mode stay."""
    status = path.stat()
    beside = path.with_name(f".{path.name}.quorum")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        os.fchown(file.fileno(), status.st_uid, status.st_gid)
        os.fchmod(file.fileno(), status.st_mode & 0o777)
        file.write((root / ADMIN_KUBECONFIG).read_bytes())
    os.replace(beside, path)
