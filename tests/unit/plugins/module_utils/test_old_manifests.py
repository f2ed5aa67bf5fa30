# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Manifests of static pods: read, kept, put back."""

from __future__ import annotations

from pathlib import Path

from ansible_collections.quorum.kubeadm.plugins.module_utils import old_manifests
from ansible_collections.quorum.kubeadm.plugins.module_utils.node_state import read_images

FIXTURES = Path(__file__).parents[2] / "fixtures"
MANIFESTS = "etc/kubernetes/manifests"


def lay_out(root: Path) -> Path:
    (root / MANIFESTS).mkdir(parents=True)
    for name in ("etcd", "kube-apiserver"):
        (root / MANIFESTS / f"{name}.yaml").write_bytes((FIXTURES / "node" / f"{name}.yaml").read_bytes())
    return root


def test_images_are_those_of_the_manifests(tmp_path: Path) -> None:
    assert read_images(tmp_path) == {}
    assert read_images(lay_out(tmp_path)) == {"etcd": "registry.k8s.io/etcd:3.7.0-0", "kube-apiserver": "registry.k8s.io/kube-apiserver:v1.37.2"}


def test_what_changed_is_put_back_and_nothing_else(tmp_path: Path) -> None:
    root = lay_out(tmp_path)
    before = old_manifests.read_manifests(root)
    old_manifests.keep(root / "kept", before)
    assert old_manifests.kept(root / "kept") == before and old_manifests.kept(root / "nowhere") == {}
    assert (root / "kept").stat().st_mode & 0o777 == 0o700
    server, etcd = (root / MANIFESTS / f"{name}.yaml" for name in ("kube-apiserver", "etcd"))
    server.write_text("broken")
    untouched = etcd.stat().st_ino
    assert old_manifests.put_back(root, old_manifests.kept(root / "kept"), ["etcd", "kube-apiserver", "kube-scheduler"]) == ["kube-apiserver"]
    assert old_manifests.read_manifests(root) == before and etcd.stat().st_ino == untouched
    assert server.stat().st_mode & 0o777 == 0o600
    # The kubelet makes a pod of whatever lies there, but for names that begin with a dot.
    assert sorted(path.name for path in (root / MANIFESTS).iterdir()) == ["etcd.yaml", "kube-apiserver.yaml"]
    assert old_manifests.put_back(root, before, ["etcd", "kube-apiserver"]) == []


def test_a_component_that_was_removed_comes_back(tmp_path: Path) -> None:
    root = lay_out(tmp_path)
    before = old_manifests.read_manifests(root)
    (root / MANIFESTS / "etcd.yaml").unlink()
    assert old_manifests.put_back(root, before, before) == ["etcd"]
