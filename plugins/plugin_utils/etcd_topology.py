# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the etcd of a cluster can run: one row for each topology, and the only place that knows them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Callable, Sequence

from ansible_collections.quorum.kubeadm.plugins.plugin_utils.cluster_endpoint import Groups


@dataclass(frozen=True)
class EtcdTopology:
    """What sets one topology apart from the others."""

    meaning: str
    group: str
    """The inventory group whose hosts run the members."""
    members: Callable[[Groups], Sequence[str]]
    """The hosts on which a member runs."""
    beside_api_servers: bool
    """Whether each API server has a member of its own beside it. A proxy there can ask that one how it is (`ports.ETCD_METRICS`), a snapshot is taken
    on a control plane, with the certificates that kubeadm made there, and an upgrade of a control plane restarts its member too."""


ETCD_TOPOLOGIES: dict[str, EtcdTopology] = {
    "stacked": EtcdTopology(
        meaning="a member beside each API server, as a static pod made by kubeadm",
        group="control_planes",
        members=lambda groups: groups.control_planes,
        beside_api_servers=True,
    ),
}


def tolerated_failures(members: int) -> int:
    """How many members may fail while the others keep quorum: etcd needs more than half of them."""
    return (members - 1) // 2


def is_wasteful(members: int) -> bool:
    """Whether one member less would tolerate as many failures: so it is for each even number."""
    return tolerated_failures(members) == tolerated_failures(members - 1)
