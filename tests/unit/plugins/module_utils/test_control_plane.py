# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a control plane knows without asking, and the kubectl that asks it."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.quorum.kubeadm.plugins.module_utils import control_plane
from ansible_collections.quorum.kubeadm.plugins.module_utils.command import Result
from ansible_collections.quorum.kubeadm.plugins.module_utils.kubectl import Deadline
from ansible_collections.quorum.kubeadm.plugins.module_utils.node_state import ApiServer

FIXTURES = Path(__file__).parents[2] / "fixtures" / "node"
FILES = {"admin.conf": "admin.conf", "pki/ca.crt": "ca.crt", "manifests/kube-apiserver.yaml": "kube-apiserver.yaml"}


def lay_out(root: Path, without: str = "") -> Path:
    for path, fixture in FILES.items():
        if path != without:
            target = root / "etc/kubernetes" / path
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(FIXTURES / fixture, target)
    return root


def test_control_plane(tmp_path: Path) -> None:
    assert control_plane.read_control_plane(lay_out(tmp_path)) == control_plane.ControlPlane(
        ApiServer("198.18.79.11", 6443), "api.lab.test:6443", "sha256:1428bdb174c5554a24f7c98fa30f25066859370d868ce873809d0fcca3462d64"
    )


@pytest.mark.parametrize("without", FILES)
def test_others_are_refused(without: str, tmp_path: Path) -> None:
    with pytest.raises(control_plane.NoControlPlane, match="Run this on one that serves"):
        control_plane.read_control_plane(lay_out(tmp_path, without))


def test_kubectl_asks_the_local_api_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []

    def bounded(argv: list[str], stdin: str | None, seconds: float) -> Result:
        asked.append(argv)
        return Result(0, "", "")

    monkeypatch.setattr(control_plane, "bounded", bounded)
    control_plane.local_kubectl(Deadline(1), lay_out(tmp_path))("get", "nodes")
    assert asked == [["kubectl", "--kubeconfig", str(tmp_path / "etc/kubernetes/admin.conf"), "get", "nodes", "--server=https://198.18.79.11:6443"]]
