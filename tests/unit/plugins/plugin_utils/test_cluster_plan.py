# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is planned, and everything that is refused."""

from __future__ import annotations

import copy
import json
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.quorum.kubeadm.plugins.plugin_utils import cluster_bundle, cluster_inputs
from ansible_collections.quorum.kubeadm.plugins.plugin_utils.cluster_endpoint import Groups
from ansible_collections.quorum.kubeadm.plugins.plugin_utils.cluster_inputs import Untemplated
from ansible_collections.quorum.kubeadm.plugins.plugin_utils.cluster_model import Request
from ansible_collections.quorum.kubeadm.plugins.plugin_utils.cluster_plan import Plan, Refused, make_plan, router_id
from ansible_collections.quorum.kubeadm.plugins.plugin_utils.failover import priorities
from ansible_collections.quorum.kubeadm.plugins.plugin_utils.procedure_run import Verdict
from ansible_collections.quorum.kubeadm.plugins.plugin_utils.procedures import PROCEDURES

from ...samples import clean_machine

OURS, OTHERS = (f"sha256:{digit * 64}" for digit in "ab")
ADDRESSES = {
    "cp1": "198.18.64.11",
    "cp2": "198.18.64.12",
    "cp3": "198.18.64.13",
    "cp4": "198.18.64.14",
    "w1": "198.18.64.21",
    "w2": "198.18.64.22",
    "w3": "198.18.64.23",
    "lb1": "198.18.64.31",
    "lb2": "198.18.64.32",
}
CONTROL_PLANES, WORKERS = ("cp1", "cp2", "cp3"), ("w1", "w2", "w3")
SIX = (*CONTROL_PLANES, *WORKERS)
INPUTS: dict[str, Any] = {
    "cluster_endpoint_name": "api.lab.test",
    "cluster_endpoint_address": "198.18.64.10",
    "cluster_statistics_password": "not-for-print",
}


def node(host: str, **differs: Any) -> dict[str, Any]:
    return clean_machine(host, ADDRESSES[host], **differs)


def control_plane(host: str, **differs: Any) -> dict[str, Any]:
    listening = [
        {"port": port, "address": "::", "process": process}
        for port, process in (
            (6443, "kube-apiserver"),
            (10250, "kubelet"),
            (2379, "etcd"),
            (2380, "etcd"),
            (10257, "kube-controller-manager"),
            (10259, "kube-scheduler"),
        )
    ]
    listening += [{"port": port, "address": "0.0.0.0", "process": "haproxy"} for port in (16443, 1080)]
    member = {"state": "control_plane", "ca_hash": OURS, "node_name": host, "api_ready": True, "listening": listening, "kubelet": {"version": "1.37.2"}}
    return node(host, **{**member, **differs})


def worker(host: str, **differs: Any) -> dict[str, Any]:
    listening = [{"port": 10250, "address": "::", "process": "kubelet"}]
    member = {"state": "worker", "ca_hash": OURS, "node_name": host, "listening": listening, "kubelet": {"version": "1.37.2"}}
    return node(host, **{**member, **differs})


def living(*without: str) -> dict[str, Any]:
    """What all hosts are found to be in a cluster that is complete but for these."""
    there = {host: control_plane(host) for host in CONTROL_PLANES} | {host: worker(host) for host in WORKERS}
    return {host: node(host) if host in without else found for host, found in there.items()}


CLUSTER: dict[str, Any] = {
    "reachable": True,
    "reason": None,
    "endpoint": "api.lab.test:16443",
    "name": "kubernetes",
    "version": "1.37.2",
    "dns_domain": "cluster.local",
    "etcd_problem": None,
    "pod_subnets": ["10.244.0.0/16"],
    "service_subnets": ["10.96.0.0/12"],
    "documents": {
        "cluster": "caCertificateValidityPeriod: 87600h0m0s\nclusterName: kubernetes\n",
        "kubelet": "apiVersion: kubelet.config.k8s.io/v1beta1\ncgroupDriver: systemd\n",
        "kube_proxy": "mode: iptables\n",
    },
    "addons": {"calico-node": "quay.io/calico/node:v3.33.0"},
    "calico_pools": [{"name": "default-ipv4-ippool", "cidr": "10.244.0.0/16", "ipip": "Never", "vxlan": "Always"}],
    "nodes": [
        {
            "name": host,
            "addresses": [ADDRESSES[host]],
            "version": "1.37.2",
            "ready": True,
            "control_plane": host in CONTROL_PLANES,
            "annotations": {},
        }
        for host in SIX
    ],
    "etcd_members": [
        {
            "name": host,
            "peer_urls": [f"https://{ADDRESSES[host]}:2380"],
            "healthy": True,
            "learner": False,
            "leader": False,
            "db_size": 3624960,
            "db_in_use": 1634304,
        }
        for host in CONTROL_PLANES
    ],
    "lease": None,
    "strict_budgets": [],
    "bootstrap_tokens": [],
    "certificates_uploaded": False,
}


def images(version: str, etcd: str = "3.6.14-0") -> dict[str, str]:
    names = ("kube-apiserver", "kube-controller-manager", "kube-scheduler")
    return {"etcd": f"registry.k8s.io/etcd:{etcd}", **{name: f"registry.k8s.io/{name}:v{version}" for name in names}}


# What an upgrade asks of each node beside: there is room, and nobody uses what goes away.
ROOM = [{"path": path, "device": 1, "free_mb": 9000} for path in ("/usr/bin", "/etc/kubernetes", "/var/lib/containerd", "/var/lib/etcd")]
FACTS: dict[str, Any] = {"room": ROOM, "etcd_mb": 100, "deprecated_apis": [], "metrics_problem": None}


def at(version: str, **others: str) -> dict[str, Any]:
    """A complete cluster of one version, but for hosts that have another one."""
    versions = {host: others.get(host, version) for host in SIX}
    found = {
        host: (control_plane if host in CONTROL_PLANES else worker)(
            host,
            kubelet={"version": has},
            images=images(has) if host in CONTROL_PLANES else {},
            upgrade=FACTS,
            containerd={"version": "2.3.7", "candidate": None},
        )
        for host, has in versions.items()
    }
    nodes = [{**node, "version": versions[node["name"]]} for node in CLUSTER["nodes"]]
    return copy.deepcopy({"found": found, "cluster": {**CLUSTER, "version": version, "nodes": nodes}})


MIRRORS, MIRROR = "cluster_containerd_registry_mirrors", {"url": "https://mirror.example.org"}
TOKEN = {"id": "abcdef", "description": "", "expires": None, "ours": False}


def request(
    *,
    inputs: dict[str, Any] | None = None,
    hosts: dict[str, dict[str, Any]] | None = None,
    found: dict[str, Any] | None = None,
    control_planes: tuple[str, ...] = CONTROL_PLANES,
    workers: tuple[str, ...] = WORKERS,
    proxies: tuple[str, ...] = (),
    run: tuple[str, ...] | None = None,
    cluster: dict[str, Any] | None = None,
    procedure: str = "site",
    said: Sequence[str] = (),
    words: dict[str, Any] | None = None,
    lease_verdict: Verdict = "unknown",
) -> Request:
    """Three control planes and three workers, clean machines, but for what is given; a host found as None was not reached."""
    everyone = tuple(dict.fromkeys((*control_planes, *workers, *proxies)))
    variables = {host: {**INPUTS, **(inputs or {}), **(hosts or {}).get(host, {})} for host in everyone}
    there = {host: node(host) for host in everyone if host in ADDRESSES} | (found or {})
    return Request(
        groups=Groups(control_planes, workers, proxies),
        run=frozenset(() if not PROCEDURES[procedure].needs_hosts else everyone if run is None else run),
        variables=copy.deepcopy(variables),
        found=copy.deepcopy({host: facts for host, facts in there.items() if facts is not None}),
        cluster=copy.deepcopy(cluster),  # type: ignore[arg-type]
        procedure=PROCEDURES[procedure],
        said=frozenset(said),
        words=words or {},
        lease_verdict=lease_verdict,
    )


def plan(**differs: Any) -> Plan:
    return make_plan(request(**differs))


def steps(made: Plan) -> dict[str, str]:
    return {host: planned["step"] for host, planned in made["nodes"].items()}


# What is planned.


@pytest.mark.parametrize(
    ("options", "clients"),
    [
        ({}, {"w1": "198.18.64.10", "w3": "198.18.64.10"}),
        # Not the first and the last of what the inventory has, but of what this run reaches.
        ({"run": ("cp1", "w2", "w3")}, {"w2": "198.18.64.10", "w3": "198.18.64.10"}),
        # Another goes on while the only one of the run is rebooted.
        ({"run": ("w3",)}, {"w3": "198.18.64.10", "w1": "198.18.64.10"}),
        ({"workers": ("w1",)}, {"w1": "198.18.64.10", "cp1": "198.18.64.10"}),
        ({"workers": (), "proxies": ("w1", "w2")}, {"cp1": "198.18.64.10", "cp3": "198.18.64.10"}),
        ({"workers": ()}, {"cp1": "198.18.64.10", "cp3": "198.18.64.10"}),
        ({"inputs": {"cluster_endpoint_type": "node_local", "cluster_endpoint_address": ""}}, {"w1": "127.0.0.1", "w3": "127.0.0.1"}),
        ({"inputs": {"cluster_endpoint_type": "external", "cluster_endpoint_address": ""}}, {"w1": "api.lab.test", "w3": "api.lab.test"}),
        ({"inputs": {"cluster_endpoint_type": "load_balancer"}, "workers": ("w1",)}, {"w1": "198.18.64.10"}),
        ({"inputs": {"cluster_endpoint_type": "load_balancer"}, "workers": ()}, {}),
    ],
)
def test_who_measures(options: dict[str, Any], clients: dict[str, str]) -> None:
    control_planes = {host: control_plane(host) for host in CONTROL_PLANES}
    workers = {host: worker(host) for host in options.get("workers", WORKERS)}
    assert plan(**options, found={**control_planes, **workers})["clients"] == clients


@pytest.mark.parametrize(
    ("there", "inputs", "problem"),
    [
        ("3.33.1", {}, ""),
        ("3.31.4", {}, ""),
        (
            "3.30.2",
            {},
            "- cluster_calico_version: Calico 3.33.0 cannot take the place of the cluster's 3.30.2: upstream upgrades from the two releases before alone; "
            "take the newest 3.32 first, run `ansible-playbook quorum.kubeadm.site`, and raise it again",
        ),
        (
            "3.33.0",
            {"cluster_calico_version": "3.32.4"},
            "- cluster_calico_version: Calico 3.32.4 is older than the cluster's 3.33.0, and there is no way back; take 3.33.0 or a later release",
        ),
        # Another network, and a manifest of which nobody knows what it is.
        ("3.29.0", {"cluster_pod_network": "none"}, ""),
        ("3.29.0", {"cluster_calico_manifest": "https://manifests.example.org/calico.yaml"}, ""),
        ("", {}, ""),
    ],
)
def test_calico_is_raised_by_two_releases_at_a_time(there: str, inputs: dict[str, Any], problem: str) -> None:
    addons = {"calico-node": f"registry.example.org:5000/mirror/node:v{there}"} if there else {}
    asked = request(found=living(), cluster={**CLUSTER, "addons": addons}, inputs=inputs)
    if not problem:
        make_plan(asked)
    else:
        with pytest.raises(Refused) as refused:
            make_plan(asked)
        assert str(refused.value).splitlines()[1:] == [problem]


def test_calico_of_a_manifest_is_what_its_image_says(tmp_path: Path) -> None:
    manifest = tmp_path / "calico.yaml"
    manifest.write_text("          image: quay.io/calico/cni:v3.33.0\n          image: quay.io/calico/node:v3.34.1\n", encoding="utf-8")
    asked = request(
        found=living(),
        cluster={**CLUSTER, "addons": {"calico-node": "docker.io/calico/node:v3.31.2"}},
        inputs={"cluster_calico_manifest": str(manifest)},
    )
    with pytest.raises(Refused, match="- cluster_calico_manifest: Calico 3.34.1 cannot take the place of the cluster's 3.31.2"):
        make_plan(asked)


@pytest.mark.parametrize(
    ("words", "todo"),
    [
        ({}, ["cp2"]),
        ({"etcd_defragment_above": "119"}, ["cp2"]),
        ({"etcd_defragment_above": 120}, []),
        ({"etcd_defragment_above": "0"}, ["cp1", "cp2"]),
    ],
)
def test_members_with_enough_to_give_back_are_defragmented(words: dict[str, Any], todo: list[str]) -> None:
    sizes = {"cp1": (3 * 2**20, 2 * 2**20), "cp2": (170 * 2**20, 50 * 2**20), "cp3": (None, None)}
    members = [
        {**member, "leader": member["name"] == "cp2", **dict(zip(("db_size", "db_in_use"), sizes[member["name"]]))} for member in CLUSTER["etcd_members"]
    ]
    made = plan(found=living(), cluster={**CLUSTER, "etcd_members": members}, procedure="etcd_defragment", words=words)
    assert (made["todo"], made["drains"]) == (todo, False)
    assert made["notes"]["cp2"] == "leads etcd, etcd gives back 120 MiB" and "cp3" not in made["notes"]


def test_a_threshold_is_a_number() -> None:
    with pytest.raises(Refused, match="- -e etcd_defragment_above: is '100 MB'; write a whole number"):
        plan(found=living(), cluster=CLUSTER, procedure="etcd_defragment", words={"etcd_defragment_above": "100 MB"})


