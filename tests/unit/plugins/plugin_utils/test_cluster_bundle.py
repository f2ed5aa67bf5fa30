# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bundles with something wrong in them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest

from ansible_collections.quorum.kubeadm.plugins.plugin_utils.cluster_bundle import faults, needed

from ...samples import image_archive


def write_sums(bundle: Path) -> None:
    files = sorted(path for path in bundle.rglob("*") if path.is_file() and path.name != "SHA256SUMS")
    lines = (f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.relative_to(bundle)}\n" for path in files)
    (bundle / "SHA256SUMS").write_text("".join(lines), encoding="utf-8")


@pytest.fixture(name="bundle")
def fixture_bundle(tmp_path: Path) -> Path:
    for path in (*needed(kubernetes=True, containerd=True), "images/podnet.tar", "manifests/podnet.yaml", "bundle.json"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(image_archive(f"registry.k8s.io/{Path(path).stem}:v1.37.2") if path.startswith("images/") else path.encode())
    write_sums(tmp_path)
    return tmp_path


def found(bundle: Path, *, kubernetes: bool = True, containerd: bool = True, contents: bool = True, version: str = "1.37.2") -> list[str]:
    return faults(str(bundle), version, kubernetes=kubernetes, containerd=containerd, contents=contents)


def test_a_whole_bundle(bundle: Path) -> None:
    assert found(bundle) == []


def damage(path: str) -> Callable[[Path], object]:
    return lambda bundle: (bundle / path).write_bytes(b"other")


def remove(path: str) -> Callable[[Path], object]:
    return lambda bundle: (bundle / path).unlink()


def forget(path: str) -> Callable[[Path], object]:
    def edit(bundle: Path) -> None:
        sums = bundle / "SHA256SUMS"
        sums.write_text("".join(line for line in sums.read_text().splitlines(keepends=True) if not line.endswith(f"  {path}\n")), encoding="utf-8")

    return edit


@pytest.mark.parametrize(
    ("spoil", "expected"),
    [
        (remove("bin/kubelet"), "bin/kubelet is missing"),
        (remove("bin/runc"), "bin/runc is missing"),
        (remove("bin/cni/ptp"), "bin/cni/ptp is missing"),
        (remove("images/etcd.tar"), "images/etcd.tar is missing"),
        (remove("images/podnet.tar"), "images/podnet.tar is missing"),
        (damage("bin/kubeadm"), "bin/kubeadm has another checksum than SHA256SUMS says"),
        (damage("images/podnet.tar"), "images/podnet.tar has another checksum"),
        (damage("manifests/podnet.yaml"), "manifests/podnet.yaml has another checksum"),
        (forget("bin/kubectl"), "bin/kubectl is not in SHA256SUMS"),
        (remove("SHA256SUMS"), "SHA256SUMS: No such file"),
        (damage("SHA256SUMS"), "SHA256SUMS, line 1"),
    ],
)
def test_what_is_wrong_is_named(bundle: Path, spoil: Callable[[Path], object], expected: str) -> None:
    spoil(bundle)
    assert len(found(bundle)) == 1 and expected in found(bundle)[0]


def test_a_directory_that_is_not_there(tmp_path: Path) -> None:
    assert "is not a bundle" in found(tmp_path / "nowhere")[0]


def test_what_is_not_used_does_not_matter(bundle: Path) -> None:
    for path in ("bin/containerd", "bundle.json"):
        damage(path)(bundle)
    assert found(bundle, containerd=False) == []
    for path in ("images/etcd.tar", "bin/kubeadm"):
        remove(path)(bundle)
    write_sums(bundle)
    assert found(bundle, kubernetes=False) == []


def test_contents_are_read_only_when_asked_for(bundle: Path) -> None:
    damage("bin/kubeadm")(bundle)
    assert found(bundle, contents=False) == []


def test_another_version(bundle: Path) -> None:
    assert found(bundle, version="1.36.3", contents=False) == ["it holds Kubernetes 1.37.2, and 1.36.3 is wanted"]


def test_an_image_that_is_none(bundle: Path) -> None:
    damage("images/kube-apiserver.tar")(bundle)
    write_sums(bundle)
    assert "is not an image archive" in found(bundle)[0]
