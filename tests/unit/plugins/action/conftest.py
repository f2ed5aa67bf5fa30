# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tests of actions share: an action run as a task runs it, and what it prints."""

from __future__ import annotations

from types import ModuleType
from typing import Any
from unittest.mock import MagicMock

import pytest
from ansible.template import Templar
from ansible.utils.display import Display


def run_action(
    plugin: ModuleType, arguments: dict[str, Any], task_vars: dict[str, Any] | None = None, check_mode: bool = False, **stubs: Any
) -> dict[str, Any]:
    """Run an action with a task's arguments, and return what it registers; `stubs` take the place of methods that need a connection."""
    task = MagicMock(args=arguments, async_val=0, action=plugin.__name__, check_mode=check_mode, diff=False, environment=[])
    connection = MagicMock()
    connection._shell.tmpdir = None
    connection._shell.join_path = lambda *parts: "/".join(part.strip("/") if number else part.rstrip("/") for number, part in enumerate(parts))
    action = plugin.ActionModule(task, connection, MagicMock(), MagicMock(path_dwim=lambda path: path), Templar(loader=None), MagicMock())
    for name, stub in stubs.items():
        setattr(action, name, stub)
    result: dict[str, Any] = action.run(task_vars=task_vars or {})
    return result


@pytest.fixture(name="printed")
def printed_lines(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the lines that the action prints, as it prints them."""
    lines: list[str] = []
    monkeypatch.setattr(Display, "display", lambda _self, line, **_more: lines.append(line))
    return lines
