#!/usr/bin/python
# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the action plugin drill_record, which does the work on the controller."""

from __future__ import annotations

DOCUMENTATION = r"""
module: drill_record
short_description: Keep what a round of a drill recorded, and say what it cost
version_added: 0.1.0
author: Quorum contributors (@quorum)
description:
  - Writes one file, JSON, and prints one line for each probe.
  - Works on the controller alone, without a connection to any host.
extends_documentation_fragment: quorum.kubeadm.drill
attributes:
  check_mode:
    description: Can run in check_mode and return changed status prediction without modifying the target.
    support: none
  diff_mode:
    description: Will return details on what has changed (or possibly needs changing in check_mode), when in diff mode.
    support: none
  idempotent:
    description: When run twice in a row outside check mode, with the same arguments, the second invocation indicates no change.
    support: none
options:
  path:
    description: The file.
    type: path
    required: true
  fault:
    required: true
  repeat:
    description: Which round of it this is.
    type: int
    default: 1
  scene:
    description: The C(scene) that M(quorum.kubeadm.drill_scene) returned.
    type: dict
    required: true
  events:
    description: The C(events) that M(quorum.kubeadm.drill_fault) returned.
    type: list
    elements: list
    default: []
  measured:
    description: The results of M(quorum.kubeadm.drill_probe) with O(quorum.kubeadm.drill_probe#module:state=absent) in a loop over the probes.
    type: list
    elements: dict
    required: true
  problem:
    description: What went wrong in the round beside what was measured.
    type: str
    default: ""
"""

EXAMPLES = r"""
- name: Keep what was measured
  quorum.kubeadm.drill_record:
    path: drill/rounds/haproxy_killed-01.json
    fault: haproxy_killed
    scene: "{{ set.scene }}"
    events: "{{ broken.events }}"
    measured: "{{ measured.results }}"
"""

RETURN = r"""
figures:
  description: What the round cost, by probe. C(docs/failover.md) says what each means.
  returned: success
  type: dict
"""
