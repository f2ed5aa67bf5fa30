# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run a part of the drill by itself on a host, for a bounded time, and find it again.

Where there is systemd it gets a scope of its own, `quorum-drill-NAME.scope`: it outlives the connection that started it, ends when its
time is over, and anybody can end it with `systemctl stop 'quorum-drill-*'`. Source and job, a token with it, go there on standard input:
nothing is put on a disk, and nothing stands on a command line. What it writes is in its directory, `NAME.jsonl`, and its words in `NAME.log`.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import ModuleType
from typing import IO, Any, Callable, Mapping, Optional, cast

from ansible_collections.quorum.kubeadm.plugins.module_utils.run_processes import VARIABLE as RUN_VARIABLE

BOOT = (
    "import json, sys; given = json.load(sys.stdin); scope = {'__name__': 'drill'}; "
    "exec(compile(given['source'], sys.argv[1], 'exec', dont_inherit=True), scope); scope['main'](given['job'])"
)
PAUSE = 0.05
# Beyond its own bound, by which it should have ended.
GRACE = 60


class BackgroundError(RuntimeError):
    """It could not be started, or did not end."""


def source_of(module: ModuleType) -> str:
    """The source of an imported module, also of one in Ansible's zip."""
    loader: Any = module.__loader__
    source: Optional[str] = loader.get_source(module.__name__)
    if source is None:
        raise BackgroundError(f"the source of {module.__name__} is not to be had")
    return source


class Background:
    """A program of the drill on this host."""

    def __init__(self, name: str, directory: Path, proc: Path = Path("/proc")) -> None:
        self.name = name
        self.path = directory / f"{name}.jsonl"
        self._log = directory / f"{name}.log"
        self._proc = proc
        self._before = 0

    def ids(self) -> list[int]:
        """The ids of its processes, known by their command line."""
        found = []
        for entry in self._proc.iterdir():
            if entry.name.isdigit() and int(entry.name) != os.getpid():
                try:
                    words = (entry / "cmdline").read_bytes().split(b"\0")
                except OSError:
                    continue
                if BOOT.encode() in words and words[words.index(BOOT.encode()) + 1 :][:1] == [self._title.encode()] and b"systemd-run" not in words[0]:
                    found.append(int(entry.name))
        return found

    @property
    def _title(self) -> str:
        return f"quorum-drill-{self.name}:{self.path}"

    def records(self) -> list[list[Any]]:
        """What it wrote so far since it was started here, whole lines only; nothing when there is nothing."""
        try:
            lines = self.path.read_text(encoding="utf-8").split("\n")[:-1]
        except FileNotFoundError:
            return []
        return [json.loads(line) for line in lines[self._before :]]

    def whole_records(self) -> list[list[Any]]:
        """What earlier ones wrote, without what a loss of power left unfinished, which is taken out of the file too."""
        text = self.path.read_text(encoding="utf-8", errors="replace") if self.path.exists() else ""
        records = []
        for line in text.split("\n"):
            with contextlib.suppress(ValueError):
                records.append(json.loads(line))
        whole = "".join(json.dumps(record, separators=(",", ":")) + "\n" for record in records)
        if whole != text:
            self.path.write_text(whole, encoding="utf-8")
        return records

    def start(self, program: ModuleType, job: Mapping[str, Any], seconds: float, keep: bool = False) -> None:
        """Start it; it ends by itself at the latest after so many seconds and a grace. `keep`: what earlier ones recorded stays before it."""
        if self.ids():
            raise BackgroundError(f"{self.name} of another drill is still running on this host: wait, or end it with `systemctl stop 'quorum-drill-*'`")
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if keep:
            self._before = len(self.whole_records())
        else:
            self.path.unlink(missing_ok=True)
        argv = [sys.executable, "-c", BOOT, self._title]
        if os.path.isdir("/run/systemd/system") and os.geteuid() == 0:
            bound = f"--property=RuntimeMaxSec={seconds + GRACE:.0f}"
            argv = ["systemd-run", "--scope", "--quiet", "--collect", f"--unit=quorum-drill-{self.name}", bound, *argv]
        given = json.dumps({"source": source_of(program), "job": {**job, "path": str(self.path)}})
        with open(self._log, "w", encoding="utf-8") as log:
            # It is at work on nothing, so whoever waits for what a run has left at work does not wait for it.
            environment = {name: value for name, value in os.environ.items() if name != RUN_VARIABLE}
            process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=log, stderr=log, start_new_session=True, cwd="/", env=environment)
        stdin = cast(IO[bytes], process.stdin)
        try:
            stdin.write(given.encode())
            stdin.close()
        except BrokenPipeError:
            raise BackgroundError(f"{self.name} did not start: {self.words()}") from None

    def words(self) -> str:
        """What it had to say for itself."""
        return self._log.read_text(encoding="utf-8", errors="replace").strip()[-500:] if self._log.exists() else ""

    def wait(self, seconds: float, until: Callable[[list[list[Any]]], bool]) -> list[list[Any]]:
        """Wait until its records say something, or until it has ended."""
        end = time.monotonic() + seconds
        while True:
            running = bool(self.ids())
            records = self.records()
            if until(records) or not running:
                return records
            if time.monotonic() >= end:
                raise BackgroundError(f"{self.name} is not so far after {seconds:g} s: {records[-1:]} {self.words()}")
            time.sleep(PAUSE)

    def wait_started(self, seconds: float, until: Callable[[list[list[Any]]], bool]) -> list[list[Any]]:
        """As wait, for one that may not be there yet."""
        end = time.monotonic() + seconds
        while not (self.ids() or self.records()) and time.monotonic() < end:
            time.sleep(PAUSE)
        return self.wait(max(0.0, end - time.monotonic()), until)

    def end(self, seconds: float) -> None:
        """Tell it to end, and wait until it has."""
        for one in self.ids():
            try:
                os.kill(one, signal.SIGTERM)
            except ProcessLookupError:
                pass
        limit = time.monotonic() + seconds
        while self.ids():
            if time.monotonic() >= limit:
                raise BackgroundError(f"{self.name} does not end: {self.words()}")
            time.sleep(PAUSE)

    def forget(self) -> None:
        """Take its files away."""
        for path in (self.path, self._log):
            path.unlink(missing_ok=True)
