# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Set the scene of one round: whether the proxies are well, who has the address, whom the fault falls on, and who watches."""

from __future__ import annotations

from typing import Any, Mapping, Sequence, TypedDict

from ansible_collections.quorum.kubeadm.plugins.module_utils.drill_faults import FAULTS, Fault
from ansible_collections.quorum.kubeadm.plugins.module_utils.state_file import Worth


class UnknownFault(ValueError):
    """There is no such fault."""


def rounds_of(faults: Sequence[str], repeats: int) -> list[tuple[int, str]]:
    """Each fault once, and then all of them again, each round with its number; without faults, all that there are.

    Raises UnknownFault for a name that none of them has.
    """
    unknown = [fault for fault in faults if fault not in FAULTS]
    if unknown:
        raise UnknownFault(f"drill_faults: there is no fault {', '.join(unknown)}; there are {', '.join(FAULTS)}")
    return [(repeat, fault) for repeat in range(1, repeats + 1) for fault in faults or FAULTS]


class Scene(TypedDict):
    """One round before it begins."""

    problems: list[str]
    active_router: str
    target: str
    """Whom it is named after: the first of the targets."""
    targets: list[str]
    probes: list[str]
    hold: float
    readyz: str
    loses_host: bool
    break_command: list[str]
    """What the controller runs; empty for the target's own means."""
    mend_command: list[str]


def proxy_problems(proxies: Mapping[str, Mapping[str, Any]], expected: Sequence[str], backends: int) -> list[str]:
    """What is wrong with the proxies, by what C(proxy_info) returned of each."""
    problems = []
    for host in expected:
        proxy = proxies.get(host)
        if proxy is None:
            problems.append(f"{host} could not be asked")
            continue
        problems += [f"{daemon} does not run on {host}" for daemon in ("haproxy", "keepalived") if not proxy[daemon]["active"]]
        up = sum(backend["up"] for backend in proxy["haproxy"]["backends"])
        if up != backends:
            problems.append(f"{host} sees {up} of {backends} API servers")
        if proxy["worth"] is not None and proxy["worth"] < Worth.SERVES:
            problems.append(f"the proxy on {host} does not serve yet ({proxy['worth']})")
    routers = active_routers(proxies)
    if len(routers) != 1:
        problems.append(f"{' and '.join(routers) or 'nobody'} has the address")
    return problems


def active_routers(proxies: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """The hosts that have the address."""
    return [host for host, proxy in proxies.items() if proxy["holds_vip"]]


def targets_of(fault: Fault, repeat: int, active_router: str, etcd_leader: str, nodes: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """The hosts on which a fault falls. API servers take turns, so that no kubelet waits ever longer before it starts one again."""
    if fault.target == "active_router":
        return [active_router] if active_router else []
    control_planes = [host for host, node in nodes.items() if node["control_plane"]]
    if fault.target == "api_server":
        return [control_planes[(repeat - 1) % len(control_planes)]]
    leading = [host for host in control_planes if nodes[host]["name"] == etcd_leader]
    if fault.target == "etcd_leader" or not leading:
        return leading
    # As many as leave no quorum, those first that only follow.
    following = [host for host in control_planes if host not in leading]
    return [*following, *leading][: (len(control_planes) + 1) // 2]


def probes_of(
    given: Sequence[str], count: int, targets: Sequence[str], active_router: str, nodes: Mapping[str, Mapping[str, Any]], proxies: Sequence[str]
) -> list[str]:
    """Who measures: those that were given, or nodes outside the fault, those first that neither have nor get the address."""
    outside = [host for host in (given or nodes) if host not in (*targets, active_router)]
    if not outside and len(targets) > 1:
        # What is hit on so many hosts is a part of them, and they can still ask.
        outside = [host for host in (given or nodes) if host != active_router]
    if not given:
        outside.sort(key=lambda host: (host in proxies, nodes[host]["control_plane"]))
    return outside if given else outside[:count]


def _command(commands: Mapping[str, Sequence[str]], name: str, target: str) -> list[str]:
    """A user's command, with the target's name where it says C({host})."""
    return [word.replace("{host}", target) for word in commands.get(name, [])]


def set_scene(
    fault: str,
    repeat: int,
    found: Mapping[str, Mapping[str, Any]],
    etcd_leader: str,
    nodes: Mapping[str, Mapping[str, Any]],
    proxies: Sequence[str],
    probes: Sequence[str],
    probe_count: int,
    commands: Mapping[str, Sequence[str]],
) -> Scene:
    """Everything that a round needs to know. With problems in it, it may not begin."""
    what = FAULTS[fault]
    problems = proxy_problems(found, proxies, sum(node["control_plane"] for node in nodes.values()))
    active_router = (active_routers(found) or [""])[0]
    targets = targets_of(what, repeat, active_router, etcd_leader, nodes)
    target = targets[0] if targets else ""
    watching = probes_of(probes, probe_count, targets, active_router, nodes, proxies)
    if not targets and what.target != "active_router":
        problems.append("etcd has no leader on a control plane")
    if not watching:
        problems.append(f"nobody outside {target} is left to measure")
    return Scene(
        problems=problems,
        active_router=active_router,
        target=target,
        targets=targets,
        hold=what.hold,
        readyz=what.readyz,
        probes=watching,
        loses_host=what.loses_host,
        break_command=_command(commands, what.breaks, target),
        mend_command=_command(commands, what.mends, target) if commands.get(what.breaks) else [],
    )
