# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Judge a cluster: what was planned beside what was found, as one line for each thing that has to be true."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from ansible_collections.quorum.kubeadm.plugins.module_utils.node_certificates import AUTHORITIES, URGENT, Certificate, is_due, is_urgent, time_left
from ansible_collections.quorum.kubeadm.plugins.module_utils.ports import PORTS
from ansible_collections.quorum.kubeadm.plugins.plugin_utils.drift import Drift

CONTROL_PLANE_TAINT = "node-role.kubernetes.io/control-plane"
CONTROL_PLANE_LISTENERS = {(port.number, port.process) for port in PORTS if port.on in ("control_plane", "etcd_member")}
BELOW = "\n    "
# Seconds.
SETTLED = 2
# The share of its quota that a database may take.
NEARLY_FULL = 0.8
# In place of the days that a certificate is still valid.
UNREADABLE, EXPIRED = -2, -1
# By whether it is about a CA.
ADVICE = {"run renew_certificates.yml": False, "no procedure makes a CA anew yet: build a new cluster in time": True}
NOT_CHECKED = "not checked, because no control plane answers"

ByHost = Mapping[str, Mapping[str, Any]]


class Check(NamedTuple):
    """One line: whether it is true, and what was seen or is wrong and where to look. None: it could not be checked."""

    name: str
    passed: bool | None
    detail: str
    warning: bool = False
    """Whether it passes, and yet somebody has to do something."""


class Evidence(NamedTuple):
    """Everything that was gathered. A host that is missing in a mapping was not reached."""

    plan: Mapping[str, Any]
    cluster: Mapping[str, Any]
    found: ByHost
    """What `node_info` returned as `node`, by host."""
    proxies: ByHost
    """What `proxy_info` returned as `proxy`, by host."""
    endpoint: ByHost
    """What `tls_probe` returned, by host."""
    pods: Mapping[str, Any] | None
    """What `pod_probe` returned; None when it was not run."""
    now: datetime
    balancer: Mapping[str, Any] | None = None
    """What `balancer_verdict` returned; None where no load balancer is tested."""
    drift: Drift = Drift([], {})

    @property
    def nodes(self) -> Mapping[str, Mapping[str, Any]]:
        """The nodes as the cluster knows them, by name."""
        return {node["name"]: node for node in self.cluster.get("nodes", [])}

    def planned(self, control_plane: bool) -> dict[str, Mapping[str, Any]]:
        """The planned nodes of one kind, by host."""
        return {host: node for host, node in self.plan["nodes"].items() if node["control_plane"] is control_plane}


def verify(evidence: Evidence) -> list[Check]:
    """All checks that make sense for this cluster, in the order a person would look."""
    judges = (
        *(_hosts, _nodes, _workers, _control_planes, _etcd, _room, _proxies, _vip, _backends, _balancer, _name, _endpoint, _pods, _tokens),
        *(_drift, _certificates),
    )
    return [check for judge in judges for check in judge(evidence)]


def lines(checks: Iterable[Check]) -> list[str]:
    """The checks as they are printed."""
    marks = {True: "✓", False: "✗", None: "–"}
    return [
        f"{'!' if check.warning else marks[check.passed]} {check.name}:{'' if check.detail.startswith(BELOW) else ' '}{check.detail}" for check in checks
    ]


def _judge(name: str, problems: Sequence[str], fine: str) -> Check:
    """One problem stands on the line, several below it."""
    several = "".join(f"{BELOW}{problem}" for problem in problems)
    return Check(name, not problems, (several if len(problems) > 1 else "".join(problems)) or fine)


def _together(problems: Iterable[tuple[str, str]]) -> list[str]:
    """Each problem once, with all those that have it."""
    having: dict[str, list[str]] = {}
    for who, problem in problems:
        having.setdefault(problem, []).append(who)
    return [f"{_listed(who)}: {problem}" for problem, who in having.items()]


def _needs_cluster(name: str) -> Callable[[Callable[[Evidence], Check]], Callable[[Evidence], Iterator[Check]]]:
    """A check of what the API server tells; without one there is a line that says so."""

    def wrap(judge: Callable[[Evidence], Check]) -> Callable[[Evidence], Iterator[Check]]:
        def checked(evidence: Evidence) -> Iterator[Check]:
            yield judge(evidence) if evidence.cluster.get("reachable") else Check(name, None, NOT_CHECKED)

        return checked

    return wrap


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names)


