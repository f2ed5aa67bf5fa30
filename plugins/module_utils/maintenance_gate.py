# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a cluster goes on without one of its nodes."""

from __future__ import annotations

from typing import Iterable, Mapping, NamedTuple, Sequence

from ansible_collections.quorum.kubeadm.plugins.module_utils.cluster_state import Node
from ansible_collections.quorum.kubeadm.plugins.module_utils.etcd import Member


class Verdict(NamedTuple):
    """What stands in the way, and how it is with etcd without the node, in one sentence."""

    problems: list[str]
    quorum: str


def majority(voters: int) -> int:
    """How many of so many voters etcd needs."""
    return voters // 2 + 1


def api_server_problems(not_ready: Mapping[str, str | None]) -> list[str]:
    """The control planes whose API server is not ready, each with the reason."""
    return [f"the API server of {name} is not ready: {reason}" for name, reason in not_ready.items() if reason]


def etcd_verdict(members: Sequence[Member], without: str) -> Verdict:
    """Judge etcd without the member of that name, or with all of them where it has none of that name.

    An etcd of one or two members loses its quorum with either: that is no reason to leave such a cluster alone for ever, so it is said, and not refused.
    """
    names = {member["id"]: member["name"] or member["id"] for member in members}
    others = [member for member in members if member["name"] != without]
    problems = [f"etcd's member {names[member['id']]} is not healthy" for member in others if not member["healthy"]]
    problems += [f"etcd's member {names[member['id']]} is still a learner" for member in others if member["learner"]]
    problems += [f"etcd's member {names[member['id']]} has the alarm {alarm}" for member in members for alarm in member["alarms"]]
    voters = [member for member in members if not member["learner"]]
    left = [member for member in voters if member["healthy"] and member["name"] != without]
    needed = majority(len(voters))
    said = f"etcd has {len(left)} healthy of {len(voters)} voters without {without}, and needs {needed}"
    if len(left) == len(voters):
        said = f"etcd has all of its {len(voters)} voters"
    elif len(left) < needed and len(voters) > 2:
        problems.append(said)
    elif len(left) < needed:
        said += ": the cluster does not answer while it is worked on"
    return Verdict(problems, said)


def others_serve(nodes: Iterable[Node], without: str) -> list[Node]:
    """The control planes that have to serve while a node is worked on: all others, or the node itself where there is no other."""
    return [node for node in nodes if node["control_plane"] and node["name"] != without]
