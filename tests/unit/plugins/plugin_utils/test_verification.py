# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each thing that can be wrong with a cluster turns one line, and that line says what and where to look."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta, timezone
from typing import Any, NamedTuple

import pytest
from ansible_collections.quorum.kubeadm.plugins.plugin_utils.drift import Difference, Drift
from ansible_collections.quorum.kubeadm.plugins.plugin_utils.verification import NOT_CHECKED, Check, Evidence, lines, verify

CONTROL_PLANES = ("cp1", "cp2", "cp3")
HOSTS = (*CONTROL_PLANES, "w1", "w2", "w3")
TAINT = {"key": "node-role.kubernetes.io/control-plane", "value": None, "effect": "NoSchedule"}
NOW = datetime(2026, 11, 28, 12, tzinfo=timezone.utc)


def certificate(name: str, days: float, life: float = 365) -> dict[str, Any]:
    """One that is valid for so many days more."""
    until = NOW + timedelta(days=days)
    since, until_text = (moment.strftime("%Y-%m-%dT%H:%M:%SZ") for moment in (until - timedelta(days=life), until))
    return {"name": name, "path": f"/{name}", "not_before": since, "not_after": until_text, "names": []}


class World(NamedTuple):
    """The evidence of a healthy cluster, to be broken."""

    plan: dict[str, Any]
    cluster: dict[str, Any]
    found: dict[str, dict[str, Any]]
    proxies: dict[str, dict[str, Any]]
    endpoint: dict[str, dict[str, Any]]
    pods: dict[str, Any]
    now: datetime = NOW

    def node(self, name: str) -> dict[str, Any]:
        node: dict[str, Any] = next(entry for entry in self.cluster["nodes"] if entry["name"] == name)
        return node

    def verdict(self) -> list[Check]:
        return verify(Evidence(**self._asdict()))


def healthy() -> World:
    """Six nodes, as the modules returned them for a cluster of 1.37.2."""
    return World(
        plan={
            "primary": "cp1",
            "inputs": {"endpoint_name": "api.lab.test", "endpoint_address": "198.18.64.10"},
            "endpoint": {
                "port": 16443,
                "host_port": "api.lab.test:16443",
                "floating": True,
                "mover": "keepalived",
            },
            "nodes": {host: {"name": host, "control_plane": host in CONTROL_PLANES, "endpoint_address_joined": "198.18.64.10"} for host in HOSTS},
            "proxies": {host: {"priority": 200} for host in CONTROL_PLANES},
            "backends": [{"name": host, "address": f"198.18.64.1{number}", "port": 6443} for number, host in enumerate(CONTROL_PLANES, start=1)],
        },
        cluster={
            "reachable": True,
            "reason": None,
            "version": "1.37.2",
            "pod_subnets": ["10.244.0.0/16"],
            "nodes": [
                {"name": host, "ready": True, "control_plane": host in CONTROL_PLANES, "taints": [TAINT] if host in CONTROL_PLANES else []} for host in HOSTS
            ],
            "etcd_members": [
                {
                    **{"name": host, "id": f"{number}a", "peer_urls": [], "learner": False, "healthy": True, "alarms": [], "leader": number == 0},
                    **{"version": "3.7.0", "db_size": 3624960, "db_in_use": 1634304, "quota": 2147483648},
                }
                for number, host in enumerate(CONTROL_PLANES)
            ],
            "etcd_problem": None,
            "bootstrap_tokens": [{"id": "abcdef", "description": "somebody's", "expires": None, "ours": False}],
        },
        found={
            host: {
                "state": "control_plane" if host in CONTROL_PLANES else "worker",
                "api_ready": host in CONTROL_PLANES,
                "api_problem": None,
                "resolved": {"addresses": ["198.18.64.10"], "hosts_file": ["198.18.64.10"], "stale_copies": []},
                "certificates": [
                    *([certificate("apiserver", 364.9), certificate("etcd-server", 364.9)] if host in CONTROL_PLANES else []),
                    certificate("kubelet-client", 300.2),
                    certificate("ca", 3649.9, 3650),
                ],
                "listening": [{"port": 10250, "address": "::", "process": "kubelet"}, {"port": 22, "address": "0.0.0.0", "process": None}],
            }
            for host in HOSTS
        },
        proxies={
            host: {
                "holds_vip": host == "cp1",
                "haproxy": {"active": True, "backends": [{"name": name, "up": True, "check_status": "L7OK"} for name in CONTROL_PLANES]},
                "keepalived": {"active": True},
            }
            for host in CONTROL_PLANES
        },
        endpoint={host: {"verified": True, "status": 200, "seconds": 0.02, "error": "", "body": "ok"} for host in HOSTS},
        pods={
            "pods": [
                {"node": host, "name": f"probe-{number}", "address": f"10.244.{number}.2", "addresses": [f"10.244.{number}.2"], "error": ""}
                for number, host in enumerate(HOSTS)
            ],
            "connections": [
                {"from_node": one, "to_node": other, "address": f"10.244.{HOSTS.index(other)}.2:8080", "ok": True, "error": ""}
                for one in HOSTS
                for other in HOSTS
                if one != other
            ],
            "dns": [{"node": host, "ok": True, "error": ""} for host in HOSTS],
            "error": "",
        },
    )