def _hosts(evidence: Evidence) -> Iterator[Check]:
    wanted = [*evidence.plan["nodes"], *(host for host in evidence.plan["proxies"] if host not in evidence.plan["nodes"])]
    silent = [host for host in wanted if host not in evidence.found]
    yield _judge("Every host is reachable", [f"{_listed(silent)} did not answer over SSH: is the machine running?"] if silent else [], f"{len(wanted)} hosts")
    primary = evidence.plan["primary"]
    own = evidence.found[primary].get("api_problem") if primary in evidence.found else "that host is not reachable"
    reason = evidence.cluster.get("reason") or own or "there is no cluster yet"
    problems = [] if evidence.cluster.get("reachable") else [f"asked on {primary}: {reason}"]
    yield _judge("The API server answers", problems, f"Kubernetes {evidence.cluster.get('version')}, asked on {primary}")


@_needs_cluster("Every expected node exists and is Ready")
def _nodes(evidence: Evidence) -> Check:
    expected = [node["name"] for node in evidence.plan["nodes"].values()]
    missing = [name for name in expected if name not in evidence.nodes]
    broken = [name for name in expected if name in evidence.nodes and not evidence.nodes[name]["ready"]]
    others = [name for name in evidence.nodes if name not in expected]
    problems = [f"{_listed(missing)} did not join: run site.yml"] if missing else []
    problems += [f"{name} is not Ready: see `kubectl describe node {name}`, and `journalctl -u kubelet` there" for name in broken]
    beside = f"; not in the inventory: {_listed(others)}" if others else ""
    return _judge("Every expected node exists and is Ready", problems, f"{len(expected)} of {len(expected)}{beside}")


@_needs_cluster("Workers are workers")
def _workers(evidence: Evidence) -> Check:
    problems = []
    workers = evidence.planned(control_plane=False)
    for host, planned in workers.items():
        name = planned["name"]
        node = evidence.nodes.get(name)
        if node and node["control_plane"]:
            problems.append(f"{name} has the label {CONTROL_PLANE_TAINT}")
        if node and any(taint["key"] == CONTROL_PLANE_TAINT for taint in node["taints"]):
            problems.append(f"{name} has the taint {CONTROL_PLANE_TAINT}")
        found = evidence.found.get(host)
        if found:
            running = sorted({entry["process"] for entry in found["listening"] if (entry["port"], entry["process"]) in CONTROL_PLANE_LISTENERS})
            if running:
                problems.append(f"{_listed(running)} run on {host}: see /etc/kubernetes/manifests there")
            if node and found["state"] != "worker":
                problems.append(f"{host} is {_said(found['state'])} according to its files")
    return _judge(
        "Workers are workers", problems, f"{_listed(planned['name'] for planned in workers.values()) or 'there are none'}, without label, taint or static pods"
    )


@_needs_cluster("Control planes are control planes")
def _control_planes(evidence: Evidence) -> Check:
    problems = []
    control_planes = evidence.planned(control_plane=True)
    for host, planned in control_planes.items():
        name = planned["name"]
        node = evidence.nodes.get(name)
        if node and not node["control_plane"]:
            problems.append(f"{name} lacks the label {CONTROL_PLANE_TAINT}")
        found = evidence.found.get(host)
        if node and found and found["state"] != "control_plane":
            problems.append(f"{host} is {_said(found['state'])} according to its files")
        elif node and found and not found["api_ready"]:
            problems.append(f"the API server on {host} is not ready ({found.get('api_problem') or 'no reason given'}): see `crictl ps` or /var/log/pods there")
    return _judge("Control planes are control planes", problems, f"{_listed(node['name'] for node in control_planes.values())}, each API server is ready")


@_needs_cluster("etcd has a voter on every control plane")
def _etcd(evidence: Evidence) -> Check:
    members = evidence.cluster["etcd_members"]
    wanted = len(evidence.planned(control_plane=True))
    voters = [member for member in members if not member["learner"]]
    problems = [f"etcd was not queried: {evidence.cluster['etcd_problem']}"] if evidence.cluster.get("etcd_problem") else []
    if not problems and len(voters) != wanted:
        problems.append(f"{len(voters)} voters instead of {wanted} ({_listed(map(_member, voters)) or 'none'})")
    problems += [f"{_member(member)} is still a learner: see /var/log/pods/kube-system_etcd-* there" for member in members if member["learner"]]
    problems += [f"{_member(member)} is not healthy: see /var/log/pods/kube-system_etcd-* there" for member in members if not member["healthy"]]
    return _judge("etcd has a voter on every control plane", problems, f"{len(voters)} voters, no learner, all healthy")


