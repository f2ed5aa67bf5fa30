#!/usr/bin/python
# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the action plugin cluster_verdict, which does the work on the controller."""

from __future__ import annotations

DOCUMENTATION = r"""
module: cluster_verdict
short_description: Say of a cluster what is right and what is wrong
version_added: 0.1.0
author: Quorum contributors (@quorum)
description:
  - Takes the plan and what was found on the hosts, in the cluster and by pods, and prints one line for each thing that has to be true.
    A line that is not names what is wrong and where to look. Fails when there is such a line.
  - Works on the controller alone, without a connection to any host, and never changes anything.
extends_documentation_fragment:
  - quorum.kubeadm.attributes.reads
  - quorum.kubeadm.compared
attributes:
  check_mode:
    details: What was not gathered in check mode is shown as not checked.
options:
  pods:
    description: The result of M(quorum.kubeadm.pod_probe). Without C(pods) in it, the probe was not run.
    type: dict
    default: {}
  balancer:
    description: What M(quorum.kubeadm.balancer_verdict) returned, where a load balancer stands before the API servers.
    type: dict
    default: {}
  proxy_variable:
    description: The variable in which each proxy has the registered result of M(quorum.kubeadm.proxy_info).
    type: str
    default: proxy
  endpoint_variable:
    description: The variable in which hosts have the registered result of M(quorum.kubeadm.tls_probe) of the endpoint.
    type: str
    default: endpoint
seealso:
  - module: quorum.kubeadm.cluster_plan
  - module: quorum.kubeadm.cluster_info
  - module: quorum.kubeadm.pod_probe
"""

EXAMPLES = r"""
- name: Judge the cluster
  quorum.kubeadm.cluster_verdict:
    plan: "{{ plan.plan }}"
    cluster: "{{ cluster.cluster }}"
    pods: "{{ pods }}"
  run_once: true
"""

RETURN = r"""
checks:
  description: Every check, also when one failed.
  returned: always
  type: list
  elements: dict
  contains:
    name:
      description: What has to be true.
      type: str
      sample: etcd has a voter on every control plane
    passed:
      description: Whether it is; None when it could not be checked.
      type: bool
    warning:
      description: Whether it is true, but not for long.
      type: bool
    detail:
      description: What was seen, or what is wrong and where to look.
      type: str
      sample: 3 voters, no learner, all healthy
"""
