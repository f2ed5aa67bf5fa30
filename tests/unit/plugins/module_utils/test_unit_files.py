# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Units that run with older files than there are."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from ansible_collections.quorum.kubeadm.plugins.module_utils.command import Result
from ansible_collections.quorum.kubeadm.plugins.module_utils.unit_files import stale_units

SHOWN = "Id=containerd.service\nActiveState={state}\nStateChangeTimestampMonotonic={since}\nNeedDaemonReload=no\n"


class Systemctl:
    """Answers as `systemctl show` does."""

    def __init__(self, answer: Result) -> None:
        self.answer = answer
        self.asked: list[Sequence[str]] = []

    def __call__(self, argv: Sequence[str], stdin: str | None = None) -> Result:
        self.asked.append(argv)
        return self.answer


def shown(state: str, seconds_ago: float) -> Systemctl:
    since = int((time.clock_gettime(time.CLOCK_MONOTONIC) - seconds_ago) * 1e6)
    return Systemctl(Result(0, SHOWN.format(state=state, since=since), ""))


@pytest.fixture(name="file")
def make_file(tmp_path: Path) -> str:
    """Return a file written a minute ago."""
    path = tmp_path / "containerd"
    path.write_text("x")
    os.utime(path, (time.time() - 60, time.time() - 60))
    return str(path)


@pytest.mark.parametrize(("state", "seconds_ago", "stale"), [("active", 90, True), ("active", 30, False), ("inactive", 90, False), ("failed", 90, False)])
def test_stale(file: str, state: str, seconds_ago: float, stale: bool) -> None:
    assert stale_units(shown(state, seconds_ago), ["containerd.service"], [file]) == (["containerd.service"] if stale else [])


def test_nothing_to_ask(tmp_path: Path, file: str) -> None:
    systemctl = shown("active", 90)
    assert not stale_units(systemctl, [], [file])
    assert not stale_units(systemctl, ["containerd.service"], [str(tmp_path / "missing")])
    assert not systemctl.asked


def test_no_answer(file: str) -> None:
    with pytest.raises(ValueError, match="does not tell the state of containerd.service: no bus"):
        stale_units(Systemctl(Result(1, "", "no bus\n")), ["containerd.service"], [file])
