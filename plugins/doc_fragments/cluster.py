# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options of the modules that ask a cluster's API server."""

from __future__ import annotations


class ModuleDocFragment:
    """For modules that run on a control plane and use kubectl there."""

    KUBECONFIG = r"""
options:
  kubeconfig:
    description: Path of the administrator's kubeconfig on the host.
    type: path
    default: /etc/kubernetes/admin.conf
"""
