# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Calico's manifest is edited where Calico reads it, or the error says what is not there."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.quorum.kubeadm.plugins.plugin_utils.calico_manifest import (
    ENCAPSULATIONS,
    MTU,
    CalicoManifestError,
    CalicoSettings,
    calico_version,
    edit_calico,
    untested,
)
from ansible_collections.quorum.kubeadm.plugins.plugin_utils.manifest_source import parse_manifest

# The scenario's manifest has upstream's shape.
MANIFEST = Path(__file__).parents[4] / "molecule/calico/files/calico.yaml"
Documents = list[dict[str, Any]]


@pytest.fixture(name="documents")
def documents_fixture() -> Documents:
    return parse_manifest(MANIFEST.read_text(), "calico.yaml")


def find(documents: Documents, kind: str, name: str) -> dict[str, Any]:
    (found,) = (document for document in documents if (document["kind"], document["metadata"]["name"]) == (kind, name))
    return found


def node(documents: Documents) -> dict[str, Any]:
    container: dict[str, Any] = find(documents, "DaemonSet", "calico-node")["spec"]["template"]["spec"]["containers"][0]
    return container


def variables(documents: Documents) -> dict[str, Any]:
    return {entry["name"]: entry.get("value") for entry in node(documents)["env"]}


def backend(documents: Documents) -> str:
    return str(find(documents, "ConfigMap", "calico-config")["data"]["calico_backend"])


def images(documents: Documents) -> list[str]:
    pods = [document["spec"]["template"]["spec"] for document in documents if document["kind"] in ("DaemonSet", "Deployment")]
    return [container["image"] for pod in pods for container in [*pod.get("initContainers", []), *pod["containers"]]]


def leaves(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], Any]]:
    """Every scalar with the way to it."""
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else None
    if pairs is None:
        yield path, value
    else:
        for key, item in pairs:
            yield from leaves(item, (*path, key))


def test_the_tutorial_case_and_nothing_else(documents: Documents) -> None:
    before = copy.deepcopy(documents)
    edited = edit_calico(documents, CalicoSettings(pod_subnets=["10.244.0.0/16"], encapsulation="vxlan"))
    assert documents == before, "what was given is left alone"
    assert backend(edited) == "vxlan"
    assert variables(edited) == {
        **variables(documents),
        "CALICO_IPV4POOL_IPIP": "Never",
        "CALICO_IPV4POOL_VXLAN": "Always",
        "CALICO_IPV4POOL_CIDR": "10.244.0.0/16",
    }
    assert node(edited)["livenessProbe"]["exec"]["command"] == ["/agnhost", "connect", "--timeout=2s", "127.0.0.1:9199"]
    assert node(edited)["readinessProbe"]["exec"]["command"] == ["/agnhost", "connect", "--timeout=2s", "127.0.0.1:9199"]
    untouched = [document for document in edited if document["metadata"]["name"] not in ("calico-config", "calico-node")]
    assert untouched == [document for document in documents if document["metadata"]["name"] not in ("calico-config", "calico-node")]


@pytest.mark.parametrize(
    ("encapsulation", "wanted", "ipip", "vxlan", "is_backend"),
    [
        ("vxlan", "auto", "Never", "Always", "vxlan"),
        ("vxlan", "bird", "Never", "Always", "bird"),
        ("vxlan_cross_subnet", "auto", "Never", "CrossSubnet", "vxlan"),
        ("vxlan_cross_subnet", "vxlan", "Never", "CrossSubnet", "vxlan"),
        ("ipip", "auto", "Always", "Never", "bird"),
        ("ipip_cross_subnet", "bird", "CrossSubnet", "Never", "bird"),
        ("none", "auto", "Never", "Never", "bird"),
        ("none", "none", "Never", "Never", "none"),
    ],
)
def test_encapsulations(documents: Documents, encapsulation: str, wanted: str, ipip: str, vxlan: str, is_backend: str) -> None:
    edited = edit_calico(documents, CalicoSettings(encapsulation=encapsulation, backend=wanted))
    assert variables(edited)["CALICO_IPV4POOL_IPIP"] == ipip
    assert variables(edited)["CALICO_IPV4POOL_VXLAN"] == vxlan
    assert backend(edited) == is_backend
    probes = [*node(edited)["livenessProbe"]["exec"]["command"], *node(edited)["readinessProbe"]["exec"]["command"]]
    assert any("bird" in argument for argument in probes) is (is_backend == "bird")


