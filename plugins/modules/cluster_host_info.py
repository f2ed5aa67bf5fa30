#!/usr/bin/python
# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the action plugin cluster_host_info, which sends module node_info to the host."""

from __future__ import annotations

DOCUMENTATION = r"""
module: cluster_host_info
short_description: Tell what a host of the cluster is, as far as a plan has to know
version_added: 0.2.0
author: Quorum contributors (@quorum)
description:
  - Runs M(quorum.kubeadm.node_info) on the host, and tells it what to look at by the inputs of the cluster, C(cluster_*) - what the endpoint's
    name means there, and which containerd the distribution has.
  - An input that is wrong counts as not set here. M(quorum.kubeadm.cluster_plan) refuses it, together with all others.
extends_documentation_fragment: quorum.kubeadm.attributes.reads
options: {}
seealso:
  - module: quorum.kubeadm.node_info
  - module: quorum.kubeadm.cluster_plan
"""

EXAMPLES = r"""
- name: See what each host is
  quorum.kubeadm.cluster_host_info:
  register: found
"""

RETURN = r"""
node:
  description: What M(quorum.kubeadm.node_info) returns.
  returned: success
  type: dict
"""