def test_a_new_cluster() -> None:
    made = plan()
    assert made["primary"] == "cp1" and made["initialise"] and made["reset"] == []
    assert steps(made) == {"cp1": "init", **dict.fromkeys(("cp2", "cp3", "w1", "w2", "w3"), "join")}
    assert made["joining"] == ["cp2", "cp3", "w1", "w2", "w3"]
    assert made["joining_control_planes"] == ["cp2", "cp3"] and made["joining_workers"] == ["w1", "w2", "w3"]
    assert made["endpoint"] == {
        "port": 16443,
        "host_port": "api.lab.test:16443",
        "balanced": False,
        "floating": True,
        "mover": "keepalived",
    }
    assert made["balancer"]["test"] == "skip" and made["ca_certificate"] == "" and made["stale_members"] == []
    assert made["awaited"] == list(SIX)
    assert made["nodes"]["cp2"] == {
        "inputs": {
            "node_address": "",
            "vrrp_interface": "",
            "statistics_address": "",
            "swap": "off",
            "kernel_modules": ["overlay", "br_netfilter"],
            "sysctls": {},
            "kubelet_config": {},
            "kubeadm_node_config": {},
        },
        "name": "cp2",
        "address": "198.18.64.12",
        "interface": "eth0",
        "control_plane": True,
        "version": "1.37.2",
        "bundle_path": "",
        "sandbox_image": "registry.k8s.io/pause:3.10.2",
        "keeps_containerd": False,
        "left_to_upgrade": False,
        "step": "join",
        "reset": False,
        "endpoint_address": "198.18.64.10",
        "endpoint_address_joined": "198.18.64.10",
        "endpoint_named": False,
        "hosts_entries": [{"name": host, "address": ADDRESSES[host]} for host in CONTROL_PLANES],
        "sysctls": {},
        "patches": [],
        "init_configuration": {
            "nodeRegistration": {"name": "cp2", "kubeletExtraArgs": [{"name": "node-ip", "value": "198.18.64.12"}]},
            "localAPIEndpoint": {"advertiseAddress": "198.18.64.12", "bindPort": 6443},
        },
        "join_configuration": {
            "nodeRegistration": {"name": "cp2", "kubeletExtraArgs": [{"name": "node-ip", "value": "198.18.64.12"}]},
            "controlPlane": {"localAPIEndpoint": {"advertiseAddress": "198.18.64.12", "bindPort": 6443}},
        },
        "upgrade_configuration": {},
    }
    # Nobody has to learn of a new worker but itself.
    assert [entry["name"] for entry in made["nodes"]["w2"]["hosts_entries"]] == ["cp1", "cp2", "cp3", "w2"]
    assert made["backends"] == [{"name": host, "address": ADDRESSES[host], "port": 6443} for host in CONTROL_PLANES]
    assert made["proxies"]["cp1"] == {
        "address": "198.18.64.11",
        "listen_address": "*",
        "interface": "eth0",
        "peers": ["198.18.64.12", "198.18.64.13"],
        "priority": 200,
        "owns_first": True,
        "vip_prefix": "198.18.64.10/24",
        "statistics_address": "198.18.64.11",
        "etcd_address": "198.18.64.11",
    }
    assert [(proxy["priority"], proxy["owns_first"]) for proxy in made["proxies"].values()] == [(200, True), (137, False), (74, False)]
    assert made["containerd"]["source"] == "repository" and made["nodes"]["cp1"]["sandbox_image"] == "registry.k8s.io/pause:3.10.2"
    assert made["kubeadm"] == {
        "cluster_configuration": {
            "kubernetesVersion": "v1.37.2",
            "clusterName": "kubernetes",
            "controlPlaneEndpoint": "api.lab.test:16443",
            "imageRepository": "registry.k8s.io",
            "networking": {"dnsDomain": "cluster.local", "podSubnet": "10.244.0.0/16", "serviceSubnet": "10.96.0.0/12"},
            "apiServer": {"certSANs": ["api.lab.test", "198.18.64.10"], "extraArgs": [{"name": "shutdown-delay-duration", "value": "5s"}]},
        },
        "kubelet_configuration": {"cgroupDriver": "systemd"},
        "kube_proxy_configuration": {},
    }
    assert made["nodes"]["w1"]["join_configuration"] == {
        "nodeRegistration": {"name": "w1", "kubeletExtraArgs": [{"name": "node-ip", "value": "198.18.64.21"}]}
    }
    assert made["calico_manifest"] == "" and made["warnings"] == []


@pytest.mark.parametrize(("proxies", "told"), [((), True), (CONTROL_PLANES, True), (("cp1", "cp2"), False), (("lb1", "lb2"), False)])
def test_proxies_tell_of_etcd_where_each_control_plane_is_one(proxies: Sequence[str], told: bool) -> None:
    made = plan(proxies=proxies)
    assert {host for host, proxy in made["proxies"].items() if proxy["etcd_address"]} == (set(CONTROL_PLANES) if told else set())
    assert made["proxy_ports"]["etcd"] == 16445


def test_the_plan_is_json_and_has_no_secret() -> None:
    assert plan()["inputs"].keys().isdisjoint(cluster_inputs.SECRETS)
    pem = "-----BEGIN CERTIFICATE-----\nnot-for-print\n-----BEGIN PRIVATE KEY-----\n"
    assert "not-for-print" not in json.dumps(plan(inputs={"cluster_proxy_check_certificate": pem}))


def test_the_inputs_are_in_the_plan_as_they_were_read() -> None:
    given = {"cluster_pod_subnets": ["10.244.0.0/16"], "cluster_endpoint_port": 17443, "cluster_statistics_user": "ops"}
    inputs = plan(inputs=given)["inputs"]
    assert {name: inputs[name.removeprefix("cluster_")] for name in given} == given
    known = {definition.name for definition in fields(cluster_inputs.ClusterInputs)}
    assert set(inputs) == known - set(cluster_inputs.SECRETS) and set(cluster_inputs.SECRETS) <= known
    assert inputs["proxy_maxconn"] == 20000 and inputs["vrrp_router_id"] is None
    of_hosts = plan(hosts={"w1": {"cluster_sysctls": {"vm.max_map_count": 262144}}})["nodes"]
    assert [of_hosts[host]["inputs"]["sysctls"] for host in ("w1", "w2")] == [{"vm.max_map_count": 262144}, {}]


@pytest.mark.parametrize(
    ("hosts_file", "stale", "named"),
    [
        (["198.18.64.10"], [], True),
        ([], [], False),
        (["198.18.64.9"], [], False),
        (["198.18.64.10", "198.18.64.9"], [], False),
        (["198.18.64.10"], ["kube-system/kube-proxy-x"], False),
    ],
)
def test_who_has_the_endpoints_name_already(hosts_file: list[str], stale: list[str], named: bool) -> None:
    resolved = {"addresses": hosts_file, "hosts_file": hosts_file, "stale_copies": stale}
    made = plan(found={"w1": node("w1", resolved=resolved)})
    assert {host: planned["endpoint_named"] for host, planned in made["nodes"].items()} == {**dict.fromkeys(SIX, False), "w1": named}


@pytest.mark.parametrize(
    ("left", "revoke"),
    [
        ({}, False),
        ({"bootstrap_tokens": [TOKEN]}, False),
        ({"bootstrap_tokens": [TOKEN, {**TOKEN, "ours": True}]}, True),
        ({"certificates_uploaded": True}, True),
    ],
)
def test_join_credentials_that_were_left(left: dict[str, Any], revoke: bool) -> None:
    """What a killed run left is taken back by the next, and a run that lets hosts join takes back its own."""
    made = plan(found=living(), cluster={**CLUSTER, **left})
    assert (made["revoke"], made["present"]) == (revoke, list(SIX))
    joins = plan(found=living("w1"), cluster=CLUSTER)
    assert (joins["revoke"], joins["present"], joins["awaited"]) == (True, [host for host in SIX if host != "w1"], list(SIX))
    assert (plan()["revoke"], plan()["present"]) == (True, [])


def test_paths_on_the_controller_are_resolved_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "podnet.yaml").touch()
    manifests = ["~/podnet.yaml", "https://example.org/~/podnet.yaml"]
    inputs = plan(
        inputs={"cluster_fetch_kubeconfig_to": "~/kubeconfig", "cluster_pod_network": "manifests", "cluster_pod_network_manifests": manifests}
    )["inputs"]
    assert inputs["fetch_kubeconfig_to"] == f"{tmp_path}/kubeconfig"
    assert inputs["pod_network_manifests"] == [f"{tmp_path}/podnet.yaml", "https://example.org/~/podnet.yaml"]


def test_a_complete_cluster_has_nothing_to_do() -> None:
    made = plan(found=living(), cluster=CLUSTER)
    assert not made["initialise"] and made["joining"] == [] and set(steps(made).values()) == {"none"}
    assert made["warnings"] == []


@pytest.mark.parametrize(
    ("inputs", "patched"),
    [
        ({"cluster_calico_encapsulation": "vxlan"}, None),
        ({"cluster_calico_encapsulation": "vxlan_cross_subnet"}, {"vxlanMode": "CrossSubnet", "ipipMode": "Never"}),
        ({"cluster_calico_encapsulation": "ipip"}, {"vxlanMode": "Never", "ipipMode": "Always"}),
        ({"cluster_calico_encapsulation": "ipip", "cluster_pod_network": "none"}, None),
    ],
)
def test_the_encapsulation_of_pools_that_are_there(inputs: dict[str, Any], patched: dict[str, str] | None) -> None:
    own = {"name": "mine", "cidr": "192.168.0.0/24", "ipip": "Always", "vxlan": "Never"}
    made = plan(found=living(), cluster={**CLUSTER, "calico_pools": [*CLUSTER["calico_pools"], own]}, inputs=inputs)
    if patched is None:
        assert made["warnings"] == []
    else:
        (warning,) = made["warnings"]
        assert "Calico keeps its pool default-ipv4-ippool as it was made (vxlanMode Always, ipipMode Never)" in warning
        assert f"kubectl patch ippools.crd.projectcalico.org default-ipv4-ippool --type merge --patch '{json.dumps({'spec': patched})}'" in warning


def test_ipv6_has_no_ip_in_ip() -> None:
    subnets = {"cluster_pod_subnets": ["fd00:10:244::/56"], "cluster_service_subnets": ["fd00:10:96::/112"]}
    described = {**INPUTS, **subnets, "cluster_endpoint_address": "2001:db8::10"}
    pools = [{"name": "default-ipv6-ippool", "cidr": "fd00:10:244::/56", "ipip": "Never", "vxlan": "Never"}]
    six = {host: copy.deepcopy(found) for host, found in living().items()}
    for number, (host, found) in enumerate(six.items(), start=0x11):
        found["interfaces"][1]["addresses"] = [{"address": f"2001:db8::{number:x}", "prefix": 64}]
        found["default_address"] = f"2001:db8::{number:x}"
    nodes = [{**known, "addresses": [six[known["name"]]["default_address"]]} for known in CLUSTER["nodes"]]
    cluster = {**CLUSTER, "pod_subnets": subnets["cluster_pod_subnets"], "service_subnets": subnets["cluster_service_subnets"], "calico_pools": pools}
    assert plan(found=six, cluster={**cluster, "nodes": nodes}, inputs={**described, "cluster_calico_encapsulation": "ipip"})["warnings"] == []


def test_the_primary_is_whoever_serves() -> None:
    made = plan(found=living("cp1"), cluster=CLUSTER)
    assert made["primary"] == "cp2" and not made["initialise"] and made["joining"] == ["cp1"]


def test_a_control_plane_that_serves_is_primary_before_one_that_does_not() -> None:
    made = plan(found={**living(), "cp1": control_plane("cp1", api_ready=False, api_problem="etcd failed")})
    assert made["primary"] == "cp2"
    assert made["warnings"] == ["cp1: its API server is not ready (etcd failed)."]


@pytest.mark.parametrize(
    ("found", "reset", "expected"),
    [
        ({"cp1": node("cp1", state="initialising", ca_hash=OURS)}, ["cp1"], {"cp1": "init", "cp2": "join"}),
        ({"cp2": node("cp2", state="initialising", ca_hash=OURS)}, ["cp2"], {"cp1": "init", "cp2": "rejoin"}),
        ({"cp1": node("cp1", state="half_joined")}, ["cp1"], {"cp1": "init"}),
        ({**living("w2"), "cp3": node("cp3", state="half_joined", ca_hash=OURS)}, ["cp3"], {"cp1": "none", "cp3": "rejoin", "w2": "join"}),
        ({**living(), "w3": node("w3", state="half_joined", ca_hash=OURS)}, ["w3"], {"w3": "rejoin", "w2": "none"}),
    ],
    ids=["init killed", "init killed, inventory in another order", "rest of a join on the first one", "half-joined control plane", "half-joined worker"],
)
def test_unfinished_work_is_cleaned_first(found: dict[str, Any], reset: list[str], expected: dict[str, str]) -> None:
    made = plan(found=found)
    assert made["reset"] == reset == [host for host, planned in made["nodes"].items() if planned["reset"]]
    assert expected.items() <= steps(made).items()


def test_limit_to_a_new_worker() -> None:
    """Of hosts outside the run, some are known through others; the cluster knows the addresses of its members."""
    there = {host: None for host in ("cp2", "cp3", "w1", "w2")}
    made = plan(found={**there, "cp1": control_plane("cp1")}, run=("w3",), cluster=CLUSTER)
    assert made["primary"] == "cp1" and made["joining"] == ["w3"]
    assert steps(made) == {**dict.fromkeys((*CONTROL_PLANES, "w1", "w2"), "none"), "w3": "join"}
    assert [backend["address"] for backend in made["backends"]] == ["198.18.64.11", "198.18.64.12", "198.18.64.13"]
    assert made["proxies"]["cp1"]["peers"] == ["198.18.64.12", "198.18.64.13"]
    assert made["proxies"]["cp2"] == {**made["proxies"]["cp2"], "address": "198.18.64.12", "interface": "", "priority": 137}


def test_a_host_outside_the_run_takes_no_step_even_when_it_is_known() -> None:
    assert plan(found=living("w2", "w3"), run=("w3",))["joining"] == ["w3"]


def test_a_worker_whose_address_is_not_known_is_nobodys_business() -> None:
    made = plan(found={**living(), "w2": None}, run=("w3",))
    assert [entry["name"] for entry in made["nodes"]["w3"]["hosts_entries"]] == ["cp1", "cp2", "cp3", "w3"]
    assert made["nodes"]["w2"]["address"] == "" and made["warnings"] == []


def behind_a_balancer(**differs: Any) -> Plan:
    inputs = {"cluster_endpoint_type": "load_balancer", **differs.pop("inputs", {})}
    return plan(inputs=inputs, **differs)


def stages(made: Plan) -> dict[str, tuple[str, str]]:
    return {host: (planned["endpoint_address"], planned["endpoint_address_joined"]) for host, planned in made["nodes"].items()}


