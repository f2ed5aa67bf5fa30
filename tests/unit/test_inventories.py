# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The inventories that people copy: what is in them is accepted, and what they say is true."""

from __future__ import annotations

import ipaddress
import json
import re
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.inventory.manager import InventoryManager
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar
from ansible.vars.manager import VariableManager

from ansible_collections.quorum.kubeadm.plugins.module_utils import kubeadm_config
from ansible_collections.quorum.kubeadm.plugins.module_utils.kubeadm_output import JoinFacts
from ansible_collections.quorum.kubeadm.plugins.plugin_utils import cluster_bundle
from ansible_collections.quorum.kubeadm.plugins.plugin_utils.cluster_endpoint import Groups
from ansible_collections.quorum.kubeadm.plugins.plugin_utils.cluster_inputs import PREFIX, ClusterInputs, HostInputs, read_inputs
from ansible_collections.quorum.kubeadm.plugins.plugin_utils.cluster_model import Request
from ansible_collections.quorum.kubeadm.plugins.plugin_utils.cluster_plan import Refused, make_plan

from .samples import clean_machine

ROOT = Path(__file__).parents[2]
COPIED = ROOT / "inventories"
# What a user has to write, and what makes the inventory one of its kind.
YOURS = {
    "onprem": {"cluster_endpoint_name", "cluster_endpoint_address", "cluster_statistics_password"},
    "cloud": {"cluster_endpoint_name", "cluster_endpoint_address", "cluster_endpoint_type"},
}
# Addresses that RFC 5737 gives to documentation.
NOBODYS = {"onprem": "192.0.2.0/24", "cloud": "198.51.100.0/24"}
TEXTS = {name: (COPIED / name / "group_vars" / "all" / "cluster.yml").read_text(encoding="utf-8") for name in YOURS}
COMMENTED = re.compile(rf"^# ({PREFIX}\w+: .+)$", re.MULTILINE)
EXAMPLES = [(name, yaml.safe_load(line)) for name, text in TEXTS.items() for line in COMMENTED.findall(text)]
DEFAULTS = {PREFIX + definition.name: definition.metadata["default"] for kind in (ClusterInputs, HostInputs) for definition in fields(kind)}

# What release 0.1.0 gave to kubeadm for inventories/lab, written down by its own code.
RELEASED: dict[str, list[dict[str, Any]]] = json.loads((ROOT / "tests/unit/fixtures/kubeadm/lab-0.1.0.json").read_text(encoding="utf-8"))
CREDENTIALS = JoinFacts(
    endpoint="api.lab.test:16443",
    token="abcdef.0123456789abcdef",
    ca_cert_hashes=["sha256:" + "b" * 64],
    certificate_key="a" * 64,
    control_plane=True,
)

Variables = dict[str, dict[str, Any]]


def load(directory: Path) -> tuple[Groups, Variables]:
    """The groups of an inventory, and each host's variables as Ansible resolves them."""
    loader = DataLoader()
    inventory = InventoryManager(loader=loader, sources=[str(directory)])
    manager = VariableManager(loader=loader, inventory=inventory)
    members = inventory.get_groups_dict()
    variables: Variables = {}
    for host in inventory.get_hosts():
        given = manager.get_vars(host=host, include_hostvars=False)
        templar = Templar(loader=loader, variables=given)
        variables[host.name] = {name: templar.template(value) for name, value in given.items() if name.startswith(PREFIX) or name == "ansible_host"}
    return Groups(*(members.get(group, []) for group in ("control_planes", "workers", "proxies"))), variables


def request(name: str, **given: Any) -> Request:
    """What is asked for by an inventory of fresh machines; an input that is given as None is left out."""
    groups, variables = load(COPIED / name)
    changed = {host: {key: value for key, value in {**values, **given}.items() if value is not None} for host, values in variables.items()}
    found: Any = {host: clean_machine(host, values["ansible_host"]) for host, values in variables.items()}
    return Request(groups=groups, run=frozenset(variables), variables=changed, found=found)


@pytest.mark.parametrize("name", ["onprem", "cloud", "lab"])
def test_every_input_is_accepted(name: str) -> None:
    groups, variables = load(COPIED / name)
    assert len(groups.control_planes) == 3 and len(groups.workers) == 3
    assert read_inputs(variables).problems == []


def test_the_password_is_all_that_is_missing() -> None:
    with pytest.raises(Refused) as refused:
        make_plan(request("onprem"))
    assert [problem.subject for problem in refused.value.problems] == ["cluster_statistics_password"]


def test_with_a_password_it_is_a_plan() -> None:
    plan = make_plan(request("onprem", cluster_statistics_password="s3cret"))
    assert plan["primary"] == "cp1" and plan["joining"] == ["cp2", "cp3", "w1", "w2", "w3"]
    assert list(plan["proxies"]) == ["cp1", "cp2", "cp3"]
    assert plan["warnings"] == []


