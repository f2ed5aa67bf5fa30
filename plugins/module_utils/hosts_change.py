# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Give names their lines in /etc/hosts, and renew the copies of the file that pods on the host's network have."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from ansible_collections.quorum.kubeadm.plugins.module_utils.host_pods import renew, stale_copies
from ansible_collections.quorum.kubeadm.plugins.module_utils.hosts_file import Entry, check, owned, render


class Change(NamedTuple):
    """What was done to the file and to the pods' copies, or would be."""

    path: str
    before: str
    after: str
    lines: list[str]
    """The owner's lines as they are now."""
    pods: list[str]
    """The pods whose copy was renewed."""

    @property
    def changed(self) -> bool:
        """Whether anything differed."""
        return self.after != self.before or bool(self.pods)

    @property
    def diff(self) -> dict[str, str]:
        """What Ansible shows with --diff."""
        return {"before_header": self.path, "after_header": self.path, "before": self.before, "after": self.after}


def set_entries(owner: str, entries: Sequence[Entry], absent: Iterable[str], path: str, root: str, check_mode: bool) -> Change:
    """Write the file when a line of the owner differs. Raises HostsFileError for an entry that it cannot have, and OSError."""
    check(entries)
    path = os.path.realpath(path)
    before = ""
    if os.path.exists(path):
        with open(path, encoding="utf-8", errors="surrogateescape") as file:
            before = file.read()
    after = render(before, owner, entries, absent)
    if after != before and not check_mode:
        _write(path, after)
    stale = list(stale_copies(after, owner, Path(root)))
    for copy in stale if not check_mode else ():
        renew(copy)
    return Change(path, before, after, owned(after, owner), [copy.pod for copy in stale])


def _write(path: str, text: str) -> None:
    """Put the file in its place, whole where that is possible."""
    status = os.stat(path) if os.path.exists(path) else None
    beside = f"{path}.new"
    with open(beside, "w", encoding="utf-8", errors="surrogateescape") as file:
        os.fchmod(file.fileno(), status.st_mode & 0o7777 if status else 0o644)
        os.fchown(file.fileno(), status.st_uid if status else 0, status.st_gid if status else 0)
        file.write(text)
    try:
        os.replace(beside, path)
    except OSError as error:
        if error.errno != errno.EBUSY:
            raise
        # A container runtime mounts the file of its own there, which can only be written to.
        os.unlink(beside)
        with open(path, "w", encoding="utf-8", errors="surrogateescape") as file:
            file.write(text)
