# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An upgrade: which versions a cluster passes through, which nodes still have what to do, and how each of them is brought on.

All of it is told by what is there: kubeadm-config, the images of the static pods, the kubelets. A run that was killed has left no other trace.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Literal, NamedTuple, TypedDict

from ansible_collections.quorum.kubeadm.plugins.plugin_utils.cluster_inputs import Problem, release

Mode = Literal["apply", "node"]

# A control plane's components whose image has Kubernetes' own version as its tag.
COMPONENTS = ("kube-apiserver", "kube-controller-manager", "kube-scheduler")
ETCD = "etcd"

# By the target's minor: a minor of etcd, and the oldest release of it that may be there. etcd 3.6 makes zombie members of those before 3.5.26
# (etcd#20967), and etcd 3.7 wants every member to be at least 3.6.11 (etcd's upgrade_3_7 guide); kubeadm looks at neither (kubeadm#3247).
OLDEST_ETCD: Mapping[int, Mapping[tuple[int, ...], tuple[int, ...]]] = {
    36: {(3, 5): (3, 5, 26)},
    37: {(3, 5): (3, 6, 11), (3, 6): (3, 6, 11)},
}
# DefaultEtcdVersion in cmd/kubeadm/app/constants/constants.go of v1.35.4, v1.36.3 to v1.36.5 and v1.37.2, by minor.
KUBEADM_ETCD: Mapping[int, str] = {35: "3.6.6-0", 36: "3.6.8-0", 37: "3.7.0-0"}


class NodeVersions(NamedTuple):
    """What of Kubernetes there is on a node; None where it could not be read."""

    host: str
    control_plane: bool
    kubelet: str | None
    """The program."""
    running: str | None
    """The kubelet that last spoke to the cluster."""
    components: Mapping[str, str]
    """Tags of the static pods' images by component, without `v`: `{"kube-apiserver": "1.36.4", "etcd": "3.6.11-0"}`."""

    def api_server(self) -> str | None:
        """The version of its API server; None on a worker."""
        return self.components.get(COMPONENTS[0])

    def behind(self, version: str) -> bool:
        """Whether anything on the node has still to be brought to this version."""
        return self.control_plane_behind(version) or self.kubelet_behind(version)

    def control_plane_behind(self, version: str) -> bool:
        """Whether its static pods have."""
        return self.control_plane and any(older(self.components.get(name), version) for name in COMPONENTS)

    def kubelet_behind(self, version: str) -> bool:
        """Whether its kubelet has, the program or the one that runs."""
        return older(self.kubelet, version) or older(self.running, version)


class Visit(TypedDict):
    """What an upgrade does on one node."""

    mode: Mode
    """How kubeadm is called there."""
    drain: bool


class Upgrade(TypedDict):
    """What an upgrade brings about next; `nodes` holds those that have something to do, and is empty where all is done."""

    there: str
    version: str
    further: list[str]
    """The versions of the path that come after this one."""
    own_etcd: bool
    """Whether kubeadm brings the etcd of the version: the user has written no tag of its image, or no longer."""
    nodes: dict[str, Visit]


def older(version: str | None, than: str) -> bool:
    """Whether a version is known, and lower than another; a text that is no version (a custom tag) is not."""
    there = release(version.partition("-")[0]) if version else None
    return there is not None and there < (release(than) or ())


def minor(version: str) -> int:
    """The second number of a version."""
    return (release(version) or (0, 0, 0))[1]


def etcd_release(text: str) -> tuple[int, ...] | None:
    """The version in a tag of etcd's image (`3.6.11-0`), or as a member tells it."""
    return release(text.removeprefix("v").partition("-")[0])


def path_problems(there: str, wanted: str, listed: Sequence[str]) -> list[Problem]:
    """What is wrong with the way from the control plane's version to the one that is wanted, by way of those that are listed."""
    subject = "cluster_upgrade_path" if listed else "cluster_kubernetes_version"
    if older(wanted, there):
        return [
            Problem(
                "cluster_kubernetes_version",
                f"is {wanted}, but the cluster has {there}, and Kubernetes has no way back to an older version",
                f"write {there} or a later version",
            )
        ]
    if listed and listed[-1] != wanted:
        return [Problem(subject, f"ends in {listed[-1]}, and cluster_kubernetes_version is {wanted}", "write a list that ends in that version")]
    for before, after in zip(listed, listed[1:]):
        if not older(before, after):
            return [Problem(subject, f"{after} follows {before}", "write the versions from the oldest to the newest")]
    steps = path(there, wanted, listed)
    for before, after in zip([there, *steps], steps):
        if minor(after) > minor(before) + 1:
            return [
                Problem(
                    subject,
                    f"from {before} to {after} a minor version would be skipped, which neither API servers nor kubeadm allow",
                    f"write cluster_upgrade_path: [{', '.join(_complete(there, steps))}], each N the newest patch release",
                )
            ]
    return []


def path(there: str, wanted: str, listed: Sequence[str]) -> list[str]:
    """The versions from the control plane's on, the one that is wanted last; the control plane's own is the first where nothing lower is listed."""
    return [version for version in (listed or [wanted]) if not older(version, there)]


