# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How many workers are visited at the same time."""

from __future__ import annotations

DOCUMENTATION = r"""
name: visited_at_once
short_description: How many workers a procedure visits at the same time
version_added: 0.2.0
author: Quorum contributors (@quorum)
description:
  - For the C(serial) of a play, which sees no variable of a host by itself.
options:
  _input:
    description: The variables of all hosts, O(ignore:hostvars). Those of the run have what M(quorum.kubeadm.cluster_visits) returned as C(walk).
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Reboot workers
  hosts: "{{ groups.visited_workers | default([]) }}"
  serial: "{{ hostvars | default({}) | quorum.kubeadm.visited_at_once }}"
"""

RETURN = r"""
_value:
  description: The number; 1 where nobody is visited.
  type: int
"""

from collections.abc import Callable, Mapping
from typing import Any


def visited_at_once(hostvars: Mapping[str, Mapping[str, Any]]) -> int:
    """How many workers are visited at the same time, by what `playbooks/begin.yml` registered."""
    walks = (hostvars[host].get("walk") for host in hostvars)
    return next((int(walk["visits"]["at_once"]) for walk in walks if walk), 1)


class FilterModule:
    """The filter's registration."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"visited_at_once": visited_at_once}
