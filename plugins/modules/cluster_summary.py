#!/usr/bin/python
# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the action plugin cluster_summary, which does the work on the controller."""

from __future__ import annotations

DOCUMENTATION = r"""
module: cluster_summary
short_description: Say at the end of a run what was done
version_added: 0.2.0
author: Quorum contributors (@quorum)
description:
  - Prints which hosts initialised the cluster or joined it, where the kubeconfig is, and the command that verifies the cluster. Where no host had to
    join, and in check mode, that is one line.
  - Prints also where a living cluster is not what the inventory describes, as M(quorum.kubeadm.cluster_drift) does.
  - Belongs at the end of a run in which all that was planned has succeeded.
  - Works on the controller alone, without a connection to any host, and never changes anything.
extends_documentation_fragment:
  - quorum.kubeadm.attributes.reads
  - quorum.kubeadm.compared
seealso:
  - module: quorum.kubeadm.cluster_plan
  - module: quorum.kubeadm.cluster_drift
"""

EXAMPLES = r"""
- name: Say what was done
  quorum.kubeadm.cluster_summary:
    plan: "{{ planned.plan }}"
  run_once: true
"""

RETURN = r"""
summary:
  description: The lines that are printed.
  returned: always
  type: list
  elements: str
  sample: ["Done: the cluster kubernetes (Kubernetes 1.37.2) is as the inventory says; no host had to join."]
"""
