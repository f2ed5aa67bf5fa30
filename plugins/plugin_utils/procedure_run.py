# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who a run is, and whether the run that holds the Lease is still alive.

A run is the process `ansible-playbook` on its controller. Its name says which machine, which boot of it and which namespace of processes, so that
another run there can look for exactly that process (proc_pid_stat(5), field 22: when it started). From any other machine, and in any other container, its
absence proves nothing, and a person has to say that it is dead.
"""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import Literal, NamedTuple

Verdict = Literal["own", "alive", "dead", "unknown"]
BOOT_ID = "proc/sys/kernel/random/boot_id"


class Run(NamedTuple):
    """A run of a playbook: a process of one boot of one controller."""

    machine: str
    boot: str
    namespace: str
    process: str
    started: str

    @property
    def name(self) -> str:
        """What stands in the Lease, and in the environment of what the run starts on nodes."""
        return "/".join(self)


def _started(process: str, root: Path) -> str:
    """When a process started, in ticks since the boot; nothing where there is no such process."""
    try:
        # The name, in parentheses, may contain spaces.
        return (root / "proc" / process / "stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return ""


def this_run(root: Path = Path("/"), process: int | None = None) -> Run:
    """The run that an action belongs to: actions run in children of `ansible-playbook`."""
    number = str(os.getppid() if process is None else process)
    try:
        boot = (root / BOOT_ID).read_text(encoding="ascii").strip()
        namespace = os.readlink(root / "proc/self/ns/pid")
    except OSError:
        boot = namespace = ""
    return Run(socket.gethostname(), boot, "".join(filter(str.isdigit, namespace)), number, _started(number, root))


def judge(holder: str, own: Run, root: Path = Path("/")) -> Verdict:
    """Whether the run of this name lives: only on its own controller, since the same boot, in the same namespace, can it be known that it does not."""
    if holder == own.name:
        return "own"
    parts = holder.split("/")
    if len(parts) != len(Run._fields):
        return "unknown"
    other = Run(*parts)
    if not own.boot or (other.machine, other.boot, other.namespace) != (own.machine, own.boot, own.namespace):
        return "unknown"
    return "alive" if other.started and _started(other.process, root) == other.started else "dead"