NAMES = [
    "Every host is reachable",
    "The API server answers",
    "Every expected node exists and is Ready",
    "Workers are workers",
    "Control planes are control planes",
    "etcd has a voter on every control plane",
    "etcd has room, and has raised no alarm",
    "HAProxy and keepalived run on every proxy",
    "The virtual IP is on exactly one proxy",
    "Every HAProxy sees every API server",
    "The endpoint's name resolves correctly, in pods too",
    "The endpoint answers, with a certificate for its name",
    "A pod runs on every node",
    "Pods reach pods on other nodes",
    "Pod addresses are inside the pod network",
    "DNS and Services work in a pod",
    "No bootstrap token of this collection remains",
    "The cluster is what the inventory describes",
    "No certificate expires within 7 days",
]


def test_a_healthy_cluster() -> None:
    assert lines(healthy().verdict()) == [
        "✓ Every host is reachable: 6 hosts",
        "✓ The API server answers: Kubernetes 1.37.2, asked on cp1",
        "✓ Every expected node exists and is Ready: 6 of 6",
        "✓ Workers are workers: w1, w2, w3, without label, taint or static pods",
        "✓ Control planes are control planes: cp1, cp2, cp3, each API server is ready",
        "✓ etcd has a voter on every control plane: 3 voters, no learner, all healthy",
        "✓ etcd has room, and has raised no alarm: the largest database has 3 MiB of 2048 MiB, 2 MiB in use",
        "✓ HAProxy and keepalived run on every proxy: cp1, cp2, cp3",
        "✓ The virtual IP is on exactly one proxy: 198.18.64.10 is on cp1",
        "✓ Every HAProxy sees every API server: 3 backends up on each of cp1, cp2, cp3",
        "✓ The endpoint's name resolves correctly, in pods too: 198.18.64.10 on cp1, cp2, cp3, w1, w2, w3",
        "✓ The endpoint answers, with a certificate for its name: api.lab.test:16443 from cp1, cp2, cp3, w1, w2, w3, the slowest in 0.02 s",
        "✓ A pod runs on every node: 6 pods",
        "✓ Pods reach pods on other nodes: 30 connections",
        "✓ Pod addresses are inside the pod network: 6 in 10.244.0.0/16",
        "✓ DNS and Services work in a pod: the API server's Service is found by name and answers in 6 pods",
        "✓ No bootstrap token of this collection remains: other tokens: 1",
        "✓ The cluster is what the inventory describes: no other procedure has anything to bring about",
        "✓ No certificate expires within 7 days:"
        "\n    300 days left: kubelet-client on cp1, cp2, cp3, w1, w2, w3"
        "\n    364 days left: apiserver, etcd-server on cp1, cp2, cp3"
        "\n    3649 days left: ca on cp1, cp2, cp3, w1, w2, w3",
    ]


