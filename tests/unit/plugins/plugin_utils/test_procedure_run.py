# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who a run is, and whether another one lives."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from ansible_collections.quorum.kubeadm.plugins.plugin_utils.procedure_run import Run, judge, this_run

# proc_pid_stat(5): the name in parentheses may contain anything, the 22nd field is when the process started.
STAT = "{number} (ansible-play) book) S 1 4711 4711 34816 4711 4194304 1 2 3 4 5 6 7 8 20 0 1 0 {started} 13094912 912 18446744073709551615\n"


@pytest.fixture(name="controller")
def a_controller(tmp_path: Path) -> Path:
    """A root with two processes, of one boot and one namespace."""
    (tmp_path / "proc/sys/kernel/random").mkdir(parents=True)
    (tmp_path / "proc/sys/kernel/random/boot_id").write_text("6b1e0c4e-2f6d-4a53-9d0e-4f3c5a1f7a52\n")
    (tmp_path / "proc/self/ns").mkdir(parents=True)
    (tmp_path / "proc/self/ns/pid").symlink_to("pid:[4026531836]")
    for number, started in ((4711, 812345), (4712, 900000)):
        (tmp_path / f"proc/{number}").mkdir()
        (tmp_path / f"proc/{number}/stat").write_text(STAT.format(number=number, started=started))
    return tmp_path


def test_a_run_is_named_after_its_process(controller: Path) -> None:
    own = this_run(controller, 4711)
    assert own == Run(socket.gethostname(), "6b1e0c4e-2f6d-4a53-9d0e-4f3c5a1f7a52", "4026531836", "4711", "812345")
    assert own.name == "/".join(own) and judge(own.name, own, controller) == "own"


def test_a_run_lives_as_long_as_its_process(controller: Path) -> None:
    own, other = this_run(controller, 4711), this_run(controller, 4712)
    assert judge(other.name, own, controller) == "alive"
    # Another process has got its number since.
    (controller / "proc/4712/stat").write_text(STAT.format(number=4712, started=900001))
    assert judge(other.name, own, controller) == "dead"
    (controller / "proc/4712/stat").unlink()
    assert judge(other.name, own, controller) == "dead"


@pytest.mark.parametrize("differs", [{"machine": "elsewhere"}, {"boot": "another"}, {"namespace": "4026532000"}])
def test_of_another_machine_boot_or_container_nothing_is_known(controller: Path, differs: dict[str, str]) -> None:
    own = this_run(controller, 4711)
    assert judge(own._replace(process="9999", **differs).name, own, controller) == "unknown"


def test_nothing_is_known_where_the_system_does_not_tell(controller: Path, tmp_path: Path) -> None:
    own = this_run(tmp_path / "nothing", 4711)
    assert own.boot == "" and judge(own._replace(process="1").name, own, controller) == "unknown"
    assert judge("somebody", this_run(controller, 4711), controller) == "unknown" and judge("", own) == "unknown"


def test_on_this_machine_itself() -> None:
    parent, own = this_run(), this_run(process=os.getpid())
    assert parent.process == str(os.getppid()) and judge(parent.name, own) == "alive"
    assert judge(own._replace(started="1").name, parent) == "dead"
