# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The controller's side of testing a load balancer: a certificate for the listener, and a verdict of what all hosts registered."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.quorum.kubeadm.plugins.action import balancer_listener, balancer_verdict
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from .conftest import run_action

FIXTURES = Path(__file__).parents[2] / "fixtures" / "balancer"
VARIABLES = {f"{name}_variable": f"__balancer_test_{name}" for name in ("opened", "probed", "closed")}
BACKENDS = [{"name": f"b{number}", "address": f"198.18.74.1{number}"} for number in (1, 2, 3)]


def registered(name: str) -> dict[str, Any]:
    hosts: dict[str, Any] = json.loads((FIXTURES / f"{name}.json").read_text())
    return hosts


def judge(hostvars: dict[str, Any], **arguments: Any) -> dict[str, Any]:
    """Run the action as the role does, and return its result."""
    common = {"name": "api.example.org", "backends": BACKENDS, "subject": "cluster_endpoint_address", "listening": True, "hosts": list(hostvars)}
    return run_action(balancer_verdict, {**common, **VARIABLES, **arguments}, {"hostvars": hostvars})


def test_a_load_balancer_that_works(printed: list[str]) -> None:
    result = judge(registered("no_hairpin"))
    assert (result["failed"], result["changed"], result["reached"], result.get("warnings")) == (False, False, True, None)
    assert printed == result["lines"]
    assert all(line.startswith("✓ b") for line in printed)
    assert result["backends"][0] == {
        "name": "b1",
        "address": "198.18.74.11",
        "reached": True,
        "reached_from": ["b2", "b3", "quorum-balancer-o1"],
        "not_from": [],
        "hairpin": "no",
        "checks": ["198.18.74.10 (TCP)"],
    }


def test_one_that_does_not_work_stops_the_run(printed: list[str]) -> None:
    result = judge(registered("one_missing"))
    assert (result["failed"], result["reached"], result.get("warnings")) == (True, False, None)
    assert result["msg"].startswith("The load balancer api.example.org (198.18.74.10:6443) does not reach b3. Check cluster_endpoint_address, then")
    assert [line[0] for line in printed] == ["✓", "✓", "✗"]


def test_or_is_a_warning() -> None:
    result = judge(registered("one_missing"), on_failure="warn")
    assert (result["failed"], result["reached"], result["warnings"]) == (False, False, [result["msg"]])
    assert "does not reach b3" in result["msg"]


def test_what_is_unknown_is_a_warning(printed: list[str]) -> None:
    own = registered("no_hairpin")["quorum-balancer-b1"]
    own["__balancer_test_probed"]["probe"]["reached"] = []
    result = judge({"quorum-balancer-b1": own}, backends=BACKENDS[:1])
    assert (result["failed"], result["reached"]) == (False, None)
    assert "is unknown" in result["warnings"][0]
    assert printed[0].startswith("– b1 ")


def test_check_mode_has_nothing_to_judge(printed: list[str]) -> None:
    skipped = {
        "__balancer_test_opened": {"changed": True, "mark": ""},
        "__balancer_test_probed": {"skipped": True},
        "__balancer_test_closed": {"traffic": None},
    }
    result = judge({"one": skipped})
    assert (result["failed"], result["reached"]) == (False, None)
    assert printed == ["– The load balancer api.example.org: not tested: check mode opens no listener"]


def test_a_living_cluster_has_no_listeners(printed: list[str]) -> None:
    result = judge(registered("hairpin"), listening=False)
    assert result["reached"]
    assert printed[0] == "✓ b1 (198.18.74.11:6443): reached from b2, b3, quorum-balancer-o1; hairpin yes"


@pytest.mark.parametrize("state", ["present", "absent"])
def test_the_listener_gets_a_certificate_of_its_own(state: str) -> None:
    sent: dict[str, Any] = {}

    def execute(module_name: str, module_args: dict[str, Any], task_vars: Any) -> dict[str, Any]:
        sent.update(module_args)
        return {"module": module_name}

    assert run_action(balancer_listener, {"state": state, "name": "cp1"}, _execute_module=execute) == {"module": "quorum.kubeadm.balancer_listener"}
    assert ("_certificate" in sent) is (state == "present")
    if state == "present":
        certificate = x509.load_pem_x509_certificate(sent["_certificate"].encode())
        key = serialization.load_pem_private_key(sent["_certificate"].encode(), None)
        assert certificate.subject.rfc4514_string() == "CN=quorum-listener cp1"
        assert certificate.public_key() == key.public_key()
