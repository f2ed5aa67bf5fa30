# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a cluster is well enough to break something in it: what its API and its etcd say."""

from __future__ import annotations

from typing import Any, Iterable, Mapping, Sequence

from ansible_collections.quorum.kubeadm.plugins.module_utils.cluster_state import parse_node
from ansible_collections.quorum.kubeadm.plugins.module_utils.etcd import Ask, EtcdError, Member, list_members, with_health
from ansible_collections.quorum.kubeadm.plugins.module_utils.ports import ETCD_CLIENTS

LOCAL = [f"https://127.0.0.1:{ETCD_CLIENTS}"]


def node_problems(nodes: Iterable[Mapping[str, Any]], expected: Sequence[str]) -> list[str]:
    """The expected nodes that are not there or not Ready."""
    ready = {node["name"]: node["ready"] for node in map(parse_node, nodes)}
    return [f"{name} {'is not Ready' if name in ready else 'is no node'}" for name in expected if not ready.get(name)]


def member_problems(members: Sequence[Member], voters: int) -> list[str]:
    """What is wrong with etcd's members."""
    there = [member for member in members if not member["learner"]]
    problems = [] if len(there) == voters else [f"etcd has {len(there)} voters in place of {voters}"]
    return problems + [f"etcd's member {member['name'] or member['id']} is not healthy" for member in members if not member["healthy"]]


def leader_of(members: Sequence[Member], status: Mapping[str, Any]) -> str:
    """The leader's name by the answer to C(maintenance/status); empty while there is none."""
    leader = format(int(status.get("leader", 0)), "x")
    return next((member["name"] for member in members if member["id"] == leader), "")


def look_at_etcd(ask: Ask, voters: int) -> tuple[list[str], str]:
    """What is wrong with etcd, and who leads it."""
    try:
        members = with_health(ask, list_members(ask, LOCAL))
        leader = leader_of(members, ask(f"{LOCAL[0]}/v3/maintenance/status", {}))
    except EtcdError as error:
        return [f"etcd does not answer: {error}"], ""
    problems = member_problems(members, voters)
    return problems if leader or problems else ["etcd has no leader"], leader
