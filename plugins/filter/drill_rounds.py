# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rounds of a drill."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ansible.errors import AnsibleFilterError

from ansible_collections.quorum.kubeadm.plugins.plugin_utils.drill_scene import UnknownFault, rounds_of

DOCUMENTATION = r"""
name: drill_rounds
short_description: The rounds of a drill
version_added: 0.2.0
author: Quorum contributors (@quorum)
description:
  - Each fault once, and then all of them again. Fails when it does not know one of them.
options:
  _input:
    description: What to break, in this order. Empty for every fault there is.
    type: list
    elements: str
    required: true
  repeats:
    description: How many rounds of each.
    type: int
    default: 1
"""

EXAMPLES = r"""
- name: Break every fault three times
  ansible.builtin.include_tasks: round.yml
  loop: "{{ [] | quorum.kubeadm.drill_rounds(repeats=3) }}"
"""

RETURN = r"""
_value:
  description: By round, its number and the fault.
  type: list
  elements: list
  sample: [[1, haproxy_killed], [1, haproxy_hung], [2, haproxy_killed], [2, haproxy_hung]]
"""


def drill_rounds(faults: Sequence[str], repeats: int = 1) -> list[tuple[int, str]]:
    """The rounds, each with its number and its fault."""
    try:
        return rounds_of(faults, int(repeats))
    except UnknownFault as error:
        raise AnsibleFilterError(str(error)) from error


class FilterModule:
    """The filter's registration."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"drill_rounds": drill_rounds}
