# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The administrator's kubeconfig on the controller."""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path

MODE = 0o600


def with_server(text: str, server: str) -> str:
    """Return a kubeconfig whose clusters have this server, host and port; an empty one leaves what is there.

    Edited as text: kubeadm's file stays as it is in everything else.
    """
    return re.sub(r"(?m)^( +server:) .*$", lambda line: f"{line[1]} https://{server}", text) if server else text


def is_as_wanted(path: Path, text: str) -> bool:
    """Tell whether the file has this content and only its owner may read it."""
    try:
        return path.read_text(encoding="utf-8") == text and stat.S_IMODE(path.stat().st_mode) == MODE
    except (FileNotFoundError, NotADirectoryError, UnicodeDecodeError):
        return False


def write(path: Path, text: str) -> None:
    """Put the file in its place in one step. At no moment has it another mode: it holds the key of the cluster's administrator."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f"{path.name}.new")
    beside.unlink(missing_ok=True)
    with open(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, MODE), "w", encoding="utf-8") as file:
        file.write(text)
    os.replace(beside, path)
