# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Let kubeadm itself write the files of a node beside the real ones: what it makes of its documents, on this node, in this version.

`kubeadm init phase … --dry-run` writes into the directory of KUBEADM_INIT_DRYRUN_DIR (cmd/kubeadm/app/constants/constants.go of k8s.io/kubernetes v1.35.4,
v1.36.5 and v1.37.2), asks nobody, and takes a tenth of a second. It works on workers too, whose kubelet gets the same files by init and by join.
"""

from __future__ import annotations

import functools
import os
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Callable, Mapping, NamedTuple, Sequence, TypedDict

from ansible_collections.quorum.kubeadm.plugins.module_utils import kubeadm_config
from ansible_collections.quorum.kubeadm.plugins.module_utils.command import Result, Runner, run
from ansible_collections.quorum.kubeadm.plugins.module_utils.kubeadm_config import Document
from ansible_collections.quorum.kubeadm.plugins.module_utils.kubeadm_run import KubeadmError, kubeadm
from ansible_collections.quorum.kubeadm.plugins.module_utils.machine import parse_version
from ansible_collections.quorum.kubeadm.plugins.module_utils.node_state import ETCD_MANIFEST, KUBERNETES, PKI

KUBELET = "var/lib/kubelet"
KUBELET_FILES = {name: f"{KUBELET}/{name}" for name in ("config.yaml", "instance-config.yaml", "kubeadm-flags.env")}
COMPONENTS = ("kube-apiserver", "kube-controller-manager", "kube-scheduler", "etcd")
MANIFESTS = {f"{component}.yaml": f"{KUBERNETES}/manifests/{component}.yaml" for component in COMPONENTS}
# By the parts of the ClusterConfiguration that can switch them off.
ADDONS = {"kube-proxy": "proxy", "coredns": "dns"}
DIRECTORY = "KUBEADM_INIT_DRYRUN_DIR"
# With these flags a member has found its cluster when it was added; kubeadm writes others on the first node than on those that join.
_BIRTH = re.compile(r"^\s*- --initial-cluster(-state|-token)?=.*\n", re.MULTILINE)
_FIRST_BIRTH = re.compile(r"^\s*- --initial-cluster=.*\n", re.MULTILINE)


class Patch(TypedDict):
    """A patch as kubeadm finds it: the name of its file says for what it is."""

    path: str
    content: str


class Described(NamedTuple):
    """A node as it is described: the fields of kubeadm's documents, and its patches."""

    cluster: Mapping[str, Any]
    init: Mapping[str, Any]
    kubelet: Mapping[str, Any]
    kube_proxy: Mapping[str, Any]
    patches: Sequence[Patch]
    control_plane: bool


_DOCUMENT = {"type": "dict", "default": {}}
_PATCH = {"path": {"type": "str", "required": True}, "content": {"type": "str", "required": True}}
# What modules take that let kubeadm write something anew, and what those of a node take as well: the documentation fragment `described`.
ARGUMENTS = {name: _DOCUMENT for name in ("cluster_configuration", "init_configuration", "kubelet_configuration", "kube_proxy_configuration")}
NODE_ARGUMENTS = {
    "patches": {"type": "list", "elements": "dict", "default": [], "options": _PATCH},
    "control_plane": {"type": "bool", "default": False},
}


def described(params: Mapping[str, Any]) -> Described:
    """Return what a module's parameters describe."""
    return Described(
        cluster=params["cluster_configuration"],
        init=params["init_configuration"],
        kubelet=params["kubelet_configuration"],
        kube_proxy=params["kube_proxy_configuration"],
        patches=params.get("patches") or [],
        control_plane=params.get("control_plane", True),
    )


class Shared(TypedDict):
    """What the cluster keeps for all nodes, as kubeadm would write it: two documents, and the manifests of the addons."""

    cluster: str
    kubelet: str
    addons: str


RunIn = Callable[[str], Runner]


def run_in(directory: str) -> Runner:
    """Return a runner of a kubeadm that writes into this directory."""
    return functools.partial(run, extra_environment={DIRECTORY: directory})


def own_version(runner: Runner) -> str:
    """Return the version of the kubeadm on this node, which writes no files of another minor version than its own and the one before."""
    result = runner(["kubeadm", "version", "--output", "short"])
    version = parse_version(result.stdout)
    if version is None:
        raise KubeadmError("kubeadm version", Result(result.rc or 1, result.stdout, result.stderr))
    return version


