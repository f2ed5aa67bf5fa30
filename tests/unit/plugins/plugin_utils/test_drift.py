# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A living cluster beside its description: what differs, who has it, and which procedure brings it about."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.quorum.kubeadm.plugins.plugin_utils.drift import Difference, Drift, Seen, api_server_names, compare

FIXTURES = Path(__file__).parents[2] / "fixtures" / "drift"
LIVING = json.loads((FIXTURES / "living.json").read_text())
CHANGED = json.loads((FIXTURES / "changed.json").read_text())
API_SERVER = "/etc/kubernetes/manifests/kube-apiserver.yaml"
FLAGS = "/var/lib/kubelet/kubeadm-flags.env"
KUBELET = "/var/lib/kubelet/config.yaml"


def seen(**differs: Any) -> Seen:
    """The cluster as it was described when it was built."""
    return Seen(**copy.deepcopy({**{part: LIVING[part] for part in Seen._fields}, **differs}))


def changed() -> Seen:
    """The same cluster, with another description."""
    return seen(plan=CHANGED["plan"], files=CHANGED["files"])


def file(path: str, host: str = "cp1") -> dict[str, Any]:
    """A file that differs, as it was captured."""
    found: dict[str, Any] = next(one for one in CHANGED["files"][host]["files"] if one["path"] == path)
    return found


def differing(path: str, there: str, wanted: str, host: str = "cp1") -> Seen:
    """The cluster with one file that differs."""
    world = seen()
    world.files[host]["files"].append({"path": path, "there": there, "wanted": wanted})
    return world


def subjects(drift: Drift, host: str) -> list[str]:
    return [one.subject for one in drift.differences if one.host == host]


def test_a_cluster_as_it_is_described_has_no_drift() -> None:
    drift = compare(seen())
    assert drift == Drift([], {}) and drift.rows == drift.lines == []
    assert drift.hosts == {"upgrade": [], "reconfigure": []}


def test_everything_that_another_description_changes() -> None:
    drift = compare(changed())
    assert subjects(drift, "cp1") == subjects(drift, "cp2") == [
        "a name in the API server's certificate",
        "etcd --election-timeout",
        "etcd image",
        "kube-apiserver --audit-policy-file",
        "kube-apiserver --service-account-issuer",
        "kube-apiserver --shutdown-delay-duration",
        "kube-apiserver image",
        "kube-apiserver volumeMounts.audit",
        "kube-apiserver volumes.audit",
        "kube-controller-manager --bind-address",
        "kube-controller-manager image",
        "kube-controller-manager livenessProbe.httpGet.host",
        "kube-controller-manager startupProbe.httpGet.host",
        "kube-scheduler env",
        "kube-scheduler image",
        "kube-scheduler metadata.annotations",
        "kubelet --node-labels",
        *(f"kubelet evictionHard.{name}" for name in ("imagefs.available", "imagefs.inodesFree", "memory.available", "nodefs.available", "nodefs.inodesFree")),
        "kubelet failCgroupV1",
        "kubelet localStorageCapacityIsolation",
        "kubelet maxPods",
        "kubelet resolvConf",
        "label example.org/empty",
        "label example.org/rack",
        "taint example.org/gpu:NoSchedule",
        "taint node-role.kubernetes.io/control-plane:NoSchedule",
    ]
    assert [subject for subject in subjects(drift, "w1") if not subject.startswith("kubelet evictionHard")] == [
        "kubelet --node-labels",
        "kubelet --register-with-taints",
        "kubelet failCgroupV1",
        "kubelet localStorageCapacityIsolation",
        "kubelet maxPods",
        "kubelet resolvConf",
        "label example.org/empty",
        "label example.org/rack",
        "taint example.org/gpu:NoSchedule",
    ]
    assert drift.hosts == {"upgrade": [], "reconfigure": ["cp1", "cp2", "w1"]}


