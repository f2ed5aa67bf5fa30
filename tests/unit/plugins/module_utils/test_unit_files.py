# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Units that run with older files than there are, that do not run, or that do not start at boot."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from ansible_collections.quorum.kubeadm.plugins.module_utils.command import Result
from ansible_collections.quorum.kubeadm.plugins.module_utils.unit_files import (
    Units,
    enable,
    is_idle,
    is_stale,
    look_at_units,
    run_anew,
    runs_replaced_program,
    take_in,
    unit_properties,
)

FIXTURES = Path(__file__).parents[2] / "fixtures" / "proxy"
BOOT = 1_795_440_000.0
SHOWN = "Id=containerd.service\nLoadState=loaded\nActiveState={state}\nUnitFileState={file}\nStateChangeTimestampMonotonic={since}\nNeedDaemonReload=no\n"


class Systemctl:
    """Answers as `systemctl show` does."""

    def __init__(self, answer: Result) -> None:
        self.answer = answer
        self.asked: list[Sequence[str]] = []

    def __call__(self, argv: Sequence[str], stdin: str | None = None) -> Result:
        self.asked.append(argv)
        return self.answer


def shown(state: str, seconds_ago: float, file: str = "enabled") -> Systemctl:
    since = int((time.clock_gettime(time.CLOCK_MONOTONIC) - seconds_ago) * 1e6)
    return Systemctl(Result(0, SHOWN.format(state=state, since=since, file=file), ""))


@pytest.fixture(name="file")
def make_file(tmp_path: Path) -> str:
    """Return a file written a minute ago."""
    path = tmp_path / "containerd"
    path.write_text("x")
    os.utime(path, (time.time() - 60, time.time() - 60))
    return str(path)


@pytest.mark.parametrize(("state", "seconds_ago", "stale"), [("active", 90, True), ("active", 30, False), ("inactive", 90, False), ("failed", 90, False)])
def test_stale(file: str, state: str, seconds_ago: float, stale: bool) -> None:
    units = look_at_units(shown(state, seconds_ago), ["containerd.service"], [file])
    assert units.stale == (["containerd.service"] if stale else [])
    assert units.idle == ([] if state == "active" else ["containerd.service"])


def test_files_that_are_not_there_make_nothing_stale(tmp_path: Path) -> None:
    assert not look_at_units(shown("active", 90), ["containerd.service"], [str(tmp_path / "missing")]).stale


def test_nothing_to_ask(file: str) -> None:
    systemctl = shown("active", 90)
    assert look_at_units(systemctl, [], [file]) == ([], [], [], [])
    assert not systemctl.asked


@pytest.mark.parametrize(("state", "disabled"), [("enabled", False), ("static", False), ("disabled", True), ("", True), ("masked", True)])
def test_what_does_not_start_at_boot(file: str, state: str, disabled: bool) -> None:
    assert look_at_units(shown("inactive", 1, state), ["kubelet.service"], [file]).disabled == (["containerd.service"] if disabled else [])


@pytest.mark.parametrize(
    ("missing", "asked"),
    [
        ([], [["daemon-reload"], ["try-reload-or-restart", "haproxy.service"], ["try-restart", "watcher.service"]]),
        # systemctl refuses it: "Unit haproxy.service not found."
        (["haproxy.service"], [["daemon-reload"], ["try-restart", "watcher.service"]]),
        (["haproxy.service", "watcher.service"], []),
    ],
)
def test_what_is_taken_in(missing: list[str], asked: list[list[str]]) -> None:
    systemctl = Systemctl(Result(0, "", ""))
    take_in(systemctl, Units([], missing, [], []), ["haproxy.service"], ["watcher.service"])
    assert systemctl.asked == [["systemctl", *words] for words in asked]


def test_what_is_to_run_now_and_at_boot() -> None:
    systemctl = Systemctl(Result(0, "", ""))
    run_anew(systemctl, [])
    assert not systemctl.asked
    run_anew(systemctl, ["containerd.service"])
    assert systemctl.asked == [["systemctl", "daemon-reload"], ["systemctl", "enable", "containerd.service"], ["systemctl", "restart", "containerd.service"]]


