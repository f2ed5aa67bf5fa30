# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Break something for a while, and mend it again whatever happens.

The drill runs this by itself (see drill_background) on the host under fault, or on the controller: it is given its job on standard input
and imports the standard library alone. It mends when its time is over or when it is told to end, whichever is first, and needs nobody
for that: a controller that dies, and a host that is cut off, change nothing.

A step is one of

    {"argv": [...], "stdin": "..."}          run a command; `keep`: under which name its output is kept, `give`: which kept output it gets
    {"signal": "STOP", "processes": [...]}   send a signal to all processes of these names; with "gone": seconds, wait until they are gone
    {"write": path, "text": "..."}           write into a file of the kernel
    {"append": path, "text": "..."}          write at the end of a file; {"restore": path} makes it again what it was
    {"spin": 2}                              keep every processor busy with so many processes each, at normal priority; 0 ends them
    any of them with "unless_running": name  leave it out when there is such a process

It writes one JSON list a line: ["started", t], ["begin", t], ["broken", t], ["end", t], ["mended", t], and ["problem", t, what].
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from typing import Any, Iterable, Mapping, Sequence

COMMAND_SECONDS = 120
GONE_PAUSE = 0.05
# The guard's own priority is not to be that of other work.
SPIN = "import os, time; os.nice(-os.nice(0)); end = time.monotonic() + {}\nwhile time.monotonic() < end: pass"
SPIN_GRACE = 10.0
# The kernel's names of processes have no more.
NAME_LENGTH = 15


def processes(names: Iterable[str], proc: str = "/proc") -> list[int]:
    """The ids of all processes with one of these names."""
    wanted = {name[:NAME_LENGTH] for name in names}
    found = []
    for entry in os.listdir(proc):
        if entry.isdigit():
            with contextlib.suppress(OSError), open(f"{proc}/{entry}/comm", encoding="utf-8", errors="replace") as file:
                if file.read().rstrip("\n") in wanted:
                    found.append(int(entry))
    return found


class Guard:
    """One fault."""

    def __init__(self, job: Mapping[str, Any]) -> None:
        self.job = job
        self.told_to_end = threading.Event()
        self.kept: dict[str, bytes] = {}
        self.times: dict[str, int] = {}
        self.busy: list[subprocess.Popen[bytes]] = []
        self._epoch = time.time() - time.monotonic()

    def record(self, what: str, *more: Any) -> None:
        with open(self.job["path"], "a", encoding="utf-8") as file:
            file.write(json.dumps([what, round(self._epoch + time.monotonic(), 4), *more]) + "\n")

    def take(self, step: Mapping[str, Any]) -> None:
        """Take one step; what goes wrong is an OSError."""
        if "unless_running" in step and processes([step["unless_running"]]):
            return
        if "signal" in step:
            found = processes(step["processes"])
            if not found:
                raise OSError(f"there is no process {' or '.join(step['processes'])}")
            for one in found:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(one, getattr(signal, f"SIG{step['signal']}"))
            self.wait_gone(found, float(step.get("gone", 0)))
        elif "spin" in step:
            self.spin(int(step["spin"]))
        elif "append" in step:
            with open(step["append"], "rb+") as kept:
                self.times[step["append"]] = os.fstat(kept.fileno()).st_mtime_ns
                self.kept[step["append"]] = kept.read()
                kept.write(step["text"].encode())
        elif "restore" in step:
            # In place: owner and mode stay as they are. And its time, or the next run takes it for one that its daemons have not read.
            if step["restore"] in self.kept:
                with open(step["restore"], "wb") as restored:
                    restored.write(self.kept.pop(step["restore"]))
                os.utime(step["restore"], ns=(time.time_ns(), self.times[step["restore"]]))
        elif "write" in step:
            with open(step["write"], "w", encoding="utf-8") as file:
                file.write(step["text"])
        else:
            given = self.kept.get(step.get("give", ""), step.get("stdin", "").encode())
            try:
                done = subprocess.run(step["argv"], input=given, stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False, timeout=COMMAND_SECONDS)
            except subprocess.TimeoutExpired:
                raise OSError(f"{' '.join(step['argv'])}: not done within {COMMAND_SECONDS} s") from None
            if done.returncode:
                said = (done.stderr or done.stdout).decode("utf-8", "replace").strip()[-300:]
                raise OSError(f"{' '.join(step['argv'])}: {said or f'exit status {done.returncode}'}")
            if "keep" in step:
                self.kept[step["keep"]] = done.stdout

    def spin(self, times: int) -> None:
        """Begin so many busy processes for each processor, which end by themselves too, or end those that there are."""
        if not times:
            for one in self.busy:
                one.kill()
                one.wait()
            self.busy.clear()
        program = SPIN.format(float(self.job["hold"]) + SPIN_GRACE)
        for _process in range(times * (os.cpu_count() or 1)):
            self.busy.append(subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.DEVNULL))

    def wait_gone(self, ids: Sequence[int], seconds: float) -> None:
        """Wait until none of these processes is there, or the time is over, or it is told to end."""
        end = time.monotonic() + seconds
        while time.monotonic() < end and any(os.path.exists(f"/proc/{one}") for one in ids):
            if self.told_to_end.wait(GONE_PAUSE):
                return

    def take_all(self, steps: Sequence[Mapping[str, Any]], insist: bool) -> bool:
        """Take the steps in order. What mends is taken to the end; what breaks stops at the first problem."""
        fine = True
        for step in steps:
            try:
                self.take(step)
            except OSError as error:
                self.record("problem", str(error))
                fine = False
                if not insist:
                    break
        return fine

    def run(self) -> None:
        """Wait, break, wait, mend."""
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, lambda *_: self.told_to_end.set())
        self.record("started")
        if self.told_to_end.wait(float(self.job["lead"])):
            self.record("mended")
            return
        try:
            self.record("begin")
            if self.take_all(self.job["breaks"], insist=False):
                self.record("broken")
                self.told_to_end.wait(float(self.job["hold"]))
        finally:
            self.record("end")
            self.take_all(self.job["mends"], insist=True)
            self.record("mended")


def main(job: Mapping[str, Any]) -> None:
    """Do the job."""
    with contextlib.suppress(OSError):
        # On a busy machine too, what was broken is mended on time.
        os.nice(-10)
    Guard(job).run()