SAID = [
    "a name in the API server's certificate is not there; described: k8s.lab.test",
    "etcd --election-timeout is 500; described: 2000",
    "kube-apiserver --audit-policy-file is not there; described: /etc/kubernetes/audit/policy.yaml",
    "kube-apiserver --service-account-issuer is https://kubernetes.default.svc.cluster.local; "
    "described: https://issuer.lab.test, https://kubernetes.default.svc.cluster.local",
    "kube-apiserver volumes.audit is not there; described: {hostPath: {path: /etc/kubernetes/audit, type: DirectoryOrCreate}}",
    "kube-controller-manager livenessProbe.httpGet.host is 127.0.0.1; described: nothing",
    "kube-scheduler env is not there; described: {GOGC: '80'}",
    "kube-scheduler metadata.annotations is not there; described: {example.org/team: platform}",
    "kubelet maxPods is not there; described: 60",
    "label example.org/rack is not there; described: a",
    'label example.org/empty is not there; described: ""',
    "taint example.org/gpu:NoSchedule is not there; described: example.org/gpu=a100:NoSchedule",
    "taint node-role.kubernetes.io/control-plane:NoSchedule is node-role.kubernetes.io/control-plane:NoSchedule; described: nothing",
    "kubeadm-config apiServer.extraArgs.shutdown-delay-duration is 5s; described: 10s",
    "kubeadm-config controllerManager is not there; described: {extraArgs: {bind-address: '::'}}",
    "kubeadm-config apiServer.certSANs is [198.18.64.10, api.lab.test]; described: [198.18.64.10, api.lab.test, k8s.lab.test]",
    "kubelet-config maxPods is not there; described: 60",
    "kube-proxy mode is iptables; described: nftables",
    "coredns image is registry.k8s.io/coredns/coredns:v1.14.6; described: registry.lab.test/k8s/coredns:v1.14.6",
]


@pytest.mark.parametrize("line", SAID)
def test_what_is_there_and_what_is_described(line: str) -> None:
    assert line in [str(one) for one in compare(changed()).differences]


@pytest.mark.parametrize("patched", [("cp1", "cp2", "w1"), ("cp1", "cp2")])
def test_a_field_that_each_node_has_for_itself(patched: tuple[str, ...]) -> None:
    """A worker that is to have more pods than the others makes a patch on all nodes of what they shared."""
    world = seen()
    world.cluster["documents"]["kubelet"] += "maxPods: 110\nmaxOpenFiles: 1000\n"
    for host in patched:
        own = {"path": "/etc/kubernetes/quorum.kubeadm/patches/kubeletconfiguration-of-this-node+merge.json", "content": '{"maxPods": 60}'}
        world.plan["nodes"][host]["patches"].append(own)
    fields = ["maxOpenFiles"] if len(patched) == 3 else ["maxOpenFiles", "maxPods"]
    assert subjects(compare(world), "") == [f"kubelet-config {field}" for field in fields]


def test_what_is_printed() -> None:
    shutdown = [Difference("kube-apiserver --v", host, "2", "4", "reconfigure") for host in ("cp1", "cp2")]
    kept = [Difference(f"kubeadm-config apiServer.extraArgs.{name}", "", "", "4", "reconfigure") for name in ("v", "w")]
    version = Difference("kubelet version", "w1", "1.36.5", "1.37.2", "upgrade")
    assert Drift([version, *shutdown, *kept], {"w2": "kubeadm version failed"}).lines == [
        "Drift: the cluster is not what the inventory describes.",
        "  ansible-playbook quorum.kubeadm.upgrade brings this about:",
        "    w1  kubelet version is 1.36.5; described: 1.37.2",
        "  ansible-playbook quorum.kubeadm.reconfigure brings this about:",
        "    cp1, cp2     kube-apiserver --v is 2; described: 4",
        "    the cluster  kubeadm-config differs in apiServer.extraArgs.v, apiServer.extraArgs.w",
        "  w2 could not be compared: kubeadm version failed",
    ]
    # A run that was killed before it wrote the cluster's document: nothing else says what is in it.
    assert Drift(kept[:1], {}).rows[1] == "  the cluster  kubeadm-config apiServer.extraArgs.v is not there; described: 4"


