# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A node beside what kubeadm would write on it, as the module tells it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.quorum.kubeadm.plugins.module_utils.command import Result, Runner
from ansible_collections.quorum.kubeadm.plugins.module_utils.kubeadm_render import Described
from ansible_collections.quorum.kubeadm.plugins.modules import kubeadm_files

MANIFEST = "etc/kubernetes/manifests/kube-apiserver.yaml"
CONTROL_PLANE = Described({"certificatesDir": "/etc/kubernetes/pki"}, {}, {}, {}, [], True)


def version(argv: Sequence[str], stdin: str | None = None) -> Result:
    return Result(0, "v1.37.2\n", "")


def writes(directory: str) -> Runner:
    """A kubeadm that writes one manifest and the kubelet's configuration, and says the rest."""

    def run(argv: Sequence[str], stdin: str | None = None) -> Result:
        if "control-plane" in argv:
            (Path(directory) / "kube-apiserver.yaml").write_text("new\n", encoding="utf-8")
        if "kubelet-start" in argv:
            (Path(directory) / "config.yaml").write_text("kubelet\n", encoding="utf-8")
        return Result(0, "kind: ClusterConfiguration\n" if "migrate" in argv else "", "")

    return run


def refuses(directory: str) -> Runner:
    def run(argv: Sequence[str], stdin: str | None = None) -> Result:
        return Result(1, "", "error: no such field")

    return run


def laid_out(root: Path) -> Path:
    for path, content in ((MANIFEST, "old\n"), ("var/lib/kubelet/config.yaml", "kubelet\n")):
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(content, encoding="utf-8")
    return root


@pytest.mark.parametrize("shared", [True, False])
def test_what_differs(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, shared: bool) -> None:
    answer = kubeadm_files.look(CONTROL_PLANE, shared, tmp_path_factory.mktemp("work"), laid_out(tmp_path), version, writes)
    assert answer == {
        "kubeadm": "1.37.2",
        "problem": None,
        "files": [{"path": f"/{MANIFEST}", "there": "old\n", "wanted": "new\n"}],
        # No API server answers here.
        "served_names": None,
        "shared": {"cluster": "kind: ClusterConfiguration\n", "kubelet": "kubelet\n", "addons": ""} if shared else None,
    }
    assert (tmp_path / MANIFEST).read_text() == "old\n"


def test_documents_that_kubeadm_refuses_are_no_failure(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    answer = kubeadm_files.look(CONTROL_PLANE, True, tmp_path_factory.mktemp("work"), laid_out(tmp_path), version, refuses)
    assert (answer["kubeadm"], answer["files"], answer["shared"]) == ("1.37.2", [], None)
    assert (answer["problem"] or "").startswith("kubeadm init phase ") and (answer["problem"] or "").endswith("error: no such field")


def test_main_where_there_is_no_kubeadm(run_module: Callable[..., dict[str, Any]], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ansible_collections.quorum.kubeadm.plugins.module_utils.command.SEARCH_PATH", "/nowhere")
    monkeypatch.setenv("PATH", "/nowhere")
    answer = run_module("kubeadm_files", patches=[{"path": "/etc/x/kubeletconfiguration.yaml", "content": "{}"}])
    assert (answer["changed"], answer["kubeadm"], answer["files"], answer["served_names"]) == (False, None, [], None)
    assert answer["problem"] == "kubeadm version failed (exit status 127): kubeadm: command not found"