def test_every_encapsulation_has_a_case() -> None:
    cases = next(mark for mark in getattr(test_encapsulations, "pytestmark") if mark.name == "parametrize").args[1]
    assert {case[0] for case in cases} == set(ENCAPSULATIONS)


@pytest.mark.parametrize(
    "command",
    [
        ["/bin/calico-node", "-felix-live", "-bird-live"],
        ["calico", "component", "node", "health", "--felix-live", "--bird-live"],
        ["/bin/calico-node", "-felix-ready", "-bird-ready"],
        ["calico", "component", "node", "health", "--felix-ready", "--bird-ready"],
        # Upstream's own calico-vxlan.yaml asks for no BIRD to begin with.
        ["/bin/calico-node", "-felix-live"],
    ],
)
def test_probes_without_bird(documents: Documents, command: list[str]) -> None:
    node(documents)["livenessProbe"]["exec"]["command"] = list(command)
    edited = edit_calico(documents, CalicoSettings())
    assert node(edited)["livenessProbe"]["exec"]["command"] == [argument for argument in command if "bird" not in argument]


def test_a_probe_that_asks_for_bird_in_a_new_way_is_named(documents: Documents) -> None:
    node(documents)["livenessProbe"]["exec"]["command"] = ["calico", "health", "--check=felix,bird"]
    with pytest.raises(CalicoManifestError, match=r"DaemonSet kube-system/calico-node: .*livenessProbe.exec.command checks BIRD in a way that is not known"):
        edit_calico(documents, CalicoSettings())
    edit_calico(documents, CalicoSettings(encapsulation="ipip"))


@pytest.mark.parametrize(
    ("image", "is_image"),
    [
        ("quay.io/calico/node:v3.32.1", "registry.example.org/calico/node:v3.32.1"),
        ("docker.io/calico/node:v3.30.7", "registry.example.org/calico/node:v3.30.7"),
        ("calico/node:v3.26.5", "registry.example.org/calico/node:v3.26.5"),
        ("quay.io/calico/calico:v3.33.0", "registry.example.org/calico/calico:v3.33.0"),
        ("quay.io/calico/node@sha256:0123", "registry.example.org/calico/node@sha256:0123"),
        ("quay.io/tigera/operator:v1.40.3", "quay.io/tigera/operator:v1.40.3"),
        ("mirror.example.org/calico/node:v3.32.1", "mirror.example.org/calico/node:v3.32.1"),
    ],
)
def test_image_registry(documents: Documents, image: str, is_image: str) -> None:
    find(documents, "DaemonSet", "calico-node")["spec"]["template"]["spec"]["initContainers"][0]["image"] = image
    for registry in ("registry.example.org/calico", "registry.example.org/calico/"):
        edited = edit_calico(documents, CalicoSettings(image_registry=registry))
        assert images(edited) == [is_image, "registry.example.org/calico/agnhost:2.66.1", "registry.example.org/calico/agnhost:2.66.1"]


def test_typha_comes_from_the_same_registry(documents: Documents) -> None:
    typha = copy.deepcopy(find(documents, "Deployment", "calico-kube-controllers"))
    typha["metadata"]["name"] = "calico-typha"
    edited = edit_calico([*documents, typha], CalicoSettings(image_registry="r.example.org/calico"))
    assert set(images(edited)) == {"r.example.org/calico/agnhost:2.66.1"}


