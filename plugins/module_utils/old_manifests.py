# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The manifests of kubeadm's static pods on a node, and a copy of them to go back to."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Iterable, Mapping

from ansible_collections.quorum.kubeadm.plugins.module_utils.node_state import MANIFESTS, STATIC_PODS


def read_manifests(root: Path) -> dict[str, str]:
    """Return the manifests of the static pods that there are, by component."""
    paths = {name: root / MANIFESTS / f"{name}.yaml" for name in STATIC_PODS}
    return {name: path.read_text(encoding="utf-8") for name, path in paths.items() if path.exists()}


def write_manifest(directory: Path, name: str, text: str) -> None:
    """Write a manifest in one step, mode 0600 as kubeadm does; the kubelet passes over a file whose name begins with a dot."""
    beside = directory / f".{name}.yaml"
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    os.replace(beside, directory / f"{name}.yaml")


def keep(directory: Path, manifests: Mapping[str, str]) -> None:
    """Keep manifests in a directory that root alone reads."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    for name, text in manifests.items():
        write_manifest(directory, name, text)


def kept(directory: Path) -> dict[str, str]:
    """Return the manifests that were kept in a directory; none where there is none."""
    paths = {name: directory / f"{name}.yaml" for name in STATIC_PODS}
    return {name: path.read_text(encoding="utf-8") for name, path in paths.items() if path.exists()}


def put_back(root: Path, manifests: Mapping[str, str], names: Iterable[str]) -> list[str]:
    """Put older manifests of these components back; return the components whose manifest is another one now."""
    there = read_manifests(root)
    changed = [name for name in names if name in manifests and there.get(name) != manifests[name]]
    for name in changed:
        write_manifest(root / MANIFESTS, name, manifests[name])
    return changed
