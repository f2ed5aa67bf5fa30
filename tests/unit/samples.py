# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What several tests say of machines and bundles alike."""

from __future__ import annotations

import io
import json
import tarfile
from typing import Any


def clean_machine(host: str, address: str, **differs: Any) -> dict[str, Any]:
    """What node_info tells of a machine with one network that has nothing of Kubernetes."""
    return {
        "system": {"id": "debian", "version_id": "12", "name": "Debian GNU/Linux 12 (bookworm)", "architecture": "x86_64"},
        "hostname": host,
        "interfaces": [
            {"name": "lo", "addresses": [{"address": "127.0.0.1", "prefix": 8}, {"address": "::1", "prefix": 128}]},
            {"name": "eth0", "addresses": [{"address": address, "prefix": 24}]},
        ],
        "default_address": address,
        "default_interface": "eth0",
        "listening": [{"port": 22, "address": "0.0.0.0", "process": None}],
        "containerd": {"version": None, "candidate": None},
        "kubelet": {"version": None},
        "kubeadm": {"version": None},
        "certificates": [],
        "outdated_components": [],
        "images": {},
        "state": "clean",
        "ca_hash": None,
        "ca_certificate": None,
        "endpoint": None,
        "node_name": None,
        "api_ready": False,
        "api_problem": None,
        "reboot_required": False,
        "resolved": None,
        "upgrade": None,
        **differs,
    }


def image_archive(name: str) -> bytes:
    """An image archive of OCI's layout, without layers."""
    index = json.dumps({"manifests": [{"digest": "sha256:" + "1" * 64, "annotations": {"io.containerd.image.name": name}}]}).encode()
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        member = tarfile.TarInfo("index.json")
        member.size = len(index)
        tar.addfile(member, io.BytesIO(index))
    return buffer.getvalue()
