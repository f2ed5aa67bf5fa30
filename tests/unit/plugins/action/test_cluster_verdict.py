# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The verdict is printed line by line, and a line that is not true fails the task."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.quorum.kubeadm.plugins.action import cluster_verdict

from .conftest import run_action

PLAN: dict[str, Any] = {
    "primary": "cp1",
    "containerd": {"version": ""},
    "inputs": {"endpoint_name": "api.lab.test", "endpoint_address": "198.18.64.10", "kubernetes_version": "1.37.2"},
    "endpoint": {"host_port": "api.lab.test:16443", "floating": True, "mover": "keepalived"},
    "nodes": {"cp1": {"name": "cp1", "control_plane": True, "init_configuration": {"nodeRegistration": {"taints": []}}}},
    "proxies": {"cp1": {}},
    "backends": [{"name": "cp1", "address": "198.18.64.11", "port": 6443}],
}
CLUSTER: dict[str, Any] = {
    "reachable": True,
    "version": "1.37.2",
    "pod_subnets": ["10.244.0.0/16"],
    "nodes": [{"name": "cp1", "ready": True, "control_plane": True, "version": "1.37.2", "labels": {}, "taints": []}],
    "etcd_members": [{"name": "cp1", "id": "1a", "peer_urls": [], "learner": False, "healthy": True, "alarms": [], "db_size": None}],
    "etcd_problem": None,
    "bootstrap_tokens": [],
}
CERTIFICATES = [{"name": "ca", "path": "/ca", "not_before": "2026-11-28T16:13:55Z", "not_after": "2126-11-28T16:13:55Z", "names": []}]
REGISTERED: dict[str, Any] = {
    "found": {
        "changed": False,
        "node": {
            "state": "control_plane",
            "api_ready": True,
            "api_problem": None,
            "listening": [],
            "certificates": CERTIFICATES,
            "kubelet": {"version": "1.37.2"},
            "containerd": {"version": "2.3.7"},
        },
    },
    "proxy": {
        "changed": False,
        "proxy": {
            "holds_vip": True,
            "haproxy": {"active": True, "backends": [{"name": "cp1", "up": True, "check_status": "L7OK"}]},
            "keepalived": {"active": True},
        },
    },
    "endpoint": {"changed": False, "verified": True, "status": 200, "seconds": 0.01, "error": "", "body": "ok"},
}
PODS: dict[str, Any] = {
    "changed": False,
    "pods": [{"node": "cp1", "name": "probe-0", "address": "10.244.0.2", "addresses": ["10.244.0.2"], "error": ""}],
    "connections": [],
    "dns": [{"node": "cp1", "ok": True, "error": ""}],
    "error": "",
}


def judge(registered: dict[str, Any], **arguments: Any) -> dict[str, Any]:
    """Run the action as the playbook does, and return its result."""
    return run_action(cluster_verdict, {"plan": PLAN, "cluster": CLUSTER, "pods": PODS, **arguments}, {"hostvars": {"cp1": registered, "other": {}}})


def test_a_healthy_cluster_passes(printed: list[str]) -> None:
    result = judge(REGISTERED)
    assert (result["failed"], result["changed"], result["msg"]) == (False, False, "17 checks, none failed")
    assert len(printed) == len(result["checks"]) == 17
    assert all(line.startswith("✓ ") for line in printed)


def test_what_is_wrong_fails_and_is_named(printed: list[str]) -> None:
    result = judge(REGISTERED, cluster={**CLUSTER, "etcd_problem": "connection refused"})
    assert result["failed"]
    assert result["msg"] == "1 of 17 checks failed, the lines above say why: etcd has a voter on every control plane"
    assert [line for line in printed if line.startswith("✗")] == ["✗ etcd has a voter on every control plane: etcd was not queried: connection refused"]


@pytest.mark.parametrize(
    ("registered", "name"),
    [
        ({**REGISTERED, "found": {"unreachable": True, "msg": "ssh"}}, "Every host is reachable"),
        ({**REGISTERED, "proxy": {"skipped": True}}, "HAProxy and keepalived run on every proxy"),
        ({**REGISTERED, "endpoint": {"failed": True, "msg": "x"}}, "The endpoint answers, with a certificate for its name"),
        ({}, "Every host is reachable"),
    ],
)
def test_what_a_host_did_not_tell_is_no_pass(registered: dict[str, Any], name: str) -> None:
    result = judge(registered)
    assert name in [check["name"] for check in result["checks"] if check["passed"] is False]


def test_a_probe_that_was_skipped_is_not_checked(printed: list[str]) -> None:
    result = judge(REGISTERED, pods={"skipped": True, "msg": "remote module does not support check mode"})
    assert not result["failed"]
    assert len([line for line in printed if line.startswith("– ")]) == 4


def test_the_variables_can_have_other_names() -> None:
    renamed = {"a": REGISTERED["found"], "b": REGISTERED["proxy"], "c": REGISTERED["endpoint"]}
    result = judge(renamed, found_variable="a", proxy_variable="b", endpoint_variable="c")
    assert not result["failed"]
