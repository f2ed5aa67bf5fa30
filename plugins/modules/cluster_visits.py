#!/usr/bin/python
# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the action plugin cluster_visits, which does the work on the controller."""

from __future__ import annotations

DOCUMENTATION = r"""
module: cluster_visits
short_description: Say which nodes a procedure visits, and in which order
version_added: 0.2.0
author: Quorum contributors (@quorum)
description:
  - Brings the nodes that have something to be done into the order in which they are worked on, control planes first, etcd's leader second to last
    of them and the active router last, then workers, as many at the same time as the inputs say. Prints a line for each, with what it costs.
  - Where no node has anything to be done, that is one line.
  - Works on the controller alone, without a connection to any host, and never changes anything.
extends_documentation_fragment: quorum.kubeadm.attributes.reads
options:
  plan:
    description: The C(plan) that M(quorum.kubeadm.cluster_plan) returned.
    type: dict
    required: true
  procedure:
    description: The name of the procedure, as it is printed.
    type: str
    required: true
  todo:
    description: The hosts that have something to be done, in any order. The C(todo) of the plan where that knows it.
    type: list
    elements: str
    required: true
seealso:
  - module: quorum.kubeadm.cluster_plan
"""

EXAMPLES = r"""
- name: Say which nodes are visited
  quorum.kubeadm.cluster_visits:
    plan: "{{ planned.plan }}"
    procedure: reboot
    todo: "{{ planned.plan.todo }}"
  run_once: true
  register: walk
"""

RETURN = r"""
visits:
  description: The nodes that are visited, in this order, C(control_planes), C(workers), both as C(nodes), and how many workers C(at_once).
  returned: success
  type: dict
  sample: {control_planes: [cp1, cp3, cp2], workers: [w1, w2], nodes: [cp1, cp3, cp2, w1, w2], at_once: 1}
lines:
  description: The lines that are printed.
  returned: success
  type: list
  elements: str
"""
