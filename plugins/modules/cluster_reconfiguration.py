# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: cluster_reconfiguration
short_description: Determine what a reconfiguration has to do on each node
version_added: 0.2.0
author: Quorum contributors (@quorum)
description:
  - Compares a living cluster and its nodes with the plan, as M(quorum.kubeadm.cluster_drift) does, prints the differences, and returns for each node what
    has to be done there.
  - Fails where a node could not be compared, and while an upgrade is under way.
  - Works on the controller alone, without a connection to any host, and never changes anything.
extends_documentation_fragment:
  - quorum.kubeadm.attributes.reads
  - quorum.kubeadm.compared
options:
  written_variable:
    description: >-
      The variable in which each node has the registered result, in check mode, of the role P(quorum.kubeadm.control_plane_files#role). Hosts on which it
      would write a file are visited.
    type: str
    default: control_plane_files_written
"""

EXAMPLES = r"""
- name: Determine what is to be done
  quorum.kubeadm.cluster_reconfiguration:
    plan: "{{ planned.plan }}"
    cluster: "{{ living.cluster }}"
  run_once: true
  register: changes
"""

RETURN = r"""
todo:
  description: The hosts on which there is something to do, in the plan's order.
  returned: success
  type: list
  elements: str
  sample: [cp1, cp2, cp3]
hosts:
  description: >-
    What is to be done on each host of the plan - the C(components) whose files are written, whether the API server's C(certificate) is made anew, and
    C(labels), C(taints) and C(absent_taints).
  returned: success
  type: dict
shared:
  description: What the cluster keeps for all nodes and has to be written, as M(quorum.kubeadm.kubeadm_upload) names it.
  returned: success
  type: list
  elements: str
  sample: [kubeadm-config]
"""
