# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What can be done to a cluster: one row for each procedure, and the only place that knows them.

A procedure is a playbook that begins with `playbooks/look.yml` and names its row there.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from ansible_collections.quorum.kubeadm.plugins.plugin_utils.cluster_inputs import Problem

Aspect = Literal[
    "description", "reached", "machines", "one cluster", "building", "serving", "existing", "unchanged", "walking", "upgrading", "certificates"
]
"""What a check is about: whether the inventory describes a cluster that can be; whether every host of the run answers; whether machines can become
nodes; whether the hosts belong to one cluster; whether the inventory's cluster can be made of what is there; whether an API server of a cluster that is
there is ready; whether there is one; whether what can never change of it is as it was; whether its
nodes can be worked on one after the other; whether nothing stands in the way of its next version; and whether its certificates can be renewed."""

# The variable by which a playbook tells look.yml its procedure.
CHOSEN_BY = "procedure"


@dataclass(frozen=True)
class Procedure:
    """What sets one procedure apart from the others."""

    name: str
    playbook: str
    """How the user starts it."""
    aspects: frozenset[Aspect]
    """What is checked, and refused, before it begins."""
    needs_hosts: bool = True
    """Whether it works on the hosts of the run; one that tells of hosts takes those that do not answer for what they are."""
    gives_steps: bool = False
    """Whether hosts initialise or join; then the plan is printed."""
    walks: bool = False
    """Whether it works on one node after the other, each inside the role node_maintenance, and nobody else does meanwhile."""
    drains: bool = False
    """Whether it moves the pods of a node away before it works on it."""
    words: tuple[str, ...] = ()
    """The variables, beside the inputs, that the user can say with `-e` (or in the inventory)."""


DRILL_WORDS = (
    "drill_confirm drill_timings drill_faults drill_repeats drill_write_budget drill_lead drill_hold drill_quiet drill_tail drill_recovery drill_probes "
    "drill_probe_count drill_rate drill_output drill_power_off_command drill_power_on_command drill_freeze_command drill_thaw_command "
    "drill_cut_off_command drill_reconnect_command drill_pull_cable_command drill_plug_cable_command drill_reboot_command drill_boot_command "
    "drill_block_vrrp_command drill_pass_vrrp_command"
)

# What is checked before nodes of a living cluster are worked on, and the word by which the user says that the run that holds the Lease is dead.
WALKS: frozenset[Aspect] = frozenset({"description", "reached", "one cluster", "serving", "existing", "unchanged", "walking"})
TAKEOVER = "procedure_takeover"
# Words that are switched on or off, as Ansible understands them.
SWITCHED_WORDS = (TAKEOVER, "reboot_all", "reboot_update", "renew_all")
# Words that are whole numbers.
NUMBER_WORDS = ("etcd_defragment_above",)
YES, NO = (True, "yes", "true"), (False, "no", "false", "")

SITE = Procedure(
    name="site",
    playbook="quorum.kubeadm.site",
    aspects=frozenset({"description", "reached", "machines", "one cluster", "building", "serving", "unchanged"}),
    gives_steps=True,
)
VERIFY = Procedure(
    name="verify",
    playbook="quorum.kubeadm.verify",
    aspects=frozenset({"description", "one cluster", "unchanged"}),
    needs_hosts=False,
    words=("verify_image",),
)
DRILL = Procedure(
    name="drill",
    playbook="quorum.kubeadm.drill",
    aspects=frozenset({"description", "reached", "one cluster", "serving", "existing"}),
    # The inputs of the role that the playbook leaves to the user.
    words=tuple(DRILL_WORDS.split()),
)
REBOOT = Procedure(
    name="reboot",
    playbook="quorum.kubeadm.reboot",
    aspects=WALKS,
    walks=True,
    drains=True,
    words=(TAKEOVER, "reboot_all", "reboot_update", "reboot_command", "reboot_boot_id_command", "reboot_timeout"),
)
ETCD_DEFRAGMENT = Procedure(
    name="etcd_defragment",
    playbook="quorum.kubeadm.etcd_defragment",
    aspects=WALKS,
    walks=True,
    words=(TAKEOVER, "etcd_defragment_above"),
)
UPGRADE = Procedure(
    name="upgrade",
    playbook="quorum.kubeadm.upgrade",
    aspects=WALKS | {"machines", "upgrading"},
    walks=True,
    drains=True,
    words=(TAKEOVER,),
)
RECONFIGURE = Procedure(name="reconfigure", playbook="quorum.kubeadm.reconfigure", aspects=WALKS | {"building"}, walks=True, words=(TAKEOVER,))
RENEW_CERTIFICATES = Procedure(
    name="renew_certificates",
    playbook="quorum.kubeadm.renew_certificates",
    # It helps where no API server serves because of its certificates.
    aspects=WALKS - {"serving"} | {"certificates"},
    walks=True,
    words=(TAKEOVER, "renew_all"),
)
GUIDE = Procedure(name="guide", playbook="lab/guide.yml", aspects=DRILL.aspects)

PROCEDURES = {row.name: row for row in (SITE, VERIFY, DRILL, REBOOT, ETCD_DEFRAGMENT, UPGRADE, RECONFIGURE, RENEW_CERTIFICATES, GUIDE)}


def _owners(word: str) -> list[Procedure]:
    """The procedures that a word is meant for, also one that they do not know: `drill_rates` is meant for `drill`."""
    return [row for row in PROCEDURES.values() if word in row.words or (row.words and word.startswith(f"{row.name}_"))]


def refused_words(procedure: Procedure, said: Iterable[str]) -> Iterator[Problem]:
    """What is wrong with the names of variables that were said with `-e`; names that are no procedure's are the user's own."""
    for word in sorted(said):
        owners = _owners(word)
        if word == CHOSEN_BY:
            yield Problem(f"-e {word}", "a playbook says itself which procedure it is", "start the playbook of the one that you want")
        elif word in procedure.words or not owners:
            continue
        elif procedure in owners:
            nearest = difflib.get_close_matches(word, procedure.words, n=1, cutoff=0.75)
            yield Problem(
                f"-e {word}", f"{procedure.name} knows no such word", f"did you mean {nearest[0]}?" if nearest else f"write one of {', '.join(procedure.words)}"
            )
        else:
            yield Problem(
                f"-e {word}",
                f"means nothing to {procedure.name}, it belongs to {owners[0].name}",
                f"leave it out, or run `ansible-playbook {owners[0].playbook}`",
            )