Break = Callable[[World], object]


def connection(world: World, one: str, other: str) -> dict[str, Any]:
    found: dict[str, Any] = next(entry for entry in world.pods["connections"] if (entry["from_node"], entry["to_node"]) == (one, other))
    return found


def no_connection_to_w3(world: World) -> None:
    for entry in world.pods["connections"]:
        if entry["to_node"] == "w3":
            entry.update(ok=False, error="TIMEOUT")


@pytest.mark.parametrize(
    ("broken", "name", "detail"),
    [
        (lambda w: w.found.pop("w2"), NAMES[0], "w2 did not answer over SSH: is the machine running?"),
        (lambda w: w.cluster["nodes"].remove(w.node("w2")), NAMES[2], "w2 did not join: run site.yml"),
        (lambda w: w.node("w2").update(ready=False), NAMES[2], "w2 is not Ready: see `kubectl describe node w2`, and `journalctl -u kubelet` there"),
        (lambda w: w.node("w1").update(control_plane=True), NAMES[3], "w1 has the label node-role.kubernetes.io/control-plane"),
        (lambda w: w.node("w1")["taints"].append(TAINT), NAMES[3], "w1 has the taint node-role.kubernetes.io/control-plane"),
        (
            lambda w: w.found["w3"]["listening"].append({"port": 2379, "address": "198.18.64.23", "process": "etcd"}),
            NAMES[3],
            "etcd run on w3: see /etc/kubernetes/manifests there",
        ),
        (lambda w: w.found["w3"].update(state="half_joined"), NAMES[3], "w3 is an unfinished join according to its files"),
        (lambda w: w.node("cp2").update(control_plane=False), NAMES[4], "cp2 lacks the label node-role.kubernetes.io/control-plane"),
        (lambda w: w.found["cp2"].update(state="worker"), NAMES[4], "cp2 is a worker according to its files"),
        (
            lambda w: w.found["cp2"].update(api_ready=False, api_problem="https://198.18.64.12:6443/readyz answers 500: etcd"),
            NAMES[4],
            "the API server on cp2 is not ready (https://198.18.64.12:6443/readyz answers 500: etcd): see `crictl ps` or /var/log/pods there",
        ),
        (lambda w: w.cluster["etcd_members"].pop(), NAMES[5], "2 voters instead of 3 (cp1, cp2)"),
        (
            lambda w: w.cluster["etcd_members"][2].update(learner=True),
            NAMES[5],
            "\n    2 voters instead of 3 (cp1, cp2)\n    cp3 is still a learner: see /var/log/pods/kube-system_etcd-* there",
        ),
        (lambda w: w.cluster["etcd_members"][0].update(healthy=False), NAMES[5], "cp1 is not healthy: see /var/log/pods/kube-system_etcd-* there"),
        (
            lambda w: w.cluster["etcd_members"].append(
                {
                    **{"name": "", "id": "9c", "peer_urls": ["https://198.18.64.14:2380"], "learner": False, "healthy": True, "alarms": [], "leader": False},
                    **{"version": None, "db_size": None, "db_in_use": None, "quota": None},
                }
            ),
            NAMES[5],
            "4 voters instead of 3 (cp1, cp2, cp3, 9c (https://198.18.64.14:2380, never started))",
        ),
        (lambda w: w.cluster.update(etcd_members=[], etcd_problem="connection refused"), NAMES[5], "etcd was not queried: connection refused"),
        (
            lambda w: w.cluster["etcd_members"][1].update(alarms=["NOSPACE"]),
            NAMES[6],
            "cp2: NOSPACE, its database reached its quota, and etcd takes no more writes: docs/operations.md says how to make room",
        ),
        (lambda w: w.proxies["cp3"]["haproxy"].update(active=False), NAMES[7], "haproxy does not run on cp3: see `journalctl -u haproxy` there"),
        (lambda w: w.proxies["cp3"]["keepalived"].update(active=False), NAMES[7], "keepalived does not run on cp3: see `journalctl -u keepalived` there"),
        (lambda w: w.proxies["cp1"].update(holds_vip=False), NAMES[8], "none of cp1, cp2, cp3 has 198.18.64.10: see `journalctl -u keepalived` there"),
        (
            lambda w: w.proxies["cp2"].update(holds_vip=True),
            NAMES[8],
            "cp1, cp2 all have 198.18.64.10: VRRP (IP protocol 112) is blocked between them",
        ),
        (lambda w: w.proxies["cp2"]["haproxy"]["backends"][2].update(up=False, check_status="L4CON"), NAMES[9], "HAProxy on cp2 reports cp3 down (L4CON)"),
        (
            lambda w: w.found["w2"]["resolved"].update(hosts_file=[]),
            NAMES[10],
            "api.lab.test: /etc/hosts on w2 has no address for it and not 198.18.64.10: run site.yml",
        ),
        (lambda w: w.found["w2"]["resolved"].update(addresses=[]), NAMES[10], "api.lab.test: w2 cannot resolve it: see /etc/resolv.conf there"),
        (
            lambda w: w.found["cp2"]["resolved"].update(stale_copies=["kube-system/kube-proxy-x7k2p"]),
            NAMES[10],
            "api.lab.test: kube-system/kube-proxy-x7k2p on cp2 have an outdated copy of /etc/hosts: run site.yml",
        ),
        (lambda w: w.proxies["cp2"]["haproxy"]["backends"].pop(), NAMES[9], "HAProxy on cp2 does not have cp3"),
        (
            lambda w: w.proxies["cp2"]["haproxy"]["backends"].clear(),
            NAMES[9],
            "HAProxy on cp2 reports no backend: see `systemctl status haproxy` and /etc/haproxy/haproxy.cfg there",
        ),
        (
            lambda w: w.endpoint["w1"].update(verified=False, error="the certificate is not for api.lab.test but for kubernetes"),
            NAMES[11],
            "from w1: the certificate is not for api.lab.test but for kubernetes",
        ),
        (lambda w: w.endpoint["w1"].update(status=500, body="[-]etcd failed\n"), NAMES[11], "from w1: it answers 500, [-]etcd failed"),
        (lambda w: [w.endpoint[host].update(verified=False, error="timed out") for host in ("w1", "w2")], NAMES[11], "from w1, from w2: timed out"),
        (lambda w: w.endpoint.clear(), NAMES[11], "no host could connect to it"),
        (
            lambda w: w.pods["pods"][4].update(address="", addresses=[], error="container probe waits: ErrImagePull"),
            NAMES[12],
            "not on w2: container probe waits: ErrImagePull",
        ),
        (
            lambda w: connection(w, "w1", "w2").update(ok=False, error="TIMEOUT"),
            NAMES[13],
            "\n    w1 to w2 (10.244.4.2:8080): TIMEOUT\n    see the pod network's pods on these nodes",
        ),
        (
            no_connection_to_w3,
            NAMES[13],
            f"\n    {', '.join(f'{host} to w3 (10.244.5.2:8080)' for host in HOSTS[:-1])}: TIMEOUT" "\n    see the pod network's pods on these nodes",
        ),
        (lambda w: w.pods.update(connections=[]), NAMES[13], "nothing could be tested"),
        (
            lambda w: w.pods["pods"][3].update(address="192.168.7.9", addresses=["192.168.7.9"]),
            NAMES[14],
            "192.168.7.9 on w1 outside 10.244.0.0/16: see /etc/cni/net.d on these nodes",
        ),
        (
            lambda w: [
                entry.update(ok=False, error="DNS: lookup kubernetes.default.svc.cluster.local. on 10.96.0.10:53: server misbehaving")
                for entry in w.pods["dns"][:2]
            ],
            NAMES[15],
            "\n    on cp1, on cp2: DNS: lookup kubernetes.default.svc.cluster.local. on 10.96.0.10:53: server misbehaving"
            "\n    see `kubectl --namespace kube-system get pods -l k8s-app=kube-dns` and kube-proxy on these nodes",
        ),
        (lambda w: w.pods.update(dns=[]), NAMES[15], "nothing could be tested"),
        (
            lambda w: w.cluster["bootstrap_tokens"].append({"id": "012345", "description": "", "expires": None, "ours": True}),
            NAMES[16],
            "012345: left by an interrupted run; the next run of site.yml deletes it",
        ),
        (
            lambda w: w.found["cp2"].update(certificates=[certificate("etcd-server", 6.9), certificate("apiserver", 12)]),
            NAMES[18],
            "\n    6 days left: etcd-server on cp2 (run renew_certificates.yml)"
            "\n    12 days left: apiserver on cp2 (run renew_certificates.yml)"
            "\n    300 days left: kubelet-client on cp1, cp3, w1, w2, w3"
            "\n    364 days left: apiserver, etcd-server on cp1, cp3"
            "\n    3649 days left: ca on cp1, cp3, w1, w2, w3",
        ),
    ],
)
def test_one_thing_wrong_turns_one_line(broken: Break, name: str, detail: str) -> None:
    world = healthy()
    broken(world)
    assert [(check.name, check.detail) for check in world.verdict() if not check.passed] == [(name, detail)]