def test_a_cloud_needs_nothing_more() -> None:
    plan = make_plan(request("cloud"))
    assert plan["primary"] == "cp1" and plan["joining"] == ["cp2", "cp3", "w1", "w2", "w3"]
    assert plan["proxies"] == {} and plan["warnings"] == []
    assert plan["endpoint"]["host_port"] == "api.example.org:6443"
    assert plan["balancer"]["test"] == "fail" and plan["balancer"]["listen"]


@pytest.mark.parametrize(("address", "workers"), [("198.51.100.10", "198.51.100.10"), (None, "")], ids=["address", "name only"])
def test_the_name_in_a_cloud_has_its_stages(address: str | None, workers: str) -> None:
    asked = request("cloud", cluster_endpoint_address=address)
    for machine in asked.found.values():
        machine["resolved"] = {"addresses": ["198.51.100.10"], "hosts_file": [], "stale_copies": []}
    nodes = make_plan(asked)["nodes"]
    own = {"cp1": "198.51.100.11", "cp2": "198.51.100.12", "cp3": "198.51.100.13"}
    assert {host: node["endpoint_address"] for host, node in nodes.items()} == dict.fromkeys(own, own["cp1"]) | dict.fromkeys(["w1", "w2", "w3"], workers)
    assert {host: node["endpoint_address_joined"] for host, node in nodes.items()} == own | dict.fromkeys(["w1", "w2", "w3"], workers)


@pytest.mark.parametrize("name", YOURS)
def test_addresses_are_nobodys(name: str) -> None:
    _groups, variables = load(COPIED / name)
    addresses = {values[key] for values in variables.values() for key in ("ansible_host", "cluster_endpoint_address")}
    assert len(addresses) == 7 and all(ipaddress.ip_address(address) in ipaddress.ip_network(NOBODYS[name]) for address in addresses)


@pytest.mark.parametrize("name", YOURS)
def test_what_is_said_to_be_the_default_is(name: str) -> None:
    written = yaml.safe_load(TEXTS[name])
    assert YOURS[name] < set(written)
    assert {key: value for key, value in written.items() if key not in YOURS[name]} == {key: DEFAULTS[key] for key in written if key not in YOURS[name]}


@pytest.mark.parametrize(("name", "example"), EXAMPLES, ids=[f"{name} {next(iter(example))}" for name, example in EXAMPLES])
def test_commented_examples_are_accepted_too(name: str, example: dict[str, Any]) -> None:
    assert read_inputs({"cp1": {**yaml.safe_load(TEXTS[name]), **example}}).problems == []


@pytest.mark.parametrize("name", YOURS)
def test_no_commented_example_is_overlooked(name: str) -> None:
    looks_like_one = re.findall(rf"^#\s*{PREFIX}\w+\s*:", TEXTS[name], re.MULTILINE)
    assert len(COMMENTED.findall(TEXTS[name])) == len(looks_like_one) > 0


@pytest.mark.parametrize("host", RELEASED)
def test_kubeadm_is_told_what_the_first_release_told_it(monkeypatch: pytest.MonkeyPatch, host: str) -> None:
    monkeypatch.setattr(cluster_bundle, "faults", lambda *_arguments, **_what: [])
    monkeypatch.setattr(cluster_bundle, "containerd_version", lambda _path: None)
    plan = make_plan(request("lab"))
    node, kubeadm = plan["nodes"][host], plan["kubeadm"]
    if node["step"] == "init":
        told = [
            kubeadm_config.init_configuration(node["init_configuration"]),
            kubeadm_config.cluster_configuration(kubeadm["cluster_configuration"]),
            kubeadm_config.kubelet_configuration(kubeadm["kubelet_configuration"]),
            kubeadm_config.kube_proxy_configuration(kubeadm["kube_proxy_configuration"]),
        ]
    else:
        told = [kubeadm_config.join_configuration(node["join_configuration"], CREDENTIALS, node["control_plane"])]
    assert told == RELEASED[host]


OPERATIONS = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
SHOWN = [block for block in map(yaml.safe_load, re.findall(r"^```yaml\n(.*?)^```", OPERATIONS, re.MULTILINE | re.DOTALL)) if "scrape_configs" not in block]


@pytest.mark.parametrize("block", SHOWN, ids=lambda block: next(iter(block)))
def test_the_examples_of_the_operations_are_accepted(block: dict[str, Any]) -> None:
    (given,) = block["workers"]["hosts"].values() if "workers" in block else [block]
    make_plan(request("onprem", cluster_statistics_password="s3cret", **{name: value for name, value in given.items() if name.startswith(PREFIX)}))


def test_the_operations_have_examples() -> None:
    assert len(SHOWN) == 4
