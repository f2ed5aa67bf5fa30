# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which nodes are as they were, or better."""

from __future__ import annotations

DOCUMENTATION = r"""
name: standing
short_description: Which nodes stand after a procedure
version_added: 0.2.0
author: Quorum contributors (@quorum)
description:
  - Of some hosts those of which no visit has failed (see P(quorum.kubeadm.failed_visits#filter)), in the order given, for something to be asked. All of
    them where none is left.
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
- name: Let go of the Lease
  quorum.kubeadm.procedure_lease:
    state: free
    run: "{{ plan.lease.run }}"
    procedure: reboot
  delegate_to: "{{ plan.order.control_planes | quorum.kubeadm.standing(hostvars) | first }}"
"""

RETURN = r"""
_value:
  description: The hosts.
  type: list
  elements: str
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ansible_collections.quorum.kubeadm.plugins.plugin_utils.visits import failures


def standing(hosts: Sequence[str], hostvars: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """The hosts of which no visit has failed; all of them, where none is left."""
    failed = failures(hosts, hostvars)
    return [host for host in hosts if host not in failed] or list(hosts)


class FilterModule:
    """The filter's registration."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"standing": standing}