@pytest.mark.parametrize(
    ("disabled", "written", "asked"),
    [
        ([], False, []),
        # A drop-in of a unit that a package has enabled.
        ([], True, [["daemon-reload"]]),
        (["kubelet.service"], False, [["daemon-reload"], ["enable", "kubelet.service"]]),
    ],
)
def test_what_is_to_start_at_boot(disabled: list[str], written: bool, asked: list[list[str]]) -> None:
    systemctl = Systemctl(Result(0, "", ""))
    enable(systemctl, ["kubelet.service"], disabled, written)
    assert systemctl.asked == [["systemctl", *words] for words in asked]


def test_a_unit_that_does_not_start() -> None:
    with pytest.raises(ValueError, match="`systemctl daemon-reload` failed: no bus$"):
        enable(Systemctl(Result(1, "", "no bus\n")), ["kubelet.service"], ["kubelet.service"], False)


def test_no_answer(file: str) -> None:
    with pytest.raises(ValueError, match="does not tell the state of containerd.service: no bus"):
        look_at_units(Systemctl(Result(1, "", "no bus\n")), ["containerd.service"], [file])


def test_unit_properties() -> None:
    haproxy, watcher, keepalived = unit_properties((FIXTURES / "systemctl_show_load.txt").read_text())
    assert (haproxy["Id"], haproxy["ActiveState"], haproxy["StateChangeTimestampMonotonic"]) == ("haproxy.service", "active", "5796844159")
    assert watcher["Id"] == "quorum-proxy-state.service"
    assert keepalived["ActiveState"] == "inactive"


def test_no_units() -> None:
    assert unit_properties("") == unit_properties("\n\n") == []


LOADED = {"ActiveState": "active", "NeedDaemonReload": "no", "ReloadResult": "success", "StateChangeTimestampMonotonic": "100000000"}


@pytest.mark.parametrize(
    ("change", "written", "stale"),
    [
        pytest.param({}, 99.0, False, id="loaded after it was written"),
        pytest.param({}, 101.0, True, id="written after it was loaded"),
        pytest.param({"NeedDaemonReload": "yes"}, 99.0, True, id="systemd has not seen the unit's files"),
        pytest.param({"ReloadResult": "exit-code"}, 99.0, True, id="it did not take them"),
        pytest.param({"ActiveState": "inactive", "StateChangeTimestampMonotonic": "0"}, 101.0, False, id="it does not run"),
        pytest.param({"ActiveState": "activating", "NeedDaemonReload": "yes"}, 101.0, False, id="it is about to read them"),
        pytest.param({"ActiveState": "failed"}, 101.0, False, id="it failed"),
    ],
)
def test_is_stale(change: dict[str, str], written: float, stale: bool) -> None:
    assert is_stale({**LOADED, **change}, BOOT + written, BOOT) is stale


@pytest.mark.parametrize(
    ("load", "active", "file", "idle"),
    [
        ("loaded", "active", "enabled", False),
        ("loaded", "reloading", "enabled", False),
        # Started by another unit: it cannot be enabled.
        ("loaded", "active", "static", False),
        ("loaded", "active", "disabled", True),
        ("loaded", "inactive", "enabled", True),
        ("loaded", "failed", "enabled", True),
        ("loaded", "activating", "enabled", True),
        ("masked", "inactive", "masked", True),
        ("not-found", "inactive", "", False),
    ],
)
def test_is_idle(load: str, active: str, file: str, idle: bool) -> None:
    assert is_idle({"LoadState": load, "ActiveState": active, "UnitFileState": file}) is idle


def test_a_unit_that_runs_a_replaced_program_is_stale(tmp_path: Path) -> None:
    """Packages keep the times of their files, so a kubelet that a killed run has not restarted is told by nothing else."""
    program = tmp_path / "kubelet"
    for process, target in (("7", f"{program} (deleted)"), ("8", str(program))):
        (tmp_path / process).mkdir()
        os.symlink(target, tmp_path / process / "exe")
    assert runs_replaced_program({"MainPID": "7"}, str(tmp_path))
    # One that runs its own program, one that does not run, and one that has ended since.
    assert not any(runs_replaced_program({"MainPID": process}, str(tmp_path)) for process in ("8", "0", "9"))