ALARMS = {
    "NOSPACE": "its database reached its quota, and etcd takes no more writes: docs/operations.md says how to make room",
    "CORRUPT": "its data differ from those of the other members: replace it",
}


def _room(evidence: Evidence) -> Iterator[Check]:
    name = "etcd has room, and has raised no alarm"
    if not evidence.cluster.get("reachable"):
        yield Check(name, None, NOT_CHECKED)
        return
    members = evidence.cluster["etcd_members"]
    told = [member for member in members if member["db_size"] is not None]
    if not told:
        # The line before this one says so.
        return
    problems = [f"{_member(member)}: {alarm}, {ALARMS.get(alarm, 'see etcd there')}" for member in members for alarm in member["alarms"]]
    full = [member for member in told if member["quota"] and member["db_size"] >= NEARLY_FULL * member["quota"]]
    nearly = [
        f"{_member(member)} has {_mebibytes(member['db_size'])} of {_mebibytes(member['quota'])}, "
        f"of which etcd_defragment.yml would give back {_mebibytes(member['db_size'] - member['db_in_use'])}"
        for member in full
    ]
    largest = max(told, key=lambda member: int(member["db_size"]))
    quota = f" of {_mebibytes(largest['quota'])}" if largest["quota"] else ""
    judged = _judge(name, problems + nearly, f"the largest database has {_mebibytes(largest['db_size'])}{quota}, {_mebibytes(largest['db_in_use'])} in use")
    yield judged._replace(passed=True, warning=True) if nearly and not problems else judged


def _proxies(evidence: Evidence) -> Iterator[Check]:
    if not evidence.plan["proxies"]:
        return
    mover = evidence.plan["endpoint"]["mover"]
    daemons = ("haproxy", mover) if mover else ("haproxy",)
    dead = [
        f"{daemon} does not run on {host}: see `journalctl -u {daemon}` there"
        for host, proxy in evidence.proxies.items()
        for daemon in daemons
        if not proxy[daemon]["active"]
    ]
    names = {"haproxy": "HAProxy", "keepalived": "keepalived"}
    name = " and ".join(names[daemon] for daemon in daemons) + (" run" if len(daemons) > 1 else " runs") + " on every proxy"
    yield _judge(name, dead + _unasked(evidence), _listed(evidence.plan["proxies"]))


def _vip(evidence: Evidence) -> Iterator[Check]:
    if not evidence.plan["endpoint"]["floating"]:
        return
    address = evidence.plan["inputs"]["endpoint_address"]
    active = [host for host, proxy in evidence.proxies.items() if proxy["holds_vip"]]
    problems = []
    if not active:
        problems.append(f"none of {_listed(evidence.proxies) or 'them'} has {address}: see `journalctl -u keepalived` there")
    if len(active) > 1:
        problems.append(f"{_listed(active)} all have {address}: VRRP (IP protocol 112) is blocked between them")
    yield _judge("The virtual IP is on exactly one proxy", problems, f"{address} is on {_listed(active)}")


def _backends(evidence: Evidence) -> Iterator[Check]:
    if not evidence.plan["proxies"]:
        return
    wanted = [backend["name"] for backend in evidence.plan["backends"]]
    problems = []
    for host, proxy in evidence.proxies.items():
        seen = {backend["name"]: backend for backend in proxy["haproxy"]["backends"]}
        if not seen:
            problems.append(f"HAProxy on {host} reports no backend: see `systemctl status haproxy` and /etc/haproxy/haproxy.cfg there")
            continue
        for name in wanted:
            if name not in seen:
                problems.append(f"HAProxy on {host} does not have {name}")
            # One late answer takes a server out for a moment, which affects no client.
            elif not seen[name]["up"] and seen[name].get("last_change", SETTLED) >= SETTLED:
                problems.append(f"HAProxy on {host} reports {name} down ({seen[name].get('check_status') or 'not checked'})")
    yield _judge("Every HAProxy sees every API server", problems + _unasked(evidence), f"{len(wanted)} backends up on each of {_listed(evidence.proxies)}")


