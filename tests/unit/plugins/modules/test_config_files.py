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
def test_no_secret_is_shown(run_module: RunModule, tmp_path: Path, check_mode: bool) -> None:
    path = tmp_path / "f"
    path.write_text("password earlier-secret\n")
    shown = run_module(
        "config_files",
        check_mode=check_mode,
        files=[{"path": str(path), "content": "password present-secret\n", "hidden": "(?<=password ).*"}],
        secrets=["present-secret"],
    )
    assert shown["changed"]
    assert shown["diff"] == [{"before_header": str(path), "after_header": str(path), "before": "password ********\n", "after": "password ********\n"}]
    assert "-secret" not in json.dumps(shown)


@pytest.mark.parametrize("check_mode", [False, True])
def test_a_unit_that_has_not_read_its_files(run_module: RunModule, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, check_mode: bool) -> None:
    """A run that was killed before its handler leaves the file as it should be and the daemon as it was."""
    path = tmp_path / "f"
    path.write_text("as it should be")
    loaded = "Id={}\nLoadState=loaded\nActiveState=active\nNeedDaemonReload=no\nReloadResult=success\nStateChangeTimestampMonotonic={}\n"
    later = f"{10**15}"
    monkeypatch.setattr(config_files, "run", lambda argv: Result(0, loaded.format(argv[-2], "1") + "\n" + loaded.format(argv[-1], later), ""))
    found = run_module(
        "config_files", check_mode=check_mode, files=[{"path": str(path), "content": "as it should be"}], units=["haproxy.service", "other.service"]
    )
    assert (found["changed"], found["files"], found["stale_units"]) == (True, [], ["haproxy.service"])
    assert found["missing_units"] == found["idle_units"] == []


def test_units_to_install_and_to_start(run_module: RunModule, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "f").write_text("")
    shown = "Id=haproxy.service\nLoadState=not-found\nActiveState=inactive\n\nId=keepalived.service\nLoadState=loaded\nActiveState=failed\n"
    monkeypatch.setattr(config_files, "run", lambda _argv: Result(0, shown, ""))
    found = run_module("config_files", files=[{"path": str(tmp_path / "f"), "content": ""}], units=["haproxy.service", "keepalived.service"])
    assert (found["changed"], found["missing_units"], found["idle_units"]) == (False, ["haproxy.service"], ["keepalived.service"])


def test_no_systemd(run_module: RunModule, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "f").write_text("")
    monkeypatch.setattr(config_files, "run", lambda _argv: Result(1, "", "Failed to connect to bus"))
    failed = run_module("config_files", files=[{"path": str(tmp_path / "f"), "content": ""}], units=["haproxy.service"])
    assert failed["msg"] == "systemctl does not tell the state of haproxy.service: Failed to connect to bus"


def test_a_directory_that_cannot_be(run_module: RunModule, tmp_path: Path) -> None:
    (tmp_path / "f").write_text("")
    assert run_module("config_files", files=[{"path": str(tmp_path / "f/g"), "content": ""}])["msg"] == f"{tmp_path / 'f'}: File exists"
