# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which visits of nodes have failed."""

from __future__ import annotations

DOCUMENTATION = r"""
name: failed_visits
short_description: Which visits of nodes did not end as they should
version_added: 0.2.0
author: Quorum contributors (@quorum)
description:
  - Of the nodes that a procedure visits, those whose visit has begun and failed, or was not seen to come to its end, each with the reason.
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
  ansible.builtin.include_tasks: maintenance/visit.yml
  when: walk.visits.nodes | quorum.kubeadm.failed_visits(hostvars) | length == 0
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


class FilterModule:
    """The filter's registration."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"failed_visits": failed_visits}