def test_the_stages_behind_a_balancer() -> None:
    made = behind_a_balancer()
    assert stages(made) == {
        "cp1": ("198.18.64.11", "198.18.64.11"),
        "cp2": ("198.18.64.11", "198.18.64.12"),
        "cp3": ("198.18.64.11", "198.18.64.13"),
        **dict.fromkeys(WORKERS, ("198.18.64.10", "198.18.64.10")),
    }
    assert made["proxies"] == {} and made["endpoint"]["host_port"] == "api.lab.test:6443" and made["vrrp"]["state_file"] == ""


def test_the_stages_when_another_control_plane_serves() -> None:
    made = behind_a_balancer(found=living("cp1", "w2"), cluster={**CLUSTER, "endpoint": "api.lab.test:6443"})
    assert stages(made)["cp1"] == ("198.18.64.12", "198.18.64.11") and stages(made)["cp3"] == ("198.18.64.13", "198.18.64.13")


def test_a_control_plane_whose_server_is_down_for_now_keeps_its_stage() -> None:
    found = {**living(), "cp3": control_plane("cp3", api_ready=False, api_problem="refused")}
    assert stages(behind_a_balancer(found=found))["cp3"] == ("198.18.64.13", "198.18.64.13")


def test_the_balancers_test() -> None:
    first = behind_a_balancer()["balancer"]
    assert (first["test"], first["listen"], first["addresses"]) == ("fail", True, ["198.18.64.10"])
    assert [backend["name"] for backend in first["backends"]] == ["cp1", "cp2", "cp3"]
    later = behind_a_balancer(found=living("cp3"), cluster={**CLUSTER, "endpoint": "api.lab.test:6443"})["balancer"]
    assert (later["test"], later["listen"], [backend["name"] for backend in later["backends"]]) == ("fail", False, ["cp1", "cp2"])
    # An API server that an interrupted run began may listen already.
    interrupted = {**dict.fromkeys(("cp2", "cp3")), "cp1": node("cp1", state="initialising", ca_hash=OURS)}
    assert behind_a_balancer(found={host: found or node(host) for host, found in interrupted.items()})["balancer"]["test"] == "skip"
    assert behind_a_balancer(inputs={"cluster_balancer_test": "warn"})["balancer"]["test"] == "warn"


def test_a_balancer_known_by_its_name_alone() -> None:
    own = {"addresses": ["198.18.64.11"], "hosts_file": ["198.18.64.11"], "stale_copies": []}
    dns = {"addresses": ["192.0.2.7", "192.0.2.8"], "hosts_file": [], "stale_copies": []}
    found = {host: {**facts, "resolved": dns if host in WORKERS else own} for host, facts in living().items()}
    made = behind_a_balancer(inputs={"cluster_endpoint_address": ""}, found=found)
    assert stages(made)["w1"] == ("", "") and stages(made)["cp2"] == ("198.18.64.12", "198.18.64.12")
    assert made["balancer"]["addresses"] == ["192.0.2.7", "192.0.2.8"]
    assert made["kubeadm"]["cluster_configuration"]["apiServer"]["certSANs"] == ["api.lab.test"]


def test_haproxy_on_every_node() -> None:
    made = plan(inputs={"cluster_endpoint_type": "node_local", "cluster_endpoint_address": ""})
    assert list(made["proxies"]) == list(SIX) and {proxy["listen_address"] for proxy in made["proxies"].values()} == {"127.0.0.1"}
    assert set(stages(made).values()) == {("127.0.0.1", "127.0.0.1")}
    assert made["fetch_kubeconfig_server"] == "198.18.64.11:6443" and made["vrrp"]["state_file"] == ""


def test_timings() -> None:
    timings = {"check_interval": 100, "check_timeout": 120, "dead_interval": 300, "dead_timeout": 250, "dead_fall": 2, "connect_timeout": 200}
    assert plan()["proxy_timings"] == timings
    assert plan()["inputs"]["vrrp_advert_interval"] == 100
    # A proxy on every node: each of them asks every API server.
    local = {"cluster_endpoint_type": "node_local", "cluster_endpoint_address": ""}
    assert plan(inputs=local)["proxy_timings"] == {**timings, "check_interval": 1000, "dead_interval": 3000}
    assert plan(inputs={**local, "cluster_proxy_check_interval": 300})["proxy_timings"]["dead_interval"] == 900
    assert plan(inputs={**local, "cluster_proxy_dead_interval": 700})["proxy_timings"]["dead_interval"] == 700
    # Without a virtual IP there is no such budget; and whoever raises it may have slower ones.
    assert plan(inputs={**local, "cluster_proxy_check_timeout": 2000})["proxy_timings"]["check_timeout"] == 2000
    slow = {"cluster_vrrp_advert_interval": 1000, "cluster_failover_budget": 4}
    assert plan(inputs=slow)["inputs"]["vrrp_advert_interval"] == 1000


def test_an_endpoint_of_somebody_else() -> None:
    resolved = {"addresses": ["192.0.2.7"], "hosts_file": [], "stale_copies": []}
    made = plan(
        inputs={"cluster_endpoint_type": "external", "cluster_endpoint_address": "", "cluster_statistics_password": ""},
        found={host: node(host, resolved=resolved) for host in SIX},
    )
    assert set(stages(made).values()) == {("", "")} and made["balancer"]["addresses"] == ["192.0.2.7"] and made["balancer"]["test"] == "fail"
    assert made["balancer"]["subject"] == "cluster_endpoint_name and cluster_endpoint_port"
    assert made["balancer"]["needs_hairpin"] and not behind_a_balancer()["balancer"]["needs_hairpin"]


def test_etcd_forgets_a_dead_member_whose_place_is_taken() -> None:
    members = [{**member, "healthy": member["name"] != "cp3"} for member in CLUSTER["etcd_members"]]
    assert plan(found=living("cp3"), cluster={**CLUSTER, "etcd_members": members})["stale_members"] == [{"name": "cp3", "address": "198.18.64.13"}]
    assert plan(found=living("cp3"), cluster=CLUSTER)["stale_members"] == []
    stale = [{"name": "cp3", "address": "198.18.64.13"}, {"name": "w2", "address": "198.18.64.22"}]
    assert plan(found=living("cp3", "w2"), cluster=CLUSTER)["stale_nodes"] == stale
    assert plan(found=living("w3"), cluster={**CLUSTER, "nodes": CLUSTER["nodes"][:-1]})["stale_nodes"] == []
    # kubeadm was killed when the kubelet had joined already.
    half = {**living(), "cp3": node("cp3", state="half_joined", ca_hash=OURS)}
    assert plan(found=half, cluster=CLUSTER)["stale_nodes"] == [{"name": "cp3", "address": "198.18.64.13"}]
    # Its kubelet may be about to make the node that the cluster does not know yet.
    without = [member for member in CLUSTER["nodes"] if member["name"] != "cp3"]
    assert plan(found=half, cluster={**CLUSTER, "nodes": without})["stale_nodes"] == [{"name": "cp3", "address": "198.18.64.13"}]
    # A machine that is only down for a moment is no new one.
    assert plan(found=living("w1"), cluster={**CLUSTER, "etcd_members": members})["stale_members"] == []


def test_an_ipv6_endpoint_is_listened_on() -> None:
    second = {"name": "eth0", "addresses": [{"address": ADDRESSES["cp1"], "prefix": 24}, {"address": "2001:db8::11", "prefix": 64}]}
    found = {
        host: node(host, interfaces=[{**second, "addresses": [{"address": ADDRESSES[host], "prefix": 24}, {"address": f"2001:db8::{n}", "prefix": 64}]}])
        for n, host in enumerate(SIX, 11)
    }
    made = plan(
        inputs={
            "cluster_endpoint_address": "2001:db8::a",
            "cluster_pod_subnets": ["10.244.0.0/16", "2001:db8:1::/56"],
            "cluster_service_subnets": ["10.96.0.0/12", "2001:db8:2::/112"],
        },
        found=found,
    )
    assert made["proxies"]["cp1"]["listen_address"] == "::"
    assert made["nodes"]["w1"]["sysctls"] == {"net.ipv6.conf.all.forwarding": 1}


def test_even_control_planes_of_a_living_cluster_are_a_warning() -> None:
    made = plan(control_planes=("cp1", "cp2", "cp3", "cp4"), found=living())
    assert made["joining"] == ["cp4"] and "4 hosts in control_planes" in made["warnings"][0]


def test_separate_proxies() -> None:
    made = plan(proxies=("lb1", "lb2"))
    assert list(made["proxies"]) == ["lb1", "lb2"] and made["proxies"]["lb2"]["peers"] == ["198.18.64.31"]
    assert list(made["nodes"]) == [*CONTROL_PLANES, *WORKERS] and "lb1" not in made["joining"]


def test_the_api_servers_port_is_free_on_separate_proxies() -> None:
    assert plan(proxies=("lb1",), inputs={"cluster_endpoint_port": 6443})["endpoint"]["host_port"] == "api.lab.test:6443"


def two_networks(host: str, **differs: Any) -> dict[str, Any]:
    last = ADDRESSES[host].rpartition(".")[2]
    eth1 = {"name": "eth1", "addresses": [{"address": f"192.0.2.{last}", "prefix": 26}]}
    return node(host, **{"interfaces": [*node(host)["interfaces"], eth1], **differs})


def test_several_networks() -> None:
    hosts = {host: {"cluster_node_address": f"192.0.2.{ADDRESSES[host].rpartition('.')[2]}"} for host in SIX}
    made = plan(hosts=hosts, found={host: two_networks(host) for host in hosts})
    assert (made["nodes"]["cp1"]["address"], made["nodes"]["cp1"]["interface"]) == ("192.0.2.11", "eth1")
    assert made["backends"][1]["address"] == "192.0.2.12"
    # The virtual IP is in the other network, so VRRP is spoken there.
    assert made["proxies"]["cp1"] == {**made["proxies"]["cp1"], "address": "198.18.64.11", "interface": "eth0", "statistics_address": "192.0.2.11"}
    assert made["proxies"]["cp1"]["peers"] == ["198.18.64.12", "198.18.64.13"]


def test_the_virtual_ip_is_nobodys_own_address() -> None:
    active = control_plane("cp1")
    active["interfaces"][1]["addresses"].insert(0, {"address": "198.18.64.10", "prefix": 24})
    made = plan(found={**living(), "cp1": active})
    assert made["proxies"]["cp1"]["address"] == "198.18.64.11"


def test_dual_stack() -> None:
    found = {}
    for host in SIX:
        found[host] = node(host)
        found[host]["interfaces"][1]["addresses"].append({"address": f"2001:db8::{ADDRESSES[host].rpartition('.')[2]}", "prefix": 64})
    inputs = {"cluster_pod_subnets": ["10.244.0.0/16", "fd00:10:244::/56"], "cluster_service_subnets": ["10.96.0.0/12", "fd00:10:96::/112"]}
    registration = plan(found=found, inputs=inputs)["nodes"]["w1"]["join_configuration"]["nodeRegistration"]
    assert registration["kubeletExtraArgs"] == [{"name": "node-ip", "value": "198.18.64.21,2001:db8::21"}]


def test_names() -> None:
    """A member keeps its name; an inventory of addresses leaves the machines' own."""
    made = plan(found={**living(), "w1": worker("w1", node_name="old-name")})
    assert made["nodes"]["w1"]["name"] == "old-name"
    by_address = plan(control_planes=("198.18.64.11",), workers=(), found={"198.18.64.11": node("cp1")})
    assert by_address["nodes"]["198.18.64.11"]["name"] == "cp1"


def test_swap_that_stays() -> None:
    made = plan(hosts={"w1": {"cluster_swap": "keep"}}, inputs={"cluster_ignore_preflight_errors": ["SystemVerification"]})
    assert made["nodes"]["w1"]["inputs"]["swap"] == "keep" and made["nodes"]["w2"]["inputs"]["swap"] == "off"
    assert made["kubeadm"]["kubelet_configuration"]["failSwapOn"] is False
    for configuration in (made["nodes"]["cp1"]["init_configuration"], made["nodes"]["w1"]["join_configuration"]):
        assert configuration["nodeRegistration"]["ignorePreflightErrors"] == ["SystemVerification", "Swap"]


def test_an_input_that_only_some_hosts_have_counts_for_all() -> None:
    only_here = {"cp1": {"cluster_kube_proxy_config": {"mode": "nftables"}}}
    assert plan(hosts=only_here)["kubeadm"]["kube_proxy_configuration"] == {"mode": "nftables"}


@pytest.mark.parametrize(("version", "tag"), [("1.35.4", "3.10.1"), ("1.36.3", "3.10.2"), ("1.37.2", "3.10.2")])
def test_the_sandbox_image_is_kubeadms(version: str, tag: str) -> None:
    made = plan(inputs={"cluster_kubernetes_version": version, "cluster_image_repository": "registry.example.org/k8s"})
    assert made["nodes"]["cp1"]["sandbox_image"] == f"registry.example.org/k8s/pause:{tag}"


def test_an_old_containerd_that_is_allowed() -> None:
    old = {host: node(host, containerd={"version": None, "candidate": "1.6.20"}) for host in SIX}
    made = plan(found=old, inputs={"cluster_containerd_source": "distribution", "cluster_allow_old_containerd": True})
    assert "cluster_allow_old_containerd" in made["warnings"][0]
    assert plan(found=old, inputs={"cluster_containerd_source": "distribution", "cluster_kubernetes_version": "1.35.4"})["warnings"] == []


@pytest.mark.parametrize(
    ("found", "reads"),
    [
        (living(), False),
        (living("w2"), True),
        ({**living(), "w2": worker("w2", kubelet={"version": "1.37.1"})}, True),
        ({**living(), "w2": worker("w2", kubelet={"version": None})}, True),
        ({**living(), "w2": None}, False),
    ],
    ids=["complete", "a host joins", "another version", "no kubelet", "only outside the run"],
)
def test_a_bundle_is_read_when_a_node_will_be_given_of_it(monkeypatch: pytest.MonkeyPatch, found: dict[str, Any], reads: bool) -> None:
    asked: list[dict[str, bool]] = []

    def faults(_bundle: str, _version: str, **what: bool) -> list[str]:
        asked.append(what)
        return []

    monkeypatch.setattr(cluster_bundle, "faults", faults)
    made = plan(found=found, inputs={"cluster_install_source": "bundle", "cluster_bundle_path": "/srv/bundle"}, run=tuple(host for host in SIX if found[host]))
    assert asked == [{"kubernetes": True, "containerd": True, "contents": reads}]
    assert made["inputs"]["bundle_path"] == "/srv/bundle" and made["containerd"]["source"] == "bundle"


