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
from ansible_collections.quorum.kubeadm.plugins.module_utils.kubeadm_output import JoinFacts

TREE = Path(__file__).parents[4]
PIN = "sha256:" + "b" * 64
KEY = "a" * 64
TOKEN = "abcdef.0123456789abcdef"

CREDENTIALS = JoinFacts(endpoint="api.lab.test:16443", token=TOKEN, ca_cert_hashes=[PIN], certificate_key=KEY, control_plane=True)
NODE: dict[str, Any] = {
    "name": "cp1",
    "kubeletExtraArgs": [{"name": "node-ip", "value": "198.18.64.11,2001:db8::11"}],
    "ignorePreflightErrors": ["Swap"],
    "taints": [],
}
ENDPOINT: dict[str, Any] = {"localAPIEndpoint": {"advertiseAddress": "198.18.64.11", "bindPort": 6443}}
CLUSTER = {"kubernetesVersion": "v1.37.2", "controlPlaneEndpoint": "api.lab.test:16443", "networking": {"podSubnet": "10.244.0.0/16,2001:db8:1::/56"}}
OURS: dict[str, Any] = {"criSocket": "unix:///run/containerd/containerd.sock", "imagePullPolicy": "IfNotPresent"}


def test_init_configuration() -> None:
    document = config.init_configuration({"nodeRegistration": NODE, **ENDPOINT, "timeouts": {"kubeletHealthCheck": "2m0s"}}, KEY)
    assert document == {
        "apiVersion": "kubeadm.k8s.io/v1beta4",
        "kind": "InitConfiguration",
        "bootstrapTokens": [{"description": "quorum.kubeadm: join, revoked afterwards", "ttl": "1h0m0s"}],
        "certificateKey": KEY,
        **ENDPOINT,
        "nodeRegistration": {**NODE, **OURS},
        "timeouts": {"kubeletHealthCheck": "2m0s"},
    }


def test_what_is_not_said_is_left_to_kubeadm() -> None:
    document = config.init_configuration({})
    assert sorted(document) == ["apiVersion", "bootstrapTokens", "kind", "nodeRegistration"]
    assert document["nodeRegistration"] == OURS
    assert config.cluster_configuration({"kubernetesVersion": "v1.37.2"}) == {
        "apiVersion": "kubeadm.k8s.io/v1beta4",
        "kind": "ClusterConfiguration",
        "kubernetesVersion": "v1.37.2",
    }


def test_our_defaults_give_way() -> None:
    fields = {"nodeRegistration": {"imagePullPolicy": "Always"}, "timeouts": {"etcdAPICall": "1m0s", "discovery": "2m0s"}}
    assert config.init_configuration(fields)["nodeRegistration"] == {**OURS, "imagePullPolicy": "Always"}
    joins = config.join_configuration(fields, CREDENTIALS, control_plane=True)
    assert joins["nodeRegistration"]["imagePullPolicy"] == "Always" and joins["timeouts"] == {"etcdAPICall": "1m0s", "discovery": "2m0s"}


def test_the_kind_is_not_the_callers() -> None:
    assert config.cluster_configuration({"kind": "InitConfiguration", "apiVersion": "kubeadm.k8s.io/v1beta3"}) == config.cluster_configuration({})


def test_join_configuration_of_a_worker() -> None:
    assert config.join_configuration({"nodeRegistration": {"name": "w1"}}, CREDENTIALS) == {
        "apiVersion": "kubeadm.k8s.io/v1beta4",
        "kind": "JoinConfiguration",
        "discovery": {"bootstrapToken": {"apiServerEndpoint": "api.lab.test:16443", "token": TOKEN, "caCertHashes": [PIN]}},
        "nodeRegistration": {"name": "w1", **OURS},
    }


def test_join_configuration_of_a_control_plane() -> None:
    document = config.join_configuration({"controlPlane": ENDPOINT}, CREDENTIALS, control_plane=True)
    assert document["controlPlane"] == {"certificateKey": KEY, **ENDPOINT}
    assert document["timeouts"] == {"etcdAPICall": "5m0s"}
    assert config.join_configuration({}, CREDENTIALS, control_plane=True)["controlPlane"] == {"certificateKey": KEY}


@pytest.mark.parametrize("fields", [{}, {"controlPlane": None}, {"controlPlane": {}}, {"controlPlane": {"localAPIEndpoint": {"advertiseAddress": ""}}}])
def test_an_address_that_is_not_said(fields: dict[str, Any]) -> None:
    assert config.advertise_address(fields) is None
    assert config.advertise_address({"controlPlane": ENDPOINT}) == "198.18.64.11"


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
        config.init_configuration({"nodeRegistration": NODE, **ENDPOINT, "timeouts": {"kubeletHealthCheck": "2m0s"}}, KEY),
        config.cluster_configuration(CLUSTER),
        config.kubelet_configuration({"failCgroupV1": False, "evictionHard": {"imagefs.available": "0%"}}),
        config.kube_proxy_configuration({"conntrack": {"maxPerCore": 0}}),
    ],
    "bare init": [
        config.init_configuration({}),
        config.cluster_configuration(CLUSTER),
        config.kubelet_configuration({}),
        config.kube_proxy_configuration({}),
    ],
    "control plane": [config.join_configuration({"nodeRegistration": NODE, "controlPlane": ENDPOINT}, CREDENTIALS, control_plane=True)],
    "bare control plane": [config.join_configuration({}, CREDENTIALS, control_plane=True)],
    "worker": [config.join_configuration({}, {**CREDENTIALS, "endpoint": "[2001:db8::1]:6443", "ca_cert_hashes": [PIN, PIN]})],
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
