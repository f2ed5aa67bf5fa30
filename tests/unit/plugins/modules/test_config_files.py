# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Configuration files written together."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.quorum.kubeadm.plugins.module_utils import text_files
from ansible_collections.quorum.kubeadm.plugins.module_utils.command import Result
from ansible_collections.quorum.kubeadm.plugins.modules import config_files

RunModule = Callable[..., dict[str, Any]]


@pytest.fixture(autouse=True)
def as_ourselves(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever runs the tests may not give files to root."""
    monkeypatch.setattr(os, "fchown", lambda *_arguments: None)
    look = text_files.look
    monkeypatch.setattr(config_files, "look", lambda path: look(path)._replace(owned_by_root=True))


def test_written_in_order_with_directories(run_module: RunModule, tmp_path: Path) -> None:
    files = [{"path": str(tmp_path / "a/b"), "content": "one\n"}, {"path": str(tmp_path / "c"), "content": "two\n", "mode": "0600"}]
    arguments = {"files": files, "directories": [str(tmp_path / "run/d")]}
    checked = run_module("config_files", check_mode=True, **arguments)
    assert checked["changed"]
    assert list(tmp_path.iterdir()) == []
    done = run_module("config_files", **arguments)
    assert done == {**checked, "invocation": done["invocation"]}
    assert done["files"] == [str(tmp_path / "a/b"), str(tmp_path / "c")]
    assert (tmp_path / "a/b").read_text() == "one\n"
    assert (tmp_path / "c").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "run/d").is_dir()
    assert not run_module("config_files", **arguments)["changed"]
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["a", "b", "c", "d", "run"]


def test_refused_content_is_not_written(run_module: RunModule, tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_text("before")
    refused = run_module("config_files", files=[{"path": str(path), "content": "after", "validate": ["grep", "-x", "before", "%s", "/nowhere"]}])
    assert refused["failed"]
    assert refused["msg"].startswith(f"{path} was not written, `grep -x before %s /nowhere` refuses it: grep: /nowhere: ")
    assert path.read_text() == "before"
    assert [found.name for found in tmp_path.iterdir()] == ["f"]


def test_content_for_a_daemon_that_is_still_to_be_installed(run_module: RunModule, tmp_path: Path) -> None:
    path = tmp_path / "f"
    assert run_module("config_files", files=[{"path": str(path), "content": "after", "validate": ["no-such-daemon", "-t", "%s"]}])["changed"]
    assert path.read_text() == "after"


def test_accepted_content_is_written(run_module: RunModule, tmp_path: Path) -> None:
    path = tmp_path / "f"
    assert run_module("config_files", files=[{"path": str(path), "content": "after", "validate": ["grep", "-x", "after", "%s"]}])["changed"]
    assert path.read_text() == "after"


@pytest.mark.parametrize("check_mode", [False, True])
@pytest.mark.parametrize(("earlier", "present"), [("earlier-secret", "present-secret"), ("a", "p")])
def test_no_secret_is_shown(run_module: RunModule, tmp_path: Path, check_mode: bool, earlier: str, present: str) -> None:
    """A short one does not spoil what else is returned."""
    path = tmp_path / "f"
    path.write_text(f"bind *:80\npassword {earlier}\n")
    file = {"path": str(path), "secret_content": f"bind *:81\npassword {present}\n", "hidden": "(?<=password ).*"}
    shown = run_module("config_files", check_mode=check_mode, files=[file])
    assert (shown["changed"], shown["files"]) == (True, [str(path)])
    headers = {"before_header": str(path), "after_header": str(path)}
    assert shown["diff"] == [{**headers, "before": "bind *:80\npassword ********\n", "after": "bind *:81\npassword ********\n"}]
    assert "password p" not in json.dumps(shown)
    assert "password e" not in json.dumps(shown)


def test_no_secret_is_shown_by_a_daemon_that_refuses_it(run_module: RunModule, tmp_path: Path) -> None:
    file = {"path": str(tmp_path / "f"), "secret_content": "password s3cret\n", "hidden": "(?<=password ).*", "validate": ["grep", "-L", ".", "%s"]}
    assert run_module("config_files", files=[file])["changed"]
    refused = run_module("config_files", files=[{**file, "secret_content": "password s4cret\n", "validate": ["sh", "-c", 'cat "$0" >&2; false', "%s"]}])
    assert refused["failed"]
    assert "refuses it: password ********" in refused["msg"]


def test_a_secret_without_its_pattern(run_module: RunModule, tmp_path: Path) -> None:
    refused = run_module("config_files", files=[{"path": str(tmp_path / "f"), "secret_content": "password s3cret\n"}])
    assert refused["failed"]
    assert "hidden" in refused["msg"]


@pytest.mark.parametrize("check_mode", [False, True])
def test_a_unit_that_has_not_read_its_files(run_module: RunModule, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, check_mode: bool) -> None:
    """A run that was killed between the file and the reload leaves the file as it should be and the daemon as it was."""
    path = tmp_path / "f"
    path.write_text("as it should be")
    loaded = "Id={}\nLoadState=loaded\nActiveState=active\nNeedDaemonReload=no\nReloadResult=success\nStateChangeTimestampMonotonic={}\n"
    later = f"{10**15}"
    asked: list[str] = []

    def systemctl(argv: list[str]) -> Result:
        if argv[1] != "show":
            asked.append(" ".join(argv[1:]))
        return Result(0, loaded.format(argv[-2], "1") + "\n" + loaded.format(argv[-1], later), "")

    monkeypatch.setattr(config_files, "run", systemctl)
    units = {"reload_units": ["haproxy.service"], "restart_units": ["other.service"]}
    found = run_module("config_files", check_mode=check_mode, files=[{"path": str(path), "content": "as it should be"}], **units)
    assert asked == ([] if check_mode else ["daemon-reload", "try-reload-or-restart haproxy.service", "try-restart other.service"])
    assert (found["changed"], found["files"], found["stale_units"]) == (True, [], ["haproxy.service"])
    assert found["missing_units"] == found["idle_units"] == []


def test_units_to_install_and_to_start(run_module: RunModule, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "f").write_text("")
    shown = "Id=haproxy.service\nLoadState=not-found\nActiveState=inactive\n\nId=keepalived.service\nLoadState=loaded\nActiveState=failed\n"
    monkeypatch.setattr(config_files, "run", lambda _argv: Result(0, shown, ""))
    found = run_module("config_files", files=[{"path": str(tmp_path / "f"), "content": ""}], reload_units=["haproxy.service", "keepalived.service"])
    assert (found["changed"], found["missing_units"], found["idle_units"]) == (False, ["haproxy.service"], ["keepalived.service"])


@pytest.mark.parametrize("check_mode", [False, True])
def test_a_unit_that_does_not_start_at_boot(run_module: RunModule, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, check_mode: bool) -> None:
    (tmp_path / "f").write_text("")
    (tmp_path / "f").chmod(0o644)
    asked: list[str] = []
    shown = Result(0, "Id=kubelet.service\nLoadState=loaded\nActiveState=inactive\nUnitFileState=disabled\n", "")
    monkeypatch.setattr(config_files, "run", lambda argv: asked.append(argv[1]) or shown)  # type: ignore[func-returns-value]
    done = run_module("config_files", check_mode=check_mode, files=[{"path": str(tmp_path / "f"), "content": ""}], boot_units=["kubelet.service"])
    assert (done["changed"], done["enabled_units"], asked) == (True, ["kubelet.service"], ["show"] + ([] if check_mode else ["daemon-reload", "enable"]))


def test_a_reload_that_fails(run_module: RunModule, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shown = Result(0, "Id=haproxy.service\nLoadState=loaded\nActiveState=active\nUnitFileState=enabled\n", "")
    said = Result(1, "", "Job for haproxy.service failed.")
    monkeypatch.setattr(config_files, "run", lambda argv: said if argv[1] == "try-reload-or-restart" else shown)
    failed = run_module("config_files", files=[{"path": str(tmp_path / "f"), "content": "new"}], reload_units=["haproxy.service"])
    assert failed["msg"] == (
        "`systemctl try-reload-or-restart haproxy.service` failed: Job for haproxy.service failed. (`journalctl -u haproxy.service` tells more)"
    )


def test_what_is_as_it_should_be_is_not_reloaded(run_module: RunModule, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "f"
    path.write_text("")
    path.chmod(0o644)
    asked: list[str] = []
    shown = Result(0, "Id=haproxy.service\nLoadState=loaded\nActiveState=active\nUnitFileState=enabled\nStateChangeTimestampMonotonic=1000000000000000\n", "")
    monkeypatch.setattr(config_files, "run", lambda argv: asked.append(argv[1]) or shown)  # type: ignore[func-returns-value]
    assert not run_module("config_files", files=[{"path": str(path), "content": ""}], reload_units=["haproxy.service"])["changed"]
    assert asked == ["show"]


def test_no_systemd(run_module: RunModule, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "f").write_text("")
    monkeypatch.setattr(config_files, "run", lambda _argv: Result(1, "", "Failed to connect to bus"))
    failed = run_module("config_files", files=[{"path": str(tmp_path / "f"), "content": ""}], reload_units=["haproxy.service"])
    assert failed["msg"] == "systemctl does not tell the state of haproxy.service: Failed to connect to bus"


def test_a_directory_that_cannot_be(run_module: RunModule, tmp_path: Path) -> None:
    (tmp_path / "f").write_text("")
    assert run_module("config_files", files=[{"path": str(tmp_path / "f/g"), "content": ""}])["msg"] == f"{tmp_path / 'f'}: File exists"
