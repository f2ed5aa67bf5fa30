"""A bundle's directory: complete or not there, with checksums, and recognised when it is finished."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from .oci import sha256
from .progress import Progress

SUMS = "SHA256SUMS"
DESCRIPTION = "bundle.json"


def finished(output: Path, fingerprints: Mapping[str, str]) -> bool:
    """Whether a whole bundle is there that one of the ways (fingerprints by name) would make again just so."""
    try:
        description = json.loads((output / DESCRIPTION).read_text())
        files = [line.split("  ", 1)[1] for line in (output / SUMS).read_text().splitlines()]
    except (OSError, ValueError, IndexError):
        return False
    return fingerprints.get(description["source"]) == description["fingerprint"] and all((output / file).is_file() for file in files)


def assemble(output: Path, source: str, fingerprint: str, fill: Callable[[Path], Mapping[str, str]], progress: Progress) -> None:
    """Fill a directory beside the output, then put it in the output's place at once."""
    staging, old = (output.with_name(f".{output.name}.{suffix}") for suffix in ("partial", "old"))
    for leftover in (staging, old):
        shutil.rmtree(leftover, ignore_errors=True)
    for directory in ("bin/cni", "images", "manifests"):
        (staging / directory).mkdir(parents=True)
    details = fill(staging)
    progress.begin("writing checksums")
    (staging / DESCRIPTION).write_text(json.dumps({"source": source, "fingerprint": fingerprint, **details}, indent=2, sort_keys=True) + "\n")
    (staging / SUMS).write_text("".join(f"{digest}  {path}\n" for path, digest in checksums(staging)))
    if output.exists():
        output.rename(old)
    staging.rename(output)
    shutil.rmtree(old, ignore_errors=True)


def checksums(root: Path) -> Iterator[tuple[str, str]]:
    for file in sorted(path for path in root.rglob("*") if path.is_file()):
        with file.open("rb") as content:
            yield str(file.relative_to(root)), sha256(content)


def place(source: Path, target: Path) -> None:
    """The same file under another name where the file system allows, a copy elsewhere."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy(source, target)


@contextmanager
def exclusive(cache: Path, progress: Progress) -> Iterator[None]:
    """One maker at a time in a cache; a second one waits, and then finds the work done."""
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            progress.say("another run makes a bundle here: waiting for it")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield
