# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The image archives of a bundle, and what containerd has of them."""

from __future__ import annotations

import json
import tarfile
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from ansible_collections.quorum.kubeadm.plugins.module_utils.bundle_files import BundleError

DIRECTORY = "images"
# What a user may write; the action and the module check the same.
OPTIONS: Mapping[str, Any] = {
    "path": {"type": "str", "required": True},
    "exclude": {"type": "list", "elements": "str", "default": []},
    "repository": {"type": "str"},
    "address": {"type": "path", "default": "/run/containerd/containerd.sock"},
    "namespace": {"type": "str", "default": "k8s.io"},
    "timeout": {"type": "int", "default": 60},
}
_NAME = "io.containerd.image.name"


class Image(NamedTuple):
    """An image of an archive; archives that `docker save` wrote do not tell the digest."""

    name: str
    digest: str | None


def read_archive(path: str) -> list[Image]:
    """Return the images of an archive, an OCI layout or what `docker save` writes, without reading its layers."""
    try:
        with tarfile.open(path) as archive:
            members = {member.name.removeprefix("./"): member for member in archive}

            def document(name: str) -> Any:
                file = archive.extractfile(members[name])
                return json.load(file) if file else None

            if "index.json" in members and (images := oci_images(document("index.json"))):
                return images
            if "manifest.json" in members and (images := docker_images(document("manifest.json"))):
                return images
    except (OSError, tarfile.TarError, ValueError) as error:
        raise BundleError(f"{path} is not an image archive: {error}") from error
    raise BundleError(f"{path} names no image: neither an index.json with annotations {_NAME} nor a manifest.json with RepoTags is in it.")


def oci_images(index: Mapping[str, Any]) -> list[Image]:
    """Return the images that the index of an OCI layout names in full."""
    manifests = index.get("manifests") or []
    return [Image(manifest["annotations"][_NAME], manifest["digest"]) for manifest in manifests if _NAME in (manifest.get("annotations") or {})]


def docker_images(manifest: Sequence[Mapping[str, Any]]) -> list[Image]:
    """Return the images in the manifest.json of `docker save`."""
    return [Image(normalise(tag), None) for image in manifest for tag in image.get("RepoTags") or []]


def normalise(name: str) -> str:
    """Return the full form of a familiar name, the one containerd keeps: `busybox:1` is `docker.io/library/busybox:1`."""
    first, slash, _rest = name.partition("/")
    if slash and ("." in first or ":" in first or first == "localhost"):
        return name
    return f"docker.io/{name}" if slash else f"docker.io/library/{name}"


def component(name: str) -> str:
    """Return the last part of an image's path, without tag and digest: what people call it."""
    return name.partition("@")[0].rpartition("/")[2].partition(":")[0]


def parse_list(stdout: str) -> dict[str, str]:
    """Map references to digests, from the table that `ctr images ls` prints."""
    lines = stdout.splitlines()
    if not lines or lines[0].split()[:3] != ["REF", "TYPE", "DIGEST"]:
        raise ValueError(f"`ctr images ls` printed no table of images: {stdout[:200]!r}")
    rows = (line.split() for line in lines[1:])
    return {row[0]: row[2] for row in rows if len(row) > 2}


def absent(images: Iterable[Image], present: Mapping[str, str]) -> list[Image]:
    """Return the images that are not there, or under whose name another one is."""
    return [image for image in images if image.name not in present or image.digest not in (None, present[image.name])]
