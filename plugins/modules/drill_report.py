#!/usr/bin/python
# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the action plugin drill_report, which does the work on the controller."""

from __future__ import annotations

DOCUMENTATION = r"""
module: drill_report
short_description: Report what a drill measured
version_added: 0.1.0
author: Quorum contributors (@quorum)
description:
  - Reads what M(quorum.kubeadm.drill_record) wrote, prints a table with the computed worst case beside the measured ones, and writes
    C(drill.json) for programs and C(drill.html) for people, which needs no other file.
  - Fails when a fault did not hold its budget.
  - Works on the controller alone, without a connection to any host.
extends_documentation_fragment:
  - quorum.kubeadm.attributes
attributes:
  check_mode:
    support: none
  diff_mode:
    support: none
  idempotent:
    support: none
options:
  directory:
    description: The directory that has C(rounds), and gets the report.
    type: path
    required: true
  configured:
    description: The results of M(quorum.kubeadm.drill_timings) in a loop over the proxies.
    type: list
    elements: dict
    default: []
  timings:
    description: The timings that are otherwise than configured, by the names of the class C(Timings) in the module_utils C(failover).
    type: dict
    default: {}
  budget:
    description: Seconds of outage that a fault may cost.
    type: float
    default: 1.0
  write_budget:
    description: Seconds for which nothing may be written after etcd's leader was lost.
    type: float
    default: 2.0
  cluster:
    description: What the report calls the cluster.
    type: str
    default: ""
"""

EXAMPLES = r"""
- name: Report
  quorum.kubeadm.drill_report:
    directory: drill
    cluster: api.example.org:16443
"""

RETURN = r"""
faults:
  description: A row for each fault.
  returned: always
  type: list
  elements: dict
report:
  description: The HTML file.
  returned: always
  type: str
"""
