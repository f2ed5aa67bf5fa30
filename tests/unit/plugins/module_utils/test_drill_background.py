# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the drill runs by itself: real processes that break and mend files of the test's own."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.quorum.kubeadm.plugins.module_utils import drill_background, drill_guard
from ansible_collections.quorum.kubeadm.plugins.module_utils.drill_background import Background, BackgroundError
from ansible_collections.quorum.kubeadm.plugins.module_utils.drill_guard import Guard, processes


@pytest.fixture
def guard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Background]:
    # Not in systemd's hands: the machine that runs the tests keeps its units to itself.
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    background = Background("fault", tmp_path / "run")
    yield background
    background.end(10)


def touch(path: Path) -> dict[str, Any]:
    return {"argv": ["touch", str(path)]}


def job(tmp_path: Path, lead: float = 0, hold: float = 30, **more: Any) -> dict[str, Any]:
    return {"lead": lead, "hold": hold, "breaks": [touch(tmp_path / "broken")], "mends": [touch(tmp_path / "mended")], **more}


def names(records: list[list[Any]]) -> list[str]:
    return [one[0] for one in records]


def test_mends_when_its_time_is_over(guard: Background, tmp_path: Path) -> None:
    guard.start(drill_guard, job(tmp_path, hold=0.3), 5)
    records = guard.wait_started(10, lambda found: "mended" in names(found))
    assert names(records) == ["started", "begin", "broken", "end", "mended"]
    assert 0.3 <= records[3][1] - records[2][1] < 3
    assert (tmp_path / "mended").exists()


def test_mends_when_it_is_told_to_end(guard: Background, tmp_path: Path) -> None:
    guard.start(drill_guard, job(tmp_path), 60)
    guard.wait_started(10, lambda found: "broken" in names(found))
    assert not (tmp_path / "mended").exists()
    guard.end(10)
    assert (tmp_path / "mended").exists()
    assert guard.ids() == []


def test_what_did_not_begin_breaks_nothing(guard: Background, tmp_path: Path) -> None:
    guard.start(drill_guard, job(tmp_path, lead=30), 60)
    guard.wait_started(10, lambda found: "started" in names(found))
    guard.end(10)
    assert names(guard.records()) == ["started", "mended"]
    assert not (tmp_path / "broken").exists()


def test_it_outlives_who_started_it(guard: Background, tmp_path: Path) -> None:
    starter = f"""
import os, sys
os.geteuid = lambda: 1000
from pathlib import Path
from ansible_collections.quorum.kubeadm.plugins.module_utils import drill_guard
from ansible_collections.quorum.kubeadm.plugins.module_utils.drill_background import Background
Background("fault", Path({str(tmp_path / "run")!r})).start(drill_guard, {job(tmp_path, hold=0.5)!r}, 5)
"""
    collections = str(Path(drill_background.__file__).parents[5])
    process = subprocess.Popen([sys.executable, "-c", starter], env={**os.environ, "PYTHONPATH": collections}, start_new_session=True)
    assert process.wait() == 0
    # As when a connection ends: whatever is left of its session goes.
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    assert "mended" in names(guard.wait_started(10, lambda found: "mended" in names(found)))


