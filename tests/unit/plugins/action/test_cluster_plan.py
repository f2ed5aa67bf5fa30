# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The action in Ansible's own hands: an inventory with templates and secrets in it, check mode, a limit."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from ...samples import clean_machine

ROOT = Path(__file__).parents[4]
VAULT_PASSWORD = "vault"
ADDRESSES = {"cp1": "198.18.64.11", "cp2": "198.18.64.12", "cp3": "198.18.64.13", "w1": "198.18.64.21"}

PLAYBOOK = """
- name: Plan
  hosts: control_planes:workers
  gather_facts: false
  vars:
    cluster_kube_proxy_config: {mode: "{{ 'nf' ~ 'tables' }}"}
  tasks:
    - name: Plan the cluster
      quorum.kubeadm.cluster_plan:
        found_elsewhere: "{{ found_elsewhere | default([]) }}"
      run_once: true
      ignore_errors: true
      register: planned
    - name: Keep what came of it
      ansible.builtin.copy:
        content: "{{ planned | to_json }}"
        dest: "{{ playbook_dir }}/planned.json"
      delegate_to: localhost
      run_once: true
      check_mode: false
"""


def node(host: str, **differs: Any) -> dict[str, Any]:
    return clean_machine(host, ADDRESSES[host], **differs)


class Vaulted(str):
    """A text that the inventory has as a secret."""


def _represent(dumper: yaml.SafeDumper, value: Vaulted) -> yaml.ScalarNode:
    return dumper.represent_scalar("!vault", str(value), style="|")


class Dumper(yaml.SafeDumper):
    """Writes secrets the way the inventory has them."""


Dumper.add_representer(Vaulted, _represent)


class Site:
    """An inventory in a directory of its own."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        (directory / "play.yml").write_text(PLAYBOOK, encoding="utf-8")
        (directory / "password").write_text(VAULT_PASSWORD, encoding="utf-8")
        self.environment = {
            **os.environ,
            "ANSIBLE_CONFIG": str(directory / "ansible.cfg"),
            "ANSIBLE_COLLECTIONS_PATH": str(ROOT / "collections"),
            "ANSIBLE_NOCOLOR": "1",
        }
        (directory / "ansible.cfg").write_text("[defaults]\n", encoding="utf-8")

    def ansible(self, program: str, *arguments: str, stdin: str | None = None) -> str:
        command = [sys.executable, str(Path(sys.executable).with_name(program)), *arguments, "--vault-password-file", str(self.directory / "password")]
        return subprocess.run(command, input=stdin, capture_output=True, text=True, env=self.environment, cwd=self.directory, check=False).stdout

    def encrypt(self, text: str) -> Vaulted:
        return Vaulted(self.ansible("ansible-vault", "encrypt", "--output", "-", stdin=text))

    def plan(self, inventory: dict[str, Any], *arguments: str) -> dict[str, Any]:
        (self.directory / "hosts.yml").write_text(yaml.dump(inventory, Dumper=Dumper), encoding="utf-8")
        self.output = self.ansible("ansible-playbook", "-i", "hosts.yml", "play.yml", *arguments)
        result: dict[str, Any] = json.loads((self.directory / "planned.json").read_text(encoding="utf-8"))
        return result

    def refused(self) -> list[str]:
        """What the last plan found wrong, by the lines that were printed."""
        return re.findall(r"^- ([^:]+): ", self.output, re.MULTILINE)


@pytest.fixture(name="site")
def fixture_site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def inventory(**variables: Any) -> dict[str, Any]:
    hosts = {host: {"ansible_host": address, "found": {"changed": False, "node": node(host)}} for host, address in ADDRESSES.items()}
    # Nothing is sent to these hosts, and nothing could be.
    cluster = {
        "ansible_ssh_executable": "/bin/false",
        "cluster_endpoint_name": "api.lab.test",
        "cluster_endpoint_address": "{{ lan }}.10",
        "cluster_statistics_password": "{{ vaulted_password }}",
        "cluster_node_address": "{{ ansible_host }}",
        "lan": "198.18.64",
        **variables,
    }
    return {
        "control_planes": {"hosts": {host: hosts[host] for host in ("cp1", "cp2", "cp3")}},
        "workers": {"hosts": {"w1": hosts["w1"]}},
        "others": {"hosts": {"printer": {"cluster_of_grapes": "not ours"}}},
        "all": {"vars": cluster},
    }


def test_in_check_mode(site: Site) -> None:
    """Templates are resolved as each host sees them, secrets are read and not returned, and variables of the play count for all."""
    result = site.plan(inventory(vaulted_password=site.encrypt("not-for-print")), "--check", "-vvv")
    plan = result["plan"]
    assert result["changed"] is False
    assert plan["primary"] == "cp1" and plan["joining"] == ["cp2", "cp3", "w1"]
    assert plan["inputs"]["endpoint_address"] == "198.18.64.10"
    assert [planned["address"] for planned in plan["nodes"].values()] == list(ADDRESSES.values())
    assert plan["kubeadm"]["kube_proxy_configuration"] == {"mode": "nftables"}
    assert "not-for-print" not in site.output
    assert "\n  w1             joins as a worker\n" in site.output


def test_with_a_limit(site: Site) -> None:
    """Hosts outside the limit are read all the same, and what they were found to be by delegation counts."""
    member = {"state": "control_plane", "ca_hash": "sha256:" + "a" * 64, "node_name": "cp2", "api_ready": True}
    found = [
        {"item": "cp1", "unreachable": True},
        {"item": "cp2", "node": node("cp2", **member)},
        {"item": "cp3", "node": node("cp3", **{**member, "node_name": "cp3"})},
    ]
    described = inventory(cluster_statistics_password=site.encrypt("not-for-print"), found_elsewhere=found)
    for host in described["control_planes"]["hosts"].values():
        del host["found"]
    plan = site.plan(described, "--limit", "w1")["plan"]
    assert plan["primary"] == "cp2" and plan["joining"] == ["w1"] and not plan["initialise"]
    assert [backend["address"] for backend in plan["backends"]] == ["198.18.64.11", "198.18.64.12", "198.18.64.13"]


def test_refused(site: Site) -> None:
    described = inventory(cluster_endpoint_adress="198.18.64.10")
    del described["workers"]["hosts"]["w1"]["found"]
    result = site.plan(described, "-e", "cluster_proxy_maxconn=100")
    assert (result["failed"], result["msg"]) == (True, "4 problems; the lines above say what to write or do")
    assert site.refused() == ["cluster_endpoint_adress", "cluster_statistics_password", "cluster_proxy_maxconn", "w1"]
    assert "'vaulted_password' is undefined" in site.output and "on the command line" in site.output
    assert site.output.count("cluster_endpoint_adress") == 1


def test_a_word_of_another_procedure(site: Site) -> None:
    """Only what is said with -e counts, in each of its forms: an inventory may have words for all procedures."""
    (site.directory / "words.yml").write_text("drill_repeats: 1\n", encoding="utf-8")
    described = inventory(cluster_statistics_password=site.encrypt("not-for-print"), drill_confirm=True, verify_image="registry.example.org/agnhost")
    assert "plan" in site.plan(described)
    site.plan(described, "-e", "drill_confirm=yes target=all", "-e", '{"verify_image": "x"}', "-e", "@words.yml")
    assert site.refused() == ["-e drill_confirm", "-e drill_repeats", "-e verify_image"]
