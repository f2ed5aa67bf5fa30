# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The copies of /etc/hosts that pods on the host's network have, where the kubelet keeps them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from ansible_collections.quorum.kubeadm.plugins.module_utils.hosts_file import renewed

PODS = "var/lib/kubelet/pods"
LOGS = "var/log/pods"


class Copy(NamedTuple):
    """A pod's copy of /etc/hosts that is no longer like it."""

    pod: str
    """``namespace/name``, or the pod's UID when nothing tells its name."""
    path: Path
    content: str
    """What it should have."""


def stale_copies(text: str, owner: str, root: Path = Path("/")) -> Iterator[Copy]:
    """Find the copies in which the owner's lines are not those of ``text``."""
    for path in sorted((root / PODS).glob("*/etc-hosts")):
        try:
            copy = path.read_text(encoding="utf-8", errors="surrogateescape")
        except OSError:  # the pod is gone
            continue
        wanted = renewed(copy, text, owner)
        if wanted != copy:
            yield Copy(_pod(path.parent.name, root), path, wanted)


def _pod(uid: str, root: Path) -> str:
    """A pod's logs are in a directory named ``namespace_name_uid``; neither namespaces nor names of pods have an underscore."""
    directory = next((root / LOGS).glob(f"*_{uid}"), None)
    return "/".join(directory.name.split("_")[:2]) if directory else uid


def renew(copy: Copy) -> None:
    """Write the copy where it lies, since a mount in the pod shows this very file.

    At no moment it is empty: what is longer is cut after the writing.
    """
    with open(copy.path, "r+", encoding="utf-8", errors="surrogateescape") as file:
        file.write(copy.content)
        file.truncate()