def test_it_is_not_taken_for_what_a_run_has_left_at_work(guard: Background, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QUORUM_KUBEADM_RUN", "upgrade-1")
    guard.start(drill_guard, job(tmp_path), 60)
    guard.wait_started(10, lambda found: "broken" in names(found))
    (found,) = guard.ids()
    environment = Path(f"/proc/{found}/environ").read_bytes()
    assert b"PATH=" in environment and b"QUORUM_KUBEADM_RUN" not in environment


def test_two_at_a_time_are_refused(guard: Background, tmp_path: Path) -> None:
    guard.start(drill_guard, job(tmp_path), 60)
    guard.wait_started(10, lambda found: "broken" in names(found))
    with pytest.raises(BackgroundError, match="still running on this host"):
        guard.start(drill_guard, job(tmp_path), 60)


def test_what_does_not_come_so_far_is_an_error(guard: Background, tmp_path: Path) -> None:
    guard.start(drill_guard, job(tmp_path), 60)
    with pytest.raises(BackgroundError, match="is not so far after"):
        guard.wait_started(0.2, lambda found: "mended" in names(found))


def test_secrets_are_on_no_command_line(guard: Background, tmp_path: Path) -> None:
    guard.start(drill_guard, job(tmp_path, token="whisper"), 60)
    guard.wait_started(10, lambda found: "broken" in names(found))
    (found,) = guard.ids()
    assert b"whisper" not in Path(f"/proc/{found}/cmdline").read_bytes()
    assert not any("whisper" in path.read_text() for path in (tmp_path / "run").iterdir())


def test_forgets(guard: Background, tmp_path: Path) -> None:
    guard.start(drill_guard, job(tmp_path, hold=0), 5)
    guard.wait_started(10, lambda found: "mended" in names(found))
    guard.end(5)
    guard.forget()
    assert list((tmp_path / "run").iterdir()) == []
    assert guard.records() == []


def ran(tmp_path: Path, breaks: list[dict[str, Any]], mends: list[dict[str, Any]] | None = None) -> tuple[Guard, list[list[Any]]]:
    background = Background("fault", tmp_path)
    one = Guard({"path": str(background.path), "lead": 0, "hold": 0, "breaks": breaks, "mends": mends or []})
    one.run()
    return one, background.records()


def test_what_breaks_stops_at_a_problem_and_what_mends_does_not(tmp_path: Path) -> None:
    _guard, records = ran(tmp_path, [{"argv": ["false"]}, touch(tmp_path / "broken")], [{"argv": ["no-such-program"]}, touch(tmp_path / "mended")])
    assert names(records) == ["started", "begin", "problem", "end", "problem", "mended"]
    assert records[2][2] == "false: exit status 1"
    assert "no-such-program" in records[4][2]
    assert not (tmp_path / "broken").exists()
    assert (tmp_path / "mended").exists()


def test_output_is_kept_and_given(tmp_path: Path) -> None:
    ran(tmp_path, [{"argv": ["cat"], "stdin": "routes", "keep": "kept"}], [{"argv": ["tee", str(tmp_path / "given")], "give": "kept"}])
    assert (tmp_path / "given").read_text() == "routes"


def test_writes_into_files(tmp_path: Path) -> None:
    ran(tmp_path, [{"write": str(tmp_path / "trigger"), "text": "b"}])
    assert (tmp_path / "trigger").read_text() == "b"


def test_a_changed_file_is_made_again_what_it_was(tmp_path: Path) -> None:
    configuration = tmp_path / "haproxy.cfg"
    configuration.write_text("global\n")
    configuration.chmod(0o600)
    os.utime(configuration, (1_700_000_000, 1_700_000_000))
    seen = {"argv": ["cp", str(configuration), str(tmp_path / "seen")]}
    ran(tmp_path, [{"append": str(configuration), "text": "# more\n"}, seen], [{"restore": str(configuration)}, {"restore": str(tmp_path / "never changed")}])
    assert (tmp_path / "seen").read_text() == "global\n# more\n"
    assert configuration.read_text() == "global\n"
    assert (configuration.stat().st_mode & 0o777, configuration.stat().st_mtime) == (0o600, 1_700_000_000)
    assert not (tmp_path / "never changed").exists()


def test_keeps_processors_busy_at_normal_priority(tmp_path: Path) -> None:
    one = Guard({"path": str(tmp_path / "records"), "lead": 0, "hold": 0.1, "breaks": [], "mends": []})
    one.take({"spin": 1})
    busy = list(one.busy)
    try:
        assert len(busy) == os.cpu_count()
        assert all(process.poll() is None for process in busy)
    finally:
        one.take({"spin": 0})
    assert all(process.poll() is not None for process in busy)
    assert one.busy == []


def test_what_is_busy_has_normal_priority_whatever_the_guard_has(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []

    def nice(more: int) -> int:
        asked.append(more)
        return -10

    monkeypatch.setattr(os, "nice", nice)
    monkeypatch.setattr(time, "monotonic", iter([0.0, 1.0, 3.0]).__next__)
    exec(drill_guard.SPIN.format(2.0), {})  # pylint: disable=exec-used
    # Asked with 0 it tells what it is, -10.
    assert asked == [0, 10]


def state(process: subprocess.Popen[bytes]) -> str:
    return Path(f"/proc/{process.pid}/stat").read_text().rsplit(")", 1)[1].split()[0]


def test_signals_go_to_processes_by_their_names(tmp_path: Path) -> None:
    # Its name is longer than what the kernel keeps of it.
    program = tmp_path / "drill-sleeps-for-long"
    program.symlink_to("/bin/sleep")
    process = subprocess.Popen([str(program), "60"])
    try:
        deadline = time.monotonic() + 5
        while not processes([program.name]) and time.monotonic() < deadline:
            time.sleep(0.01)
        stop = {"signal": "STOP", "processes": [program.name]}
        one, records = ran(tmp_path, [stop])
        assert names(records) == ["started", "begin", "broken", "end", "mended"]
        time.sleep(0.1)
        assert state(process) == "T"
        one.take({"signal": "CONT", "processes": [program.name], "unless_running": program.name})
        assert state(process) == "T"
        one.take({"signal": "CONT", "processes": [program.name]})
        time.sleep(0.1)
        assert state(process) == "S"
    finally:
        process.kill()
        process.wait()
    # Waits no longer than until they are gone, which for a child of ours is when we have asked for it.
    waited = time.monotonic()
    one.wait_gone([process.pid], 30)
    one.wait_gone([os.getpid()], 0.2)
    assert 0.2 <= time.monotonic() - waited < 10
    with pytest.raises(OSError, match="there is no process drill-sleeps-for-long"):
        one.take(stop)