def _balancer(evidence: Evidence) -> Iterator[Check]:
    if evidence.balancer is None:
        return
    hairpins: dict[str, list[str]] = {}
    for backend in evidence.balancer["backends"]:
        hairpins.setdefault(backend["hairpin"], []).append(backend["name"])
    said = {
        "yes": "can reach themselves through it",
        "no": "cannot reach themselves through it, and need not",
        "unknown": "may or may not reach themselves through it",
    }
    fine = "; ".join(f"{_listed(names)} {said[kind]}" for kind, names in hairpins.items())
    yield Check("The load balancer reaches every API server", evidence.balancer["reached"], fine if evidence.balancer["reached"] else evidence.balancer["msg"])


def _name(evidence: Evidence) -> Iterator[Check]:
    name = evidence.plan["inputs"]["endpoint_name"]
    resolved = {host: evidence.found[host]["resolved"] for host in evidence.plan["nodes"] if host in evidence.found and evidence.found[host].get("resolved")}
    problems, lines = [], {}
    for host, means in resolved.items():
        wanted = evidence.plan["nodes"][host]["endpoint_address_joined"]
        lines[host] = wanted or "DNS"
        # Where DNS is to decide, a line in /etc/hosts is somebody else's.
        if wanted and means["hosts_file"] != [wanted]:
            problems.append(f"/etc/hosts on {host} has {_listed(means['hosts_file']) or 'no address'} for it and not {wanted}: run site.yml")
        if not means["addresses"]:
            problems.append(f"{host} cannot resolve it: see /etc/resolv.conf there")
        if means["stale_copies"]:
            problems.append(f"{_listed(means['stale_copies'])} on {host} have an outdated copy of /etc/hosts: run site.yml")
    places: dict[str, list[str]] = {}
    for host, address in lines.items():
        places.setdefault(address, []).append(host)
    fine = "; ".join(f"{address} on {_listed(hosts)}" for address, hosts in places.items())
    if resolved:
        yield _judge("The endpoint's name resolves correctly, in pods too", [f"{name}: {problem}" for problem in problems], fine)


def _endpoint(evidence: Evidence) -> Iterator[Check]:
    where = evidence.plan["endpoint"]["host_port"]
    refused = _together(
        (f"from {host}", result["error"] or f"it answers {result['status']}, {result['body'].strip()[:100]}")
        for host, result in evidence.endpoint.items()
        if not (result["verified"] and result["status"] == 200)
    )
    if not evidence.endpoint:
        refused = ["no host could connect to it"]
    slowest = max((result["seconds"] for result in evidence.endpoint.values()), default=0.0)
    yield _judge("The endpoint answers, with a certificate for its name", refused, f"{where} from {_listed(evidence.endpoint)}, the slowest in {slowest:.2f} s")


def _pods(evidence: Evidence) -> Iterator[Check]:
    names = ("A pod runs on every node", "Pods reach pods on other nodes", "Pod addresses are inside the pod network", "DNS and Services work in a pod")
    if evidence.pods is None:
        reason = "not checked in check mode" if evidence.cluster.get("reachable") else NOT_CHECKED
        yield from (Check(name, None, reason) for name in names)
        return
    pods, connections, dns = (evidence.pods[part] for part in ("pods", "connections", "dns"))
    missing = [evidence.pods["error"]] if evidence.pods.get("error") else []
    missing += _together((f"not on {pod['node']}", pod["error"]) for pod in pods if not pod["address"])
    yield _judge(names[0], missing, f"{len(pods)} pods")

    lost = _together((f"{entry['from_node']} to {entry['to_node']} ({entry['address']})", entry["error"]) for entry in connections if not entry["ok"])
    if not connections and len(evidence.plan["nodes"]) > 1:
        lost = ["nothing could be tested"]
    yield _judge(names[1], lost + (["see the pod network's pods on these nodes"] if connections and lost else []), f"{len(connections)} connections")

    networks = [ipaddress.ip_network(subnet) for subnet in evidence.cluster["pod_subnets"]]
    addresses = {address: pod["node"] for pod in pods for address in pod["addresses"]}
    outside = [f"{address} on {node}" for address, node in addresses.items() if not any(ipaddress.ip_address(address) in network for network in networks)]
    subnets = _listed(evidence.cluster["pod_subnets"])
    yield _judge(names[2], [f"{_listed(outside)} outside {subnets}: see /etc/cni/net.d on these nodes"] if outside else [], f"{len(addresses)} in {subnets}")

    unanswered = _together((f"on {entry['node']}", entry["error"]) for entry in dns if not entry["ok"]) if dns else ["nothing could be tested"]
    hint = ["see `kubectl --namespace kube-system get pods -l k8s-app=kube-dns` and kube-proxy on these nodes"] if dns and unanswered else []
    yield _judge(names[3], unanswered + hint, f"the API server's Service is found by name and answers in {len(dns)} pods")


