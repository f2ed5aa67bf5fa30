# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Text files that are whole or not at all."""

from __future__ import annotations

import os
import stat
from typing import NamedTuple


class TextFile(NamedTuple):
    """A file as it is to be, owned by root."""

    path: str
    content: str
    mode: int


class FileState(NamedTuple):
    """A file as it is; ``content`` is None when there is none."""

    content: str | None
    mode: int
    owned_by_root: bool


def look(path: str) -> FileState:
    """Read a file with what counts of its status."""
    try:
        with open(path, encoding="utf-8", errors="replace", newline="") as file:
            status = os.fstat(file.fileno())
            return FileState(file.read(), stat.S_IMODE(status.st_mode), status.st_uid == 0 and status.st_gid == 0)
    except (FileNotFoundError, NotADirectoryError):
        return FileState(None, 0, False)


def is_as_wanted(file: TextFile, found: FileState) -> bool:
    """Tell whether there is nothing to do."""
    return found == FileState(file.content, file.mode, True)


def difference(file: TextFile, found: FileState) -> dict[str, str]:
    """Return what Ansible shows with --diff: of a new program, which no host differs in, that it is new and not the whole of it."""
    if found.content is None and file.mode & 0o111:
        return {"prepared": f"{file.path}: a new program of {len(file.content.splitlines())} lines\n"}
    return {
        "before_header": file.path,
        "after_header": file.path,
        "before": found.content or "",
        "after": file.content,
    }


def write(file: TextFile) -> None:
    """Put the file in its place in one step, so that nobody ever reads half of it."""
    os.makedirs(os.path.dirname(file.path), mode=0o755, exist_ok=True)
    beside = f"{file.path}.new"
    with open(beside, "w", encoding="utf-8", newline="") as target:
        os.fchown(target.fileno(), 0, 0)
        os.fchmod(target.fileno(), file.mode)
        target.write(file.content)
    os.replace(beside, file.path)
