#!/usr/bin/python
# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the action plugin procedure_report, which does the work on the controller."""

from __future__ import annotations

DOCUMENTATION = r"""
module: procedure_report
short_description: Print what a procedure cost those who used the cluster meanwhile
version_added: 0.2.0
author: Quorum contributors (@quorum)
description:
  - Divides what clients recorded, while nodes were worked on one after the other, among the visits of these nodes. Prints a table with a row for each
    visit, and the totals in one sentence.
  - Nodes that were visited at the same time, a batch of workers, have one row.
  - A visit is told by facts of its host, C(visit_began) and C(visit_ended), in seconds since the epoch by the controller's clock, and C(visit_failed), why
    it did not end as it should. A host without C(visit_began) was not visited.
  - Works on the controller alone, without a connection to any host.
extends_documentation_fragment: quorum.kubeadm.attributes.reads
attributes:
  check_mode:
    description: Can run in check_mode and return changed status prediction without modifying the target.
    support: full
    details: Prints nothing in check mode, in which nothing was worked on.
options:
  visited:
    description: The hosts that were to be visited, by their names in the inventory.
    type: list
    elements: str
    required: true
  clients:
    description: The hosts that were to measure. One of which nothing is known is warned of.
    type: list
    elements: str
    default: []
  measured:
    description: >-
      The results of M(quorum.kubeadm.drill_probe) with O(quorum.kubeadm.drill_probe#module:state=absent) in a loop over the clients. The role
      P(quorum.kubeadm.measured#role) registers them. Without any, the table has durations alone.
    type: list
    elements: dict
    default: []
"""

EXAMPLES = r"""
- name: Say what it cost
  quorum.kubeadm.procedure_report:
    visited: [cp2, cp3, cp1, w1, w2, w3]
    clients: [w1, w3]
    measured: "{{ measured_records.results }}"
  register: report

- name: Require that nobody noticed
  ansible.builtin.assert:
    that: report.cost.total.lost_twice == 0 and report.cost.lost_writes == 0
"""

RETURN = r"""
lines:
  description: What was printed, the totals last.
  returned: success
  type: list
  elements: str
msg:
  description: The totals in one sentence.
  returned: success
  type: str
  sample: >-
    0 requests failed twice, 2 once, of 4821; no acknowledged write is lost of 1928; writes paused for 0.74 s at most, a watch stalled for 0.12 s at most;
    seen from w1 and w3.
cost:
  description: The figures. Durations are seconds, those of the client that saw the worst; counts are those of all clients.
  returned: success
  type: dict
  contains:
    visits:
      description: >-
        Each visit with its C(hosts), how long it C(took), why it C(failed) (empty where it did not), C(requests), how many of them were C(lost) and
        C(lost_twice), the C(slowest), how long C(writes_paused), for how long an acknowledged write was there before a C(watch_stalled) no longer, and
        C(service_requests), C(service_lost) and C(service_lost_twice), the same of a Service.
      type: list
      elements: dict
    total:
      description: The same for the whole procedure.
      type: dict
    writes:
      description: How many writes were acknowledged.
      type: int
    lost_writes:
      description: How many of them were not there at the end.
      type: int
    clients:
      description: The hosts that measured.
      type: list
      elements: str
    silent:
      description: The hosts that were to measure, and did not.
      type: list
      elements: str
    doubts:
      description: What speaks against the figures.
      type: list
      elements: str
"""
