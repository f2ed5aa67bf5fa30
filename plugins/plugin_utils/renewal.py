# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which nodes get new certificates, and which are out of the cluster for having none that is valid."""

from __future__ import annotations

from ansible_collections.quorum.kubeadm.plugins.module_utils.node_certificates import KUBELET_CLIENT, KUBELET_SERVER, RENEWED_BY_KUBEADM, is_due
from ansible_collections.quorum.kubeadm.plugins.module_utils.node_state import MEMBER_STATES
from ansible_collections.quorum.kubeadm.plugins.plugin_utils.cluster_model import Host, Situation
from ansible_collections.quorum.kubeadm.plugins.plugin_utils.visits import Order

# What kubeadm_certificates renews in time; a kubelet's client certificate is renewed by the kubelet itself, as long as it is valid.
RENEWED = (*RENEWED_BY_KUBEADM, KUBELET_SERVER)


def _members(situation: Situation) -> list[Host]:
    return [host for host in situation.nodes if host.in_run and host.found and host.state in MEMBER_STATES]


def expired(situation: Situation) -> Order:
    """The nodes of the run that nobody is served by any more, since their certificates have expired: they need not be taken out of service.

    A control plane whose API server is ready is none of them, whatever has expired there, and a worker only when its kubelet cannot reach the cluster.
    """
    now = situation.request.now
    silent = [host for host in _members(situation) if host.expired(now) and not (host.found and host.found["api_ready"])]
    return Order(
        control_planes=[host.host for host in silent if host.state == "control_plane"],
        workers=[host.host for host in silent if host.state == "worker" and KUBELET_CLIENT in host.expired(now)],
    )


def todo(situation: Situation) -> list[str]:
    """The other nodes on which a certificate is due or a component has not read its new one; all of them where the user says so.

    None where no API server serves: then all is done at once, since there is nobody to go on serving.
    """
    if not situation.course.serving:
        return []
    away, now, every = expired(situation), situation.request.now, situation.said("renew_all")
    return [
        host.host
        for host in _members(situation)
        if host.found
        and host.host not in (*away["control_planes"], *away["workers"])
        and (
            every
            or host.found["outdated_components"]
            or any(is_due(one, now) for one in host.found["certificates"] if one["name"] in RENEWED)
            or (host.control_plane and KUBELET_CLIENT in host.expired(now))
        )
    ]