def test_a_certificate_that_has_expired_or_cannot_be_read() -> None:
    world = healthy()
    for host in HOSTS:
        world.found[host]["certificates"] = []
    world.found["cp1"]["certificates"] = [certificate("apiserver", -0.5), certificate("etcd-peer", 1), {**certificate("etcd-server", 1), "not_after": None}]
    world.found["w1"]["certificates"] = [certificate("ca", -2, 3650)]
    assert world.verdict()[-1] == Check(
        NAMES[18],
        False,
        "\n    cannot be read: etcd-server on cp1 (run renew_certificates.yml)"
        "\n    expired: apiserver on cp1; ca on w1 (run renew_certificates.yml; no procedure makes a CA anew yet: build a new cluster in time)"
        "\n    1 day left: etcd-peer on cp1 (run renew_certificates.yml)",
    )


def test_a_certificate_that_expires_within_a_month_is_a_warning() -> None:
    world = healthy()
    world.found["cp2"]["certificates"] = [certificate("apiserver", 29)]
    verdict = world.verdict()
    assert all(check.passed for check in verdict)
    assert [check.name for check in verdict if check.warning] == [NAMES[18]]
    assert lines(verdict)[-1].startswith("! No certificate expires within 7 days:\n    29 days left: apiserver on cp2 (run renew_certificates.yml)\n")


