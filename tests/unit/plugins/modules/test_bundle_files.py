# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the node does with files of a bundle."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.quorum.kubeadm.plugins.module_utils.text_files import look
from ansible_collections.quorum.kubeadm.plugins.module_utils.unit_files import Units
from ansible_collections.quorum.kubeadm.plugins.modules import bundle_files

from .conftest import RunModule

SUMS = {name: hashlib.sha256(name.encode()).hexdigest() for name in ("kubelet", "kubeadm")}


@pytest.fixture(autouse=True)
def everything_is_roots(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let files be root's whoever runs the test."""
    monkeypatch.setattr(os, "fchown", lambda *_: None)
    monkeypatch.setattr(os, "chown", lambda *_: None)
    monkeypatch.setattr(bundle_files, "look", lambda path: look(path)._replace(owned_by_root=True))
    monkeypatch.setattr(bundle_files, "has_mode", lambda path, mode: os.stat(path).st_mode & 0o7777 == mode)


@pytest.fixture(name="arguments")
def make_arguments(tmp_path: Path) -> dict[str, Any]:
    """Return what the action asks for: two files, of which one is there."""
    (tmp_path / "kubelet").write_text("kubelet")
    (tmp_path / "kubelet").chmod(0o755)
    return {
        "path": "/bundle",
        "files": [{"src": "bin", "dest": str(tmp_path)}],
        "_wanted": [[f"bin/{name}", str(tmp_path / name), SUMS[name]] for name in SUMS],
    }


def test_asking(run_module: RunModule, arguments: dict[str, Any], tmp_path: Path) -> None:
    answer = run_module("bundle_files", **arguments)
    assert (answer["changed"], answer["installed"], answer["_missing"]) == (True, [str(tmp_path / "kubeadm")], [SUMS["kubeadm"]])
    assert answer["diff"] == [{"prepared": f"files of the bundle: {tmp_path / 'kubeadm'}\n"}]
    assert not (tmp_path / "kubeadm").exists()


def test_installing(run_module: RunModule, arguments: dict[str, Any], tmp_path: Path) -> None:
    staging = tmp_path / "staging"
    staging.mkdir()
    (staging / SUMS["kubeadm"]).write_text("kubeadm")
    answer = run_module("bundle_files", **arguments, _staging=str(staging))
    assert (answer["changed"], answer["installed"], answer["_missing"]) == (True, [str(tmp_path / "kubeadm")], [])
    assert (tmp_path / "kubeadm").read_text() == "kubeadm"
    assert run_module("bundle_files", **arguments)["changed"] is False


def test_damaged_on_the_way(run_module: RunModule, arguments: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / SUMS["kubeadm"]).write_text("kubeax")
    answer = run_module("bundle_files", **arguments, _staging=str(tmp_path))
    assert answer["failed"]
    assert answer["msg"].startswith("Bundle /bundle: bin/kubeadm has SHA-256")


@pytest.mark.parametrize("check_mode", [False, True])
def test_wrong_mode(run_module: RunModule, arguments: dict[str, Any], tmp_path: Path, check_mode: bool) -> None:
    (tmp_path / "kubelet").chmod(0o700)
    arguments["_wanted"].pop()
    answer = run_module("bundle_files", check_mode, **arguments)
    assert (answer["installed"], answer["_missing"]) == ([str(tmp_path / "kubelet")], [])
    assert (tmp_path / "kubelet").stat().st_mode & 0o7777 == (0o700 if check_mode else 0o755)


class Systemd:
    """What bundle_files learns of units, and what it asks for."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, **found: list[str]) -> None:
        self.asked: list[tuple[str, list[str]]] = []
        units = Units(**{**{"stale": [], "missing": [], "idle": [], "disabled": []}, **found})
        monkeypatch.setattr(bundle_files, "look_at_units", lambda _run, asked, _paths: units if asked else Units([], [], [], []))
        monkeypatch.setattr(bundle_files, "run_anew", lambda _run, units: self.asked.append(("run_anew", units)) if units else None)
        monkeypatch.setattr(bundle_files, "enable", lambda _run, units, *_rest: self.asked.append(("enable", units)) if units else None)


@pytest.mark.parametrize("found", ["stale", "missing", "idle"])
@pytest.mark.parametrize("check_mode", [False, True])
def test_unit_that_does_not_run_what_is_there(
    run_module: RunModule, arguments: dict[str, Any], monkeypatch: pytest.MonkeyPatch, found: str, check_mode: bool
) -> None:
    systemd = Systemd(monkeypatch, **{found: ["containerd.service"]})
    arguments["files"].pop()
    arguments["_wanted"].pop()
    answer = run_module("bundle_files", check_mode, **arguments, run_units=["containerd.service"])
    assert (answer["changed"], answer["installed"]) == (True, [])
    assert answer["stale_units"] + answer["idle_units"] == ["containerd.service"]
    assert systemd.asked == ([] if check_mode else [("run_anew", ["containerd.service"])])


def test_units_are_restarted_when_the_files_are_there(
    run_module: RunModule, arguments: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    systemd = Systemd(monkeypatch)
    arguments["run_units"] = ["containerd.service"]
    run_module("bundle_files", **arguments)
    assert not systemd.asked
    (tmp_path / SUMS["kubeadm"]).write_text("kubeadm")
    run_module("bundle_files", **arguments, _staging=str(tmp_path))
    assert not run_module("bundle_files", **arguments)["changed"]
    assert systemd.asked == [("run_anew", ["containerd.service"])]


def test_unit_that_does_not_start_at_boot(run_module: RunModule, arguments: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    systemd = Systemd(monkeypatch, disabled=["kubelet.service"])
    arguments["files"].pop()
    arguments["_wanted"].pop()
    answer = run_module("bundle_files", **arguments, boot_units=["kubelet.service"])
    assert (answer["changed"], answer["enabled_units"], systemd.asked) == (True, ["kubelet.service"], [("enable", ["kubelet.service"])])


def test_texts_are_written_with_the_files_and_not_before(run_module: RunModule, arguments: dict[str, Any], tmp_path: Path) -> None:
    unit = tmp_path / "system" / "kubelet.service"
    arguments["texts"] = [{"path": str(unit), "content": "[Service]\n"}]
    asked = run_module("bundle_files", **arguments)
    assert (asked["texts"], asked["_missing"], unit.exists()) == ([str(unit)], [SUMS["kubeadm"]], False)
    (tmp_path / SUMS["kubeadm"]).write_text("kubeadm")
    done = run_module("bundle_files", **arguments, _staging=str(tmp_path))
    assert (done["texts"], unit.read_text(), unit.stat().st_mode & 0o7777) == ([str(unit)], "[Service]\n", 0o644)
    assert run_module("bundle_files", **arguments)["changed"] is False


@pytest.mark.parametrize("check_mode", [False, True])
def test_a_text_alone(run_module: RunModule, arguments: dict[str, Any], tmp_path: Path, check_mode: bool) -> None:
    arguments["_wanted"].pop()
    answer = run_module("bundle_files", check_mode, **arguments, texts=[{"path": str(tmp_path / "unit"), "content": "new\n"}])
    assert (answer["changed"], answer["diff"][0]["after"], (tmp_path / "unit").exists()) == (True, "new\n", not check_mode)


def test_without_the_action(run_module: RunModule) -> None:
    answer = run_module("bundle_files", path="/bundle", files=[{"src": "bin/kubelet", "dest": "/usr/bin/"}])
    assert "works through its action plugin" in answer["msg"]
