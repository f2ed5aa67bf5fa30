# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The inventories that people copy: what is in them is accepted, and what they say is true."""

from __future__ import annotations

import ipaddress
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

from ansible_collections.quorum.kubeadm.plugins.module_utils.cluster_endpoint import Groups
from ansible_collections.quorum.kubeadm.plugins.module_utils.cluster_inputs import PREFIX, ClusterInputs, HostInputs, read_inputs
from ansible_collections.quorum.kubeadm.plugins.module_utils.cluster_model import Request
from ansible_collections.quorum.kubeadm.plugins.module_utils.cluster_plan import Refused, make_plan

ROOT = Path(__file__).parents[2]
ONPREM = ROOT / "inventories" / "onprem"
CLUSTER_YML = ONPREM / "group_vars" / "all" / "cluster.yml"
COMMENTED = re.compile(rf"^# ({PREFIX}\w+: .+)$", re.MULTILINE)
DEFAULTS = {PREFIX + definition.name: definition.metadata["default"] for kind in (ClusterInputs, HostInputs) for definition in fields(kind)}
YOURS = {"cluster_endpoint_name", "cluster_endpoint_address", "cluster_statistics_password"}

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


def clean_machine(host: str, address: str) -> Any:
    """What node_info tells of a fresh machine with one network."""
    return {
        "system": {"id": "debian", "version_id": "13", "name": "Debian GNU/Linux 13 (trixie)", "architecture": "x86_64"},
        "hostname": host,
        "interfaces": [{"name": "eth0", "addresses": [{"address": address, "prefix": 24}]}],
        "default_address": address,
        "default_interface": "eth0",
        "listening": [],
        "containerd": {"version": None, "candidate": None},
        "kubelet": {"version": None},
        "state": "clean",
        "ca_hash": None,
        "node_name": None,
        "api_ready": False,
        "api_problem": None,
        "resolved": None,
    }


def onprem(**given: Any) -> Request:
    groups, variables = load(ONPREM)
    return Request(
        groups=groups,
        run=frozenset(variables),
        variables={host: {**values, **given} for host, values in variables.items()},
        found={host: clean_machine(host, values["ansible_host"]) for host, values in variables.items()},
    )


@pytest.mark.parametrize("name", ["onprem", "lab"])
def test_every_input_is_accepted(name: str) -> None:
    groups, variables = load(ROOT / "inventories" / name)
    assert len(groups.control_planes) == 3 and len(groups.workers) == 3
    assert read_inputs(variables).problems == []


def test_the_password_is_all_that_is_missing() -> None:
    with pytest.raises(Refused) as refused:
        make_plan(onprem())
    assert [problem.subject for problem in refused.value.problems] == ["cluster_statistics_password"]


def test_with_a_password_it_is_a_plan() -> None:
    plan = make_plan(onprem(cluster_statistics_password="s3cret"))
    assert plan["primary"] == "cp1" and plan["joining"] == ["cp2", "cp3", "w1", "w2", "w3"]
    assert list(plan["proxies"]) == ["cp1", "cp2", "cp3"]
    assert plan["warnings"] == []


def test_addresses_are_nobodys() -> None:
    _groups, variables = load(ONPREM)
    addresses = {values[name] for values in variables.values() for name in ("ansible_host", "cluster_endpoint_address")}
    assert len(addresses) == 7 and all(ipaddress.ip_address(address) in ipaddress.ip_network("192.0.2.0/24") for address in addresses)


def test_what_is_said_to_be_the_default_is() -> None:
    written = yaml.safe_load(CLUSTER_YML.read_text(encoding="utf-8"))
    assert YOURS < set(written)
    assert {name: value for name, value in written.items() if name not in YOURS} == {name: DEFAULTS[name] for name in written if name not in YOURS}


EXAMPLES = [yaml.safe_load(line) for line in COMMENTED.findall(CLUSTER_YML.read_text(encoding="utf-8"))]


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: str(next(iter(example))))
def test_commented_examples_are_accepted_too(example: dict[str, Any]) -> None:
    assert read_inputs({"cp1": example}).problems == []


def test_no_commented_example_is_overlooked() -> None:
    lines = CLUSTER_YML.read_text(encoding="utf-8").splitlines()
    assert len(EXAMPLES) == sum(line.startswith("#") and PREFIX in line and ": " in line for line in lines)
