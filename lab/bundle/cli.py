"""Make a bundle: the binaries, images and manifests of one Kubernetes version, for nodes that reach no registry."""

from __future__ import annotations

import argparse
import hashlib
import json
import signal
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from . import assembly, compiled, upstream
from .progress import BundleError, Progress
from .versions import RELEASES, UPSTREAM, Release

CHECKOUT = Path(__file__).resolve().parents[2]


def arguments(words: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make_bundle.py", description=__doc__)
    parser.add_argument("--output", type=Path, required=True, help="the bundle's directory; what later runs use again is kept in 'cache' beside it")
    parser.add_argument(
        "--source",
        choices=("auto", "download", "compile"),
        default="auto",
        help="download upstream's files, compile Go modules, or (auto) download when upstream answers and compile otherwise",
    )
    parser.add_argument("--version", choices=sorted(RELEASES), default=next(iter(RELEASES)), help="Kubernetes version (default: %(default)s)")
    parser.add_argument(
        "--base",
        metavar="NAME=URL",
        action="append",
        default=[],
        help=f"a mirror with upstream's layout for {', '.join(UPSTREAM)}",
    )
    options = parser.parse_args(words)
    options.output = options.output.expanduser().resolve()
    if options.output.is_relative_to(CHECKOUT):
        parser.error(f"--output {options.output} is inside the checkout: name a directory outside of it")
    unknown = [item for item in options.base if item.partition("=")[0] not in UPSTREAM or not item.partition("=")[2]]
    if unknown:
        parser.error(f"--base {unknown[0]}: write NAME=URL with one of {', '.join(UPSTREAM)}")
    return options


def main(words: Sequence[str] | None = None) -> int:
    options = arguments(words)
    base = {**UPSTREAM, **dict(item.split("=", 1) for item in options.base)}
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped; run it again to go on from here"))
    try:
        make(options.output, RELEASES[options.version], options.source, base)
    except (BundleError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("stopped; run it again to go on from here", file=sys.stderr)
        return 130
    return 0


def make(output: Path, release: Release, source: str, base: Mapping[str, str]) -> None:
    """Make the bundle unless it is there."""
    ways = fingerprints(release)
    accepted = ways if source == "auto" else {source: ways[source]}
    if assembly.finished(output, accepted):
        print(f"{output}: finished before", file=sys.stderr)
        return
    if source == "auto":
        source = "download" if upstream.reachable(release, base) else "compile"
    cache = output.parent / "cache"
    progress = Progress(1 + (upstream.steps(release, base) if source == "download" else compiled.steps(release)))
    progress.say(f"Kubernetes {release.kubernetes}: {source}")
    with assembly.exclusive(cache, progress):
        if not assembly.finished(output, accepted):
            if source == "download":
                assembly.assemble(output, source, ways[source], lambda staging: upstream.fetch(release, base, cache, staging, progress), progress)
            else:
                assembly.assemble(output, source, ways[source], lambda staging: compiled.build(release, cache, staging, progress), progress)
    progress.say(f"{output}: finished")


def fingerprints(release: Release) -> dict[str, str]:
    """What decides the content of a bundle, by the way it is made."""

    def digest(content: object, *modules: str) -> str:
        code = [Path(__file__).with_name(module).read_text() for module in modules]
        return hashlib.sha256(json.dumps([asdict(release), content, code], sort_keys=True).encode()).hexdigest()

    return {
        "download": digest(None, "upstream.py", "oci.py"),
        "compile": digest(compiled.fingerprint(release), "compiled.py", "debian.py", "oci.py"),
    }
