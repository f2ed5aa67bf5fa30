# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What differences make of work on each node."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.quorum.kubeadm.plugins.module_utils import reconfiguration as on_nodes, static_pods
from ansible_collections.quorum.kubeadm.plugins.modules import kubeadm_upload
from ansible_collections.quorum.kubeadm.plugins.plugin_utils.drift import SERVED_NAME, Difference, Drift
from ansible_collections.quorum.kubeadm.plugins.plugin_utils.reconfigure import COMPONENTS, SHARED, obstacles, reconfiguration, work

NOTHING: dict[str, Any] = {"components": [], "certificate": False, "labels": {}, "taints": [], "absent_taints": []}
PLAN = {"nodes": {host: {} for host in ("cp1", "cp2", "w1")}, "todo": [], "primary": "cp2"}


def difference(subject: str, host: str = "cp1", there: str = "a", wanted: str = "b", procedure: Any = "reconfigure") -> Difference:
    return Difference(subject, host, there, wanted, procedure)


@pytest.mark.parametrize(
    ("subject", "there", "wanted", "expected"),
    [
        ("kube-apiserver --audit-log-path", "", "/var/log/audit.log", {"components": ["kube-apiserver"]}),
        # kubeadm_reconfigure sees that itself, and the kubelet would not start it for a manifest that means the same.
        ("kube-apiserver process", "older than the files that it reads", "started anew", {}),
        ("kubelet maxPods", "110", "50", {"components": ["kubelet"]}),
        ("/etc/kubernetes/manifests/etcd.yaml", "", "a file of kubeadm's", {"components": ["etcd"]}),
        ("/var/lib/kubelet/instance-config.yaml", "", "a file of kubeadm's", {"components": ["kubelet"]}),
        (SERVED_NAME, "", "api2.lab.test", {"certificate": True}),
        ("label example.org/gpu", "", "true", {"labels": {"example.org/gpu": "true"}}),
        ("label example.org/gpu", "true", '""', {"labels": {"example.org/gpu": ""}}),
        ("label example.org/gpu", "true", "", {"labels": {"example.org/gpu": None}}),
        ("taint", "", "example.org/gpu:NoSchedule", {"taints": ["example.org/gpu:NoSchedule"]}),
        ("taint", "example.org/gpu=a:NoSchedule", "", {"absent_taints": ["example.org/gpu=a:NoSchedule"]}),
    ],
)
def test_each_difference_is_some_work(subject: str, there: str, wanted: str, expected: dict[str, Any]) -> None:
    assert work([difference(subject, there=there, wanted=wanted)]) == {**NOTHING, **expected}


def test_components_are_in_the_order_in_which_they_are_changed() -> None:
    differences = [difference(f"{component} x") for component in ("kubelet", "kube-scheduler", "etcd", "etcd")]
    assert work(differences)["components"] == ["etcd", "kube-scheduler", "kubelet"]
    assert COMPONENTS == (*static_pods.COMPONENTS, on_nodes.KUBELET)


def test_who_is_visited() -> None:
    drift = Drift([difference("kubelet maxPods", "w1"), difference("containerd", "cp1", procedure="upgrade")], {})
    made = reconfiguration(drift, PLAN, [])
    assert (made["todo"], made["shared"]) == (["w1"], [])
    assert made["hosts"] == {"cp1": NOTHING, "cp2": NOTHING, "w1": {**NOTHING, "components": ["kubelet"]}}
    assert reconfiguration(Drift([], {}), PLAN, ["cp1"])["todo"] == ["cp1"]
    # An earlier run has entered it and not left.
    assert reconfiguration(Drift([], {}), {**PLAN, "todo": ["w1"]}, [])["todo"] == ["w1"]
    assert reconfiguration(Drift([], {}), PLAN, [])["todo"] == []


def test_what_the_cluster_keeps_is_written_by_the_primary() -> None:
    subjects = ("kube-proxy mode", "kube-proxy image", "kubeadm-config apiServer.certSANs", "coredns image", "kubelet-config maxPods")
    made = reconfiguration(Drift([difference(subject, "") for subject in subjects], {}), PLAN, [])
    assert (made["todo"], made["shared"]) == (["cp2"], ["kubeadm-config", "kubelet-config", "kube-proxy", "coredns"])
    assert SHARED == tuple(kubeadm_upload.PHASES)


def test_what_is_in_the_way() -> None:
    drift = Drift(
        [difference("kubelet version", "w1", "1.36.5", "1.37.2", "upgrade"), difference("containerd", "w1", "2.2.0", "2.3.7", "upgrade")],
        {"cp1": "kubeadm init phase failed"},
    )
    assert obstacles(drift) == [
        "w1: kubelet version is 1.36.5; described: 1.37.2; run `ansible-playbook quorum.kubeadm.upgrade` first",
        "cp1 could not be compared: kubeadm init phase failed",
    ]
