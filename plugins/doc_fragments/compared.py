# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What actions take that compare a living cluster with the plan."""

from __future__ import annotations


class ModuleDocFragment:
    """The options of `plugin_utils/drift_action.py`."""

    DOCUMENTATION = r"""
options:
  plan:
    description: The C(plan) that M(quorum.kubeadm.cluster_plan) returned.
    type: dict
    required: true
  cluster:
    description: The C(cluster) that M(quorum.kubeadm.cluster_info) returned, when a control plane could be asked.
    type: dict
    default: {}
  found_variable:
    description: The variable in which each host has the registered result of M(quorum.kubeadm.node_info).
    type: str
    default: found
  files_variable:
    description: The variable in which each node has the registered result of M(quorum.kubeadm.kubeadm_files).
    type: str
    default: kubeadm_files
"""