@pytest.mark.parametrize(
    ("subnets", "expected"),
    [
        (["10.244.0.0/16"], {"CALICO_IPV4POOL_CIDR": "10.244.0.0/16", "IP": "autodetect", "FELIX_IPV6SUPPORT": "false"}),
        (
            ["10.244.0.0/16", "fd00:10:244::/56"],
            {
                "CALICO_IPV4POOL_CIDR": "10.244.0.0/16",
                "CALICO_IPV6POOL_CIDR": "fd00:10:244::/56",
                "CALICO_IPV6POOL_VXLAN": "Always",
                "CALICO_IPV6POOL_NAT_OUTGOING": "true",
                "FELIX_IPV6SUPPORT": "true",
                "IP": "autodetect",
                "IP6": "autodetect",
                "IP6_AUTODETECTION_METHOD": "kubernetes-internal-ip",
            },
        ),
        (
            ["fd00:10:244::/56"],
            {"CALICO_IPV4POOL_CIDR": "none", "CALICO_IPV6POOL_CIDR": "fd00:10:244::/56", "IP": "none", "IP6": "autodetect", "CALICO_ROUTER_ID": "hash"},
        ),
    ],
)
def test_pod_networks(documents: Documents, subnets: list[str], expected: dict[str, str]) -> None:
    edited = edit_calico(documents, CalicoSettings(pod_subnets=subnets, address_detection="kubernetes-internal-ip"))
    found = variables(edited)
    assert {name: found.get(name) for name in expected} == expected
    assert found["IP_AUTODETECTION_METHOD"] == "kubernetes-internal-ip"
    text = find(edited, "ConfigMap", "calico-config")["data"]["cni_network_config"]
    ipam = json.loads(text.replace(MTU, "1"))["plugins"][0]["ipam"]
    six = any(":" in subnet for subnet in subnets)
    assert ipam == {"type": "calico-ipam", **({"assign_ipv4": "false" if len(subnets) == 1 else "true", "assign_ipv6": "true"} if six else {})}
    assert f'"mtu": {MTU}' in text


def test_a_variable_that_is_there_is_replaced_and_not_added(documents: Documents) -> None:
    node(documents)["env"].append({"name": "CALICO_IPV4POOL_CIDR", "valueFrom": {"configMapKeyRef": {"name": "x", "key": "y"}}})
    edited = edit_calico(documents, CalicoSettings(pod_subnets=["10.244.0.0/16"]))
    assert [entry for entry in node(edited)["env"] if entry["name"] == "CALICO_IPV4POOL_CIDR"] == [{"name": "CALICO_IPV4POOL_CIDR", "value": "10.244.0.0/16"}]


def test_editing_twice_is_editing_once(documents: Documents) -> None:
    settings = CalicoSettings(["10.244.0.0/16", "fd00::/56"], "vxlan_cross_subnet", address_detection="can-reach=192.0.2.1")
    once = edit_calico(documents, settings)
    assert dict(leaves(edit_calico(once, settings))) == dict(leaves(once))


def without_variable(name: str) -> Callable[[Documents], None]:
    def cut(documents: Documents) -> None:
        container = node(documents)
        container["env"] = [entry for entry in container["env"] if entry["name"] != name]

    return cut


def without_object(kind: str, name: str) -> Callable[[Documents], None]:
    return lambda documents: documents.remove(find(documents, kind, name))


def renamed_container(documents: Documents) -> None:
    node(documents)["name"] = "node"


def foreign_images(documents: Documents) -> None:
    for pod in (document["spec"]["template"]["spec"] for document in documents if document["kind"] == "Deployment"):
        pod["containers"][0]["image"] = "ghcr.io/elsewhere/kube-controllers:v4"


