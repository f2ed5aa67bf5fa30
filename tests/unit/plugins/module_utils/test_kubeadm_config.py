# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""kubeadm's configuration documents: their structure, and kubeadm's own opinion of them."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.quorum.kubeadm.plugins.module_utils import kubeadm_config as config

TREE = Path(__file__).parents[4]
PIN = "sha256:" + "b" * 64
KEY = "a" * 64
TOKEN = "abcdef.0123456789abcdef"

REGISTRATION = config.Registration(
    "cp1",
    ["198.18.64.11", "2001:db8::11"],
    "unix:///run/containerd/containerd.sock",
    [{"name": "v", "value": "2"}],
    ["Swap", "SystemVerification"],
)
CLUSTER = config.Cluster(
    kubernetes_version="1.37.2",
    endpoint="api.lab.test:16443",
    name="lab",
    dns_domain="cluster.local",
    pod_subnets=["10.244.0.0/16", "2001:db8:1::/56"],
    service_subnets=["10.96.0.0/12", "2001:db8:2::/112"],
    cert_sans=["api.lab.test", "198.18.64.10"],
    image_repository="registry.example.com/k8s",
    api_server_extra_args=[{"name": "audit-log-maxage", "value": "30"}],
    controller_manager_extra_args=[{"name": "bind-address", "value": "0.0.0.0"}],
    scheduler_extra_args=[{"name": "bind-address", "value": "0.0.0.0"}],
    etcd_extra_args=[{"name": "election-timeout", "value": "2000"}],
    shutdown_delay="5s",
)
BARE = config.Cluster("v1.37.2", "api.lab.test:6443")


def test_init_configuration() -> None:
    document = config.init_configuration(REGISTRATION, "198.18.64.11", 6443, KEY, timeouts={"kubeletHealthCheck": "2m0s"})
    assert document == {
        "apiVersion": "kubeadm.k8s.io/v1beta4",
        "kind": "InitConfiguration",
        "bootstrapTokens": [{"description": "quorum.kubeadm: join, revoked afterwards", "ttl": "1h0m0s"}],
        "certificateKey": KEY,
        "localAPIEndpoint": {"advertiseAddress": "198.18.64.11", "bindPort": 6443},
        "nodeRegistration": {
            "name": "cp1",
            "criSocket": "unix:///run/containerd/containerd.sock",
            "kubeletExtraArgs": [{"name": "node-ip", "value": "198.18.64.11,2001:db8::11"}, {"name": "v", "value": "2"}],
            "ignorePreflightErrors": ["Swap", "SystemVerification"],
            "imagePullPolicy": "IfNotPresent",
        },
        "timeouts": {"kubeletHealthCheck": "2m0s"},
    }


def test_what_is_not_set_is_left_to_kubeadm() -> None:
    document = config.init_configuration(config.Registration(), "", None)
    assert sorted(document) == ["apiVersion", "bootstrapTokens", "kind", "nodeRegistration"]
    assert document["nodeRegistration"] == {"imagePullPolicy": "IfNotPresent"}
    assert config.cluster_configuration(BARE) == {
        "apiVersion": "kubeadm.k8s.io/v1beta4",
        "kind": "ClusterConfiguration",
        "kubernetesVersion": "v1.37.2",
        "controlPlaneEndpoint": "api.lab.test:6443",
    }


def test_cluster_configuration() -> None:
    assert config.cluster_configuration(CLUSTER) == {
        "apiVersion": "kubeadm.k8s.io/v1beta4",
        "kind": "ClusterConfiguration",
        "kubernetesVersion": "v1.37.2",
        "clusterName": "lab",
        "controlPlaneEndpoint": "api.lab.test:16443",
        "imageRepository": "registry.example.com/k8s",
        "networking": {
            "dnsDomain": "cluster.local",
            "podSubnet": "10.244.0.0/16,2001:db8:1::/56",
            "serviceSubnet": "10.96.0.0/12,2001:db8:2::/112",
        },
        "apiServer": {
            "certSANs": ["api.lab.test", "198.18.64.10"],
            "extraArgs": [{"name": "shutdown-delay-duration", "value": "5s"}, {"name": "audit-log-maxage", "value": "30"}],
        },
        "controllerManager": {"extraArgs": [{"name": "bind-address", "value": "0.0.0.0"}]},
        "scheduler": {"extraArgs": [{"name": "bind-address", "value": "0.0.0.0"}]},
        "etcd": {"local": {"dataDir": "/var/lib/etcd", "extraArgs": [{"name": "election-timeout", "value": "2000"}]}},
    }


