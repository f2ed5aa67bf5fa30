# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is said at the end of a run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ansible_collections.quorum.kubeadm.plugins.plugin_utils.cluster_summary import summary, verify_command

COMMAND = "ansible-playbook quorum.kubeadm.verify -i inventory"


def plan(**differs: Any) -> dict[str, Any]:
    inputs = {"name": "kubernetes", "kubernetes_version": "1.37.2", "fetch_kubeconfig_to": "", "pod_network": "calico", **differs.pop("inputs", {})}
    nodes = {host: {"control_plane": host.startswith("cp")} for host in ("cp1", "cp2", "cp3", "w1", "w2")}
    made = {
        "inputs": inputs,
        "primary": "cp1",
        "initialise": False,
        "nodes": nodes,
        "joining_control_planes": [],
        "joining_workers": [],
        **differs,
    }
    return {**made, "joining": made["joining_control_planes"] + made["joining_workers"]}


BUILT = plan(initialise=True, joining_control_planes=["cp2", "cp3"], joining_workers=["w1", "w2"])


def test_a_cluster_that_was_built() -> None:
    assert summary(BUILT, False, COMMAND) == [
        "Done: the cluster kubernetes (Kubernetes 1.37.2) is built, and every node of this run is Ready.",
        "  cp1           initialised the cluster",
        "  cp2, cp3      joined as control planes",
        "  w1, w2        joined as workers",
        "  kubeconfig    /root/.kube/config on cp1, cp2, cp3; set cluster_fetch_kubeconfig_to for a copy here",
        "  verify it by  ansible-playbook quorum.kubeadm.verify -i inventory",
    ]


def test_a_cluster_that_has_grown() -> None:
    grown = plan(joining_control_planes=["cp3"], joining_workers=["w2"], inputs={"fetch_kubeconfig_to": "/home/me/kubeconfig", "pod_network": "none"})
    assert summary(grown, False, COMMAND)[:4] == [
        "Done: the cluster kubernetes (Kubernetes 1.37.2) has grown; its nodes are NotReady until you bring up a pod network.",
        "  cp3           joined as a control plane",
        "  w2            joined as a worker",
        "  kubeconfig    /home/me/kubeconfig",
    ]


def test_where_no_host_had_to_join_it_is_one_line() -> None:
    assert summary(plan(), False, COMMAND) == ["Done: the cluster kubernetes (Kubernetes 1.37.2) is as the inventory says; no host had to join."]


def test_a_check_claims_nothing() -> None:
    (line,) = summary(BUILT, True, COMMAND)
    assert line.startswith("Checked: nothing was changed.")


@pytest.fixture(name="collection")
def fixture_collection(tmp_path: Path) -> Path:
    collection = tmp_path.resolve() / "kubeadm"
    (collection / "playbooks").mkdir(parents=True)
    for path in ("site.yml", "playbooks/site.yml"):
        (collection / path).touch()
    (collection.parent / "mine.yml").touch()
    return collection


@pytest.mark.parametrize(
    ("typed", "here", "playbook"),
    [
        ("site.yml", "kubeadm", "playbooks/verify.yml"),
        ("playbooks/site.yml", "kubeadm", "playbooks/verify.yml"),
        ("kubeadm/site.yml", ".", "kubeadm/playbooks/verify.yml"),
        ("quorum.kubeadm.site", ".", "quorum.kubeadm.verify"),
        ("quorum.kubeadm.site", "kubeadm", "quorum.kubeadm.verify"),
        ("mine.yml", ".", "quorum.kubeadm.verify"),
        ("", ".", "quorum.kubeadm.verify"),
    ],
)
def test_the_verification_is_started_like_the_run(collection: Path, typed: str, here: str, playbook: str) -> None:
    directory = str((collection.parent / here).resolve())
    assert verify_command(typed, [], str(collection), directory) == f"ansible-playbook {playbook}"


def test_inventories_are_named_as_short_as_can_be(collection: Path) -> None:
    here = str(collection)
    given = [f"{here}/inventories/my own", "/etc/ours", "cp1,"]
    assert verify_command("site.yml", given, here, here) == "ansible-playbook playbooks/verify.yml -i 'inventories/my own' -i /etc/ours -i cp1,"
