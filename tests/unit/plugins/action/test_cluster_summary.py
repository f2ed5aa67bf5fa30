# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The summary in Ansible's own hands: printed whatever the configuration, with the command that the user would type."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[4]
PLAN: dict[str, Any] = {
    "inputs": {"name": "kubernetes", "kubernetes_version": "1.37.2", "fetch_kubeconfig_to": "", "pod_network": "calico"},
    "primary": "cp1",
    "containerd": {"version": ""},
    "initialise": True,
    "nodes": {"cp1": {"control_plane": True}},
    "joining": [],
    "joining_control_planes": [],
    "joining_workers": [],
}


@pytest.mark.parametrize(
    ("options", "line"),
    [
        (["-i", "cp1,"], "  verify it by  ansible-playbook quorum.kubeadm.verify -i cp1,"),
        (["-i", "hosts"], "  verify it by  ansible-playbook quorum.kubeadm.verify -i hosts"),
        (["-i", "hosts", "--check"], "Checked: nothing was changed. The plan says which hosts would join, and the tasks what else would change."),
    ],
    ids=["a host", "a file", "check mode"],
)
def test_the_last_line(tmp_path: Path, options: list[str], line: str) -> None:
    task = {"name": "Say what was done", "quorum.kubeadm.cluster_summary": {"plan": PLAN}, "run_once": True}
    (tmp_path / "play.yml").write_text(yaml.safe_dump([{"name": "End", "hosts": "all", "gather_facts": False, "tasks": [task]}]), encoding="utf-8")
    (tmp_path / "hosts").write_text("cp1\n", encoding="utf-8")
    (tmp_path / "ansible.cfg").write_text("[defaults]\n", encoding="utf-8")
    ansible = [sys.executable, str(Path(sys.executable).with_name("ansible-playbook"))]
    environment = {
        **os.environ, "ANSIBLE_CONFIG": str(tmp_path / "ansible.cfg"), "ANSIBLE_COLLECTIONS_PATH": str(ROOT / "collections"), "ANSIBLE_NOCOLOR": "1"
    }
    done = subprocess.run([*ansible, "play.yml", *options], capture_output=True, text=True, cwd=tmp_path, env=environment, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert line in done.stdout.splitlines()