# Files.


def test_a_file_that_means_the_same_is_no_difference() -> None:
    manifest = file(API_SERVER)["there"]
    written_otherwise = yaml.safe_dump(yaml.safe_load(manifest.replace("status: {}\n", "")), default_flow_style=False, indent=4, sort_keys=True)
    assert written_otherwise != manifest
    assert compare(differing(API_SERVER, written_otherwise, manifest)) == Drift([], {})
    configuration = file(KUBELET)["there"]
    older = configuration.replace("crashLoopBackOff: {}\n", "").replace("syncFrequency: 0s\n", "")
    assert older != configuration
    assert compare(differing(KUBELET, older, configuration)) == Drift([], {})


def test_the_order_of_flags_counts_where_one_is_repeated() -> None:
    manifest = file(API_SERVER)["wanted"]
    issuers = [line for line in manifest.splitlines(keepends=True) if "--service-account-issuer=" in line]
    flags = manifest.replace("".join(issuers), "".join(reversed(issuers)))
    assert subjects(compare(differing(API_SERVER, flags, manifest)), "cp1") == ["kube-apiserver --service-account-issuer"]


def test_a_flag_without_a_value_is_there() -> None:
    manifest = file(API_SERVER)["there"]
    with_flag = manifest.replace("    - --allow-privileged=true\n", "    - --allow-privileged=true\n    - --tracing-config-file=\n")
    (difference,) = compare(differing(API_SERVER, with_flag, manifest)).differences
    assert difference == Difference("kube-apiserver --tracing-config-file", "cp1", '""', "", "reconfigure")


def test_directories_of_ca_certificates_are_the_machines_own() -> None:
    manifest = file(API_SERVER)["there"]
    mount = "    - mountPath: /usr/share/ca-certificates\n      name: usr-share-ca-certificates\n      readOnly: true\n"
    volume = "  - hostPath:\n      path: /usr/share/ca-certificates\n      type: DirectoryOrCreate\n    name: usr-share-ca-certificates\n"
    without = manifest.replace(mount, "").replace(volume, "")
    assert without.count("usr-share-ca-certificates") == 0 < manifest.count("usr-share-ca-certificates")
    assert compare(differing(API_SERVER, without, manifest)) == Drift([], {})


@pytest.mark.parametrize(
    ("path", "there", "subject"),
    [
        (API_SERVER, None, API_SERVER),
        (API_SERVER, "", "kube-apiserver"),
        (API_SERVER, "{", "kube-apiserver"),
        (API_SERVER, "kind: Pod\n", "kube-apiserver --advertise-address"),
        (FLAGS, "", "kubelet --node-ip"),
        (FLAGS, "KUBELET_KUBEADM_ARGS=--node-ip=198.18.64.99", "kubelet --node-ip"),
    ],
)
def test_a_file_that_somebody_broke(path: str, there: str | None, subject: str) -> None:
    wanted = 'KUBELET_KUBEADM_ARGS="--node-ip=198.18.64.11"\n' if path == FLAGS else file(API_SERVER)["there"]
    world = seen()
    # The version of the API server is not read from what is no manifest.
    world.files["cp1"]["files"].append({"path": path, "there": there, "wanted": wanted})
    found = compare(world)
    assert found.hosts["reconfigure"] == ["cp1"]
    assert any(one.startswith(subject) for one in subjects(found, "cp1"))


