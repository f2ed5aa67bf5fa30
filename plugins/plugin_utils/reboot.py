# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which nodes are rebooted."""

from __future__ import annotations

from ansible_collections.quorum.kubeadm.plugins.plugin_utils.cluster_model import Situation
from ansible_collections.quorum.kubeadm.plugins.module_utils.node_state import MEMBER_STATES


def todo(situation: Situation) -> list[str]:
    """The nodes of the run that ask for a reboot; all of them where the user says so, and where updates are installed, after which any may ask."""
    every = situation.said("reboot_all") or situation.said("reboot_update")
    members = [host for host in situation.nodes if host.in_run and host.state in MEMBER_STATES]
    return [host.host for host in members if every or (host.found and host.found["reboot_required"])]