@pytest.mark.parametrize(
    ("differs", "line"),
    [
        (
            {"db_size": 1717986919, "db_in_use": 1048576000},
            "! etcd has room, and has raised no alarm: cp2 has 1638 MiB of 2048 MiB, of which etcd_defragment.yml would give back 638 MiB",
        ),
        ({"db_size": 1717986918}, "✓ etcd has room, and has raised no alarm: the largest database has 1638 MiB of 2048 MiB, 2 MiB in use"),
        ({"db_size": 1717986919, "quota": None}, "✓ etcd has room, and has raised no alarm: the largest database has 1638 MiB, 2 MiB in use"),
    ],
)
def test_a_database_that_is_nearly_full_is_a_warning(differs: dict[str, Any], line: str) -> None:
    world = healthy()
    world.cluster["etcd_members"][1].update(differs)
    assert line in lines(world.verdict())
    assert all(check.passed for check in world.verdict())
    world.cluster["etcd_members"][2].update(alarms=["CORRUPT"])
    (wrong,) = [check for check in world.verdict() if not check.passed]
    assert wrong.warning is False and "cp3: CORRUPT, its data differ" in wrong.detail


def test_members_that_tell_nothing_have_the_line_of_their_health() -> None:
    world = healthy()
    for member in world.cluster["etcd_members"]:
        member.update(db_size=None, db_in_use=None, quota=None, version=None)
    assert NAMES[6] not in [check.name for check in world.verdict()]


