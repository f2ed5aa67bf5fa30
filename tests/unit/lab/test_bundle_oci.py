# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Images written without a registry."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.quorum.kubeadm.lab.bundle.oci import Directory, File, Link, Tree, from_docker_save, write_image

REFERENCE = "registry.test:5000/group/name:v1.2.3"


def read_archive(path: Path) -> dict[str, bytes]:
    with tarfile.open(path) as archive:
        return {member.name: file.read() for member in archive if (file := archive.extractfile(member))}


def resolve(files: dict[str, bytes], descriptor: dict[str, Any]) -> bytes:
    """What a descriptor names; its digest and size must be true."""
    content = files["blobs/" + descriptor["digest"].replace(":", "/")]
    assert "sha256:" + hashlib.sha256(content).hexdigest() == descriptor["digest"]
    assert len(content) == descriptor["size"]
    return content


def unpack(path: Path) -> tuple[dict[str, Any], dict[str, Any], list[bytes]]:
    """The index's entry, the configuration and the layers."""
    files = read_archive(path)
    assert json.loads(files["oci-layout"]) == {"imageLayoutVersion": "1.0.0"}
    (entry,) = json.loads(files["index.json"])["manifests"]
    manifest = json.loads(resolve(files, entry))
    config = json.loads(resolve(files, manifest["config"]))
    layers = [resolve(files, layer) for layer in manifest["layers"]]
    assert {layer["mediaType"] for layer in manifest["layers"]} == {"application/vnd.oci.image.layer.v1.tar"}
    return entry, config, layers


@pytest.fixture
def image(tmp_path: Path) -> Path:
    program = tmp_path / "program"
    program.write_bytes(b"\x7fELF")
    tree: Tree = {
        "usr/local/bin/program": File(program),
        "etc/passwd": File(b"root\n", 0o644),
        "tmp": Directory(0o1777),
        "lib": Link("usr/lib"),
    }
    write_image(tmp_path / "image.tar", REFERENCE, tree, ["/usr/local/bin/program"], "amd64")
    return tmp_path / "image.tar"


def test_an_image_carries_the_name_that_containerd_imports_it_by(image: Path) -> None:
    entry, _config, _layers = unpack(image)
    assert entry["annotations"] == {"io.containerd.image.name": REFERENCE, "org.opencontainers.image.ref.name": "v1.2.3"}


def test_an_image_runs_its_program_as_root_with_the_usual_search_path(image: Path) -> None:
    _entry, config, (layer,) = unpack(image)
    assert config["config"]["Entrypoint"] == ["/usr/local/bin/program"]
    assert "User" not in config["config"]
    assert "/usr/local/bin" in config["config"]["Env"][0].removeprefix("PATH=").split(":")
    assert (config["architecture"], config["os"]) == ("amd64", "linux")
    assert config["rootfs"]["diff_ids"] == ["sha256:" + hashlib.sha256(layer).hexdigest()]


def test_a_layer_has_files_links_and_all_their_directories(image: Path) -> None:
    _entry, _config, (layer,) = unpack(image)
    with tarfile.open(fileobj=io.BytesIO(layer)) as archive:
        members = archive.getmembers()
    assert [(member.name, member.type, member.mode) for member in members] == [
        ("etc", tarfile.DIRTYPE, 0o755),
        ("etc/passwd", tarfile.REGTYPE, 0o644),
        ("lib", tarfile.SYMTYPE, 0o777),
        ("tmp", tarfile.DIRTYPE, 0o1777),
        ("usr", tarfile.DIRTYPE, 0o755),
        ("usr/local", tarfile.DIRTYPE, 0o755),
        ("usr/local/bin", tarfile.DIRTYPE, 0o755),
        ("usr/local/bin/program", tarfile.REGTYPE, 0o755),
    ]
    assert {(member.mtime, member.uid, member.gid) for member in members} == {(0, 0, 0)}


def test_the_same_files_make_the_same_bytes(image: Path, tmp_path: Path) -> None:
    tree: Tree = {"lib": Link("usr/lib"), "tmp": Directory(0o1777), "etc/passwd": File(b"root\n", 0o644), "usr/local/bin/program": File(b"\x7fELF")}
    write_image(tmp_path / "again.tar", REFERENCE, tree, ["/usr/local/bin/program"], "amd64")
    assert (tmp_path / "again.tar").read_bytes() == image.read_bytes()


def layer_of(name: str) -> bytes:
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as archive:
        archive.addfile(tarfile.TarInfo(name))
    return content.getvalue()


@pytest.mark.parametrize(
    ("config_path", "layer_paths"),
    [
        pytest.param("0123.json", ["aaaa/layer.tar", "bbbb/layer.tar"], id="docker before 25"),
        pytest.param("blobs/sha256/0123", ["blobs/sha256/aaaa", "blobs/sha256/bbbb"], id="docker 25 and later"),
    ],
)
def test_what_docker_saved_becomes_the_same_kind_of_archive(tmp_path: Path, config_path: str, layer_paths: list[str]) -> None:
    layers = [layer_of("first"), layer_of("second")]
    config = json.dumps({"architecture": "amd64", "os": "linux", "config": {"User": "65532"}}).encode()
    manifest = json.dumps([{"Config": config_path, "RepoTags": [REFERENCE], "Layers": layer_paths}]).encode()
    saved = tmp_path / "saved.tar"
    with tarfile.open(saved, "w") as archive:
        for name, content in [*zip(layer_paths, layers, strict=True), (config_path, config), ("manifest.json", manifest)]:
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    from_docker_save(saved, tmp_path / "image.tar", REFERENCE)
    entry, read_config, read_layers = unpack(tmp_path / "image.tar")
    assert entry["annotations"]["io.containerd.image.name"] == REFERENCE
    assert read_config == json.loads(config)
    assert read_layers == layers
