"""Make a bundle: the binaries, images and manifests of one Kubernetes version, for nodes that reach no registry."""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from . import assembly, compiled
from .progress import BundleError, Progress, clock
from .versions import RELEASES, UPSTREAM, Release


def arguments(words: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make_bundle.py", description=__doc__)
    parser.add_argument("--output", type=Path, required=True, help="the bundle's directory; what is kept for later runs goes beside it")
    parser.add_argument("--source", choices=("auto", "download", "compile"), default="auto", help="auto: download when upstream answers")
    parser.add_argument("--version", choices=sorted(RELEASES), default=max(RELEASES), help="Kubernetes version (%(default)s)")
    return parser.parse_args(words)


def main(words: Sequence[str] | None = None) -> int:
    options = arguments(words)
    output: Path = options.output.expanduser().absolute()
    release = RELEASES[options.version]
    try:
        prints = fingerprints(release)
        if assembly.finished(output, prints):
            print(f"{output}: finished before", file=sys.stderr)
            return 0
        cache = output.parent / "cache"
        progress = Progress(len(compiled.products(release)) + 2)
        with assembly.exclusive(cache, progress):
            if not assembly.finished(output, prints):
                def fill(staging: Path) -> dict[str, object]:
                    return {"release": release.kubernetes, "tools": compiled.build(release, cache, staging, progress)}
                assembly.assemble(output, "compile", prints["compile"], fill, progress)
        progress.say(f"{output}: finished")
    except BundleError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def fingerprints(release: Release) -> dict[str, str]:
    code = [hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(Path(__file__).parent.glob("*.py"))]
    return {"compile": hashlib.sha256(json.dumps([compiled.fingerprint(release), code]).encode()).hexdigest()}
