# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Configuration files: what may be shown, and whether the daemon has read them."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.quorum.kubeadm.plugins.module_utils.config_files import is_idle, is_stale, unit_properties, without_hidden

FIXTURES = Path(__file__).parents[2] / "fixtures" / "proxy"
BOOT = 1_795_440_000.0


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


@pytest.mark.parametrize(
    ("text", "pattern", "shown"),
    [
        ("user a insecure-password 'old'\nbind x\n", "(?<=insecure-password ).*", "user a insecure-password ********\nbind x\n"),
        ("bind x\n", "(?<=insecure-password ).*", "bind x\n"),
        ("user a insecure-password 'old'\n", None, "user a insecure-password 'old'\n"),
    ],
)
def test_without_hidden(text: str, pattern: str | None, shown: str) -> None:
    assert without_hidden(text, pattern) == shown
