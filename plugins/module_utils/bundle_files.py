# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The files of a bundle: its list of checksums, what of it a node wants, and what a node has of that."""

from __future__ import annotations

import hashlib
import os
import re
import stat
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

SUMS = "SHA256SUMS"
# What a user may write; the action and the module check the same.
OPTIONS: Mapping[str, Any] = {
    "path": {"type": "str", "required": True},
    "files": {
        "type": "list",
        "elements": "dict",
        "required": True,
        "options": {"src": {"type": "str", "required": True}, "dest": {"type": "str", "required": True}},
    },
    "texts": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {"path": {"type": "path", "required": True}, "content": {"type": "str", "required": True}, "mode": {"type": "str", "default": "0644"}},
    },
    "mode": {"type": "str", "default": "0755"},
    "run_units": {"type": "list", "elements": "str", "default": []},
    "boot_units": {"type": "list", "elements": "str", "default": []},
}
_CHUNK = 1 << 20
_SUM_LINE = re.compile(r"([0-9a-f]{64}) [ *](.+)")


class BundleError(ValueError):
    """A bundle that cannot be used as it is; the message names the bundle and the file."""


class Wanted(NamedTuple):
    """A file of the bundle and where a node is to have it."""

    src: str
    dest: str
    sha256: str


def parse_sums(text: str) -> dict[str, str]:
    """Map the paths of a list made by `sha256sum` to their checksums."""
    sums: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        match = _SUM_LINE.fullmatch(line)
        if not match:
            raise BundleError(f"{SUMS}, line {number}: {line!r} is not what `sha256sum` writes (64 hexadecimal digits, two spaces, a path)")
        path = os.path.normpath(match[2])
        if path.startswith(("/", "..")):
            raise BundleError(f"{SUMS}, line {number}: {match[2]!r} lies outside the bundle; paths must be relative to it")
        sums[path] = match[1]
    return sums


def read_sums(bundle: str) -> dict[str, str]:
    """Read the checksums of the bundle in this directory."""
    path = os.path.join(bundle, SUMS)
    try:
        with open(path, encoding="utf-8") as file:
            return parse_sums(file.read())
    except BundleError as error:
        raise BundleError(f"Bundle {bundle}: {error}") from error
    except OSError as error:
        raise BundleError(f"{bundle} is not a bundle: {path}: {error.strerror}. Give the directory that contains {SUMS}.") from error


def select(bundle: str, sums: Mapping[str, str], files: Iterable[Mapping[str, str]]) -> list[Wanted]:
    """Resolve what is asked for against the bundle: a `src` that is a directory stands for the files right in it and below."""
    wanted: list[Wanted] = []
    for entry in files:
        src, dest = os.path.normpath(entry["src"]), entry["dest"]
        if src in sums:
            found = [Wanted(src, os.path.join(dest, os.path.basename(src)) if dest.endswith("/") else dest, sums[src])]
        else:
            found = [Wanted(path, os.path.join(dest, os.path.relpath(path, src)), sums[path]) for path in sorted(sums) if path.startswith(src + "/")]
        if not found:
            raise BundleError(f"Bundle {bundle} has no {entry['src']}: {SUMS} names neither such a file nor files below it.")
        wanted += found
    for file in wanted:
        if not os.path.isfile(os.path.join(bundle, file.src)):
            raise BundleError(f"Bundle {bundle} lacks {file.src}, which its {SUMS} names. Make or copy the bundle again.")
    return wanted


def sha256_of(path: str) -> str | None:
    """Return the SHA-256 of a file, None when it is not there."""
    digest = hashlib.sha256()
    try:
        with open(path, "rb", buffering=0) as file:
            while chunk := file.read(_CHUNK):
                digest.update(chunk)
    except (FileNotFoundError, NotADirectoryError):
        return None
    return digest.hexdigest()


def differing(files: Sequence[Wanted]) -> list[Wanted]:
    """Return the files whose destination is missing or has other contents."""
    with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        return [file for file, found in zip(files, pool.map(sha256_of, (file.dest for file in files))) if found != file.sha256]


def has_mode(path: str, mode: int) -> bool:
    """Tell whether a file belongs to root and has this mode."""
    status = os.stat(path)
    return stat.S_IMODE(status.st_mode) == mode and status.st_uid == 0 and status.st_gid == 0


def install(staged: str, file: Wanted, mode: int) -> None:
    """Put a staged copy in its place, whole and verified or not at all.

    The copy is written anew beside the destination: a rename would carry the staging directory's SELinux type along
    and is impossible from another file system.
    """
    os.makedirs(os.path.dirname(file.dest), mode=0o755, exist_ok=True)
    beside = f"{file.dest}.new"
    digest = hashlib.sha256()
    with open(staged, "rb", buffering=0) as source, open(beside, "wb") as target:
        while chunk := source.read(_CHUNK):
            digest.update(chunk)
            target.write(chunk)
        os.fchown(target.fileno(), 0, 0)
        os.fchmod(target.fileno(), mode)
    if digest.hexdigest() != file.sha256:
        os.unlink(beside)
        raise BundleError(f"{file.src} has SHA-256 {digest.hexdigest()} on arrival, but {SUMS} says {file.sha256}.")
    os.replace(beside, file.dest)
    os.unlink(staged)