def _complete(there: str, steps: Sequence[str]) -> list[str]:
    """The versions of a path, and a placeholder for each minor that it leaves out."""
    full: list[str] = []
    last = minor(there)
    for step in steps:
        full += [*(f"1.{number}.N" for number in range(last + 1, minor(step))), step]
        last = minor(step)
    return full


def control_plane_version(nodes: Iterable[NodeVersions], configured: str) -> str:
    """The version that the control plane has: kubeadm-config's, or an API server's that a killed `upgrade apply` has raised already."""
    servers = [server for node in nodes if (server := node.api_server()) and older(configured, server)]
    return max([configured, *servers], key=lambda version: release(version) or ())


def next_upgrade(nodes: Sequence[NodeVersions], configured: str, wanted: str, listed: Sequence[str], etcd_tag: str | None = None) -> Upgrade:
    """What is to be done next: the first version of the path that not every node has.

    nodes: in the order in which they are visited. etcd_tag: the tag of etcd's image in the user's ClusterConfiguration.
    """
    there = control_plane_version(nodes, configured)
    # The version that the control plane has comes first even where the list has it no longer: nodes that are behind it are brought on before anything else.
    versions = list(dict.fromkeys([there, *path(there, wanted, listed)]))
    version = next((one for one in versions if any(node.behind(one) for node in nodes)), versions[-1])
    behind = [node for node in nodes if node.behind(version)]
    # Until one control plane is done, `upgrade apply` may not have ended: it is repeated, and comes to nothing where it has.
    applied = any(node.control_plane and not node.behind(version) for node in nodes)
    first = next((node for node in behind if node.control_plane), None)
    return Upgrade(
        there=there,
        version=version,
        further=versions[versions.index(version) + 1 :],
        own_etcd=not etcd_tag,
        nodes={
            node.host: Visit(mode="apply" if node is first and not applied else "node", drain=_drained(node, version))
            for node in behind
        },
    )


def _drained(node: NodeVersions, version: str) -> bool:
    """A kubelet of another minor may start containers anew, and is supported on an empty node alone; one of another patch release leaves them."""
    kubelets = [kubelet for kubelet in (node.kubelet, node.running) if kubelet]
    return any(minor(kubelet) != minor(version) for kubelet in kubelets)


def etcd_problems(members: Mapping[str, str], versions: Sequence[str]) -> list[Problem]:
    """The members of etcd, by host with their versions, that stand in the way of one of these versions of Kubernetes, which follow each other."""
    for version in versions:
        floors = OLDEST_ETCD.get(minor(version), {})
        needed: dict[tuple[int, ...], dict[str, str]] = {}
        for host, text in members.items():
            there = etcd_release(text)
            floor = floors.get(there[:2]) if there else None
            if there and floor and there < floor:
                needed.setdefault(floor, {})[host] = text.partition("-")[0]
        if needed:
            return [_too_old(hosts, version, ".".join(map(str, floor))) for floor, hosts in needed.items()]
        # What kubeadm brings on the way, where that is newer.
        brought = KUBEADM_ETCD.get(minor(version), "")
        members = {host: brought if (etcd_release(text) or ()) < (etcd_release(brought) or ()) else text for host, text in members.items()}
    return []


def _too_old(hosts: Mapping[str, str], version: str, floor: str) -> Problem:
    return Problem(
        ", ".join(hosts),
        f"etcd {', '.join(dict.fromkeys(hosts.values()))} stands in the way of Kubernetes {version}, whose etcd wants every member to be {floor} or later",
        f"raise etcd first: write cluster_kubeadm_config: {{etcd: {{local: {{imageTag: {floor}-0}}}}}}, or a later tag, with the version that the cluster has, "
        "run `ansible-playbook quorum.kubeadm.reconfigure`, and take the tag out again when you raise the version",
    )


# MiB: the programs of a bundle or of the packages (unpacked beside the old ones), the images of a control plane and of a worker, and manifests.
# Measured of 1.37.2: programs 220, images unpacked 480 and 170; upstream's are a third larger.
PROGRAMS, IMAGES, WORKER_IMAGES, MANIFESTS = 300, 700, 300, 50


def room_mb(place: str, control_plane: bool, etcd_mb: int) -> int:
    """How much an upgrade may write in a place, MiB; kubeadm copies etcd's data below /etc/kubernetes (phases/upgrade/staticpods.go)."""
    return {
        "/usr/bin": PROGRAMS,
        "/var/lib/containerd": IMAGES if control_plane else WORKER_IMAGES,
        "/etc/kubernetes": MANIFESTS + (etcd_mb if control_plane else 0),
        "/var/lib/etcd": etcd_mb,
    }[place]


def is_mixed(nodes: Iterable[NodeVersions], configured: str) -> bool:
    """Whether an upgrade is under way: not everything has the version of kubeadm-config."""
    there = {configured}
    for node in nodes:
        there.update(version for version in (node.kubelet, node.running, *(node.components.get(name) for name in COMPONENTS)) if version)
    return len(there) > 1


def joining_version(control_plane: bool, nodes: Iterable[NodeVersions], configured: str) -> str:
    """The version that a node joins with: a control plane gets kubeadm-config's, a worker the oldest API server's, which its kubelet must not be ahead of."""
    servers = [server for node in nodes if (server := node.api_server()) and release(server)]
    return configured if control_plane or not servers else min(servers, key=lambda version: release(version) or ())
