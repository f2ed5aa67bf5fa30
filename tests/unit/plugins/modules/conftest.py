# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tests of modules share: nodes laid out in a directory, and modules run as Ansible runs them."""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.testing import patch_module_args
from ansible.release import __version__

# From ansible-core 2.21 on, what a module was called with is in its result only when it is told so; before, it does not know the word.
SHOWS_ARGUMENTS = {"_ansible_inject_invocation": True} if tuple(map(int, __version__.split(".")[:2])) >= (2, 21) else {}

FIXTURES = Path(__file__).parents[2] / "fixtures" / "node"
PIN = "sha256:1428bdb174c5554a24f7c98fa30f25066859370d868ce873809d0fcca3462d64"

AUTHORITY = {"pki/ca.crt": "ca.crt", "pki/ca.key": "key"}
CONTROL_PLANE = {
    **AUTHORITY,
    "pki/apiserver.crt": "crt",
    "manifests/kube-apiserver.yaml": "kube-apiserver.yaml",
    "manifests/etcd.yaml": "etcd.yaml",
    "kubelet.conf": "kubelet.conf",
    "admin.conf": "admin.conf",
}
WORKER = {"pki/ca.crt": "ca.crt", "kubelet.conf": "kubelet.conf"}
NODES: Mapping[str, Mapping[str, str]] = {
    "clean": {},
    "authority": AUTHORITY,
    "control_plane": CONTROL_PLANE,
    "worker": WORKER,
    "killed init": {**CONTROL_PLANE, "pki/quorum.kubeadm.unfinished": "init"},
    "killed join": {**CONTROL_PLANE, "pki/quorum.kubeadm.unfinished": "join"},
}
Node = Callable[[str], Path]


@pytest.fixture(name="node")
def node_factory(tmp_path: Path) -> Node:
    """Return what lays out a node of a kind and returns its root; laying out another kind adds to it."""

    def lay_out(kind: str) -> Path:
        for path, name in NODES[kind].items():
            target = tmp_path / "etc/kubernetes" / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes((FIXTURES / name).read_bytes() if (FIXTURES / name).exists() else name.encode())
        return tmp_path

    return lay_out


RunModule = Callable[..., dict[str, Any]]


@pytest.fixture(name="run_module")
def module_runner(capsys: pytest.CaptureFixture[str]) -> RunModule:
    """Return what runs a module's main() with arguments and returns what it prints."""

    def run(name: str, /, check_mode: bool = False, **arguments: Any) -> dict[str, Any]:
        module = importlib.import_module(f"ansible_collections.quorum.kubeadm.plugins.modules.{name}")
        with patch_module_args({**arguments, **SHOWS_ARGUMENTS, "_ansible_check_mode": check_mode}), pytest.raises(SystemExit):
            module.main()
        printed: dict[str, Any] = json.loads(capsys.readouterr().out)
        return printed

    return run
