# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What modules take that let kubeadm write something anew: the documents and patches of a node as they are described."""

from __future__ import annotations


class ModuleDocFragment:
    """The documents alone, and those of a node."""

    DOCUMENTATION = r"""
options:
  cluster_configuration:
    description: Fields of kubeadm's ClusterConfiguration (v1beta4).
    type: dict
    default: {}
  init_configuration:
    description:
      - Fields of kubeadm's InitConfiguration (v1beta4) for this node, C(nodeRegistration) and C(localAPIEndpoint). C(skipPhases) does not count.
    type: dict
    default: {}
  kubelet_configuration:
    description: Fields of the KubeletConfiguration that all nodes of the cluster share.
    type: dict
    default: {}
  kube_proxy_configuration:
    description: Fields of the KubeProxyConfiguration.
    type: dict
    default: {}
"""

    NODE = r"""
options:
  patches:
    description: The patches of this node, whether they are there yet or not.
    type: list
    elements: dict
    default: []
    suboptions:
      path:
        description: The path of the file; its name says what it patches.
        type: str
        required: true
      content:
        description: What is in it.
        type: str
        required: true
  control_plane:
    description: Whether the node is a control plane.
    type: bool
    default: false
"""
