# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The systemd units that read files: which run with older ones, which do not run, which are missing."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from ansible_collections.quorum.kubeadm.plugins.module_utils.command import Runner

PROPERTIES = "Id,LoadState,ActiveState,UnitFileState,NeedDaemonReload,ReloadResult,StateChangeTimestampMonotonic,MainPID"
# What the kernel writes behind the program of a process whose file has been replaced (proc_pid_exe(5)).
REPLACED = " (deleted)"


class Units(NamedTuple):
    """What some units are, each list with their names."""

    stale: list[str]
    """They run, and have not read the newest of the files."""
    missing: list[str]
    """There is no unit file."""
    idle: list[str]
    """They do not run, or would not after a reboot."""
    disabled: list[str]
    """They do not start at boot, whether they run or not; also what is missing."""


def unit_properties(text: str) -> list[dict[str, str]]:
    """Return the blocks that ``systemctl show UNIT...`` prints, one for each unit."""
    return [dict(line.split("=", 1) for line in block.splitlines() if "=" in line) for block in text.split("\n\n") if block.strip()]


def runs_replaced_program(properties: Mapping[str, str], proc: str = "/proc") -> bool:
    """Tell whether the program of a unit's main process is another file by now: packages keep the times of their files, so those do not tell."""
    process = properties.get("MainPID", "0")
    try:
        return process != "0" and os.readlink(f"{proc}/{process}/exe").endswith(REPLACED)
    except OSError:
        return False


def is_stale(properties: Mapping[str, str], written: float, boot: float) -> bool:
    """Tell whether a running unit has not taken the files in, of which the newest was written then, or runs an older program.

    ``written`` and ``boot`` are seconds since the epoch, systemd counts from boot in microseconds.
    A unit that does not run reads its files when it is started.
    """
    if properties.get("ActiveState") != "active":
        return False
    loaded = boot + int(properties.get("StateChangeTimestampMonotonic") or 0) / 1e6
    if properties.get("NeedDaemonReload") == "yes" or properties.get("ReloadResult", "success") != "success":
        return True
    return written > loaded or runs_replaced_program(properties)


def is_idle(properties: Mapping[str, str]) -> bool:
    """Tell whether an installed unit does not run, or would not after a reboot; a unit that others start cannot be enabled."""
    return properties.get("LoadState") != "not-found" and (
        properties.get("ActiveState") not in ("active", "reloading") or properties.get("UnitFileState") == "disabled"
    )


def look_at_units(run: Runner, units: Sequence[str], paths: Iterable[str]) -> Units:
    """Ask systemd for the units that read the files of these paths.

    Ask before anything is written: what is written now is told by the change itself. Raises ValueError when systemctl does not answer.
    """
    if not units:
        return Units([], [], [], [])
    shown = run(["systemctl", "show", f"--property={PROPERTIES}", *units])
    if shown.rc:
        raise ValueError(f"systemctl does not tell the state of {', '.join(units)}: {shown.stderr.strip()}")
    written = max((os.stat(path).st_mtime for path in paths if os.path.exists(path)), default=0.0)
    boot = time.time() - time.clock_gettime(time.CLOCK_MONOTONIC)
    found = unit_properties(shown.stdout)
    return Units(
        stale=[unit["Id"] for unit in found if is_stale(unit, written, boot)],
        missing=[unit["Id"] for unit in found if unit.get("LoadState") == "not-found"],
        idle=[unit["Id"] for unit in found if is_idle(unit)],
        disabled=[unit["Id"] for unit in found if unit.get("UnitFileState") not in ("enabled", "static")],
    )


def _systemctl(run: Runner, *words: str) -> None:
    done = run(["systemctl", *words])
    if done.rc:
        hint = f" (`journalctl -u {words[-1]}` tells more)" if len(words) > 1 else ""
        raise ValueError(f"`systemctl {' '.join(words)}` failed: {done.stderr.strip()}{hint}")


def take_in(run: Runner, looked: Units, reload: Sequence[str], restart: Sequence[str]) -> None:
    """Let those of the units that run take in what was written: by a reload, or by a restart.

    What does not run reads its files when it is started, and systemctl refuses a unit of which there was no file. Raises ValueError with systemd's
    words when a unit fails.
    """
    there = {verb: [one for one in units if one not in looked.missing] for verb, units in (("try-reload-or-restart", reload), ("try-restart", restart))}
    if any(there.values()):
        _systemctl(run, "daemon-reload")
    for verb, units in there.items():
        if units:
            _systemctl(run, verb, *units)


def enable(run: Runner, units: Sequence[str], disabled: Sequence[str], written: bool) -> None:
    """Let units start at boot, and systemd know what was written of them. Raises ValueError with systemd's words."""
    if disabled or (units and written):
        _systemctl(run, "daemon-reload")
    if disabled:
        _systemctl(run, "enable", *disabled)


def run_anew(run: Runner, units: Sequence[str]) -> None:
    """Let units run with the files that there are, now and at boot. Raises ValueError with systemd's words."""
    enable(run, units, units, True)
    if units:
        _systemctl(run, "restart", *units)
