# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The administrator's kubeconfig on the controller: its server, its mode, and nothing of it in a result."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

import pytest
from ansible.errors import AnsibleActionFail

from ansible_collections.quorum.kubeadm.plugins.action.fetch_kubeconfig import ActionModule

KUBECONFIG = """apiVersion: v1
clusters:
- cluster:
    certificate-authority-data: Q0E=
    server: https://api.example.org:16443
  name: kubernetes
users:
- name: kubernetes-admin
  user:
    client-key-data: S0VZ
"""


def fetch(dest: Path, check_mode: bool = False, answer: dict[str, Any] | None = None, **arguments: str) -> dict[str, Any]:
    """Fetch from a host that has the file."""
    play = MagicMock(no_log=False)
    action: Any = ActionModule(
        MagicMock(args={"dest": str(dest), **arguments}, check_mode=check_mode, async_val=0, environment=[]),
        MagicMock(),
        play,
        MagicMock(),
        MagicMock(),
        MagicMock(),
    )

    def slurp(module_name: str, module_args: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        assert (module_name, module_args, play.no_log) == ("ansible.builtin.slurp", {"src": "/etc/kubernetes/admin.conf"}, True)
        return answer or {"content": base64.b64encode(KUBECONFIG.encode()).decode()}

    action._execute_module = slurp
    result: dict[str, Any] = action.run(task_vars={})
    assert play.no_log is False
    return result


def test_a_copy_that_is_its_owners_alone(tmp_path: Path) -> None:
    dest = tmp_path / "new" / "config"
    result = fetch(dest)
    assert (result["changed"], result["dest"]) == (True, str(dest))
    assert (dest.read_text(), dest.stat().st_mode & 0o7777) == (KUBECONFIG, 0o600)
    assert "S0VZ" not in str(result)
    assert fetch(dest)["changed"] is False


def test_a_mode_that_others_can_read_is_mended(tmp_path: Path) -> None:
    dest = tmp_path / "config"
    fetch(dest)
    dest.chmod(0o644)
    assert fetch(dest)["changed"] is True
    assert dest.stat().st_mode & 0o7777 == 0o600


def test_another_server(tmp_path: Path) -> None:
    fetch(tmp_path / "config", server="203.0.113.7:6443")
    assert (tmp_path / "config").read_text() == KUBECONFIG.replace("api.example.org:16443", "203.0.113.7:6443")


def test_check_mode_writes_nothing(tmp_path: Path) -> None:
    assert fetch(tmp_path / "config", check_mode=True)["changed"] is True
    assert not (tmp_path / "config").exists()


def test_what_cannot_be_read_or_written(tmp_path: Path) -> None:
    with pytest.raises(AnsibleActionFail, match="admin.conf cannot be read: file not found"):
        fetch(tmp_path / "config", answer={"failed": True, "msg": "file not found"})
    (tmp_path / "file").write_text("")
    with pytest.raises(AnsibleActionFail, match="config cannot be written on the controller"):
        fetch(tmp_path / "file" / "config")
