# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the controller transfers to a node: what the node lacks, and nothing on a second run or in check mode."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest
from ansible.errors import AnsibleActionFail

from ansible_collections.quorum.kubeadm.plugins.action import bundle_files, bundle_images

from ...samples import image_archive
from .conftest import run_action

STAGING = "/home/deploy/.ansible/tmp/staging/"


FILES = {
    "bin/kubelet": b"kubelet",
    "bin/kubeadm": b"kubeadm",
    "images/pause.tar": image_archive("registry.k8s.io/pause:3.10.2"),
    "images/etcd.tar": image_archive("registry.k8s.io/etcd:3.7.0-0"),
}
SUMS = {path: hashlib.sha256(content).hexdigest() for path, content in FILES.items()}
BINARIES = {"files": [{"src": "bin", "dest": "/usr/bin"}]}


@pytest.fixture(name="bundle")
def make_bundle(tmp_path: Path) -> Path:
    """Return a small bundle."""
    for path, content in FILES.items():
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_bytes(content)
    (tmp_path / "SHA256SUMS").write_text("".join(f"{digest}  {path}\n" for path, digest in SUMS.items()))
    return tmp_path


class Node:
    """The other end of an action: what it is sent, what it is asked, and what it answers."""

    def __init__(self, *answers: dict[str, Any]) -> None:
        self.answers = list(answers)
        self.asked: list[dict[str, Any]] = []
        self.sent: dict[str, str] = {}

    def run(self, plugin: Any, arguments: dict[str, Any], check_mode: bool = False) -> dict[str, Any]:
        """Run an action against this node."""
        return run_action(
            plugin,
            arguments,
            check_mode=check_mode,
            _execute_module=self._execute,
            _make_tmp_path=lambda: STAGING,
            _transfer_file=lambda local, remote: self.sent.update({remote: local}),
        )

    def _execute(self, module_name: str, module_args: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        self.asked.append({**module_args, "module": module_name, "sent": len(self.sent)})
        return self.answers.pop(0)


def test_files(bundle: Path) -> None:
    node = Node({"changed": True, "_missing": [SUMS["bin/kubeadm"]]}, {"changed": True, "installed": ["/usr/bin/kubeadm"], "_missing": []})
    result = node.run(bundle_files, {"path": str(bundle), **BINARIES})
    assert result == {"changed": True, "installed": ["/usr/bin/kubeadm"]}
    assert node.sent == {STAGING + SUMS["bin/kubeadm"]: str(bundle / "bin/kubeadm")}
    assert [(asked["module"], asked.get("_staging"), asked["sent"]) for asked in node.asked] == [
        ("quorum.kubeadm.bundle_files", None, 0),
        ("quorum.kubeadm.bundle_files", STAGING, 1),
    ]
    assert node.asked[0]["_wanted"] == [
        ["bin/kubeadm", "/usr/bin/kubeadm", SUMS["bin/kubeadm"]],
        ["bin/kubelet", "/usr/bin/kubelet", SUMS["bin/kubelet"]],
    ]


def test_nothing_missing_is_one_question(bundle: Path) -> None:
    node = Node({"changed": False, "_missing": []})
    assert node.run(bundle_files, {"path": str(bundle), **BINARIES}) == {"changed": False}
    assert (len(node.asked), node.sent) == (1, {})


def test_check_mode_transfers_nothing(bundle: Path) -> None:
    for plugin, arguments, missing in ((bundle_files, BINARIES, SUMS["bin/kubeadm"]), (bundle_images, {}, "pause.tar")):
        node = Node({"changed": True, "_missing": [missing]})
        assert node.run(plugin, {"path": str(bundle), **arguments}, check_mode=True) == {"changed": True}
        assert (len(node.asked), node.sent) == (1, {})


def test_a_bundle_that_does_not_match_its_list(bundle: Path) -> None:
    (bundle / "bin/kubeadm").write_bytes(b"rust")
    node = Node({"changed": True, "_missing": [SUMS["bin/kubeadm"]]}, {"failed": True, "msg": "bin/kubeadm has SHA-256 ..."})
    with pytest.raises(AnsibleActionFail, match=f"Bundle {bundle}: bin/kubeadm does not match SHA256SUMS"):
        node.run(bundle_files, {"path": str(bundle), **BINARIES})


def test_a_transfer_that_went_wrong_is_not_the_bundles_fault(bundle: Path) -> None:
    failure = {"failed": True, "msg": "No space left on device"}
    node = Node({"changed": True, "_missing": [SUMS["bin/kubeadm"]]}, failure)
    assert node.run(bundle_files, {"path": str(bundle), **BINARIES}) == failure


@pytest.mark.parametrize(("plugin", "arguments"), [(bundle_files, BINARIES), (bundle_images, {})])
def test_no_bundle(tmp_path: Path, plugin: Any, arguments: dict[str, Any]) -> None:
    with pytest.raises(AnsibleActionFail, match=f"{tmp_path} is not a bundle"):
        Node().run(plugin, {"path": str(tmp_path), **arguments})


def test_images(bundle: Path) -> None:
    node = Node({"changed": True, "_missing": ["pause.tar"]}, {"changed": True, "loaded": ["registry.k8s.io/pause:3.10.2"], "_missing": []})
    result = node.run(bundle_images, {"path": str(bundle), "exclude": ["etcd"]})
    assert result == {"changed": True, "loaded": ["registry.k8s.io/pause:3.10.2"]}
    assert node.sent == {STAGING + "pause.tar": str(bundle / "images/pause.tar")}
    assert list(node.asked[0]["_archives"]) == ["pause.tar"]
    assert node.asked[1]["_staging"] == STAGING


@pytest.mark.parametrize(("repository", "warned"), [("registry.k8s.io", False), ("registry.k8s", True), ("registry.example.com/k8s", True)])
def test_another_repository(bundle: Path, repository: str, warned: bool) -> None:
    result = Node({"changed": False, "_missing": []}).run(bundle_images, {"path": str(bundle), "repository": repository})
    assert [repository in warning for warning in result.get("warnings", [])] == ([True] if warned else [])
