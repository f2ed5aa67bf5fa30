# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which hosts have an API server that answers."""

from __future__ import annotations

DOCUMENTATION = r"""
name: serving
short_description: Which hosts have an API server that answers
version_added: 0.1.0
author: Quorum contributors (@quorum)
description:
  - Of some hosts those whose API server was ready when M(quorum.kubeadm.cluster_host_info) looked, in the order given.
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
  facts_variable:
    description: The variable that the result of M(quorum.kubeadm.cluster_host_info) was registered as.
    type: str
    default: found
  elsewhere:
    description: Results of M(quorum.kubeadm.cluster_host_info) for hosts beyond the play, from a loop over their names.
    type: list
    elements: dict
    default: []
"""

EXAMPLES = r"""
- name: Ask the living cluster
  quorum.kubeadm.cluster_info:
  delegate_to: "{{ ansible_play_hosts | quorum.kubeadm.serving(hostvars) | first }}"
  run_once: true
"""

RETURN = r"""
_value:
  description: The hosts whose API server answers.
  type: list
  elements: str
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any


def serving(
    hosts: Iterable[str], hostvars: Mapping[str, Mapping[str, Any]], facts_variable: str = "found", elsewhere: Iterable[Mapping[str, Any]] = ()
) -> list[str]:
    """The hosts of which the registered result of node_info says api_ready."""
    results = {host: hostvars[host].get(facts_variable, {}) for host in hosts} | {str(result["item"]): result for result in elsewhere}
    return [host for host, result in results.items() if result.get("node", {}).get("api_ready", False)]


class FilterModule:
    """The filter's registration."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"serving": serving}
