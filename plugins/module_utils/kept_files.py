# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files as they were before a trial, until it is known whether what is new works."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Iterable

from ansible_collections.quorum.kubeadm.plugins.module_utils.node_state import KUBERNETES

BEFORE = f"{KUBERNETES}/quorum.kubeadm/before"
# Stands for a file that there was not.
ABSENT = ".absent"


def keep(paths: Iterable[str], root: Path) -> None:
    """Keep these files, paths relative to the root directory, as they are now.

    What an earlier run has kept, and not judged, stays: it is older, and known to have worked.
    """
    for path in paths:
        source, kept = root / path, root / BEFORE / path
        absent = kept.with_name(kept.name + ABSENT)
        if kept.exists() or absent.exists():
            continue
        _directory(kept.parent, root)
        if source.is_file():
            beside = kept.with_name(f".{kept.name}")
            shutil.copy2(source, beside)
            status = source.stat()
            os.chown(beside, status.st_uid, status.st_gid)
            os.replace(beside, kept)
        elif not source.exists():
            absent.touch(mode=0o600)


def _directory(path: Path, root: Path) -> None:
    """Make a directory below ours that only root can read: keys may be kept in it."""
    if not path.exists():
        if path != root / KUBERNETES:
            _directory(path.parent, root)
        path.mkdir(mode=0o700)


def is_keeping(root: Path) -> bool:
    """Tell whether there is a trial that has not been judged."""
    return (root / BEFORE).is_dir()


def put_back(root: Path) -> list[str]:
    """Write all that was kept and has changed since over what is there; return the paths."""
    before = root / BEFORE
    changed = []
    for kept in sorted(path for path in before.rglob("*") if path.is_file()) if before.is_dir() else []:
        path = str(kept.relative_to(before))
        if path.endswith(ABSENT):
            target = root / path[: -len(ABSENT)]
            if target.exists():
                target.unlink()
                changed.append(path[: -len(ABSENT)])
        elif not (root / path).exists() or (root / path).read_bytes() != kept.read_bytes():
            status = kept.stat()
            write(root / path, kept.read_bytes(), status.st_mode & 0o777, (status.st_uid, status.st_gid))
            changed.append(path)
    return changed


def write(target: Path, content: bytes, mode: int, owner: tuple[int, int] = (0, 0)) -> None:
    """Write a file in one step. What is beside it meanwhile has a name that the kubelet passes over in its directory of manifests."""
    beside = target.with_name(f".{target.name}.quorum")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        os.fchmod(file.fileno(), mode)
        os.fchown(file.fileno(), *owner)
        file.write(content)
    os.replace(beside, target)


def forget(root: Path) -> None:
    """Forget what was kept: what is new works, or what was old is back."""
    shutil.rmtree(root / BEFORE, ignore_errors=True)
