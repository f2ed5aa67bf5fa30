"""A bundle's directory: complete or not there, with checksums, and recognised when it is finished."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from .progress import BundleError, Progress

SUMS = "SHA256SUMS"
DESCRIPTION = "bundle.json"


def finished(output: Path, fingerprints: Mapping[str, str]) -> bool:
    """Whether a bundle is there that one of the ways (by name: fingerprint) would make again just so."""
    try:
        description = json.loads((output / DESCRIPTION).read_text())
    except (OSError, ValueError):
        return False
    return (output / SUMS).is_file() and fingerprints.get(description.get("source")) == description.get("fingerprint")


def assemble(output: Path, source: str, fingerprint: str, fill: Callable[[Path], Mapping[str, object]], progress: Progress) -> None:
    """Fill a directory beside the output, then put it in the output's place at once."""
    staging = output.with_name(f".{output.name}.partial")
    shutil.rmtree(staging, ignore_errors=True)
    (staging / "images").mkdir(parents=True)
    details = fill(staging)
    progress.begin("writing checksums")
    description = {"source": source, "fingerprint": fingerprint, **details}
    (staging / DESCRIPTION).write_text(json.dumps(description, indent=2, sort_keys=True) + "\n")
    (staging / SUMS).write_text("".join(f"{digest}  {path}\n" for path, digest in checksums(staging)))
    if output.exists():
        old = output.with_name(f".{output.name}.old")
        shutil.rmtree(old, ignore_errors=True)
        output.rename(old)
        staging.rename(output)
        shutil.rmtree(old)
    else:
        staging.rename(output)


def checksums(root: Path) -> Iterator[tuple[str, str]]:
    for file in sorted(path for path in root.rglob("*") if path.is_file()):
        with file.open("rb") as content:
            yield str(file.relative_to(root)), hashlib.file_digest(content, "sha256").hexdigest()


@contextmanager
def exclusive(cache: Path, progress: Progress) -> Iterator[None]:
    """One maker at a time in a cache; the second waits, and then finds the work done."""
    cache.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(cache / "lock", os.O_CREAT | os.O_RDWR, 0o644)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            progress.say("another run makes a bundle here: waiting for it")
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def refuse_inside(output: Path, checkout: Path) -> None:
    if output.is_relative_to(checkout):
        raise BundleError(f"--output {output} is inside the checkout: name a directory outside of it")
