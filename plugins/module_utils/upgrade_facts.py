# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an upgrade has to know of a node before it begins: the room on its disks, and which APIs are in use that a later version does not have."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Callable, NamedTuple, TypedDict

from ansible_collections.quorum.kubeadm.plugins.module_utils.node_state import ETCD_DATA, KUBERNETES

METRIC = "apiserver_requested_deprecated_apis"
# Where an upgrade writes: programs, manifests with kubeadm's copy of etcd's data, images, and a snapshot beside etcd's data.
PLACES = ("usr/bin", KUBERNETES, "var/lib/containerd", ETCD_DATA)
_LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')


class DeprecatedApi(NamedTuple):
    """An API that somebody has asked an API server for since it was started, and that a release removes."""

    group: str
    version: str
    resource: str
    removed_release: str


class Room(TypedDict):
    """A place on a node's disks."""

    path: str
    device: int
    """Places with the same one share their room."""
    free_mb: int


class UpgradeFacts(TypedDict):
    """What is asked of a node before an upgrade."""

    room: list[Room]
    etcd_mb: int
    deprecated_apis: list[DeprecatedApi]
    metrics_problem: str | None


def parse_deprecated_apis(metrics: str) -> list[DeprecatedApi]:
    """Read the deprecated APIs in use out of an API server's `/metrics`; those without a release that removes them are left out.

    The metric is described in staging/src/k8s.io/apiserver/pkg/endpoints/metrics/metrics.go of Kubernetes. A subresource counts as its resource.
    """
    found: dict[DeprecatedApi, None] = {}
    for line in metrics.splitlines():
        if line.startswith(METRIC + "{"):
            labels = dict(_LABEL.findall(line[: line.rindex("}")]))
            if labels.get("removed_release") and float(line.rsplit(" ", 1)[1]) > 0:
                found[DeprecatedApi(labels.get("group", ""), labels.get("version", ""), labels.get("resource", ""), labels["removed_release"])] = None
    return sorted(found)


def room(root: Path) -> list[Room]:
    """Return the room where an upgrade writes, of the places that there are."""
    places = []
    for path in PLACES:
        if (root / path).exists():
            system = os.statvfs(root / path)
            places.append(Room(path=f"/{path}", device=os.stat(root / path).st_dev, free_mb=system.f_bavail * system.f_frsize // 2**20))
    return places


def size_mb(directory: Path) -> int:
    """Return what the files below a directory take on the disk, in MiB, rounded up; 0 where there is none."""
    total = 0
    for parent, _directories, files in os.walk(directory):
        for file in files:
            try:
                total += os.lstat(os.path.join(parent, file)).st_blocks * 512
            except FileNotFoundError:  # etcd removes old logs while it runs
                continue
    return -(-total // 2**20)


def read_upgrade_facts(root: Path, metrics: Callable[[], str] | None) -> UpgradeFacts:
    """Read a node; `metrics` asks the API server on it, None where there is none, and raises OSError with the reason when it does not tell."""
    problem, apis = None, []
    if metrics is not None:
        try:
            apis = parse_deprecated_apis(metrics())
        except OSError as error:
            problem = str(error)
    return UpgradeFacts(room=room(root), etcd_mb=size_mb(root / ETCD_DATA), deprecated_apis=apis, metrics_problem=problem)
