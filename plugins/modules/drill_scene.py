#!/usr/bin/python
# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the action plugin drill_scene, which does the work on the controller."""

from __future__ import annotations

DOCUMENTATION = r"""
module: drill_scene
short_description: Set the scene of one round of a drill
version_added: 0.1.0
author: Quorum contributors (@quorum)
description:
  - Says whether the proxies of a cluster are well enough to break something, whom the fault falls on, and who measures it from outside.
    Fails when they are not.
  - Works on the controller alone, without a connection to any host, and never changes anything.
extends_documentation_fragment: [quorum.kubeadm.drill, quorum.kubeadm.attributes.reads]
options:
  fault:
    required: true
  repeat:
    description: Which round of it this is.
    type: int
    default: 1
  looked:
    description: The results of M(quorum.kubeadm.proxy_info) in a loop over the proxies.
    type: list
    elements: dict
    required: true
  etcd_leader:
    description: The name of the node whose etcd leads.
    type: str
    default: ""
  nodes:
    description: The nodes by their names in the inventory, each with C(name) in the cluster and C(control_plane).
    type: dict
    required: true
  proxies:
    description: The proxies by their names in the inventory.
    type: list
    elements: str
    required: true
  probes:
    description: Who may measure. Empty for any host outside the fault.
    type: list
    elements: str
    default: []
  probe_count:
    description: How many measure when none are named.
    type: int
    default: 1
  commands:
    description: The user's commands by what they do, with C({host}) for the target.
    type: dict
    default: {}
"""

EXAMPLES = r"""
- name: Choose who is hit and who measures
  quorum.kubeadm.drill_scene:
    fault: haproxy_killed
    looked: "{{ looked.results }}"
    nodes: "{{ plan.nodes }}"
    proxies: "{{ plan.proxies.keys() }}"
  register: set
"""

RETURN = r"""
scene:
  description: The round before it begins.
  returned: always
  type: dict
  contains:
    problems:
      description: Why it may not begin.
      type: list
      elements: str
    active_router:
      description: Who has the address.
      type: str
    target:
      description: Whom the fault falls on.
      type: str
    targets:
      description: All of them, where several hosts are hit at the same time.
      type: list
      elements: str
    hold:
      description: Seconds for which it has to last to mean anything.
      type: float
    readyz:
      description: What the probes ask an API server for, beside an object.
      type: str
    probes:
      description: Who measures.
      type: list
      elements: str
    loses_host:
      description: Whether the target does not answer over SSH meanwhile.
      type: bool
    break_command:
      description: What the controller runs to break it; empty for the target's own means.
      type: list
      elements: str
    mend_command:
      description: What it runs to mend it.
      type: list
      elements: str
"""
