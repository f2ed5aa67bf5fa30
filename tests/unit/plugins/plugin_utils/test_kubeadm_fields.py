# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fields of kubeadm's documents: what is known, what belongs elsewhere, and what kubeadm would not take."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.quorum.kubeadm.plugins.plugin_utils.kubeadm_fields import (
    CLUSTER_CONFIGURATION,
    NODE_CONFIGURATION,
    Elsewhere,
    Flags,
    ListOf,
    Shape,
    faults,
)

# cmd/kubeadm/app/apis/kubeadm/v1beta4/types.go of k8s.io/kubernetes v1.37.2: every struct's fields by their names in JSON, embedded structs as "+Struct".
TYPES = Path(__file__).parents[2] / "fixtures" / "kubeadm" / "v1beta4-fields.txt"


def upstream() -> dict[str, list[str]]:
    structs: dict[str, list[str]] = {}
    for line in TYPES.read_text(encoding="utf-8").splitlines():
        name, *names = line.split()
        structs[name] = names
    for name, names in structs.items():
        structs[name] = [field for one in names for field in (structs[one[1:]] if one.startswith("+") else [one])]
    return structs


def names(shape: Shape, *path: str) -> set[str]:
    for name in path:
        assert isinstance(shape, dict)
        shape = shape[name]
    return set(shape.fields if isinstance(shape, ListOf) else shape) if isinstance(shape, (dict, ListOf)) else set()


@pytest.mark.parametrize(
    ("struct", "shape"),
    [
        ("ClusterConfiguration", names(CLUSTER_CONFIGURATION)),
        ("Etcd", names(CLUSTER_CONFIGURATION, "etcd")),
        ("LocalEtcd", names(CLUSTER_CONFIGURATION, "etcd", "local")),
        ("Networking", names(CLUSTER_CONFIGURATION, "networking")),
        ("APIServer", names(CLUSTER_CONFIGURATION, "apiServer")),
        ("ControlPlaneComponent", names(CLUSTER_CONFIGURATION, "controllerManager")),
        ("ControlPlaneComponent", names(CLUSTER_CONFIGURATION, "scheduler")),
        ("HostPathMount", names(CLUSTER_CONFIGURATION, "scheduler", "extraVolumes")),
        ("DNS", names(CLUSTER_CONFIGURATION, "dns")),
        ("Proxy", names(CLUSTER_CONFIGURATION, "proxy")),
        ("NodeRegistrationOptions", names(NODE_CONFIGURATION, "nodeRegistration")),
        ("Timeouts", names(NODE_CONFIGURATION, "timeouts")),
    ],
)
def test_every_field_of_upstream_is_known(struct: str, shape: set[str]) -> None:
    assert shape - {"apiVersion", "kind"} == set(upstream()[struct])


def test_every_field_of_a_node_is_known() -> None:
    known = upstream()
    assert names(NODE_CONFIGURATION) - {"apiVersion", "kind"} == {*known["InitConfiguration"], *known["JoinConfiguration"]}


def every_advice(shape: Shape) -> list[str]:
    if isinstance(shape, Elsewhere):
        return [shape.write]
    if isinstance(shape, Flags):
        return list(shape.elsewhere.values())
    return [advice for inner in shape.values() for advice in every_advice(inner)] if isinstance(shape, dict) else []


def test_what_is_advised_to_write_exists() -> None:
    page = (Path(__file__).parents[4] / "docs" / "inputs.md").read_text(encoding="utf-8")
    advised = {name for shape in (CLUSTER_CONFIGURATION, NODE_CONFIGURATION) for advice in every_advice(shape) for name in re.findall(r"cluster_\w+", advice)}
    assert "cluster_pod_subnets" in advised and all(f"| `{name}` |" in page for name in advised)


TAKEN: list[tuple[dict[str, Any], dict[str, Any]]] = [
    (CLUSTER_CONFIGURATION, {"apiServer": {"extraArgs": [{"name": "profiling", "value": "false"}]}, "dns": {"disabled": True}}),
    (
        CLUSTER_CONFIGURATION,
        {"apiServer": {"extraVolumes": [{"name": "audit", "hostPath": "/a", "mountPath": "/a", "readOnly": True}]}, "featureGates": {"A": True}},
    ),
    (NODE_CONFIGURATION, {"nodeRegistration": {"taints": [], "imagePullSerial": False}, "timeouts": {"discovery": "1m0s"}, "skipPhases": ["addon/coredns"]}),
]


@pytest.mark.parametrize(("shape", "fields"), TAKEN)
def test_what_kubeadm_takes_is_taken(shape: dict[str, Any], fields: dict[str, Any]) -> None:
    assert list(faults(fields, shape)) == []


@pytest.mark.parametrize(
    ("fields", "wrong", "write"),
    [
        ({"apiserver": {}}, "has apiserver, which kubeadm's v1beta4 does not have", "did you mean apiServer?"),
        ({"apiServer": {"certSans": []}}, "has apiServer.certSans, which", "did you mean apiServer.certSANs?"),
        ({"colour": "red"}, "has colour", "write one of apiVersion"),
        ({"kubernetesVersion": "v1.37.2"}, "has kubernetesVersion, which is determined elsewhere", "write cluster_kubernetes_version"),
        ({"etcd": {"external": {}}}, "has etcd.external", "every control plane has a member"),
        ({"etcd": {"local": {"extraArgs": [{"name": "election-timeout", "value": "1"}]}}}, "the flag election-timeout in etcd.local", "cluster_etcd_election"),
        ({"apiServer": None}, "has apiServer, which is the value null", "write a mapping"),
        ({"apiServer": {"extraArgs": {"profiling": "false"}}}, "has apiServer.extraArgs, which is the mapping", "write a list of mappings"),
        ({"apiServer": {"extraArgs": [{"name": "profiling", "value": False}]}}, "has apiServer.extraArgs[0].value, which is the boolean false", "in quotes"),
        ({"apiServer": {"extraArgs": [{"name": "profiling"}]}}, 'has apiServer.extraArgs with the mapping {"name": "profiling"}', "and value"),
        ({"apiServer": {"extraArgs": [{"name": "--profiling", "value": "false"}]}}, "has apiServer.extraArgs with", "without its leading dashes"),
        ({"apiServer": {"extraVolumes": [{"hostpath": "/a"}]}}, "has apiServer.extraVolumes[0].hostpath", "did you mean apiServer.extraVolumes[0].hostPath?"),
        ({"proxy": {"disabled": "yes"}}, 'has proxy.disabled, which is the text "yes"', "write true or false"),
    ],
)
def test_what_kubeadm_would_not_take_is_refused(fields: dict[str, Any], wrong: str, write: str) -> None:
    [(said, advised)] = faults(fields, CLUSTER_CONFIGURATION)
    assert wrong in said and write in advised
