# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The drill's modules, on a host of the test's own."""

from __future__ import annotations

import importlib
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

import pytest
from ansible.module_utils.testing import patch_module_args
from ansible_collections.quorum.kubeadm.plugins.module_utils.drill_background import Background

PLUGINS = "ansible_collections.quorum.kubeadm.plugins"
FIXTURES = Path(__file__).parents[2] / "fixtures" / "drill"


Run = Callable[..., dict[str, Any]]


@pytest.fixture
def fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Run]:
    """Runs drill_fault as a user of no systemd would."""
    module = importlib.import_module(f"{PLUGINS}.modules.drill_fault")
    monkeypatch.setattr("os.geteuid", lambda: 1000)

    def run(**arguments: Any) -> dict[str, Any]:
        with patch_module_args({"directory": str(tmp_path / "run"), **arguments}), pytest.raises(SystemExit):
            module.main()
        result: dict[str, Any] = json.loads(capsys.readouterr().out)
        return result

    yield run
    Background("fault", tmp_path / "run").end(10)


def test_a_command_breaks_and_another_mends(fault: Run, tmp_path: Path) -> None:
    commands = {"break_command": ["touch", str(tmp_path / "broken")], "mend_command": ["touch", str(tmp_path / "mended")]}
    began = time.monotonic()
    mended = fault(fault="active_router_frozen", lead=0, hold=0.2, quiet=0.3, **commands)
    assert time.monotonic() - began >= 0.5
    assert mended["changed"]
    assert [event[0] for event in mended["events"]] == ["started", "begin", "broken", "end", "mended"]
    assert (tmp_path / "broken").exists()
    assert (tmp_path / "mended").exists()
    forgotten = fault(state="absent")
    assert (forgotten["changed"], forgotten["problems"], len(forgotten["events"])) == (False, [], 5)
    again = fault(state="absent")
    assert (again["changed"], again["events"]) == (False, [])


def test_mends_at_once_when_it_is_told(fault: Run, tmp_path: Path) -> None:
    """As after a controller that died."""
    fault(fault="active_router_rebooted", lead=0, hold=30, returns_first=True, break_command=["true"], mend_command=["touch", str(tmp_path / "mended")])
    mended = fault(state="absent")
    assert (mended["changed"], mended["problems"]) == (True, [])
    assert (tmp_path / "mended").exists()


def test_waits_until_it_has_mended_itself(fault: Run) -> None:
    fault(fault="active_router_frozen", lead=0, hold=0.2, returns_first=True, break_command=["true"])
    assert [event[0] for event in fault(state="ended", fault="active_router_frozen")["events"]][-1] == "mended"


def test_returns_before_it_breaks(fault: Run, tmp_path: Path) -> None:
    begun = fault(fault="active_router_rebooted", lead=30, returns_first=True, break_command=["touch", str(tmp_path / "broken")])
    assert [event[0] for event in begun["events"]] == ["started"]
    assert not (tmp_path / "broken").exists()


def test_a_command_that_fails_is_told(fault: Run) -> None:
    result = fault(fault="active_router_frozen", lead=0, break_command=["ls", "/no/such/place"])
    assert result["failed"]
    assert "active_router_frozen: ls /no/such/place: " in result["msg"]


@pytest.mark.parametrize("arguments", [{"hold": 601}, {"lead": 61}, {"hold": -1}, {"quiet": 61}])
def test_bounds_of_a_fault(fault: Run, arguments: dict[str, Any]) -> None:
    assert fault(fault="active_router_frozen", **arguments)["msg"] == "lead and quiet must be 0 to 60 seconds, hold 0 to 600"


@pytest.mark.parametrize("arguments", [{"rate": 201}, {"rate": 0}, {"write_rate": 21}, {"seconds": 43201}, {"watch_keepalive": 0}])
def test_bounds_of_a_probe(arguments: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    module = importlib.import_module(f"{PLUGINS}.modules.drill_probe")
    needed = {"address": "192.0.2.10", "port": 16443, "server_name": "api", "ca_certificate": "", "token": "whisper"}
    with patch_module_args({**needed, **arguments}), pytest.raises(SystemExit):
        module.main()
    assert json.loads(capsys.readouterr().out)["msg"].startswith("rate must be 1 to 200")


def test_timings_are_read_from_files(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    module = importlib.import_module(f"{PLUGINS}.modules.drill_timings")
    monkeypatch.setattr(module, "run", lambda argv: MagicMock(stdout="Restart=always\nRestartUSec=100ms\n"))
    with patch_module_args({"haproxy": str(FIXTURES / "haproxy.cfg"), "keepalived": str(FIXTURES / "keepalived.conf")}), pytest.raises(SystemExit):
        module.main()
    timings = json.loads(capsys.readouterr().out)["timings"]
    assert (timings["advertisement"], timings["check_interval"], timings["priority"], timings["keepalived_restart"]) == (100, 100, 200, 100)
    # A control plane beside separate proxies has etcd alone.
    with patch_module_args({"haproxy": "/no/such/file", "keepalived": "/no/such/file", "etcd": str(FIXTURES / "etcd.yaml")}), pytest.raises(SystemExit):
        module.main()
    timings = json.loads(capsys.readouterr().out)["timings"]
    assert timings == {"etcd_heartbeat": 100, "etcd_election": 500, "keepalived_restart": 100}
    nothing = dict.fromkeys(("haproxy", "keepalived", "etcd"), "/no/such/file")
    for found in ({}, {"haproxy": str(FIXTURES / "haproxy.cfg"), "etcd": str(FIXTURES / "etcd.yaml")}):
        with patch_module_args({**nothing, **found}), pytest.raises(SystemExit):
            module.main()
        assert "the timings cannot be read" in json.loads(capsys.readouterr().out)["msg"]
