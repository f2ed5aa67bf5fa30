#!/usr/bin/python
# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the action plugin cluster_drift, which does the work on the controller."""

from __future__ import annotations

DOCUMENTATION = r"""
module: cluster_drift
short_description: Say where a cluster is not what the inventory describes
version_added: 0.2.0
author: Quorum contributors (@quorum)
description:
  - Compares a living cluster and its nodes with the plan, and prints each difference below the playbook that brings it about. Prints nothing where there
    is none.
  - What the next run of C(quorum.kubeadm.site) applies by itself is no difference.
  - Works on the controller alone, without a connection to any host, and never changes anything.
extends_documentation_fragment:
  - quorum.kubeadm.attributes.reads
  - quorum.kubeadm.compared
seealso:
  - module: quorum.kubeadm.cluster_plan
  - module: quorum.kubeadm.kubeadm_files
"""

EXAMPLES = r"""
- name: Say what is to be done
  quorum.kubeadm.cluster_drift:
    plan: "{{ planned.plan }}"
    cluster: "{{ living.cluster }}"
  run_once: true
  register: drift
"""

RETURN = r"""
differences:
  description: What is not as it is described.
  returned: success
  type: list
  elements: dict
  contains:
    subject:
      description: What differs - a component and its flag or field, a label, a taint, a name in a certificate, a version.
      type: str
      sample: kube-apiserver --audit-log-path
    host:
      description: The host, empty for what the cluster keeps for all nodes.
      type: str
    there:
      description: What is there, empty for nothing.
      type: str
    wanted:
      description: What is described, empty for nothing.
      type: str
    procedure:
      description: What brings it about, V(upgrade) or V(reconfigure).
      type: str
hosts:
  description: The hosts that each procedure has to work on. What the cluster keeps for all nodes is in RV(differences) alone.
  returned: success
  type: dict
  sample: {upgrade: [], reconfigure: [cp1, cp2, cp3]}
not_compared:
  description: Why hosts that belong to the cluster could not be compared, by host.
  returned: success
  type: dict
  sample: {}
"""