def test_the_summary_says_who_does_what() -> None:
    assert plan()["summary"] == [
        "Plan: build the cluster kubernetes (Kubernetes 1.37.2).",
        "  cp1            initialises the cluster",
        "  cp2, cp3       join as control planes, one after the other",
        "  w1, w2, w3     join as workers",
        "  cp1, cp2, cp3  run HAProxy",
        "  endpoint       api.lab.test (198.18.64.10), port 16443: a virtual IP moved by keepalived, with HAProxy behind it",
    ]
    assert plan(found={**living("w3"), "cp3": node("cp3", state="half_joined", ca_hash=OURS)}, cluster=CLUSTER, proxies=("lb1",))["summary"][:-1] == [
        "Plan: hosts join the cluster kubernetes (Kubernetes 1.37.2), which cp1 serves.",
        "  cp3       has an unfinished kubeadm, which is cleaned first",
        "  w3        takes the place of a node that is dead",
        "  cp3       joins as a control plane",
        "  w3        joins as a worker",
        "  lb1       runs HAProxy",
    ]


def test_where_nobody_does_anything_the_summary_is_one_line() -> None:
    assert plan(found=living(), cluster=CLUSTER)["summary"] == [
        "Plan: every host of this run belongs to the cluster kubernetes (Kubernetes 1.37.2) already; none has to join."
    ]


@pytest.mark.parametrize("name", [row.name for row in PROCEDURES.values() if not row.gives_steps])
def test_a_procedure_without_steps_gives_none_and_prints_nothing(name: str) -> None:
    made = plan(found=living("w3"), cluster=CLUSTER, procedure=name)
    assert set(steps(made).values()) == {"none"} and made["joining"] == [] and made["summary"] == []


@pytest.mark.parametrize(("name", "refused"), [("site", True), ("drill", True), ("guide", True), ("verify", False)])
def test_a_host_that_does_not_answer_stops_who_works_on_it(name: str, refused: bool) -> None:
    asked = request(found={**living(), "w3": None}, cluster=CLUSTER, procedure=name)
    if refused:
        with pytest.raises(Refused, match="w3: could not be reached"):
            make_plan(asked)
    else:
        assert list(make_plan(asked)["nodes"]) == list(SIX)


@pytest.mark.parametrize(("name", "refused"), [("site", False), ("drill", True), ("guide", True), ("verify", False)])
def test_where_there_is_no_cluster_nobody_can_break_it(name: str, refused: bool) -> None:
    if refused:
        subject = "control_planes: none of them belongs to a cluster yet; build one with `ansible-playbook quorum.kubeadm.site`"
        with pytest.raises(Refused, match=rf"\A\S+ cannot begin; nothing on any host was changed\.\n- {subject}"):
            plan(procedure=name)
    else:
        assert plan(procedure=name)["initialise"]


@pytest.mark.parametrize(("name", "refused"), [("site", True), ("drill", True), ("verify", False)])
def test_where_no_api_server_is_ready_the_verdict_says_so(name: str, refused: bool) -> None:
    silent = {host: control_plane(host, api_ready=False, api_problem="etcd failed") for host in CONTROL_PLANES}
    if refused:
        with pytest.raises(Refused, match="no API server of it is ready"):
            plan(found={**living(), **silent}, procedure=name)
    else:
        assert plan(found={**living(), **silent}, procedure=name)["primary"] == "cp1"


def test_a_cluster_that_does_not_tell_of_itself_stops_a_run() -> None:
    asked = {"found": living(), "cluster": {**CLUSTER, "reachable": False, "reason": "kubectl took longer than 15 s"}}
    with pytest.raises(Refused, match="cp1: its API server is ready, but does not describe the cluster: kubectl took longer than 15 s"):
        plan(**asked)
    assert plan(**asked, procedure="verify")["primary"] == "cp1"


def test_a_living_cluster_of_another_version_can_be_verified_and_drilled() -> None:
    """What cannot be changed in passing is refused where something would be changed."""
    asked = at("1.37.1")
    with pytest.raises(Refused, match="cluster_kubernetes_version: is 1.37.2, but the cluster has 1.37.1; .*`ansible-playbook quorum.kubeadm.upgrade`"):
        plan(**asked)
    assert plan(**asked, procedure="verify")["primary"] == plan(**asked, procedure="drill")["primary"] == "cp1"


@pytest.mark.parametrize("written", ["87600h", "87600h0m0s", "5256000m", None])
def test_the_validity_of_the_ca_may_be_written_in_any_way(written: str | None) -> None:
    plan(found=living(), cluster=CLUSTER, inputs={"cluster_kubeadm_config": {"caCertificateValidityPeriod": written} if written else {}})


def test_what_can_never_change_is_refused_where_it_would_be_compared() -> None:
    with pytest.raises(Refused, match="cluster_dns_domain"):
        plan(found=living(), cluster=CLUSTER, inputs={"cluster_dns_domain": "k8s.local"}, procedure="verify")


def test_a_word_of_another_procedure_is_refused_with_all_else() -> None:
    with pytest.raises(Refused) as refused:
        plan(inputs={"cluster_endpoint_name": None}, said=["drill_confirm", "mine"])
    assert [problem.subject for problem in refused.value.problems] == ["-e drill_confirm", "cluster_endpoint_name"]


