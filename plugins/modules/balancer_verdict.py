#!/usr/bin/python
# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the action plugin balancer_verdict, which does the work on the controller."""

from __future__ import annotations

DOCUMENTATION = r"""
module: balancer_verdict
short_description: Say which backends a load balancer reaches
version_added: 0.1.0
author: Quorum contributors (@quorum)
description:
  - Takes what M(quorum.kubeadm.balancer_probe) and M(quorum.kubeadm.balancer_listener) told on all hosts, and prints one line for each backend.
  - Fails, or warns, when a backend is reached from nowhere, when something else answers, or when a host that is no backend gets no answer at all.
    The message lists what to check, the most likely cause first.
  - That a backend does not reach itself (hairpin) is told, and is no failure.
  - Works on the controller alone, without a connection to any host, and never changes anything.
extends_documentation_fragment: quorum.kubeadm.attributes.reads
attributes:
  check_mode:
    details: Without listeners, which check mode does not open, there is nothing to judge, and it says so.
options:
  name:
    description: The load balancer's name, for the lines.
    type: str
    required: true
  port:
    description: Its port.
    type: int
    default: 6443
  backends:
    description: Those that must be reached.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: The backend's name.
        type: str
        required: true
      address:
        description: Its IP address.
        type: str
        required: true
  backend_port:
    description: The port at which they listen.
    type: int
    default: 6443
  subject:
    description: What names the load balancer in the user's inventory, for the message.
    type: str
    required: true
  listening:
    description: Whether listeners answered, and not API servers.
    type: bool
    required: true
  needs_hairpin:
    description: Whether a backend that does not reach itself through the load balancer is a failure too.
    type: bool
    default: false
  on_failure:
    description: What a load balancer does that does not work.
    type: str
    choices: [fail, warn]
    default: fail
  hosts:
    description: The hosts that have results.
    type: list
    elements: str
    required: true
  opened_variable:
    description: The variable in which each backend has the registered result of opening its listener.
    type: str
    default: opened
  probed_variable:
    description: The variable in which each host has the registered result of M(quorum.kubeadm.balancer_probe).
    type: str
    default: probed
  closed_variable:
    description: The variable in which each backend has the registered result of closing its listener.
    type: str
    default: closed
seealso:
  - module: quorum.kubeadm.balancer_listener
  - module: quorum.kubeadm.balancer_probe
"""

EXAMPLES = r"""
- name: Judge the load balancer
  quorum.kubeadm.balancer_verdict:
    name: api.example.org
    backends:
      - {name: cp1, address: 192.0.2.11}
      - {name: cp2, address: 192.0.2.12}
    subject: cluster_endpoint_address and cluster_endpoint_port
    listening: true
    hosts: "{{ ansible_play_hosts }}"
  run_once: true
"""

RETURN = r"""
reached:
  description: Whether every backend is reached and nothing else answers; null when that is not known, as in check mode.
  returned: always
  type: bool
  sample: true
backends:
  description: What is known of each backend.
  returned: always
  type: list
  elements: dict
  contains:
    name:
      description: Its name.
      type: str
      sample: cp1
    address:
      description: Its IP address.
      type: str
      sample: 192.0.2.11
    reached:
      description: Whether it is reached through the load balancer; null when nobody could tell.
      type: bool
      sample: true
    reached_from:
      description: The others that reach it, backends by their names.
      type: list
      elements: str
      sample: [cp2, w1]
    hairpin:
      description: Whether it reaches itself, C(yes), C(no) or C(unknown).
      type: str
      sample: "no"
    checks:
      description: The addresses from which health checks came, and of what kind; null when there was no listener to see them.
      type: list
      elements: str
      sample: [192.0.2.10 (TCP)]
lines:
  description: What was printed.
  returned: always
  type: list
  elements: str
  sample: ["✓ cp1 (192.0.2.11:6443): reached from cp2, w1; hairpin no; health checks from 192.0.2.10 (TCP)"]
"""
