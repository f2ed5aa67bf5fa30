# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What image archives contain, and what containerd says it has."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path
from typing import Any, Literal

import pytest

from ansible_collections.quorum.kubeadm.plugins.module_utils import bundle_images
from ansible_collections.quorum.kubeadm.plugins.module_utils.bundle_files import BundleError
from ansible_collections.quorum.kubeadm.plugins.module_utils.bundle_images import Image

FIXTURES = Path(__file__).parents[2] / "fixtures" / "bundle"
PAUSE = "registry.k8s.io/pause:3.10.2"
ONE, TWO = "sha256:" + "1" * 64, "sha256:" + "2" * 64


def index(*manifests: tuple[str | None, str]) -> dict[str, Any]:
    return {
        "schemaVersion": 2,
        "manifests": [{"digest": digest, **({"annotations": {"io.containerd.image.name": name}} if name else {})} for name, digest in manifests],
    }


def archive(path: Path, documents: dict[str, Any], mode: Literal["w:", "w:gz"] = "w:") -> str:
    with tarfile.open(path, mode) as tar:
        for name, document in {"blobs/sha256/layer": "x" * 5000, **documents}.items():
            content = json.dumps(document).encode()
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return str(path)


@pytest.mark.parametrize(
    ("documents", "images"),
    [
        ({"index.json": index((PAUSE, ONE))}, [Image(PAUSE, ONE)]),
        ({"./index.json": index((PAUSE, ONE), ("example.org/x:1", TWO), (None, TWO))}, [Image(PAUSE, ONE), Image("example.org/x:1", TWO)]),
        (
            {"manifest.json": [{"RepoTags": ["registry.example.com:5000/a/b:1", "busybox:1"]}]},
            [Image("registry.example.com:5000/a/b:1", None), Image("docker.io/library/busybox:1", None)],
        ),
        # Newer versions of docker save write both.
        ({"index.json": index((PAUSE, ONE)), "manifest.json": [{"RepoTags": [PAUSE]}]}, [Image(PAUSE, ONE)]),
        ({"index.json": index((None, ONE)), "manifest.json": [{"RepoTags": [PAUSE]}]}, [Image(PAUSE, None)]),
    ],
)
@pytest.mark.parametrize("mode", ["w:", "w:gz"])
def test_archive(tmp_path: Path, documents: dict[str, Any], images: list[Image], mode: Literal["w:", "w:gz"]) -> None:
    assert bundle_images.read_archive(archive(tmp_path / "x.tar", documents, mode)) == images


@pytest.mark.parametrize(
    "documents",
    [{}, {"index.json": index()}, {"index.json": {}}, {"index.json": index((None, ONE))}, {"manifest.json": [{"RepoTags": None}]}],
)
def test_archive_without_names(tmp_path: Path, documents: dict[str, Any]) -> None:
    with pytest.raises(BundleError, match=r"x\.tar names no image"):
        bundle_images.read_archive(archive(tmp_path / "x.tar", documents))


@pytest.mark.parametrize("content", [b"", b"not a tar archive", b"\x1f\x8b\x08 cut off"])
def test_no_archive(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.tar").write_bytes(content)
    with pytest.raises(BundleError, match=r"x\.tar is not an image archive"):
        bundle_images.read_archive(str(tmp_path / "x.tar"))


@pytest.mark.parametrize(
    ("name", "full"),
    [
        ("busybox:1", "docker.io/library/busybox:1"),
        ("calico/node:v3.32.1", "docker.io/calico/node:v3.32.1"),
        ("localhost/x:1", "localhost/x:1"),
        ("registry:5000/x:1", "registry:5000/x:1"),
        ("quay.io/calico/node:v3.32.1", "quay.io/calico/node:v3.32.1"),
    ],
)
def test_normalise(name: str, full: str) -> None:
    assert bundle_images.normalise(name) == full


@pytest.mark.parametrize(
    ("name", "component"),
    [
        ("registry.k8s.io/etcd:3.7.0-0", "etcd"),
        ("registry.example.com:5000/google_containers/kube-apiserver:v1.37.2", "kube-apiserver"),
        (f"registry.example.com:5000/etcd@{ONE}", "etcd"),
        ("registry.k8s.io/coredns/coredns:v1.14.6", "coredns"),
    ],
)
def test_component(name: str, component: str) -> None:
    assert bundle_images.component(name) == component


def test_list() -> None:
    there = bundle_images.parse_list((FIXTURES / "ctr_images_ls_2.3.7.txt").read_text())
    assert there["registry.k8s.io/coredns/coredns:v1.14.6"] == "sha256:56154ddcd5fea6f7e3c6db33f1beec692b177608cfe304c2636587b2181bbdb6"
    assert {name for name in there if not name.startswith("sha256:")} >= {PAUSE, "registry.k8s.io/kube-proxy:v1.37.2", "quorum.test/podnet:1.0.0"}
    assert all(digest.startswith("sha256:") for digest in there.values())


def test_empty_list() -> None:
    assert not bundle_images.parse_list("REF TYPE DIGEST SIZE PLATFORMS LABELS \n")


@pytest.mark.parametrize("stdout", ["", "ctr: failed to dial\n"])
def test_no_list(stdout: str) -> None:
    with pytest.raises(ValueError, match="printed no table of images"):
        bundle_images.parse_list(stdout)


@pytest.mark.parametrize(
    ("images", "there", "absent"),
    [
        ([Image("a", ONE)], {}, ["a"]),
        ([Image("a", ONE)], {"a": ONE}, []),
        ([Image("a", ONE)], {"a": TWO}, ["a"]),
        ([Image("a", None)], {"a": TWO}, []),
        ([Image("a", None), Image("b", ONE)], {"b": ONE}, ["a"]),
    ],
)
def test_absent(images: list[Image], there: dict[str, str], absent: list[str]) -> None:
    assert [image.name for image in bundle_images.absent(images, there)] == absent