@pytest.mark.parametrize("count", [*range(1, 12), 60, 127])
def test_priorities_are_far_apart(count: int) -> None:
    made = priorities(count)
    distances = {higher - lower for higher, lower in zip(made, made[1:])}
    assert len(made) == count and all(1 <= priority <= 254 for priority in made)
    # What the role keepalived takes from a proxy without an API server.
    assert made[0] - made[-1] < 127
    assert distances == ({126 // (count - 1)} if count > 1 else set())
    # And what it adds to the one that holds the address, who must rank above all.
    assert made[-1] + 127 > made[0]


def test_router_ids_of_neighbours_differ() -> None:
    ids = [router_id(address) for address in range(3_322_000_000, 3_322_000_255)]
    assert sorted(ids) == list(range(1, 256))


# What is refused: one problem each, and nothing besides.


def on(host: str, port: int, process: str | None, address: str = "0.0.0.0", **differs: Any) -> dict[str, Any]:
    return {host: node(host, listening=[{"port": port, "address": address, "process": process}], **differs)}


def systems(identity: str, version: str) -> dict[str, Any]:
    return {"w1": node("w1", system={"id": identity, "version_id": version, "name": f"{identity} {version}", "architecture": "x86_64"})}


NOWHERE: dict[str, Any] = {"addresses": [], "hosts_file": [], "stale_copies": []}

REFUSED = [
    # Inputs by themselves.
    ("typo", {"inputs": {"cluster_endpoint_adress": "198.18.64.10"}}, "cluster_endpoint_adress", "did you mean cluster_endpoint_address?"),
    ("unknown input", {"inputs": {"cluster_colour": "red"}}, "cluster_colour", "docs/inputs.md"),
    ("unresolved", {"inputs": {"cluster_name": Untemplated("'site' is undefined")}}, "cluster_name", "'site' is undefined"),
    ("unlike on two hosts", {"hosts": {"w2": {"cluster_name": "b"}, "cp1": {"cluster_name": "a"}}}, "cluster_name", "differs between cp1 and w2"),
    ("unknown endpoint type", {"inputs": {"cluster_endpoint_type": "carrier_pigeon"}}, "cluster_endpoint_type", "write vip"),
    ("no endpoint name", {"inputs": {"cluster_endpoint_name": None}}, "cluster_endpoint_name", "api.example.org"),
    ("address as name", {"inputs": {"cluster_endpoint_name": "198.18.64.10"}}, "cluster_endpoint_name", "not a DNS name"),
    ("capital letters", {"inputs": {"cluster_endpoint_name": "API.lab.test"}}, "cluster_endpoint_name", "lower case"),
    ("no endpoint address", {"inputs": {"cluster_endpoint_address": ""}}, "cluster_endpoint_address", "is not set"),
    ("address with prefix", {"inputs": {"cluster_endpoint_address": "198.18.64.10/24"}}, "cluster_endpoint_address", "without prefix length"),
    ("list for a text", {"inputs": {"cluster_endpoint_address": ["198.18.64.10"]}}, "cluster_endpoint_address", 'is the list ["198.18.64.10"]'),
    ("text for a list", {"inputs": {"cluster_pod_subnets": "10.244.0.0/16"}}, "cluster_pod_subnets", "write a list of texts"),
    ("numbers in a list", {"inputs": {"cluster_extra_sans": [1]}}, "cluster_extra_sans", "write a list of texts"),
    ("text for a boolean", {"inputs": {"cluster_allow_old_containerd": "true"}}, "cluster_allow_old_containerd", "without quotes; on the command line"),
    ("text for a number", {"inputs": {"cluster_endpoint_port": "16443"}}, "cluster_endpoint_port", "without quotes"),
    ("boolean for a number", {"inputs": {"cluster_vrrp_router_id": True}}, "cluster_vrrp_router_id", "is the boolean true"),
    ("list for a mapping", {"inputs": {"cluster_kubelet_config": []}}, f"cluster_kubelet_config of {', '.join(SIX)}", "write a mapping"),
    ("no port", {"inputs": {"cluster_endpoint_port": 70000}}, "cluster_endpoint_port", "1 to 65535"),
    ("router id 0", {"inputs": {"cluster_vrrp_router_id": 0}}, "cluster_vrrp_router_id", "1 to 255"),
    ("router id 256", {"inputs": {"cluster_vrrp_router_id": 256}}, "cluster_vrrp_router_id", "1 to 255"),
    ("float for a version", {"inputs": {"cluster_kubernetes_version": 1.37}}, "cluster_kubernetes_version", "in quotes"),
    ("version without patch", {"inputs": {"cluster_kubernetes_version": "1.37"}}, "cluster_kubernetes_version", "major.minor.patch"),
    ("version with v", {"inputs": {"cluster_kubernetes_version": "v1.37.2"}}, "cluster_kubernetes_version", "such as 1.37.2"),
    ("old Kubernetes", {"inputs": {"cluster_kubernetes_version": "1.34.9"}}, "cluster_kubernetes_version", "1.35, 1.36, 1.37"),
    ("future Kubernetes", {"inputs": {"cluster_kubernetes_version": "1.38.0"}}, "cluster_kubernetes_version", "1.35, 1.36, 1.37"),
    ("no network", {"inputs": {"cluster_pod_subnets": ["10.244.0.0"]}}, "cluster_pod_subnets", "prefix length from 8 to 24"),
    ("host bits", {"inputs": {"cluster_pod_subnets": ["10.244.1.0/16"]}}, "cluster_pod_subnets", "has host bits set"),
    ("rubbish", {"inputs": {"cluster_service_subnets": ["ten"]}}, "cluster_service_subnets", "not a network"),
    ("two IPv4 networks", {"inputs": {"cluster_pod_subnets": ["10.244.0.0/16", "10.245.0.0/16"]}}, "cluster_pod_subnets", "one IPv4 and one IPv6"),
    ("Services too large", {"inputs": {"cluster_service_subnets": ["11.0.0.0/8"]}}, "cluster_service_subnets", "from 12 to 28"),
    ("no pod network", {"inputs": {"cluster_pod_subnets": []}}, "cluster_pod_subnets", "is empty"),
    ("strange certificate name", {"inputs": {"cluster_extra_sans": ["a b"]}}, "cluster_extra_sans", "'a b'"),
    ("no password", {"inputs": {"cluster_statistics_password": None}}, "cluster_statistics_password", "is not set"),
    ("empty password", {"inputs": {"cluster_statistics_password": ""}}, "cluster_statistics_password", "is not set"),
    ("password of two lines", {"inputs": {"cluster_statistics_password": "not-for\nprint"}}, "cluster_statistics_password", "line break"),
    (
        "adverts too far apart for the budget", {"inputs": {"cluster_vrrp_advert_interval": 400}}, "cluster_failover_budget",
        "active_router_powered_off can cost 1.436 s, and the budget is 1 s; lower cluster_vrrp_advert_interval",
    ),
    (
        "checks too slow for the budget", {"inputs": {"cluster_proxy_check_timeout": 900}}, "cluster_failover_budget",
        "api_server_hung can cost 1.05 s, and the budget is 1 s; lower cluster_proxy_check_timeout and cluster_proxy_check_interval",
    ),
    (
        "dead servers found too late for the budget", {"inputs": {"cluster_proxy_dead_fall": 5}}, "cluster_failover_budget",
        "api_server_hung_watches can cost 1.8 s, and the budget is 1 s; lower cluster_proxy_dead_timeout, cluster_proxy_dead_fall",
    ),
    (
        "a budget smaller than what no input changes", {"inputs": {"cluster_failover_budget": 0.04}}, "cluster_failover_budget",
        "api_server_killed can cost 0.05 s, and the budget is 0.04 s; raise the budget",
    ),
    ("a budget without an end", {"inputs": {"cluster_failover_budget": float("inf")}}, "cluster_failover_budget", "inf is no duration"),
    ("checks that are too quick", {"inputs": {"cluster_proxy_check_interval": 20}}, "cluster_proxy_check_interval", "too small for a TLS handshake"),
    ("no budget", {"inputs": {"cluster_failover_budget": 0}}, "cluster_failover_budget", "0 is no duration"),
    ("text for a budget", {"inputs": {"cluster_failover_budget": "1 s"}}, "cluster_failover_budget", "write a number without quotes"),
    ("an election before the heartbeats", {"inputs": {"cluster_etcd_election_timeout": 400}}, "cluster_etcd_election_timeout", "from 500 to 50000"),
    ("adverts between the steps", {"inputs": {"cluster_vrrp_advert_interval": 105}}, "cluster_vrrp_advert_interval", "in steps of ten"),
    ("a certificate without its key", {"inputs": {"cluster_proxy_check_certificate": "not-for-print"}}, "cluster_proxy_check_certificate", "with its key"),
    ("a number for a certificate", {"inputs": {"cluster_proxy_check_certificate": 7}}, "cluster_proxy_check_certificate", "is not a text"),
    ("number for a password", {"inputs": {"cluster_statistics_password": 4711}}, "cluster_statistics_password", "is not a text"),
    ("unknown source", {"inputs": {"cluster_install_source": "binary"}}, "cluster_install_source", "write packages or bundle"),
    ("relative path", {"inputs": {"cluster_fetch_kubeconfig_to": "admin.conf"}}, "cluster_fetch_kubeconfig_to", "{{ inventory_dir }}/admin.conf"),
    ("a mirror of nothing", {"inputs": {"cluster_containerd_registry_mirrors": [{"endpoints": [MIRROR]}]}}, MIRRORS, "its entry 1 has no registry"),
    ("nobody mirrors", {"inputs": {"cluster_containerd_registry_mirrors": [{"registry": "docker.io"}]}}, MIRRORS, "docker.io has no endpoints"),
    (
        "a mirror's unknown field",
        {"inputs": {"cluster_containerd_registry_mirrors": [{"registry": "docker.io", "endpoints": [{**MIRROR, "insecure": True}]}]}},
        MIRRORS,
        "docker.io has insecure",
    ),
    (
        "a mirror without https",
        {"inputs": {"cluster_containerd_registry_mirrors": [{"registry": "docker.io", "endpoints": [{"url": "mirror"}]}]}},
        MIRRORS,
        "'mirror' is not a URL",
    ),
    (
        "a registry twice",
        {"inputs": {"cluster_containerd_registry_mirrors": [{"registry": "docker.io", "endpoints": [MIRROR]}] * 2}},
        MIRRORS,
        "docker.io is listed more than once",
    ),
    ("no URL", {"inputs": {"cluster_repository_url": "mirror.example.org"}}, "cluster_repository_url", "https://"),
    ("address of a node", {"hosts": {"w1": {"cluster_node_address": "eth1"}}}, "cluster_node_address of w1", "not an IP address"),
    ("swap as boolean", {"inputs": {"cluster_swap": False}}, f"cluster_swap of {', '.join(SIX)}", "in quotes"),
    # Who takes part.
    ("no control plane", {"control_planes": ()}, "control_planes", "odd number"),
    ("two control planes", {"control_planes": ("cp1", "cp2")}, "control_planes", "begin with 1 or 3"),
    ("host in both groups", {"workers": ("w1", "cp2")}, "cp2", "in both groups"),
    ("unreachable", {"found": {"w2": None}, "hosts": {"w2": {"ansible_host": "198.18.64.22"}}}, "w2", "could not be reached"),
    ("Debian 11", {"found": systems("debian", "11")}, "w1", "Debian 12 or 13"),
    ("Ubuntu 20.04", {"found": systems("ubuntu", "20.04")}, "w1", "Ubuntu 22.04"),
    ("Ubuntu 25.10", {"found": systems("ubuntu", "25.10")}, "w1", "Ubuntu 22.04"),
    ("EL 8", {"found": systems("rocky", "8.10")}, "w1", "EL 9 or 10"),
    ("another system", {"found": systems("arch", "")}, "w1", "is not supported"),
    ("name with underscore", {"workers": ("w_1",), "found": {"w_1": node("w1")}}, "w_1", "dashes and dots"),
    ("name with capitals", {"workers": ("W1",), "found": {"W1": node("w1")}}, "W1", "lower-case"),
    ("endpoint named like a node", {"inputs": {"cluster_endpoint_name": "cp1"}}, "cluster_endpoint_name", "write another name"),
    ("two of a name", {"found": {"w2": worker("w2", node_name="w1"), "cp1": control_plane("cp1")}}, "w1 and w2", "same name w1"),
    # Addresses and networks.
    (
        "same address",
        {"found": {"w2": node("w2", interfaces=node("w1")["interfaces"], default_address=ADDRESSES["w1"])}},
        "w1 and w2",
        "same address 198.18.64.21",
    ),
    ("address of nobody", {"hosts": {"w2": {"cluster_node_address": "198.18.64.99"}}}, "cluster_node_address of w2", "write one of 198.18.64.22"),
    (
        "address through NAT",
        {"found": {"w2": node("w2", default_address=None)}, "hosts": {"w2": {"ansible_host": "203.0.113.2"}}},
        "cluster_node_address of w2",
        "(ansible_host)",
    ),
    ("no address", {"found": {"w2": node("w2", default_address=None)}}, "cluster_node_address of w2", "the host has no known address"),
    ("unknown address of a control plane", {"found": {**living(), "cp3": None}, "run": ("w1",)}, "cluster_node_address of cp3", "is not set"),
    ("pods in Services", {"inputs": {"cluster_pod_subnets": ["10.100.0.0/16"]}}, "cluster_pod_subnets", "overlaps 10.96.0.0/12 of cluster_service_subnets"),
    (
        "nodes in pods",
        {"inputs": {"cluster_pod_subnets": ["198.18.0.0/16"], "cluster_endpoint_address": "198.18.64.10"}},
        "cluster_pod_subnets",
        "overlaps 198.18.64.0/24",
    ),
    ("nodes in Services", {"inputs": {"cluster_service_subnets": ["198.18.0.0/15"]}}, "cluster_service_subnets", "the network of cp1, cp2, cp3, w1, w2 and w3"),
    (
        "one node in pods",
        {"found": {"w3": two_networks("w3")}, "hosts": {"w3": {"cluster_node_address": "192.0.2.23"}}, "inputs": {"cluster_pod_subnets": ["192.0.0.0/16"]}},
        "cluster_pod_subnets",
        "the network of w3",
    ),
    ("endpoint in Services", {"inputs": {"cluster_endpoint_address": "10.96.0.10"}}, "cluster_endpoint_address", "inside 10.96.0.0/12"),
    ("endpoint in pods", {"inputs": {"cluster_endpoint_address": "10.244.0.10"}}, "cluster_endpoint_address", "inside 10.244.0.0/16"),
    ("too few pod networks", {"inputs": {"cluster_pod_subnets": ["10.244.0.0/22"]}}, "cluster_pod_subnets", "has room for 4 nodes"),
    ("families apart", {"inputs": {"cluster_service_subnets": ["fd00:10:96::/112"]}}, "cluster_service_subnets", "same families"),
    (
        "no second family",
        {
            "inputs": {"cluster_pod_subnets": ["10.244.0.0/16", "fd00::/56"], "cluster_service_subnets": ["10.96.0.0/12", "fd01::/112"]},
            "workers": (),
            "control_planes": ("cp1",),
        },
        "cp1",
        "dual-stack",
    ),
    (
        "IPv6 pods on IPv4 nodes",
        {"inputs": {"cluster_pod_subnets": ["fd00::/56"], "cluster_service_subnets": ["fd01::/112"]}, "workers": (), "control_planes": ("cp1",)},
        "cp1",
        "the first pod network is IPv6",
    ),
    # The endpoint.
    (
        "virtual IP of another network",
        {"inputs": {"cluster_endpoint_address": "198.18.70.10"}},
        "cluster_endpoint_address",
        "outside every network of cp1, cp2 and cp3 (198.18.64.0/24)",
    ),
    (
        "virtual IP unknown to one proxy",
        {"found": {"lb2": two_networks("lb2")}, "inputs": {"cluster_endpoint_address": "192.0.2.40"}, "proxies": ("lb2", "lb1")},
        "cluster_endpoint_address",
        "of lb1 (",
    ),
    ("virtual IP of a node", {"inputs": {"cluster_endpoint_address": "198.18.64.22"}}, "cluster_endpoint_address", "is the address of w2"),
    (
        "virtual IP of a proxy",
        {"inputs": {"cluster_endpoint_address": "198.18.64.31"}, "proxies": ("lb1", "lb2")},
        "cluster_endpoint_address",
        "is the address of lb1",
    ),
    (
        "virtual IP on a stray",
        {"found": {"w3": two_networks("w3")}, "inputs": {"cluster_endpoint_address": "192.0.2.23"}, "proxies": ("lb1",)},
        "cluster_endpoint_address",
        "on an interface of w3",
    ),
    ("broadcast address", {"inputs": {"cluster_endpoint_address": "198.18.64.255"}}, "cluster_endpoint_address", "first or last address"),
    ("wrong interface", {"inputs": {"cluster_vrrp_interface": "eth7"}}, "cluster_vrrp_interface of cp1, cp2 and cp3", "eth7"),
    ("API server's port on control planes", {"inputs": {"cluster_endpoint_port": 6443}}, "cluster_endpoint_port", "it is the port of kube-apiserver"),
    ("statistics' port", {"inputs": {"cluster_endpoint_port": 1080}, "proxies": ("lb1",)}, "cluster_endpoint_port", "statistics page"),
    ("monitor's port", {"inputs": {"cluster_endpoint_port": 16444}}, "cluster_endpoint_port", "monitor"),
    ("the port of what etcd says", {"inputs": {"cluster_endpoint_port": 16445}}, "cluster_endpoint_port", "the state of the local etcd member"),
    # Ports taken.
    ("endpoint's port taken", {"found": on("cp2", 16443, "nginx", "127.0.0.1")}, "cp2", "port 16443, which haproxy needs, is taken by nginx"),
    ("the port of what etcd says taken", {"found": on("cp2", 16445, "squid")}, "cp2", "port 16445, which haproxy needs, is taken by squid"),
    ("statistics' port taken", {"found": on("cp2", 1080, "squid")}, "cp2", "port 1080"),
    ("API server's port taken", {"found": on("cp2", 6443, "k3s-server")}, "cp2", "which kube-apiserver needs, is taken by k3s-server"),
    ("API server's port taken by one without a name", {"found": on("cp2", 6443, None)}, "cp2", "is taken by the kernel"),
    ("monitor's port taken", {"found": on("cp2", 16444, "nginx")}, "cp2", "port 16444, which haproxy needs, is taken by nginx"),
    ("monitor's port taken by the kernel", {"found": on("cp2", 16444, None, "127.0.0.1")}, "cp2", "port 16444, which haproxy needs, is taken by the kernel"),
    (
        "an endpoint's port of the user's own taken",
        {"found": on("cp2", 8443, "nginx"), "inputs": {"cluster_endpoint_port": 8443}},
        "cp2",
        "port 8443, which haproxy needs, is taken by nginx",
    ),
    (
        "a port of a proxy taken on a member",
        {"found": {**living(), "cp2": control_plane("cp2", listening=[{"port": 16443, "address": "::", "process": None}])}},
        "cp2",
        "port 16443, which haproxy needs, is taken by the kernel",
    ),
    ("the port of etcd's metrics taken", {"found": on("cp2", 2381, "squid", "127.0.0.1")}, "cp2", "port 2381, which etcd needs"),
    ("etcd's port taken", {"found": on("cp3", 2379, "etcd", "127.0.0.1")}, "cp3", "port 2379, which etcd needs"),
    ("etcd's peer port taken", {"found": on("cp3", 2380, "etcd")}, "cp3", "port 2380"),
    ("kubelet's port taken", {"found": on("w1", 10250, "agent")}, "w1", "port 10250, which kubelet needs"),
    (
        "port of a member taken",
        {"found": {**living(), **{"w1": worker("w1", listening=[{"port": 10250, "address": "::", "process": "agent"}])}}},
        "w1",
        "is taken by agent",
    ),
    # Versions and sources.
    (
        "old containerd asked for",
        {"inputs": {"cluster_containerd_version": "1.7.24"}, "control_planes": ("cp1",), "workers": ()},
        "cp1",
        "containerd 1.7.24 does not support Kubernetes 1.37.2",
    ),
    ("old containerd there", {"found": {"w1": node("w1", containerd={"version": "1.7.24", "candidate": None})}}, "w1", "set cluster_containerd_version"),
    (
        "old containerd of the distribution",
        {
            "inputs": {"cluster_containerd_source": "distribution", "cluster_kubernetes_version": "1.36.3"},
            "control_planes": ("cp1",),
            "workers": (),
            "found": {"cp1": node("cp1", containerd={"version": None, "candidate": "1.6.20"})},
        },
        "cp1",
        "cluster_allow_old_containerd to true",
    ),
    (
        "no containerd in the distribution",
        {"inputs": {"cluster_containerd_source": "distribution"}, "control_planes": ("cp1",), "workers": ()},
        "cp1",
        "has no containerd package",
    ),
    ("no bundle", {"inputs": {"cluster_install_source": "bundle"}}, "cluster_bundle_path", "cluster_install_source is bundle"),
    ("no bundle for containerd", {"inputs": {"cluster_containerd_source": "bundle"}}, "cluster_bundle_path", "cluster_containerd_source is bundle"),
    ("bundle that is not there", {"inputs": {"cluster_install_source": "bundle", "cluster_bundle_path": "/no/such"}}, "cluster_bundle_path", "SHA256SUMS"),
    ("no manifests", {"inputs": {"cluster_pod_network": "manifests"}}, "cluster_pod_network_manifests", "is empty"),
    (
        "manifest that is not there",
        {"inputs": {"cluster_pod_network": "manifests", "cluster_pod_network_manifests": ["/no/such.yaml"]}},
        "cluster_pod_network_manifests",
        "there is no /no/such.yaml",
    ),
    ("Calico's manifest not there", {"inputs": {"cluster_calico_manifest": "/no/calico.yaml"}}, "cluster_calico_manifest", "there is no /no/calico.yaml"),
    (
        "IPIP without BIRD",
        {"inputs": {"cluster_calico_encapsulation": "ipip", "cluster_calico_backend": "vxlan"}},
        "cluster_calico_backend",
        "write auto or bird",
    ),
    (
        "two cgroup drivers",
        {"hosts": {"w1": {"cluster_kubelet_config": {"cgroupDriver": "cgroupfs"}}}},
        "cluster_kubelet_config of w1",
        "cluster_cgroup_driver: cgroupfs",
    ),
    (
        "a field of another input",
        {"inputs": {"cluster_kubeadm_config": {"networking": {"podSubnet": "10.0.0.0/8"}}}},
        "cluster_kubeadm_config",
        "has networking.podSubnet, which is determined elsewhere; write cluster_pod_subnets",
    ),
    (
        "a field of a host's other input",
        {"hosts": {"w1": {"cluster_kubeadm_node_config": {"nodeRegistration": {"kubeletExtraArgs": [{"name": "node-ip", "value": "192.0.2.1"}]}}}}},
        "cluster_kubeadm_node_config of w1",
        "has the flag node-ip in nodeRegistration.kubeletExtraArgs, which is determined elsewhere; write cluster_node_address",
    ),
    ("no directory of patches", {"inputs": {"cluster_kubeadm_patches": "/no/such"}}, "cluster_kubeadm_patches", "there is no directory /no/such"),
    (
        "no source of a file",
        {"inputs": {"cluster_files": [{"path": "/etc/kubernetes/audit/policy.yaml", "source": "/no/such"}]}},
        "cluster_files",
        "there is no file /no/such on the controller",
    ),
    ("files without a list", {"inputs": {"cluster_files": {"not-for": "print"}}}, "cluster_files", "is not a list of mappings"),
    ("a file without a path", {"inputs": {"cluster_files": [{"content": "not-for-print"}]}}, "cluster_files", "its file 1 has no path"),
    ("a file elsewhere", {"inputs": {"cluster_files": [{"path": "/etc/../root/x", "content": ""}]}}, "cluster_files", "its file 1 has no path"),
    (
        "a file among the static pods",
        {"inputs": {"cluster_files": [{"path": "/etc/kubernetes/manifests/audit.yaml", "content": ""}]}},
        "cluster_files",
        "/etc/kubernetes/manifests/audit.yaml is in a directory that kubeadm manages",
    ),
    ("a file with nothing in it", {"inputs": {"cluster_files": [{"path": "/etc/a"}]}}, "cluster_files", "/etc/a has neither content nor source"),
    (
        "a file with two contents",
        {"inputs": {"cluster_files": [{"path": "/etc/a", "content": "not-for-print", "source": "/dev/null"}]}},
        "cluster_files",
        "/etc/a has both content and source",
    ),
    ("a mapping as content", {"inputs": {"cluster_files": [{"path": "/etc/a", "content": {"not-for": 1}}]}}, "cluster_files", "is not a text"),
    ("a relative source", {"inputs": {"cluster_files": [{"path": "/etc/a", "source": "a"}]}}, "cluster_files", "is not an absolute path on the controller"),
    ("a mode without quotes", {"inputs": {"cluster_files": [{"path": "/etc/a", "content": "", "mode": 420}]}}, "cluster_files", "in quotes"),
    ("a secret text", {"inputs": {"cluster_files": [{"path": "/etc/a", "content": "", "secret": "yes"}]}}, "cluster_files", "has the secret 'yes'"),
    ("an owner", {"inputs": {"cluster_files": [{"path": "/etc/a", "content": "", "owner": "etcd"}]}}, "cluster_files", "/etc/a has owner"),
    ("a file twice", {"inputs": {"cluster_files": [{"path": "/etc/a", "content": ""}] * 2}}, "cluster_files", "/etc/a is listed more than once"),
    ("workload without name", {"inputs": {"cluster_pod_network_workloads": [{"kind": "DaemonSet"}]}}, "cluster_pod_network_workloads", "namespace and name"),
    # What there is already.
    (
        "two clusters",
        {"found": {**living(), "cp3": control_plane("cp3", ca_hash=OTHERS)}},
        "cp1, cp2 and cp3",
        "cp1 and cp2: CA sha256:aaaaaaaaaaaaaaaa…; cp3: CA sha256:bbbb",
    ),
    ("worker of another cluster", {"found": {**living(), "w1": worker("w1", ca_hash=OTHERS)}}, "w1", "belongs to another cluster (CA sha256:bbbb"),
    ("worker of a lost cluster", {"found": {"w1": worker("w1")}}, "w1", "no control plane of it is in the inventory"),
    ("half-joined elsewhere", {"found": {**living(), "cp3": node("cp3", state="half_joined", ca_hash=OTHERS)}}, "cp3", "has begun to join another cluster"),
    ("control plane among the workers", {"found": {**living(), "w1": control_plane("w1")}}, "w1", "a worker in the inventory"),
    ("worker among the control planes", {"found": {**living(), "cp3": worker("cp3")}}, "cp3", "a control plane in the inventory"),
    (
        "no API server answers",
        {"found": {host: control_plane(host, api_ready=False, api_problem="refused") for host in CONTROL_PLANES}},
        "cp1, cp2 and cp3",
        "no API server of it is ready (cp1: refused;",
    ),
    (
        "all certificates have expired",
        {
            "found": {
                host: control_plane(
                    host,
                    api_ready=False,
                    api_problem="certificate verify failed: certificate has expired",
                    certificates=[
                        {"name": name, "path": "/x", "not_before": "2024-11-28T16:00:00Z", "not_after": until, "names": []}
                        for name, until in (("apiserver", "2025-11-28T16:00:00Z"), ("etcd-server", "2025-11-28T16:00:00Z"), ("ca", "2134-11-28T16:00:00Z"))
                    ],
                )
                for host in CONTROL_PLANES
            }
        },
        "cp1, cp2 and cp3",
        "(certificates have expired on cp1, cp2 and cp3: apiserver and etcd-server); run `ansible-playbook quorum.kubeadm.renew_certificates`",
    ),
    (
        "first init with unknown control planes",
        {
            "run": ("cp1",),
            "found": {"cp2": None, "cp3": None},
            "inputs": {},
            "hosts": {"cp2": {"ansible_host": "198.18.64.12"}, "cp3": {"ansible_host": "198.18.64.13"}},
        },
        "cp1",
        "without --limit",
    ),
    ("first init without the first", {"run": ("cp2", "cp3")}, "cp1", "this run excludes it"),
    (
        "unfinished init that others belong to",
        {"found": {"cp1": node("cp1", state="initialising", ca_hash=OURS), "w1": worker("w1")}},
        "cp1",
        "w1 belongs to its cluster",
    ),
    (
        "unfinished init, others not known",
        {"found": {"cp1": node("cp1", state="initialising", ca_hash=OURS), "w1": None}, "run": CONTROL_PLANES},
        "cp1",
        "with all hosts running",
    ),
    ("version changed", at("1.36.3"), "cluster_kubernetes_version", "ansible-playbook quorum.kubeadm.upgrade"),
    (
        "pods changed",
        {"found": living(), "cluster": CLUSTER, "inputs": {"cluster_pod_subnets": ["10.245.0.0/16"]}},
        "cluster_pod_subnets",
        "is 10.245.0.0/16, but the cluster has 10.244.0.0/16",
    ),
    (
        "Services changed",
        {"found": living(), "cluster": CLUSTER, "inputs": {"cluster_service_subnets": ["10.112.0.0/12"]}},
        "cluster_service_subnets",
        "cannot be changed",
    ),
    (
        "endpoint's name changed",
        {"found": living(), "cluster": CLUSTER, "inputs": {"cluster_endpoint_name": "k8s.lab.test"}},
        "cluster_endpoint_name",
        "api.lab.test:16443",
    ),
    (
        "endpoint's port changed",
        {"found": living(), "cluster": CLUSTER, "inputs": {"cluster_endpoint_port": 17443}},
        "cluster_endpoint_name",
        "is api.lab.test:17443, but the cluster has",
    ),
    ("DNS domain changed", {"found": living(), "cluster": CLUSTER, "inputs": {"cluster_dns_domain": "k8s.local"}}, "cluster_dns_domain", "cannot be changed"),
    (
        "cgroup driver changed",
        {"found": living(), "cluster": CLUSTER, "inputs": {"cluster_cgroup_driver": "cgroupfs"}},
        "cluster_cgroup_driver",
        "is cgroupfs, but the cluster has systemd; write the cluster's value; pods that run",
    ),
    (
        "validity of the CA changed",
        {"found": living(), "cluster": CLUSTER, "inputs": {"cluster_kubeadm_config": {"caCertificateValidityPeriod": "43800h"}}},
        "cluster_kubeadm_config",
        "has caCertificateValidityPeriod 43800h, but the cluster's CA was made for 87600h0m0s",
    ),
    (
        "names of etcd changed",
        {"found": living(), "cluster": CLUSTER, "inputs": {"cluster_kubeadm_config": {"etcd": {"local": {"serverCertSANs": ["etcd.lab.test"]}}}}},
        "cluster_kubeadm_config",
        "has etcd.local.serverCertSANs etcd.lab.test, but the cluster has none",
    ),
    ("cluster's name changed", {"found": living(), "cluster": CLUSTER, "inputs": {"cluster_name": "other"}}, "cluster_name", "cannot be changed"),
    (
        "node's address changed",
        {
            "found": {**living(), "w1": worker("w1", interfaces=two_networks("w1")["interfaces"])},
            "cluster": CLUSTER,
            "hosts": {"w1": {"cluster_node_address": "192.0.2.21"}},
        },
        "cluster_node_address of w1",
        "not the node's address in the cluster, 198.18.64.21",
    ),
    # The kinds of endpoint.
    (
        "an address where it has no meaning",
        {"inputs": {"cluster_endpoint_type": "node_local"}},
        "cluster_endpoint_address",
        "no meaning with cluster_endpoint_type node_local; leave it out",
    ),
    (
        "balancer at a node's address",
        {"inputs": {"cluster_endpoint_type": "load_balancer", "cluster_endpoint_address": "198.18.64.22"}},
        "cluster_endpoint_address",
        "is the address of w2; write the address of the load balancer",
    ),
    (
        "balancer that no name leads to",
        {
            "inputs": {"cluster_endpoint_type": "load_balancer", "cluster_endpoint_address": ""},
            "found": {host: node(host, resolved=NOWHERE) for host in SIX},
        },
        "cluster_endpoint_name",
        "resolves to no address on cp1, cp2, cp3, w1, w2 and w3",
    ),
    (
        "external name that one node cannot resolve",
        {
            "inputs": {"cluster_endpoint_type": "external", "cluster_endpoint_address": ""},
            "found": {host: node(host, resolved=NOWHERE if host == "w2" else {**NOWHERE, "addresses": ["192.0.2.7"]}) for host in SIX},
        },
        "cluster_endpoint_name",
        "resolves to no address on w2",
    ),
    (
        "proxies that have nothing to do",
        {"inputs": {"cluster_endpoint_type": "load_balancer"}, "proxies": ("lb1",)},
        "proxies",
        "cluster_endpoint_type load_balancer uses no proxies",
    ),
    (
        "new control plane without the proxies",
        {"found": living("cp3"), "run": ("cp3",), "cluster": CLUSTER},
        "cp3",
        "excludes cp1 and cp2, whose HAProxy must get the new API server",
    ),
    ("endpoint on a NodePort", {"inputs": {"cluster_endpoint_port": 30443}}, "cluster_endpoint_port", "the range of NodePort Services"),
    ("endpoint on kube-proxy's port", {"inputs": {"cluster_endpoint_port": 10256}}, "cluster_endpoint_port", "it is the port of kube-proxy"),
    (
        "pod network on another interface",
        {
            "found": {
                "cp1": node(
                    "cp1",
                    interfaces=[
                        {"name": "eth0", "addresses": [{"address": ADDRESSES["cp1"], "prefix": 24}]},
                        {"name": "eth1", "addresses": [{"address": "10.244.7.5", "prefix": 24}]},
                    ],
                )
            }
        },
        "cluster_pod_subnets",
        "overlaps 10.244.7.0/24, the network of cp1",
    ),
    ("URL with a blank", {"inputs": {"cluster_repository_url": "https://mirror /x"}}, "cluster_repository_url", "without spaces"),
    ("registry with a scheme", {"inputs": {"cluster_image_repository": "https://mirror.example.org"}}, "cluster_image_repository", "without https://"),
]


@pytest.mark.parametrize(("differs", "subject", "text"), [case[1:] for case in REFUSED], ids=[case[0] for case in REFUSED])
def test_bad_input_is_refused(differs: dict[str, Any], subject: str, text: str) -> None:
    with pytest.raises(Refused) as refused:
        plan(**differs)
    problems = refused.value.problems
    assert [problem.subject for problem in problems if problem.subject != subject] == [], [str(problem) for problem in problems]
    assert any(text in str(problem) for problem in problems), [str(problem) for problem in problems]
    assert all(problem.wrong and problem.write for problem in problems)
    assert "not-for" not in str(refused.value)


def test_all_problems_are_in_one_message() -> None:
    with pytest.raises(Refused) as refused:
        plan(control_planes=("cp1", "cp2"), inputs={"cluster_vrrp_router_id": 0, "cluster_statistics_password": None}, found={"w1": None})
    lines = str(refused.value).splitlines()
    assert lines[0].endswith("nothing on any host was changed.")
    assert sorted(line.partition(":")[0] for line in lines[1:]) == [
        "- cluster_node_address of w1",
        "- cluster_statistics_password",
        "- cluster_vrrp_router_id",
        "- control_planes",
        "- w1",
    ]


def test_ports_of_a_member_belong_to_it() -> None:
    """Who listens on a living node is who should; and a HAProxy may be there before its node is."""
    assert plan(found={**living(), **on("cp2", 16443, "haproxy")})["joining"] == ["cp2"]


def test_a_listener_on_another_address_is_in_nobodys_way() -> None:
    """HAProxy's monitor is on 127.0.0.1 alone, and with `node_local` the endpoint too."""
    assert plan(found=on("cp2", 16444, "nginx", ADDRESSES["cp2"]))["initialise"]
    local = {"cluster_endpoint_type": "node_local", "cluster_endpoint_address": None}
    assert plan(inputs=local, found=on("cp2", 16443, "nginx", ADDRESSES["cp2"]))["initialise"]
    with pytest.raises(Refused, match="port 16443, which haproxy needs"):
        plan(inputs=local, found=on("cp2", 16443, "nginx", "127.0.0.1"))


def test_a_listener_on_another_address_leaves_the_statistics_alone() -> None:
    assert plan(found=on("cp2", 1080, "squid", "127.0.0.1"))["initialise"]


@pytest.mark.parametrize(
    ("identity", "version"), [("debian", "13"), ("ubuntu", "26.04"), ("rocky", "9.6"), ("almalinux", "10.0"), ("rhel", "10"), ("ol", "9.4")]
)
def test_systems_that_are_supported(identity: str, version: str) -> None:
    assert plan(found=systems(identity, version))["initialise"]


def test_the_users_fields_go_to_kubeadm() -> None:
    """An API server's flag is one line in an inventory."""
    issuers = [{"name": "service-account-issuer", "value": f"https://{name}.example.org"} for name in ("new", "old")]
    made = plan(
        inputs={
            "cluster_kubeadm_config": {
                "apiServer": {"extraArgs": [{"name": "profiling", "value": "false"}, *issuers], "certSANs": ["k8s.example.org", "api.lab.test"]},
                "etcd": {"local": {"extraArgs": [{"name": "quota-backend-bytes", "value": "8589934592"}]}},
                "encryptionAlgorithm": "ECDSA-P256",
            },
            "cluster_etcd_election_timeout": 500,
        },
        hosts={
            "cp1": {"cluster_kubeadm_node_config": {"nodeRegistration": {"taints": []}, "timeouts": {"kubeletHealthCheck": "5m0s"}}},
            "w1": {
                "cluster_kubeadm_node_config": {
                    "nodeRegistration": {
                        "kubeletExtraArgs": [{"name": "node-labels", "value": "zone=a"}],
                        "ignorePreflightErrors": ["Hostname", "Swap"],
                    }
                },
                "cluster_swap": "keep",
            },
        },
    )
    configuration = made["kubeadm"]["cluster_configuration"]
    assert configuration["apiServer"] == {
        "certSANs": ["api.lab.test", "198.18.64.10", "k8s.example.org"],
        "extraArgs": [{"name": "shutdown-delay-duration", "value": "5s"}, {"name": "profiling", "value": "false"}, *issuers],
    }
    assert configuration["etcd"]["local"] == {
        "dataDir": "/var/lib/etcd",
        "extraArgs": [{"name": "election-timeout", "value": "500"}, {"name": "quota-backend-bytes", "value": "8589934592"}],
    }
    assert configuration["encryptionAlgorithm"] == "ECDSA-P256" and configuration["networking"]["podSubnet"] == "10.244.0.0/16"
    init = made["nodes"]["cp1"]["init_configuration"]
    assert init["nodeRegistration"]["taints"] == [] and init["timeouts"] == {"kubeletHealthCheck": "5m0s"}
    assert made["nodes"]["w1"]["join_configuration"]["nodeRegistration"] == {
        "name": "w1",
        "kubeletExtraArgs": [{"name": "node-ip", "value": "198.18.64.21"}, {"name": "node-labels", "value": "zone=a"}],
        "ignorePreflightErrors": ["Swap", "Hostname"],
    }
    assert "taints" not in made["nodes"]["cp2"]["join_configuration"]["nodeRegistration"]


def test_our_flag_gives_way_to_the_users_of_the_same_name() -> None:
    delay = {"name": "shutdown-delay-duration", "value": "20s"}
    made = plan(inputs={"cluster_kubeadm_config": {"apiServer": {"extraArgs": [delay]}}})
    assert made["kubeadm"]["cluster_configuration"]["apiServer"]["extraArgs"] == [delay]


def test_etcd_always_has_its_directory() -> None:
    """kubeadm refuses etcd.local without dataDir."""
    made = plan(inputs={"cluster_kubeadm_config": {"etcd": {"local": {"imageTag": "3.7.0-0"}}}})
    assert made["kubeadm"]["cluster_configuration"]["etcd"] == {"local": {"dataDir": "/var/lib/etcd", "imageTag": "3.7.0-0"}}


def test_a_kubelet_of_its_own() -> None:
    alike = {"serializeImagePulls": False, "evictionHard": {"memory.available": "200Mi"}}
    big = {**alike, "maxPods": 250, "evictionHard": {"memory.available": "2Gi"}}
    made = plan(inputs={"cluster_kubelet_config": alike}, hosts={"w1": {"cluster_kubelet_config": big}})
    assert made["kubeadm"]["kubelet_configuration"] == {"cgroupDriver": "systemd", "serializeImagePulls": False}
    patches = {host: [json.loads(patch["content"]) for patch in node["patches"]] for host, node in made["nodes"].items()}
    assert patches["w1"] == [{"evictionHard": {"memory.available": "2Gi"}, "maxPods": 250}]
    assert patches["cp1"] == patches["w2"] == [{"evictionHard": {"memory.available": "200Mi"}, "maxPods": None}]
    assert made["nodes"]["w1"]["patches"][0]["path"] == "/etc/kubernetes/quorum.kubeadm/patches/kubeletconfiguration-of-this-node+merge.json"
    # kubeadm init and kubeadm join are told where they are.
    for configuration in (made["nodes"]["cp1"]["init_configuration"], made["nodes"]["w1"]["join_configuration"]):
        assert configuration["patches"] == {"directory": "/etc/kubernetes/quorum.kubeadm/patches"}
    assert "patches" not in plan(inputs={"cluster_kubelet_config": big})["nodes"]["w1"]["join_configuration"]


def test_the_users_patches(tmp_path: Path) -> None:
    for name in ("kube-apiserver+merge.yaml", "kubeletconfiguration0.yaml", ".gitkeep"):
        (tmp_path / name).write_text(f"of {name}")
    made = plan(inputs={"cluster_kubeadm_patches": str(tmp_path)})
    directory = "/etc/kubernetes/quorum.kubeadm/patches"
    of_all = {"path": f"{directory}/kubeletconfiguration0.yaml", "content": "of kubeletconfiguration0.yaml"}
    of_control_planes = {"path": f"{directory}/kube-apiserver+merge.yaml", "content": "of kube-apiserver+merge.yaml"}
    assert made["nodes"]["cp2"]["patches"] == [of_control_planes, of_all] and made["nodes"]["w1"]["patches"] == [of_all]
    (tmp_path / "kube-api-server.yaml").touch()
    with pytest.raises(Refused, match=r"cluster_kubeadm_patches: kube-api-server\.yaml in .* is no name of a patch; name it target"):
        plan(inputs={"cluster_kubeadm_patches": str(tmp_path)})


def test_files_are_no_part_of_the_plan(tmp_path: Path) -> None:
    files = [
        {"path": "/etc/kubernetes/encryption/config.yaml", "content": "not-for-print", "secret": True},
        {"path": "/etc/kubernetes/audit/policy.yaml", "source": str(tmp_path / "policy.yaml"), "mode": "0644"},
    ]
    (tmp_path / "policy.yaml").touch()
    assert "not-for-print" not in json.dumps(plan(inputs={"cluster_files": files}))


def test_a_sooner_election() -> None:
    made = plan(inputs={"cluster_etcd_election_timeout": 600})
    assert made["kubeadm"]["cluster_configuration"]["etcd"] == {
        "local": {"dataDir": "/var/lib/etcd", "extraArgs": [{"name": "election-timeout", "value": "600"}]}
    }


def test_the_page_about_the_inputs_is_current() -> None:
    page = Path(__file__).parents[4] / "docs" / "inputs.md"
    assert page.read_text(encoding="utf-8") == cluster_inputs.markdown(), f"print it again: see {cluster_inputs.__name__}"


# Upgrades.


def upgrade(cluster: dict[str, Any], version: str = "1.37.2", **differs: Any) -> Plan:
    inputs = {"cluster_kubernetes_version": version, **differs.pop("inputs", {})}
    return plan(**cluster, procedure="upgrade", inputs=inputs, **differs)


def refusals(cluster: dict[str, Any], version: str = "1.37.2", **differs: Any) -> list[str]:
    with pytest.raises(Refused) as refused:
        upgrade(cluster, version, **differs)
    return [str(problem) for problem in refused.value.problems]


def test_an_upgrade_visits_every_node_the_first_control_plane_applies() -> None:
    made = upgrade(at("1.36.5"))
    assert made["upgrade"] is not None and made["todo"] == list(SIX) and made["drains"]
    assert {host: visit["mode"] for host, visit in made["upgrade"]["nodes"].items()} == {"cp1": "apply", **dict.fromkeys(SIX[1:], "node")}
    assert made["summary"] == ["Plan: upgrades the cluster kubernetes from Kubernetes 1.36.5 to 1.37.2."]
    assert {node["version"] for node in made["nodes"].values()} == {"1.37.2"}


def test_etcds_leader_and_the_active_router_come_last_and_another_applies() -> None:
    cluster = at("1.36.5")
    cluster["cluster"]["etcd_members"] = [{**member, "leader": member["name"] == "cp1"} for member in cluster["cluster"]["etcd_members"]]
    made = upgrade(cluster)
    assert made["upgrade"] is not None and made["order"]["control_planes"] == ["cp2", "cp3", "cp1"]
    assert made["upgrade"]["nodes"]["cp2"]["mode"] == "apply" and made["upgrade"]["nodes"]["cp1"]["mode"] == "node"


def test_a_node_at_which_a_run_stopped_comes_first() -> None:
    cluster = at("1.36.5")
    for node in cluster["cluster"]["nodes"]:
        node["annotations"] = {"quorum.kubeadm/maintenance": "a run"} if node["name"] in ("cp3", "w2") else {}
        node["ready"] = node["name"] != "cp3"
    cluster["found"]["cp3"] |= {"api_ready": False, "api_problem": "refused"}
    made = upgrade(cluster)
    assert made["order"] == {"control_planes": ["cp3", "cp1", "cp2"], "workers": ["w2", "w1", "w3"]}
    assert made["upgrade"] is not None and made["upgrade"]["nodes"]["cp3"]["mode"] == "apply"


def test_a_patch_release_is_not_drained_for() -> None:
    assert upgrade(at("1.37.1"))["drains"] is False


def with_containerd(cluster: dict[str, Any], **versions: str) -> dict[str, Any]:
    """The same cluster, but for the containerd of some hosts; the others have 2.3.7."""
    for host, found in cluster["found"].items():
        found["containerd"] = {"version": versions.get(host, "2.3.7"), "candidate": None}
    return cluster


RAISED = {"cluster_containerd_version": "2.4.0"}


def test_containerd_is_raised_alone_on_nodes_that_are_out_of_service() -> None:
    made = upgrade(with_containerd(at("1.37.2"), w2="2.4.0"), inputs=RAISED)
    assert (made["todo"], made["drains"], made["containerd"]["version"]) == ([host for host in SIX if host != "w2"], True, "2.4.0")
    assert made["upgrade"] is not None and made["upgrade"]["nodes"] == {}
    assert made["notes"]["w1"] == "containerd 2.4.0" and "w2" not in made["notes"]
    assert not any(node["keeps_containerd"] for node in made["nodes"].values())


def test_containerd_is_raised_in_the_same_visits_as_kubernetes() -> None:
    made = upgrade(with_containerd(at("1.37.1"), w2="2.4.0"), inputs=RAISED)
    assert made["todo"] == list(SIX) and made["drains"]


def test_only_an_upgrade_replaces_a_members_containerd() -> None:
    made = plan(**with_containerd({"found": living("w3"), "cluster": CLUSTER}), inputs=RAISED)
    assert {host for host, node in made["nodes"].items() if not node["keeps_containerd"]} == {"w3"}
    assert plan(**with_containerd({"found": living(), "cluster": CLUSTER}), inputs=RAISED, procedure="etcd_defragment")["todo"] == []


def test_the_containerd_of_a_bundle_is_that_of_its_program(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(cluster_bundle, "containerd_version", {str(tmp_path / "1.37.2"): "2.4.1"}.__getitem__)
    monkeypatch.setattr(cluster_bundle, "faults", lambda *_given, **_options: [])
    inputs = {"cluster_containerd_source": "bundle", "cluster_bundle_path": str(tmp_path / "{version}")}
    made = upgrade(with_containerd(at("1.37.2"), w2="2.4.1"), inputs=inputs)
    assert made["todo"] == [host for host in SIX if host != "w2"]


def test_a_cluster_that_has_the_version_has_nothing_to_do() -> None:
    made = upgrade(at("1.37.2"))
    assert made["todo"] == [] and made["summary"] == []


def test_several_versions_are_planned_one_at_a_time() -> None:
    inputs = {"cluster_upgrade_path": ["1.36.5", "1.37.2"], "cluster_image_repository": "registry.example.org"}
    made = upgrade(at("1.35.8"), inputs=inputs)
    assert made["upgrade"] is not None and made["upgrade"]["further"] == ["1.37.2"]
    assert made["summary"] == ["Plan: upgrades the cluster kubernetes from Kubernetes 1.35.8 to 1.36.5, and then to 1.37.2."]
    assert made["nodes"]["w1"]["version"] == "1.36.5"


def test_what_kubeadm_is_told_when_it_upgrades() -> None:
    fields = {"timeouts": {"upgradeManifests": "3m0s"}, "nodeRegistration": {"imagePullSerial": False}}
    hosts = {"w1": {"cluster_kubelet_config": {"maxPods": 200}, "cluster_kubeadm_node_config": fields}}
    made = upgrade(at("1.36.5"), hosts=hosts, inputs={"cluster_ignore_preflight_errors": ["SystemVerification"]})
    assert made["nodes"]["w1"]["upgrade_configuration"] == {
        "ignorePreflightErrors": ["SystemVerification"],
        "imagePullSerial": False,
        "patches": {"directory": "/etc/kubernetes/quorum.kubeadm/patches"},
        "timeouts": {"upgradeManifests": "3m0s"},
    }


def test_etcd_of_the_version_comes_where_the_user_has_no_tag() -> None:
    own = upgrade(at("1.36.5"))["upgrade"]
    tagged = upgrade(at("1.36.5"), inputs={"cluster_kubeadm_config": {"etcd": {"local": {"imageTag": "3.6.14-0"}}}})["upgrade"]
    assert own is not None and own["own_etcd"] and tagged is not None and not tagged["own_etcd"]


def test_what_stands_in_the_way_of_an_upgrade_is_told_all_at_once() -> None:
    cluster = at("1.36.5")
    found, living_cluster = cluster["found"], cluster["cluster"]
    found["cp2"] |= {"api_ready": False, "api_problem": "refused"}
    for host in CONTROL_PLANES:
        found[host]["images"] = images("1.36.5", etcd="3.6.8-0")
    removed = [("networking.k8s.io", "v1beta1", "ipaddresses", "1.37"), ("resource.k8s.io", "v1beta1", "devices", "1.40")]
    found["cp1"]["upgrade"] = {**FACTS, "deprecated_apis": removed}
    found["w1"]["upgrade"] = {**FACTS, "room": [{"path": "/var/lib/containerd", "device": 1, "free_mb": 120}]}
    living_cluster["etcd_members"][2]["healthy"] = False
    living_cluster["nodes"][4]["ready"] = False
    living_cluster["addons"] = {"calico-node": "quay.io/calico/node:v3.32.1"}
    living_cluster["strict_budgets"] = [{"namespace": "shop", "name": "web", "pods": 2, "healthy": 0, "required": 1}]
    living_cluster["documents"]["cluster"] = "apiVersion: kubeadm.k8s.io/v1beta3\nfeatureGates:\n  ControlPlaneKubeletLocalMode: true\n"
    said = refusals(cluster)
    for expected in (
        "w2: is not Ready",
        "PodDisruptionBudget shop/web: lets none of its 2 pods go (0 are healthy, 1 have to be), so no node that has one can be emptied; repair its pods",
        "cp2: its API server is not ready (refused)",
        "etcd member cp3: is not healthy",
        "cp1, cp2, cp3: etcd 3.6.8 stands in the way of Kubernetes 1.37.2",
        "cp1: somebody uses ipaddresses of networking.k8s.io/v1beta1 (removed in 1.37), which Kubernetes 1.37.2 does not have",
        "cluster_calico_version: the cluster has Calico 3.32.1, which is not tested with Kubernetes 1.37.2; raise it to 3.33 first",
        "w1: /var/lib/containerd has 120 MB left, and the upgrade takes up to 300 MB",
        "kubeadm-config in kube-system: the feature gate ControlPlaneKubeletLocalMode",
        "kubeadm-config in kube-system: the API version v1beta3",
    ):
        assert [line for line in said if line.startswith(expected)], expected
    assert not any("resource.k8s.io" in line for line in said) and len(said) == 10


@pytest.mark.parametrize(
    ("cluster", "options", "text"),
    [
        (at("1.37.2"), {"version": "1.36.5"}, "cluster_kubernetes_version: is 1.36.5, but the cluster has 1.37.2, and Kubernetes has no way back"),
        (at("1.35.8"), {}, "write cluster_upgrade_path: [1.36.N, 1.37.2], each N the newest patch release"),
        (at("1.36.5"), {"run": ("cp1", *WORKERS)}, "cp2 and cp3: would keep the old version, since this run excludes it; run without --limit"),
        (
            {**at("1.36.5"), "cluster": {**at("1.36.5")["cluster"], "nodes": [*at("1.36.5")["cluster"]["nodes"], {**CLUSTER["nodes"][0], "name": "cp9"}]}},
            {},
            "cp9: is a control plane of the cluster, and not in the inventory",
        ),
        (
            {**at("1.36.5"), "found": {**at("1.36.5")["found"], "w3": worker("w3", state="half_joined")}},
            {},
            "w3: has an unfinished kubeadm; run `ansible-playbook quorum.kubeadm.site` first",
        ),
        (
            {**at("1.36.5"), "found": {**at("1.36.5")["found"], "w3": worker("w3", containerd={"version": "1.7.24", "candidate": None})}},
            {},
            "w3: containerd 1.7.24 does not support Kubernetes 1.37.2, which requires 2.0 or later",
        ),
    ],
)
def test_an_upgrade_that_cannot_be_is_refused(cluster: dict[str, Any], options: dict[str, Any], text: str) -> None:
    assert any(text in line for line in refusals(cluster, **options)), refusals(cluster, **options)


def test_a_version_that_the_source_does_not_have_is_refused(tmp_path: Path) -> None:
    inputs = {"cluster_install_source": "bundle", "cluster_bundle_path": f"{tmp_path}/{{version}}"}
    said = refusals(at("1.36.5"), inputs=inputs)
    assert said and all(line.startswith(f"cluster_bundle_path: {tmp_path}/1.37.2") for line in said)


def test_while_versions_are_mixed_who_joins_gets_the_control_planes_and_members_keep_theirs(tmp_path: Path) -> None:
    cluster = at("1.37.2", cp2="1.36.5", cp3="1.36.5", w1="1.36.5", w2="1.36.5")
    cluster["found"] |= {"cp3": node("cp3"), "w3": node("w3")}
    made = plan(**cluster, inputs={"cluster_bundle_path": f"{tmp_path}/{{version}}"})
    assert {host: planned["version"] for host, planned in made["nodes"].items()} == {
        "cp1": "1.37.2",
        "cp2": "1.36.5",
        "cp3": "1.37.2",
        "w1": "1.36.5",
        "w2": "1.36.5",
        "w3": "1.36.5",
    }
    assert [host for host, planned in made["nodes"].items() if planned["left_to_upgrade"]] == ["cp1", "cp2", "w1", "w2"]
    assert made["nodes"]["w3"]["bundle_path"] == f"{tmp_path}/1.36.5"
    assert any("An upgrade to 1.37.2 is under way" in warning and "quorum.kubeadm.upgrade` ends it" in warning for warning in made["warnings"])


# One node after the other.

RUN = "controller/boot/4026531836/4711/812345"
LEASE = {"procedure": "reboot", "run": RUN, "since": "2026-11-28T16:53:28Z", "steps": [], "failed": ""}


def cluster(**differs: Any) -> dict[str, Any]:
    return {**copy.deepcopy(CLUSTER), **differs}


def walked(**differs: Any) -> Plan:
    return plan(**{"procedure": "reboot", "found": living(), "cluster": CLUSTER, **differs})


def asking(*hosts: str) -> dict[str, Any]:
    return {host: {**found, "reboot_required": host in hosts} for host, found in living().items()}


def with_vip(host: str, found: dict[str, Any]) -> dict[str, Any]:
    interfaces = copy.deepcopy(found[host]["interfaces"])
    interfaces[1]["addresses"].append({"address": "198.18.64.10", "prefix": 24})
    return {**found, host: {**found[host], "interfaces": interfaces}}


def led_by(host: str) -> dict[str, Any]:
    return cluster(etcd_members=[{**member, "leader": member["name"] == host} for member in CLUSTER["etcd_members"]])


def marked(*hosts: str, ready: bool = True) -> list[dict[str, Any]]:
    marks = {"quorum.kubeadm/maintenance": RUN}
    return [{**node, "ready": ready or node["name"] not in hosts, "annotations": marks if node["name"] in hosts else {}} for node in CLUSTER["nodes"]]


def test_the_walk_and_what_each_visit_is_told() -> None:
    made = walked(found=with_vip("cp2", living()), cluster=led_by("cp1"))
    assert made["order"] == {"control_planes": ["cp3", "cp1", "cp2"], "workers": ["w1", "w2", "w3"]}
    assert made["notes"] == {"cp1": "leads etcd", "cp2": "has the endpoint's address"} and made["drains"]
    assert made["visits"]["cp1"] == {"name": "cp1", "control_plane": True, "serving": "cp3", "address": "198.18.64.10", "later": ["cp2"]}
    assert made["visits"]["w2"] == {"name": "w2", "control_plane": False, "serving": "cp3", "address": "", "later": []}


def test_a_visit_is_served_by_an_api_server_that_is_ready() -> None:
    found = {**living(), "cp2": control_plane("cp2", api_ready=False)}
    assert {host: visit["serving"] for host, visit in walked(found=found)["visits"].items()} == {
        "cp1": "cp3",
        "cp2": "cp1",
        "cp3": "cp1",
        **dict.fromkeys(WORKERS, "cp1"),
    }
    alone = plan(
        procedure="reboot", control_planes=("cp1",), workers=(), found={"cp1": control_plane("cp1")}, cluster=cluster(etcd_members=CLUSTER["etcd_members"][:1])
    )
    assert alone["visits"]["cp1"]["serving"] == "cp1"


def test_a_virtual_ip_is_handed_over_by_those_that_may_have_it() -> None:
    made = walked(found={**living(), "lb1": node("lb1"), "lb2": node("lb2")}, proxies=("lb1", "lb2"))
    assert {visit["address"] for visit in made["visits"].values()} == {""}


@pytest.mark.parametrize(
    ("differs", "todo"),
    [
        ({}, []),
        ({"found": asking("w2", "cp1")}, ["cp1", "w2"]),
        ({"found": asking("w2", "cp1"), "run": ("w2", "w3")}, ["w2"]),
        ({"words": {"reboot_all": True}}, list(SIX)),
        ({"words": {"reboot_all": "yes"}, "run": ("w2",)}, ["w2"]),
        ({"words": {"reboot_all": "no"}}, []),
        # Updates may be what makes a node ask for it.
        ({"words": {"reboot_update": "yes"}}, list(SIX)),
        # A machine that has not joined yet is no node.
        ({"words": {"reboot_all": "yes"}, "found": living("w3")}, list(SIX[:-1])),
        ({"cluster": cluster(nodes=marked("w1"))}, ["w1"]),
        ({"cluster": cluster(nodes=marked("w1")), "run": ("w2",)}, []),
        ({"procedure": "verify", "found": asking("w2")}, []),
    ],
)
def test_who_has_something_to_be_done(differs: dict[str, Any], todo: list[str]) -> None:
    made = walked(**differs)
    assert made["todo"] == todo


def test_what_an_earlier_run_has_left_is_said() -> None:
    assert walked(cluster=cluster(nodes=marked("w1")))["notes"] == {"w1": "an earlier run has not put it back into service"}


@pytest.mark.parametrize(
    ("lease", "verdict", "procedure", "words", "refusal"),
    [
        (None, "unknown", "reboot", {}, None),
        (LEASE, "alive", "reboot", {}, f"this cluster: reboot is at work, begun at 2026-11-28T16:53:28Z by {RUN}; wait until it has ended"),
        (LEASE, "dead", "reboot", {}, None),
        (LEASE, "own", "reboot", {}, None),
        (
            LEASE,
            "unknown",
            "reboot",
            {},
            f"this cluster: reboot is at work, begun at 2026-11-28T16:53:28Z by {RUN}, and from here it cannot be seen whether that run lives; "
            "wait until it has "
            "ended; if that run is dead, say -e procedure_takeover=yes",
        ),
        (LEASE, "unknown", "reboot", {"procedure_takeover": "yes"}, None),
        (
            {**LEASE, "procedure": "drill"},
            "dead",
            "reboot",
            {},
            f"this cluster: drill did not come to its end (its run, begun at 2026-11-28T16:53:28Z by {RUN}, is dead); "
            "run `ansible-playbook quorum.kubeadm.drill` to its end first, or say -e procedure_takeover=yes to leave it as it is",
        ),
        (
            {**LEASE, "procedure": "drill", "run": "", "failed": "cp1: it does not boot"},
            "unknown",
            "reboot",
            {},
            "this cluster: drill did not come to its end (cp1: it does not boot); "
            "run `ansible-playbook quorum.kubeadm.drill` to its end first, or say -e procedure_takeover=yes to leave it as it is",
        ),
        ({**LEASE, "run": "", "failed": "cp1: it does not boot"}, "unknown", "reboot", {}, None),
        # Who changes nothing that a procedure changes is not kept away.
        (LEASE, "alive", "verify", {}, None),
    ],
)
def test_one_procedure_at_a_time(lease: Any, verdict: Verdict, procedure: str, words: dict[str, Any], refusal: str | None) -> None:
    asked = request(procedure=procedure, found=living(), cluster=cluster(lease=lease), words=words, lease_verdict=verdict)
    if refusal:
        with pytest.raises(Refused) as refused:
            make_plan(asked)
        assert [str(problem) for problem in refused.value.problems] == [refusal]
    else:
        made = make_plan(asked)["lease"]
        assert (made["left"], made["takes_over"]) == (lease is not None, lease["run"] if lease else "")


def test_a_living_run_is_not_taken_over_even_on_request() -> None:
    asked = request(procedure="reboot", found=living(), cluster=cluster(lease=LEASE), words={"procedure_takeover": "yes"}, lease_verdict="alive")
    with pytest.raises(Refused, match="reboot is at work"):
        make_plan(asked)


def test_a_node_that_is_not_ready_stops_work_on_the_others_unless_an_earlier_run_left_it_so() -> None:
    nodes = [{**node, "ready": node["name"] != "w3"} for node in CLUSTER["nodes"]]
    with pytest.raises(Refused, match="w3: is not Ready"):
        walked(cluster=cluster(nodes=nodes))
    assert walked(cluster=cluster(nodes=marked("w3", ready=False)))["todo"] == ["w3"]


def test_a_word_that_is_neither_yes_nor_no() -> None:
    with pytest.raises(Refused, match="-e reboot_all: is 'perhaps'; write yes or no"):
        walked(words={"reboot_all": "perhaps"})


@pytest.mark.parametrize(("given", "read"), [("false", False), ("true", True), (False, False)])
def test_measuring_is_switched_on_the_command_line(given: Any, read: bool) -> None:
    assert walked(inputs={"cluster_measure": given})["inputs"]["measure"] is read


@pytest.mark.parametrize("wrong", ["none", "0%", 0, 2.5, ["1"]])
def test_how_many_workers_at_once_is_a_number_or_a_percentage(wrong: Any) -> None:
    with pytest.raises(Refused, match="cluster_workers_at_once: .* write "):
        walked(inputs={"cluster_workers_at_once": wrong})


def test_a_strict_budget_does_not_matter_where_nobody_is_drained_or_a_run_goes_on() -> None:
    budget = {"namespace": "shop", "name": "web", "pods": 1, "healthy": 0, "required": 1}
    patch, stopped = at("1.37.1"), at("1.36.5")
    for cluster in (patch, stopped):
        cluster["cluster"]["strict_budgets"] = [budget]
    stopped["cluster"]["nodes"][3]["annotations"] = {"quorum.kubeadm/maintenance": "a run"}
    assert upgrade(patch)["todo"] == upgrade(stopped)["todo"] == list(SIX)