def test_join_configuration_of_a_worker() -> None:
    assert config.join_configuration(config.Registration("w1"), "api.lab.test:16443", TOKEN, [PIN]) == {
        "apiVersion": "kubeadm.k8s.io/v1beta4",
        "kind": "JoinConfiguration",
        "discovery": {"bootstrapToken": {"apiServerEndpoint": "api.lab.test:16443", "token": TOKEN, "caCertHashes": [PIN]}},
        "nodeRegistration": {"name": "w1", "imagePullPolicy": "IfNotPresent"},
    }


def test_join_configuration_of_a_control_plane() -> None:
    document = config.join_configuration(REGISTRATION, "api.lab.test:16443", TOKEN, [PIN], True, KEY, "198.18.64.12", 6443, {"etcdAPICall": "5m0s"})
    assert document["controlPlane"] == {"certificateKey": KEY, "localAPIEndpoint": {"advertiseAddress": "198.18.64.12", "bindPort": 6443}}
    assert document["timeouts"] == {"etcdAPICall": "5m0s"}


def test_control_plane_without_settings_of_its_own_stays_one() -> None:
    assert config.join_configuration(REGISTRATION, "api.lab.test:16443", TOKEN, [PIN], control_plane=True)["controlPlane"] == {}


def test_false_and_zero_are_settings() -> None:
    assert config.without_empty({"a": False, "b": 0, "c": None, "d": "", "e": [], "f": {"g": None}, "h": ("x",)}) == {"a": False, "b": 0, "h": ["x"]}


def test_component_settings_are_passed_through() -> None:
    assert config.kubelet_configuration({"failSwapOn": False})["failSwapOn"] is False
    assert config.kube_proxy_configuration({"conntrack": {"maxPerCore": 0}})["conntrack"] == {"maxPerCore": 0}


def kubeadm_binary() -> str:
    for directory in (os.environ.get("QUORUM_BUNDLE", ""), str(TREE / "lab" / ".state" / "bundle")):
        binary = Path(directory) / "bin" / "kubeadm"
        if directory and binary.exists():
            return str(binary)
    pytest.skip("no kubeadm: make a bundle (make demo), or name one in QUORUM_BUNDLE")


ACCEPTED: dict[str, list[dict[str, Any]]] = {
    "init": [
        config.init_configuration(REGISTRATION, "198.18.64.11", 6443, KEY, timeouts={"kubeletHealthCheck": "2m0s"}),
        config.cluster_configuration(CLUSTER),
        config.kubelet_configuration({"failCgroupV1": False, "evictionHard": {"imagefs.available": "0%"}}),
        config.kube_proxy_configuration({"conntrack": {"maxPerCore": 0}}),
    ],
    "bare init": [
        config.init_configuration(config.Registration(), None, None),
        config.cluster_configuration(BARE),
        config.kubelet_configuration({}),
        config.kube_proxy_configuration({}),
    ],
    "control plane": [
        config.join_configuration(REGISTRATION, "api.lab.test:16443", TOKEN, [PIN], True, KEY, "198.18.64.12", 6443, {"etcdAPICall": "5m0s"})
    ],
    "bare control plane": [config.join_configuration(config.Registration(), "api.lab.test:16443", TOKEN, [PIN], True)],
    "worker": [config.join_configuration(config.Registration("w1"), "[2001:db8::1]:6443", TOKEN, [PIN, PIN])],
    "reset": [config.reset_configuration("unix:///run/containerd/containerd.sock", "/etc/kubernetes/nowhere", ["remove-etcd-member"])],
}


@pytest.mark.parametrize("case", ACCEPTED)
def test_kubeadm_accepts(case: str) -> None:
    done = subprocess.run(
        [kubeadm_binary(), "config", "validate", "--config", "/dev/stdin"],
        input=config.render(ACCEPTED[case]),
        capture_output=True,
        text=True,
        check=False,
    )
    # kubeadm warns of fields that it does not know instead of refusing them.
    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, "ok", ""), done.stderr


def test_documents_are_separate_json() -> None:
    text = config.render(ACCEPTED["init"])
    parts = [part for part in text.split("---\n") if part]
    assert [json.loads(part)["kind"] for part in parts] == ["InitConfiguration", "ClusterConfiguration", "KubeletConfiguration", "KubeProxyConfiguration"]