def test_every_check_has_a_case_that_turns_it() -> None:
    cases = next(mark for mark in getattr(test_one_thing_wrong_turns_one_line, "pytestmark") if mark.name == "parametrize").args[1]
    # The API server's own line has the tests below; drift only warns.
    assert {case[1] for case in cases} == set(NAMES) - {NAMES[1], NAMES[17]}


def test_a_stopped_control_plane_is_named_on_every_line_it_touches() -> None:
    world = healthy()
    for part in (world.found, world.proxies, world.endpoint):
        part.pop("cp3")
    world.node("cp3").update(ready=False)
    world.cluster["etcd_members"][2].update(healthy=False)
    for proxy in world.proxies.values():
        proxy["haproxy"]["backends"][2].update(up=False, check_status="L4TOUT")
    wrong = {check.name: check.detail for check in world.verdict() if not check.passed}
    assert set(wrong) == {NAMES[0], NAMES[2], NAMES[5], NAMES[7], NAMES[9]}
    assert all("cp3" in detail for detail in wrong.values())


@pytest.mark.parametrize("reason", ["the connection to the server was refused", None])
def test_a_cluster_that_does_not_answer(reason: str | None) -> None:
    world = healthy()
    world.cluster.clear()
    world.cluster.update(reachable=False, reason=reason)
    checks = {check.name: check for check in verify(Evidence(**{**world._asdict(), "pods": None}))}
    assert checks[NAMES[1]] == Check(NAMES[1], False, f"asked on cp1: {reason or 'there is no cluster yet'}")
    assert {name for name, check in checks.items() if check.passed is None} == {NAMES[position] for position in (2, 3, 4, 5, 6, 12, 13, 14, 15, 16, 17)}
    assert {check.detail for check in checks.values() if check.passed is None} == {NOT_CHECKED}


def test_drift_is_a_warning_that_names_what_to_run() -> None:
    audit = [Difference("kube-apiserver --audit-log-path", host, "", "/var/log/audit.log", "reconfigure") for host in CONTROL_PLANES]
    drift = Drift([Difference("kubelet version", "w1", "1.36.5", "1.37.2", "upgrade"), *audit], {"w2": "kubeadm version failed"})
    (check,) = [check for check in verify(Evidence(**healthy()._asdict(), drift=drift)) if check.name == NAMES[17]]
    assert (check.passed, check.warning) == (True, True)
    assert lines([check]) == [
        "! The cluster is what the inventory describes:"
        "\n    ansible-playbook quorum.kubeadm.upgrade brings this about:"
        "\n      w1  kubelet version is 1.36.5; described: 1.37.2"
        "\n    ansible-playbook quorum.kubeadm.reconfigure brings this about:"
        "\n      cp1, cp2, cp3  kube-apiserver --audit-log-path is not there; described: /var/log/audit.log"
        "\n    w2 could not be compared: kubeadm version failed"
    ]


def test_check_mode_makes_no_pods_and_says_so() -> None:
    checks = verify(Evidence(**{**healthy()._asdict(), "pods": None}))
    assert lines(checks)[12:16] == [f"– {name}: not checked in check mode" for name in NAMES[12:16]]
    assert all(check.passed is not False for check in checks)


def test_pods_that_could_not_be_made_are_told_once() -> None:
    world = healthy()
    world.pods.update(pods=[], connections=[], dns=[], error="`kubectl create` failed: forbidden")
    wrong = {check.name: check.detail for check in world.verdict() if not check.passed}
    assert wrong == {NAMES[12]: "`kubectl create` failed: forbidden", NAMES[13]: "nothing could be tested", NAMES[15]: "nothing could be tested"}