@_needs_cluster("No bootstrap token of this collection remains")
def _tokens(evidence: Evidence) -> Check:
    ours = [token["id"] for token in evidence.cluster["bootstrap_tokens"] if token["ours"]]
    problems = [f"{_listed(ours)}: left by an interrupted run; the next run of site.yml deletes it"] if ours else []
    return _judge("No bootstrap token of this collection remains", problems, f"other tokens: {len(evidence.cluster['bootstrap_tokens'])}")


@_needs_cluster("The cluster is what the inventory describes")
def _drift(evidence: Evidence) -> Check:
    name = "The cluster is what the inventory describes"
    detail = "".join(f"{BELOW}{row}" for row in evidence.drift.rows)
    return Check(name, True, detail or "no other procedure has anything to bring about", warning=bool(detail))


def _certificates(evidence: Evidence) -> Iterator[Check]:
    every = [(host, certificate) for host in evidence.plan["nodes"] if host in evidence.found for certificate in evidence.found[host]["certificates"]]
    if not every:
        return
    urgent = [one for one in every if is_urgent(one[1], evidence.now)]
    due = [one for one in every if is_due(one[1], evidence.now) and one not in urgent]
    rest = [one for one in every if one not in urgent and one not in due]
    rows = [*_time_left(urgent, evidence.now, advise=True), *_time_left(due, evidence.now, advise=True), *_time_left(rest, evidence.now)]
    detail = "".join(f"{BELOW}{row}" for row in rows)
    yield Check(f"No certificate expires within {URGENT.days} days", not urgent, detail, warning=bool(due) and not urgent)


def _time_left(certificates: Iterable[tuple[str, Certificate]], now: datetime, advise: bool = False) -> Iterator[str]:
    """Rows of the certificates that are valid for the same number of days, the fewest days first."""
    rows: dict[int, dict[str, list[str]]] = {}
    for host, certificate in certificates:
        days = max(time_left(certificate, now).days, EXPIRED) if certificate["not_after"] else UNREADABLE
        rows.setdefault(days, {}).setdefault(certificate["name"], []).append(host)
    for days, having in sorted(rows.items()):
        together: dict[str, list[str]] = {}
        for name, hosts in having.items():
            together.setdefault(_listed(dict.fromkeys(hosts)), []).append(name)
        names = "; ".join(f"{_listed(names)} on {hosts}" for hosts, names in together.items())
        said = {UNREADABLE: "cannot be read", EXPIRED: "expired"}.get(days, f"{days} day{'' if days == 1 else 's'} left")
        advice = [word for word, concerned in ADVICE.items() if advise and any((name in AUTHORITIES) is concerned for name in having)]
        yield f"{said}: {names}" + (f" ({'; '.join(advice)})" if advice else "")


def _unasked(evidence: Evidence) -> list[str]:
    silent = [host for host in evidence.plan["proxies"] if host not in evidence.proxies]
    return [f"{_listed(silent)} could not be queried"] if silent else []


def _mebibytes(size: int) -> str:
    return f"{size / 2**20:.0f} MiB"


def _member(member: Mapping[str, Any]) -> str:
    return str(member["name"] or f"{member['id']} ({_listed(member['peer_urls'])}, never started)")


def _said(state: str) -> str:
    return {
        "clean": "not a node",
        "initialising": "an unfinished control plane",
        "half_joined": "an unfinished join",
        "control_plane": "a control plane",
        "worker": "a worker",
    }.get(state, state)