def documents(described: Described, version: str, patches: str | None) -> list[Document]:
    """Return the documents for kubeadm's phases of `init`, of a control plane or a worker; `patches` is the directory in which kubeadm finds them."""
    fields = {name: value for name, value in described.init.items() if name not in ("patches", "skipPhases")}
    registration = dict(fields.get("nodeRegistration") or {})
    taints = registration.get("taints") or []
    flags = list(registration.get("kubeletExtraArgs") or [])
    # A joining worker's kubelet registers its taints itself; those of a control plane are set by kubeadm (cmd/phases/join/kubelet.go).
    if taints and not described.control_plane and not any(flag["name"] == "register-with-taints" for flag in flags):
        flags.append({"name": "register-with-taints", "value": ",".join(map(taint_text, taints))})
    fields["nodeRegistration"] = {**registration, "kubeletExtraArgs": flags}
    return [
        kubeadm_config.init_configuration({**fields, **({"patches": {"directory": patches}} if patches else {})}),
        kubeadm_config.cluster_configuration({**described.cluster, "kubernetesVersion": f"v{version}"}),
        kubeadm_config.kubelet_configuration(described.kubelet),
        kubeadm_config.kube_proxy_configuration(described.kube_proxy),
    ]


def taint_text(taint: Mapping[str, Any]) -> str:
    """Return a taint as the kubelet's flag has it: `key=value:effect`, or `key:effect`."""
    value = f"={taint['value']}" if taint.get("value") else ""
    return f"{taint.get('key')}{value}:{taint.get('effect')}"


def keeping_birth(wanted: str, there: str | None) -> str:
    """Return etcd's manifest with the flags of a member's birth as they are on this node."""
    birth = "".join(found.group() for found in _BIRTH.finditer(there or ""))
    return _FIRST_BIRTH.sub(lambda _found: birth, wanted) if birth else wanted


def render(described: Described, version: str, work: Path, run_in: RunIn = run_in) -> dict[str, str]:
    """Return the files that kubeadm would write on this node: content by path, relative to the root directory.

    work: an empty directory that nobody else reads. Raises KubeadmError with kubeadm's own words, where it refuses the documents.
    """
    target, patches = work / "files", work / "patches"
    target.mkdir()
    patches.mkdir()
    for patch in described.patches:
        (patches / os.path.basename(patch["path"])).write_text(patch["content"], encoding="utf-8")
    given = documents(described, version, str(patches) if described.patches else None)
    # A worker has the CA without its key, which `init` takes for an external CA whose certificates are missing; of a directory with nothing in it, it
    # thinks nothing, and writes its name into the kubelet's configuration.
    nowhere = str(work / "pki")
    if not described.control_plane:
        given = [{**document, "certificatesDir": nowhere} if document["kind"] == "ClusterConfiguration" else document for document in given]
    phases = [["kubelet-start"], *([["control-plane", "all"], ["etcd", "local"]] if described.control_plane else [])]
    with ThreadPoolExecutor() as side_by_side:
        list(side_by_side.map(lambda phase: kubeadm(run_in(str(target)), ["init", "phase", *phase, "--dry-run"], given), phases))
    places = {**KUBELET_FILES, **(MANIFESTS if described.control_plane else {})}
    written = {place: text(target / name) for name, place in places.items()}
    return {place: content.replace(nowhere, f"/{PKI}") for place, content in written.items() if content is not None}


def render_shared(described: Described, version: str, work: Path, run_in: RunIn = run_in) -> Shared:
    """Return what kubeadm would keep in the cluster: it leaves its documents as they are, but for defaults and the order of fields.

    work: as for `render`. Raises KubeadmError.
    """
    target = work / "shared"
    target.mkdir()
    given = documents(described, version, None)
    runner = run_in(str(target))
    with ThreadPoolExecutor() as side_by_side:
        addons = [
            side_by_side.submit(kubeadm, runner, ["init", "phase", "addon", name, "--print-manifest"], given)
            for name, part in ADDONS.items()
            if not (described.cluster.get(part) or {}).get("disabled")
        ]
        kubelet = side_by_side.submit(kubeadm, runner, ["init", "phase", "kubelet-start", "--dry-run"], given)
        # Not --config, as everywhere else.
        defaults = side_by_side.submit(runner, ["kubeadm", "config", "migrate", "--old-config", "/dev/stdin"], kubeadm_config.render(given[:2]))
    kubelet.result()
    migrated = defaults.result()
    if migrated.rc != 0:
        raise KubeadmError("kubeadm config migrate", migrated)
    return Shared(
        cluster=next(document for document in migrated.stdout.split("---\n") if "kind: ClusterConfiguration\n" in document),
        kubelet=(target / "config.yaml").read_text(encoding="utf-8"),
        addons="".join(addon.result().stdout for addon in addons),
    )


def text(path: Path) -> str | None:
    """Return a file's text, None when there is no such file."""
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return None


class Difference(TypedDict):
    """A file that kubeadm would write otherwise; `there` is None where there is none."""

    path: str
    there: str | None
    wanted: str


def compare(rendered: Mapping[str, str], root: Path) -> list[Difference]:
    """Return the files below `root` that are not letter by letter what kubeadm would write."""
    differences = []
    for place, wanted in sorted(rendered.items()):
        there = text(root / place)
        wanted = keeping_birth(wanted, there) if place == ETCD_MANIFEST else wanted
        if there != wanted:
            differences.append(Difference(path=f"/{place}", there=there, wanted=wanted))
    return differences