@pytest.mark.parametrize(
    ("cut", "message"),
    [
        (without_object("ConfigMap", "calico-config"), "The manifest has no ConfigMap kube-system/calico-config"),
        (without_object("DaemonSet", "calico-node"), "The manifest has no DaemonSet kube-system/calico-node"),
        (without_object("Deployment", "calico-kube-controllers"), "The manifest has no Deployment kube-system/calico-kube-controllers"),
        (lambda documents: find(documents, "ConfigMap", "calico-config").pop("data"), "ConfigMap kube-system/calico-config has no data.calico_backend"),
        (
            lambda documents: find(documents, "ConfigMap", "calico-config")["data"].pop("calico_backend"),
            "ConfigMap kube-system/calico-config has no data.calico_backend",
        ),
        (
            lambda documents: find(documents, "ConfigMap", "calico-config")["data"].update(cni_network_config="{}"),
            "ConfigMap kube-system/calico-config has no data.cni_network_config with a plugin of type calico and its ipam",
        ),
        (
            without_variable("CALICO_IPV4POOL_IPIP"),
            "DaemonSet kube-system/calico-node has no spec.template.spec.containers[calico-node].env[CALICO_IPV4POOL_IPIP]",
        ),
        (
            without_variable("CALICO_IPV4POOL_VXLAN"),
            "DaemonSet kube-system/calico-node has no spec.template.spec.containers[calico-node].env[CALICO_IPV4POOL_VXLAN]",
        ),
        (without_variable("FELIX_IPV6SUPPORT"), "DaemonSet kube-system/calico-node has no spec.template.spec.containers[calico-node].env[FELIX_IPV6SUPPORT]"),
        (
            lambda documents: node(documents).pop("livenessProbe"),
            "DaemonSet kube-system/calico-node has no spec.template.spec.containers[calico-node].livenessProbe.exec.command",
        ),
        (
            lambda documents: node(documents)["readinessProbe"].update(exec=None),
            "DaemonSet kube-system/calico-node has no spec.template.spec.containers[calico-node].readinessProbe.exec.command",
        ),
        (renamed_container, "DaemonSet kube-system/calico-node has no spec.template.spec.containers[calico-node]"),
        (foreign_images, "Deployment kube-system/calico-kube-controllers has no spec.template.spec.containers[].image of quay.io/calico or docker.io/calico"),
    ],
)
def test_what_is_missing_is_named(documents: Documents, cut: Callable[[Documents], object], message: str) -> None:
    cut(documents)
    with pytest.raises(CalicoManifestError) as error:
        edit_calico(documents, CalicoSettings(["10.244.0.0/16", "fd00::/56"], image_registry="registry.example.org/calico"))
    assert str(error.value).startswith(message)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (CalicoSettings(encapsulation="geneve"), "encapsulation is 'geneve': write one of vxlan, vxlan_cross_subnet, ipip, ipip_cross_subnet, none"),
        (CalicoSettings(backend="frr"), "backend is 'frr': write one of auto, bird, vxlan, none"),
        (CalicoSettings(encapsulation="ipip", backend="vxlan"), "backend vxlan makes no routes for encapsulation ipip: write auto or bird"),
        (CalicoSettings(encapsulation="vxlan", backend="none"), "backend none makes no routes for encapsulation vxlan: write auto or vxlan or bird"),
        (CalicoSettings(["10.244.0.0"]), "pod subnet '10.244.0.0' has no prefix length: write it like 10.244.0.0/16"),
        (CalicoSettings(["10.244.0.1/16"]), "pod subnet '10.244.0.1/16' is no network: 10.244.0.1/16 has host bits set"),
        (CalicoSettings(["10.244.0.0/16", "10.245.0.0/16"]), "pod subnets 10.244.0.0/16 and 10.245.0.0/16 are both IPv4"),
    ],
)
def test_settings_that_cannot_be(documents: Documents, settings: CalicoSettings, message: str) -> None:
    with pytest.raises(CalicoManifestError) as error:
        edit_calico(documents, settings)
    assert str(error.value).startswith(message)


@pytest.mark.parametrize(
    ("calico", "kubernetes", "warning"),
    [
        ("3.33.0", "1.37.2", ""),
        ("3.33.0", "v1.35.4", ""),
        ("3.32.1", "1.37.2", "Calico 3.32.1 is not tested by its makers with Kubernetes 1.37; 3.33 is"),
        ("3.32.1", "1.36.3", ""),
        ("3.30.7", "1.36.3", "Calico 3.30.7 is not tested by its makers with Kubernetes 1.36; 3.32 and 3.33 are"),
        ("3.31.0", "1.38.0", "Calico 3.31.0 is not tested by its makers with Kubernetes 1.38"),
        ("3.26.5", "1.35.4", "Calico 3.26.5 is not tested by its makers with Kubernetes 1.35; 3.30 and 3.31 and 3.32 and 3.33 are"),
        ("3.34.0", "1.38.0", ""),
        ("", "1.37.2", ""),
        ("3.32.1", "", ""),
        ("master", "1.37.2", ""),
    ],
)
def test_pairs_upstream_does_not_test(calico: str, kubernetes: str, warning: str) -> None:
    assert untested(calico, kubernetes) == warning


@pytest.mark.parametrize(
    ("image", "version"),
    [("quay.io/calico/node:v3.32.1", "3.32.1"), ("r:5000/calico/node:v3.33.0", "3.33.0"), ("quay.io/calico/node:master", ""), ("r:5000/calico/node", "")],
)
def test_the_manifest_tells_its_version(documents: Documents, image: str, version: str) -> None:
    node(documents)["image"] = image
    assert calico_version(documents) == version
