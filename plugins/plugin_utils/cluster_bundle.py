# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a bundle on the controller has what a cluster needs, whole and of the right version."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

from ansible_collections.quorum.kubeadm.plugins.module_utils.bundle_files import SUMS, BundleError, read_sums, sha256_of
from ansible_collections.quorum.kubeadm.plugins.module_utils.bundle_images import read_archive
from ansible_collections.quorum.kubeadm.plugins.module_utils.machine import parse_version

KUBERNETES = (
    *(f"bin/{name}" for name in ("kubeadm", "kubelet", "kubectl")),
    *(f"bin/cni/{name}" for name in ("bridge", "host-local", "loopback", "portmap", "ptp")),
    *(f"images/{name}.tar" for name in ("kube-apiserver", "kube-controller-manager", "kube-scheduler", "kube-proxy", "etcd", "coredns", "pause")),
)
CONTAINERD = tuple(f"bin/{name}" for name in ("containerd", "containerd-shim-runc-v2", "ctr", "runc"))


def needed(kubernetes: bool, containerd: bool) -> list[str]:
    """The files that a bundle must have, by what is taken from it."""
    return [*(KUBERNETES if kubernetes else ()), *(CONTAINERD if containerd else ())]


def used(sums: Mapping[str, str], kubernetes: bool, containerd: bool) -> list[str]:
    """The files of a bundle that are used: those that must be there, and whatever images, CNI plugins and manifests it has besides."""
    required = set(needed(kubernetes, containerd))
    return [path for path in sums if path in required or (kubernetes and path.startswith(("images/", "bin/cni/", "manifests/")))]


def missing(bundle: str, sums: Mapping[str, str], files: Iterable[str]) -> Iterator[str]:
    """What is said of files that are not there, or that the list of checksums does not know."""
    for path in files:
        if not os.path.isfile(os.path.join(bundle, path)):
            yield f"{path} is missing"
        elif path not in sums:
            yield f"{path} is not in {SUMS}"


def damaged(bundle: str, sums: Mapping[str, str], files: Sequence[str]) -> Iterator[str]:
    """What is said of files whose checksum is another one."""
    with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        for path, found in zip(files, pool.map(sha256_of, (os.path.join(bundle, path) for path in files))):
            if found is not None and found != sums[path]:
                yield f"{path} has another checksum than {SUMS} says"


def kubernetes_version(bundle: str) -> str | None:
    """The version of the API server's image in a bundle; None when the image has no tag."""
    name = read_archive(os.path.join(bundle, "images/kube-apiserver.tar"))[0].name
    return name.rpartition(":")[2].removeprefix("v") if ":" in name.rpartition("/")[2] else None


def containerd_version(bundle: str) -> str | None:
    """The version of containerd in a bundle; None where it does not run here, being made for another kind of machine."""
    try:
        said = subprocess.run([os.path.join(bundle, "bin/containerd"), "--version"], capture_output=True, text=True, timeout=10, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return None
    return parse_version(said)


def faults(bundle: str, version: str, *, kubernetes: bool, containerd: bool, contents: bool) -> list[str]:
    """What is wrong with a bundle for this version of Kubernetes; `contents`: whether to read all of it."""
    try:
        sums = read_sums(bundle)
        required = needed(kubernetes, containerd)
        known = used(sums, kubernetes, containerd)
        found = list(missing(bundle, sums, dict.fromkeys([*required, *known])))
        if contents:
            found += damaged(bundle, sums, known)
        if kubernetes and not found:
            other = kubernetes_version(bundle)
            found += [f"it holds Kubernetes {other}, and {version} is wanted"] if other not in (None, version) else []
        return found
    except BundleError as error:
        return [str(error)]