def test_an_endpoint_of_somebody_else_has_no_proxies_to_judge() -> None:
    world = healthy()
    world.plan.update(proxies={}, endpoint={**world.plan["endpoint"], "floating": False, "mover": ""})
    world.proxies.clear()
    assert [check.name for check in world.verdict()] == NAMES[:7] + NAMES[10:]


def test_a_balancer_has_a_line() -> None:
    backends = [{"name": "cp1", "hairpin": "no"}, {"name": "cp2", "hairpin": "no"}, {"name": "cp3", "hairpin": "yes"}]
    evidence = Evidence(**healthy()._asdict(), balancer={"reached": True, "backends": backends, "msg": ""})
    line = "The load balancer reaches every API server: cp1, cp2 cannot reach themselves through it, and need not; cp3 can reach themselves through it"
    assert f"✓ {line}" in lines(verify(evidence))
    assert "✗ The load balancer reaches every API server: cp1 is not reached" in lines(
        verify(evidence._replace(balancer={"reached": False, "backends": backends, "msg": "cp1 is not reached"}))
    )


def test_proxies_of_a_group_of_their_own() -> None:
    world = healthy()
    world.plan.update(proxies={"lb1": {}, "lb2": {}})
    proxies = dict(zip(("lb1", "lb2"), world.proxies.values()))
    world.proxies.clear()
    world.proxies.update(proxies)
    assert [check.detail for check in world.verdict() if not check.passed] == ["lb1, lb2 did not answer over SSH: is the machine running?"]
    world.found.update(lb1={}, lb2={})
    assert all(check.passed for check in world.verdict())


def test_a_cluster_of_one_node_needs_no_neighbours() -> None:
    world = healthy()
    for part in (world.plan["nodes"], world.found, world.endpoint, world.plan["proxies"], world.proxies):
        for host in HOSTS[1:]:
            part.pop(host, None)
    world.plan["backends"] = world.plan["backends"][:1]
    world.cluster.update(nodes=[world.node("cp1")], etcd_members=world.cluster["etcd_members"][:1])
    world.pods.update(pods=world.pods["pods"][:1], connections=[], dns=world.pods["dns"][:1])
    assert all(check.passed for check in world.verdict())


def test_a_node_nobody_planned_is_mentioned() -> None:
    world = healthy()
    world.cluster["nodes"].append({**world.node("w3"), "name": "w9"})
    assert next(check for check in world.verdict() if check.name == NAMES[2]) == Check(NAMES[2], True, "6 of 6; not in the inventory: w9")


def test_a_node_that_never_joined_is_told_once() -> None:
    world = healthy()
    for host in ("cp3", "w3"):
        world.cluster["nodes"].remove(world.node(host))
        world.found[host].update(state="clean", api_ready=False)
    assert [check.detail for check in world.verdict() if not check.passed] == ["cp3, w3 did not join: run site.yml"]


def test_names_in_the_cluster_may_differ_from_the_inventory() -> None:
    world = healthy()
    world.plan["nodes"]["w3"]["name"] = "worker-3.example.org"
    world.node("w3")["name"] = "worker-3.example.org"
    assert all(check.passed for check in world.verdict())


def test_two_families() -> None:
    world = healthy()
    world.cluster["pod_subnets"] = ["10.244.0.0/16", "fd00:10:244::/56"]
    world.pods["pods"][0]["addresses"] = ["10.244.0.2", "fd00:10:244::2"]
    assert all(check.passed for check in world.verdict())


def test_several_problems_stand_below_their_line() -> None:
    assert lines([Check("etcd", False, "\n    one\n    two"), Check("nodes", False, "one")]) == ["✗ etcd:\n    one\n    two", "✗ nodes: one"]


def test_evidence_is_only_read() -> None:
    world: Mapping[str, Any] = healthy()._asdict()
    verify(Evidence(**world))
    assert world == healthy()._asdict()