@pytest.mark.parametrize(("described", "found"), [("/etc/resolv.pods.conf", ["kubelet resolvConf"]), ("/run/systemd/resolve/resolv.conf", [])])
def test_the_resolver_that_kubeadm_found_is_the_machines_own(described: str, found: list[str]) -> None:
    configuration = file(KUBELET)["wanted"]
    assert "resolvConf" not in configuration
    assert subjects(compare(differing(KUBELET, configuration, f"{configuration}resolvConf: {described}\n")), "cp1") == found
    assert subjects(compare(differing(KUBELET, f"{configuration}resolvConf: {described}\n", configuration)), "cp1") == found


def test_a_node_that_could_not_be_compared() -> None:
    world = changed()
    world.files["cp1"].update(problem="kubeadm refuses the documents", files=[], shared=None, served_names=None)  # type: ignore[attr-defined]
    world.cluster["nodes"].clear()
    drift = compare(world)
    assert drift.not_compared == {"cp1": "kubeadm refuses the documents"}
    assert subjects(drift, "cp1") == [] != subjects(drift, "cp2")


def test_a_machine_that_is_no_node_yet_has_no_drift() -> None:
    world = changed()
    for host in ("cp1", "cp2"):
        world.found[host]["state"] = "clean"  # type: ignore[index]
    assert compare(world).hosts["reconfigure"] == ["w1"]


def test_a_cluster_that_was_not_asked() -> None:
    drift = compare(changed()._replace(cluster={}))
    assert [one for one in drift.differences if not one.host or one.subject.startswith(("label", "taint"))] == []
    assert "kube-apiserver --audit-policy-file" in subjects(drift, "cp1")


# Versions.


def test_another_version() -> None:
    world = seen()
    world.plan["inputs"]["kubernetes_version"] = "1.37.3"
    assert [tuple(one) for one in compare(world).differences] == [
        ("Kubernetes", "", "1.37.2", "1.37.3", "upgrade"),
        *(("control plane version", host, "1.37.2", "1.37.3", "upgrade") for host in ("cp1", "cp2")),
        *(("kubelet version", host, "1.37.2", "1.37.3", "upgrade") for host in ("cp1", "cp2", "w1")),
    ]


def test_a_component_that_has_not_read_its_files() -> None:
    found = {host: {**node, "outdated_components": ["kube-apiserver"] if host == "cp2" else []} for host, node in LIVING["found"].items()}
    world = seen(found=found)
    assert compare(world).rows[1] == "  cp2  kube-apiserver process is older than the files that it reads; described: started anew"


def test_another_containerd() -> None:
    world = seen()
    world.plan["containerd"]["version"] = "2.4.0"
    assert compare(world).hosts == {"upgrade": ["cp1", "cp2", "w1"], "reconfigure": []}
    assert compare(world).rows[1] == "  cp1, cp2, w1  containerd is 2.3.7; described: 2.4.0"


def test_an_upgrade_that_was_killed_between_kubeadm_and_the_static_pods() -> None:
    """A newer kubeadm writes other defaults; what differs by them is not for reconfigure."""
    world = changed()
    world.plan["inputs"]["kubernetes_version"] = "1.37.3"
    for host in ("cp1", "w1"):
        world.files[host]["kubeadm"] = "1.37.3"  # type: ignore[index]
    drift = compare(world)
    for host in ("cp1", "w1"):
        assert [subject for subject in subjects(drift, host) if not subject.startswith(("label", "taint", "a name"))] == [
            *(["control plane version"] if host == "cp1" else []),
            "kubelet version",
        ]
    assert [one.subject for one in drift.differences if not one.host] == ["Kubernetes"]
    assert "kube-apiserver --audit-policy-file" in subjects(drift, "cp2")


def test_an_upgrade_that_was_killed_before_the_kubelet() -> None:
    world = changed()
    world.plan["inputs"]["kubernetes_version"] = world.cluster["version"] = "1.37.3"  # type: ignore[index]
    world.files["cp1"]["kubeadm"] = "1.37.3"  # type: ignore[index]
    for changed_file in world.files["cp1"]["files"]:
        changed_file["there"] = changed_file["there"].replace("kube-apiserver:v1.37.2", "kube-apiserver:v1.37.3")
    drift = compare(world)
    assert {"kubelet version", "kube-apiserver --audit-policy-file"} <= set(subjects(drift, "cp1"))
    assert not {"control plane version", "kubelet maxPods"} & set(subjects(drift, "cp1"))


