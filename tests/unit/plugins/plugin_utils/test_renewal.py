# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which nodes get new certificates, in a cluster that serves and in one that has expired."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from ansible_collections.quorum.kubeadm.plugins.plugin_utils.cluster_plan import Plan, Refused, make_plan

from .test_cluster_plan import CLUSTER, CONTROL_PLANES, SIX, living, request

NOW = datetime(2026, 11, 28, 12, tzinfo=timezone.utc)
NOBODY: dict[str, list[str]] = {"control_planes": [], "workers": []}


def certificate(name: str, days: int) -> dict[str, Any]:
    since, until = ((NOW + timedelta(days=moment)).strftime("%Y-%m-%dT%H:%M:%SZ") for moment in (days - 365, days))
    return {"name": name, "path": f"/{name}", "not_before": since, "not_after": until, "names": []}


def found(days: Mapping[str, Mapping[str, int]], ready: bool = True, **differs: Any) -> dict[str, Any]:
    """What the six hosts are found to be, with certificates valid for a year but for these."""
    hosts = living()
    for host, node in hosts.items():
        usual = {"apiserver": 300, "etcd-server": 300, "ca": 3000} if host in CONTROL_PLANES else {"ca": 3000}
        valid = {**usual, "kubelet-client": 300, "kubelet-server": 300, **days.get(host, {})}
        node["certificates"] = [certificate(name, left) for name, left in valid.items()]
        node["api_ready"] = node["api_ready"] and (ready or "apiserver" not in days.get(host, {}))
        node.update(differs.get(host, {}))
    return hosts


def plan(hosts: dict[str, Any], procedure: str = "renew_certificates", words: Mapping[str, Any] | None = None, not_ready: tuple[str, ...] = ()) -> Plan:
    cluster = copy.deepcopy(CLUSTER)
    for node in cluster["nodes"]:
        node["ready"] = node["name"] not in not_ready
    serves = any(node["api_ready"] for node in hosts.values())
    made = request(found=hosts, procedure=procedure, cluster=cluster if serves else None)
    return make_plan(replace(made, now=NOW, words=words or {}))


def test_nothing_is_due() -> None:
    made = plan(found({}))
    assert (made["todo"], made["expired"]) == ([], NOBODY)


@pytest.mark.parametrize(
    ("days", "todo"),
    [
        ({"cp2": {"apiserver": 29}}, ["cp2"]),
        ({"cp2": {"apiserver": 31}}, []),
        ({"w1": {"kubelet-server": 29}}, ["w1"]),
        # The kubelet renews it by itself.
        ({"w1": {"kubelet-client": 20}}, []),
        ({"cp1": {"kubelet-client": 20}}, []),
        # Nobody renews a CA.
        ({"cp1": {"ca": 20}}, []),
        # Its API server still serves.
        ({"cp3": {"kubelet-client": -1}}, ["cp3"]),
        ({"cp3": {"scheduler.conf": -1}}, ["cp3"]),
    ],
)
def test_who_is_visited(days: dict[str, dict[str, int]], todo: list[str]) -> None:
    made = plan(found(days))
    assert (made["todo"], made["expired"]) == (todo, NOBODY)


def test_a_component_that_has_not_read_its_certificate() -> None:
    assert plan(found({}, cp2={"outdated_components": ["kube-apiserver"]}))["todo"] == ["cp2"]


@pytest.mark.parametrize(("said", "todo"), [("yes", list(SIX)), ("no", [])])
def test_all_of_them_where_the_user_says_so(said: str, todo: list[str]) -> None:
    assert plan(found({}), words={"renew_all": said})["todo"] == todo


def test_who_has_left_the_cluster() -> None:
    made = plan(found({"cp2": {"apiserver": -1}, "w3": {"kubelet-client": -1}, "w1": {"kubelet-server": -1}}, ready=False), not_ready=("cp2", "w3"))
    assert made["expired"] == {"control_planes": ["cp2"], "workers": ["w3"]}
    assert made["todo"] == ["w1"]


def test_a_cluster_that_has_expired() -> None:
    days = {host: {"apiserver": -3, "etcd-server": -3, "kubelet-client": -3} if host in CONTROL_PLANES else {"kubelet-client": -3} for host in SIX}
    made = plan(found(days, ready=False))
    assert made["expired"] == {"control_planes": list(CONTROL_PLANES), "workers": ["w1", "w2", "w3"]}
    # All at once: there is nobody to go on serving.
    assert made["todo"] == []
    assert plan(found({**days, "w1": {"kubelet-server": -3}}, ready=False))["todo"] == []
    for procedure in ("site", "reboot", "reconfigure"):
        with pytest.raises(Refused, match="certificates have expired on cp1, cp2 and cp3: .*; run `ansible-playbook quorum.kubeadm.renew_certificates`"):
            plan(found(days, ready=False), procedure)


def test_a_worker_that_has_left_keeps_other_procedures_from_beginning() -> None:
    hosts = found({"w3": {"kubelet-client": -1}})
    with pytest.raises(Refused, match="w3: is not Ready, since kubelet-client has expired; run `ansible-playbook quorum.kubeadm.renew_"):
        plan(hosts, "reboot", not_ready=("w3",))
    assert plan(hosts, not_ready=("w3",))["expired"]["workers"] == ["w3"]
    with pytest.raises(Refused, match="w2: is not Ready; see `journalctl"):
        plan(hosts, not_ready=("w2", "w3"))


def test_a_ca_that_has_expired() -> None:
    days = {host: {"ca": -1, "apiserver": -1} for host in CONTROL_PLANES}
    with pytest.raises(Refused, match="cp1: ca has expired; no procedure makes a CA anew yet"):
        plan(found(days, ready=False))
