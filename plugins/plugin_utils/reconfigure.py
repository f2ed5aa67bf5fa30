# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a reconfiguration has to do on each node, made of the differences between a cluster and its inventory."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping, Sequence
from typing import Any, TypedDict

from ansible_collections.quorum.kubeadm.plugins.plugin_utils.drift import SERVED_NAME, Difference, Drift

COMPONENTS = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubelet")
SHARED = ("kubeadm-config", "kubelet-config", "kube-proxy", "coredns")
# The kubelet's files have other names than it.
KUBELET_FILES = ("config", "instance-config", "kubeadm-flags")


class Work(TypedDict):
    """What is done on one node; the names are those of the modules' options."""

    components: list[str]
    certificate: bool
    labels: dict[str, str | None]
    taints: list[str]
    absent_taints: list[str]


class Reconfiguration(TypedDict):
    """What is done on all of them."""

    todo: list[str]
    """The hosts that are visited."""
    hosts: dict[str, Work]
    """The work on every host of the plan."""
    shared: list[str]
    """What the cluster keeps for all nodes and is to be written, as `kubeadm_upload` names it."""


def _component(subject: str) -> str:
    """The component whose file differs, by the first word of the difference; empty where it is no file, or one of others that it has not read."""
    if subject.endswith(" process"):
        return ""
    first = subject.partition(" ")[0]
    name = os.path.splitext(os.path.basename(first))[0] if first.startswith("/") else first
    return "kubelet" if name in KUBELET_FILES else name if name in COMPONENTS else ""


def work(differences: Sequence[Difference]) -> Work:
    """What is done on a node that has these differences."""
    labels: dict[str, str | None] = {}
    taints: dict[str, list[str]] = {"there": [], "wanted": []}
    components = {_component(one.subject) for one in differences}
    for one in differences:
        kind, _space, name = one.subject.partition(" ")
        if kind == "label":
            labels[name] = one.wanted.replace('""', "") if one.wanted else None
        elif kind == "taint":
            taints["wanted" if one.wanted else "there"].append(one.wanted or one.there)
    return Work(
        components=[component for component in COMPONENTS if component in components],
        certificate=any(one.subject == SERVED_NAME for one in differences),
        labels=labels,
        taints=taints["wanted"],
        absent_taints=taints["there"],
    )


def reconfiguration(drift: Drift, plan: Mapping[str, Any], rewritten: Collection[str]) -> Reconfiguration:
    """What is done in all.

    rewritten: the hosts on which files are to be written that components may read. What an earlier run has entered and not left, which the plan knows, is
    visited too: that run was cut short before it knew whether the node works.
    """
    ours = [one for one in drift.differences if one.procedure == "reconfigure"]
    shared = {one.subject.partition(" ")[0] for one in ours if not one.host}
    visited = {*(one.host for one in ours), *rewritten, *plan["todo"], *([plan["primary"]] if shared else [])}
    return Reconfiguration(
        todo=[host for host in plan["nodes"] if host in visited],
        hosts={host: work([one for one in ours if one.host == host]) for host in plan["nodes"]},
        shared=[part for part in SHARED if part in shared],
    )


def obstacles(drift: Drift) -> list[str]:
    """What has to be done before the settings of a cluster can be changed: while versions are mixed, its documents are the upgrade's."""
    mixed = [one for one in drift.differences if one.procedure == "upgrade" and one.subject != "containerd"]
    versions = [f"{one.host or 'the cluster'}: {one}; run `ansible-playbook quorum.kubeadm.upgrade` first" for one in mixed]
    return [*versions, *(f"{host} could not be compared: {why}" for host, why in drift.not_compared.items())]
