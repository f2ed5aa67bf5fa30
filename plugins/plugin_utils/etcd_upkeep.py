# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which members of etcd are defragmented."""

from __future__ import annotations

from ansible_collections.quorum.kubeadm.plugins.plugin_utils.cluster_model import Situation

ABOVE = "etcd_defragment_above"
# MiB. A member is away for seconds, so it has to be worth it.
DEFAULT_ABOVE = 100
MEBIBYTE = 2**20


def above(situation: Situation) -> int:
    """How many MiB a member has to have to give back; checked by check_words."""
    return int(situation.request.words.get(ABOVE, DEFAULT_ABOVE))


def gives_back(situation: Situation) -> dict[str, int]:
    """How many MiB of its database each member does not use, by host, where it answers."""
    living = situation.request.cluster
    told = {member["name"]: member for member in (living["etcd_members"] if living else [])}
    members = {host.host: told[host.name] for host in situation.etcd_members if host.name in told}
    return {
        host: (size - in_use) // MEBIBYTE
        for host, member in members.items()
        for size, in_use in [(member["db_size"], member["db_in_use"])]
        if size is not None and in_use is not None
    }


def todo(situation: Situation) -> list[str]:
    """The control planes of this run whose member has more to give back than is asked for."""
    return [host for host, size in gives_back(situation).items() if size > above(situation) and situation.hosts[host].in_run]
