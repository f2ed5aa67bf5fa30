# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a person reads at the end of a run: what was done, where the kubeconfig is, and how to go on."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

PLAYBOOK = "quorum.kubeadm.verify"


def aligned(rows: Iterable[tuple[Sequence[str], str]]) -> list[str]:
    """Rows of subjects and what is said of them, as indented lines with two columns; of no subject nothing is said."""
    told = [(", ".join(subjects), said) for subjects, said in rows if subjects]
    width = max(len(subject) for subject, _said in told)
    return [f"  {subject:<{width}}  {said}" for subject, said in told]


def verify_command(typed: str, inventories: Sequence[str], collection: str, here: str) -> str:
    """The command that verifies what a run has built.

    typed: the playbook as the user wrote it, a file or the name of one in a collection. inventories: those that the user gave, absolute or not paths at
    all (`cp1,`). collection: where this collection lies. here: the working directory.
    """
    is_ours = os.path.isfile(os.path.join(here, typed)) and os.path.realpath(os.path.join(here, typed)).startswith(os.path.join(collection, ""))
    playbook = os.path.relpath(os.path.join(collection, "playbooks", "verify.yml"), here) if is_ours else PLAYBOOK
    near = [path if not os.path.isabs(path) else min(path, os.path.relpath(path, here), key=len) for path in inventories]
    return shlex.join(["ansible-playbook", playbook, *(word for path in near for word in ("-i", path))])


def summary(plan: Mapping[str, Any], check_mode: bool, verify: str, is_as_described: bool = True) -> list[str]:
    """The lines for a run of `site` that has come to its end, so that what was planned is done; one alone where no host had anything to do.

    plan: what `cluster_plan` returned. verify: the command that verifies the cluster. is_as_described: whether no other procedure has anything to bring about.
    """
    inputs = plan["inputs"]
    cluster = f"the cluster {inputs['name']} (Kubernetes {inputs['kubernetes_version']})"
    if check_mode:
        return ["Checked: nothing was changed. The plan says which hosts would join, and the tasks what else would change."]
    if not plan["initialise"] and not plan["joining"]:
        return [f"Done: {cluster} is as the inventory says; no host had to join." if is_as_described else f"Done: no host had to join {cluster}."]
    control_planes, workers = plan["joining_control_planes"], plan["joining_workers"]
    serving = [host for host, node in plan["nodes"].items() if node["control_plane"]]
    rows = [
        ([plan["primary"]] if plan["initialise"] else [], "initialised the cluster"),
        (control_planes, "joined as a control plane" if len(control_planes) == 1 else "joined as control planes"),
        (workers, "joined as a worker" if len(workers) == 1 else "joined as workers"),
    ]
    kubeconfig = inputs["fetch_kubeconfig_to"] or f"/root/.kube/config on {', '.join(serving)}; set cluster_fetch_kubeconfig_to for a copy here"
    heading = f"{cluster} is built" if plan["initialise"] else f"{cluster} has grown"
    ready = "; its nodes are NotReady until you bring up a pod network" if inputs["pod_network"] == "none" else ", and every node of this run is Ready"
    return [
        f"Done: {heading}{ready}.",
        *aligned([*rows, (["kubeconfig"], kubeconfig), (["verify it by"], verify)]),
    ]
