#!/usr/bin/python
# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the action plugin fetch_kubeconfig, which does the work on the controller."""

from __future__ import annotations

DOCUMENTATION = r"""
module: fetch_kubeconfig
short_description: Copy the administrator's kubeconfig to the controller
version_added: 0.2.0
author: Quorum contributors (@quorum)
description:
  - Reads the file on the host and writes it on the controller, mode 0600 from its first byte on. Nothing of its content is returned or shown.
extends_documentation_fragment: quorum.kubeadm.attributes.changes
options:
  src:
    description: The kubeconfig on the host.
    type: path
    default: /etc/kubernetes/admin.conf
  dest:
    description: The file on the controller. Its directory is made when it is missing.
    type: path
    required: true
  server:
    description: The host and port under which the controller reaches an API server. Empty - what kubeadm wrote, the endpoint.
    type: str
    default: ""
"""

EXAMPLES = r"""
- name: Fetch the kubeconfig
  quorum.kubeadm.fetch_kubeconfig:
    dest: ~/.kube/production
  become: true
"""

RETURN = r"""
dest:
  description: The file on the controller.
  returned: success
  type: str
  sample: /home/admin/.kube/production
"""
