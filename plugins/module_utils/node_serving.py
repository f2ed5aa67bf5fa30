# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a node that was worked on serves again."""

from __future__ import annotations

from typing import Any, Callable, Iterable, Mapping, Sequence

from ansible_collections.quorum.kubeadm.plugins.module_utils.cluster_state import parse_node
from ansible_collections.quorum.kubeadm.plugins.module_utils.etcd import Ask, EtcdError, Member

# Entries of etcd's log that a member may be behind the one that is furthest: some are always on their way.
LAG = 100


def node_problems(node: Mapping[str, Any], static_pods: Iterable[Mapping[str, Any]], version: str) -> list[str]:
    """Say what is wrong with a node by its own object and its static pods."""
    parsed = parse_node(node)
    problems = [] if parsed["ready"] else [f"{parsed['name']} is not Ready"]
    if version and parsed["version"] != version:
        problems.append(f"its kubelet reports {parsed['version']}, not {version}")
    for pod in static_pods:
        conditions = pod.get("status", {}).get("conditions", [])
        if not any(one["type"] == "Ready" and one["status"] == "True" for one in conditions):
            problems.append(f"{pod['metadata']['name']} is not ready")
    return problems


def behind(ask: Ask, members: Sequence[Member], name: str, with_health: Callable[[Ask, Iterable[Member]], list[Member]]) -> list[str]:
    """Say whether the member of this name is not yet what it was: a healthy voter that has what the others have."""
    own = next((member for member in with_health(ask, members) if member["name"] == name), None)
    if own is None:
        return [f"etcd has no member {name}"]
    if not own["healthy"] or own["learner"]:
        return [f"etcd's member {name} is {'a learner' if own['learner'] else 'not healthy'}"]
    applied: dict[str, int] = {}
    for member in members:
        for url in member["client_urls"][:1]:
            try:
                applied[member["name"]] = int(ask(url.rstrip("/") + "/v3/maintenance/status", {}).get("raftAppliedIndex", 0))
            except EtcdError:
                continue
    lag = max(applied.values(), default=0) - applied.get(name, 0)
    return [f"etcd's member {name} is {lag} entries behind"] if lag > LAG else []
