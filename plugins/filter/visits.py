# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How visits of nodes have ended."""

from __future__ import annotations

DOCUMENTATION = r"""
name: failed_visits
short_description: Which visits of nodes did not end as they should
version_added: 0.2.0
author: Quorum contributors (@quorum)
description:
  - Of the nodes that a procedure visits, those whose visit has begun and failed, or was not seen to end, each with the reason, a line for each.
  - A visit leaves the facts C(visit_began), C(visit_stage), C(visit_failed) and C(visit_ended).
options:
  _input:
    description: Names of hosts.
    type: list
    elements: str
    required: true
  hostvars:
    description: The variables of all hosts, O(ignore:hostvars).
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Visit the next node only when all is well
  ansible.builtin.include_tasks: visit.yml
  when: visited | quorum.kubeadm.failed_visits(hostvars) | length == 0
"""

RETURN = r"""
_value:
  description: A line for each of them.
  type: list
  elements: str
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ansible_collections.quorum.kubeadm.plugins.plugin_utils.visits import failures


def failed_visits(hosts: Sequence[str], hostvars: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """A line for each visit that has failed."""
    return [f"{host}: {why}" for host, why in failures(hosts, hostvars).items()]


def standing(hosts: Sequence[str], hostvars: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """The hosts whose visit did not fail; all of them, where none is left, for something to be asked."""
    return [host for host in hosts if host not in failures(hosts, hostvars)] or list(hosts)


def visited_at_once(hostvars: Mapping[str, Mapping[str, Any]]) -> int:
    """How many workers are visited at the same time, by what `playbooks/begin.yml` registered; one before that."""
    walks = (hostvars[host].get("walk") for host in hostvars)
    return next((int(walk["visits"]["at_once"]) for walk in walks if walk), 1)


class FilterModule:
    """The filters' registration."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"failed_visits": failed_visits, "standing": standing, "visited_at_once": visited_at_once}
