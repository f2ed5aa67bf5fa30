"""What a person sees while a bundle is made, and commands that take minutes."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

HEARTBEAT_SECONDS = 15.0


class BundleError(Exception):
    """Says what is wrong and what to do about it."""


class Progress:
    """Numbered steps, with the time since the start."""

    def __init__(self, steps: int) -> None:
        self.steps = steps
        self.step = 0
        self.started = time.monotonic()

    def begin(self, text: str) -> None:
        self.step += 1
        self.say(f"[{self.step}/{self.steps}] {text}")

    def say(self, text: str) -> None:
        print(f"{clock(time.monotonic() - self.started):>6}  {text}", file=sys.stderr, flush=True)


def clock(seconds: float) -> str:
    return f"{int(seconds) // 60}:{int(seconds) % 60:02}"


def run(command: Sequence[str | Path], *, cwd: Path | None = None, env: Mapping[str, str] | None = None) -> str:
    """Run a command that takes seconds, and return what it printed."""
    try:
        done = subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, check=False)
    except FileNotFoundError as error:
        raise BundleError(f"{command[0]} is needed and not installed") from error
    if done.returncode:
        raise BundleError(f"{' '.join(map(str, command))} failed ({done.returncode}):\n{(done.stderr or done.stdout).strip()}")
    return done.stdout


def run_long(
    command: Sequence[str | Path],
    log: Path,
    alive: Callable[[float], None],
    *,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
) -> None:
    """Run a command that takes minutes: its output goes to a log, alive(seconds) is called now and then."""
    started = time.monotonic()
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as output, subprocess.Popen(command, cwd=cwd, env=env, stdout=output, stderr=subprocess.STDOUT) as process:
        try:
            while True:
                try:
                    process.wait(HEARTBEAT_SECONDS)
                    break
                except subprocess.TimeoutExpired:
                    alive(time.monotonic() - started)
        except BaseException:
            process.terminate()
            raise
    if process.returncode:
        tail = "\n".join(log.read_text(errors="replace").splitlines()[-30:])
        raise BundleError(f"{' '.join(map(str, command))} failed ({process.returncode}); the end of {log}:\n{tail}")