# Names, labels and taints.


def test_names_of_an_api_server() -> None:
    planned, configuration = LIVING["plan"]["nodes"]["cp1"], LIVING["plan"]["kubeadm"]["cluster_configuration"]
    assert sorted(api_server_names(planned, configuration)) == sorted(LIVING["files"]["cp1"]["served_names"])
    two_families = {
        "controlPlaneEndpoint": "[2001:DB8::10]:6443",
        "networking": {"serviceSubnet": "fd00:10:96::/112,10.96.0.0/12", "dnsDomain": "cluster.local"},
        "apiServer": {"certSANs": ["K8S.lab.test", "2001:0db8::0010"]},
    }
    names = api_server_names({"name": "cp1", "address": "2001:db8::11"}, two_families)
    assert names[5:] == ["fd00:10:96::1", "2001:db8::11", "2001:db8::10", "k8s.lab.test"]


def test_a_name_that_is_described_no_more() -> None:
    world = seen()
    world.files["cp1"]["served_names"].append("old.lab.test")
    assert compare(world).differences == [Difference("a name in the API server's certificate", "cp1", "old.lab.test", "", "reconfigure")]


def with_flags(there: str, wanted: str) -> Seen:
    """A worker whose kubelet was given other flags when it joined."""
    return differing(FLAGS, f'KUBELET_KUBEADM_ARGS="{there}"\n', f'KUBELET_KUBEADM_ARGS="{wanted}"\n', host="w1")


def test_a_label_that_is_described_no_more_is_known_by_the_kubelets_flags() -> None:
    world = with_flags("--node-ip=198.18.64.21 --node-labels=example.org/rack=a,example.org/gone=b", "--node-ip=198.18.64.21")
    node = next(node for node in world.cluster["nodes"] if node["name"] == "w1")
    node["labels"].update({"example.org/rack": "a", "administrators.own": "c"})
    assert [one for one in compare(world).differences if one.subject.startswith("label")] == [
        Difference("label example.org/rack", "w1", "a", "", "reconfigure")
    ]


@pytest.mark.parametrize(("value", "there"), [("b", "b"), (None, '""')])
def test_a_label_with_another_value(value: str | None, there: str) -> None:
    world = changed()
    next(node for node in world.cluster["nodes"] if node["name"] == "w1")["labels"]["example.org/rack"] = value or ""
    assert Difference("label example.org/rack", "w1", there, "a", "reconfigure") in compare(world).differences


def test_a_taint_that_is_described_no_more_is_known_by_the_kubelets_flags() -> None:
    world = with_flags("--node-ip=198.18.64.21 --register-with-taints=example.org/gpu=a100:NoSchedule,gone:NoExecute", "--node-ip=198.18.64.21")
    own = {"key": "administrators.own", "value": None, "effect": "NoSchedule"}
    node = next(node for node in world.cluster["nodes"] if node["name"] == "w1")
    node["taints"] += [{"key": "example.org/gpu", "value": "a100", "effect": "NoSchedule"}, own]
    assert [one for one in compare(world).differences if one.subject.startswith("taint")] == [
        Difference("taint example.org/gpu:NoSchedule", "w1", "example.org/gpu=a100:NoSchedule", "", "reconfigure")
    ]


def test_a_control_plane_without_its_taint() -> None:
    world = seen()
    next(node for node in world.cluster["nodes"] if node["name"] == "cp1")["taints"].clear()
    taint = "node-role.kubernetes.io/control-plane:NoSchedule"
    assert compare(world).differences == [Difference(f"taint {taint}", "cp1", "", taint, "reconfigure")]
