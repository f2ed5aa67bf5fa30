# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The faults of the drill: what each is, on whom it falls, and by which steps a guard (see drill_guard) breaks and mends it."""

from __future__ import annotations

from typing import Any, Callable, Literal, Mapping, NamedTuple, Sequence, Union

Target = Literal["active_router", "api_server", "etcd_leader", "etcd_majority"]
Step = Mapping[str, Any]

# What a frozen machine of the cluster no longer runs. SSH goes on, or nobody could tell.
OF_THE_CLUSTER = (
    "haproxy",
    "keepalived",
    "proxy-state",
    "kube-apiserver",
    "etcd",
    "kube-controller-manager",
    "kube-scheduler",
    "kube-proxy",
    "kubelet",
    "containerd",
)


class Means(NamedTuple):
    """What a host has to break things with."""

    interface: str = "eth0"
    filter: str = "nft"
    """The packet filter's program: nft, iptables, or tc."""


class Recipe(NamedTuple):
    """The steps of a fault."""

    breaks: Sequence[Step]
    mends: Sequence[Step]


def _run(*argv: str, **more: str) -> Step:
    return {"argv": list(argv), **more}


def _service(what: str, unit: str) -> Step:
    return _run("systemctl", what, f"{unit}.service")


def _signal(name: str, *processes: str) -> Step:
    return {"signal": name, "processes": list(processes)}


def _unit_signal(name: str, unit: str) -> Step:
    # All its processes, and not by their names alone: others may run a HAProxy too.
    return _run("systemctl", "kill", f"--signal={name}", f"{unit}.service")


def _revived(process: str) -> Step:
    """The kubelet waits longer each time that a container died; started again it knows nothing of that."""
    return {**_run("systemctl", "restart", "kubelet.service"), "unless_running": process}


def _drop(interface: str, *filters: Sequence[str]) -> Recipe:
    """Drop packets at the interface itself, where raw sockets and ARP pass too."""
    drops = [
        _run("tc", "filter", "add", "dev", interface, way, "protocol", protocol, "prio", str(number), *match, "action", "drop")
        for way in ("egress", "ingress")
        for number, (protocol, *match) in enumerate(filters, 1)
    ]
    return Recipe([_run("tc", "qdisc", "add", "dev", interface, "clsact"), *drops], [_run("tc", "qdisc", "del", "dev", interface, "clsact")])


RULES = """\
table inet quorum_drill {
  chain arriving { type filter hook input priority -300; meta l4proto 112 drop; }
  chain leaving { type filter hook output priority -300; meta l4proto 112 drop; }
}
"""


def _block_vrrp(means: Means) -> Recipe:
    if means.filter == "nft":
        return Recipe([_run("nft", "-f", "-", stdin=RULES)], [_run("nft", "delete", "table", "inet", "quorum_drill")])
    if means.filter == "iptables":

        def rules(what: str) -> list[Step]:
            return [_run(program, "-w", what, chain, "-p", "112", "-j", "DROP") for program in ("iptables", "ip6tables") for chain in ("INPUT", "OUTPUT")]

        return Recipe(rules("-I"), rules("-D"))
    return _drop(means.interface, ("ip", "u32", "match", "ip", "protocol", "112", "0xff"), ("ipv6", "u32", "match", "ip6", "protocol", "112", "0xff"))


def _cut_off(means: Means) -> Recipe:
    return _drop(means.interface, ("all", "matchall"))


def _pull(means: Means) -> Recipe:
    """Routes go with the link, and do not come back by themselves everywhere."""
    kept = {"routes": ("-4", "route"), "routes6": ("-6", "route"), "addresses6": ("-6", "address")}
    return Recipe(
        [
            *(_run("ip", family, what, "save", "dev", means.interface, keep=name) for name, (family, what) in kept.items()),
            _run("ip", "link", "set", means.interface, "down"),
        ],
        [
            _run("ip", "link", "set", means.interface, "up"),
            *(_run("ip", *kept[name], "restore", give=name) for name in ("addresses6", "routes", "routes6")),
        ],
    )


def _reload(unit: str, path: str, text: str) -> Recipe:
    """Each of them twice: with a change that makes no difference to anybody, and without it again."""
    return Recipe([{"append": path, "text": text}, _service("reload", unit)], [{"restore": path}, _service("reload", unit)])


class Fault(NamedTuple):
    """A fault by its name."""

    name: str
    title: str
    target: Target
    how: Union[Recipe, Callable[[Means], Recipe]]
    """How a host breaks itself, and mends; for some, by what it has."""
    breaks: str = ""
    """The user's command that breaks it, `drill_..._command`, where one can do better than the machine's own means."""
    mends: str = ""
    """The one that mends it."""
    loses_host: bool = False
    """The host does not answer over SSH meanwhile."""
    planned: bool = False
    """A move that somebody asks for, of which no client may notice more than what is in flight."""
    undisturbed: bool = False
    """No client may notice anything, and the address stays where it is."""
    hold: float = 0
    """Seconds for which it has to last to mean anything."""
    readyz: str = "/readyz"
    """What the probe asks an API server for, beside an object that it has in its cache."""
    writes: bool = False
    """The limit is one for writes."""


FAULTS = {
    fault.name: fault
    for fault in (
        Fault(
            "haproxy_killed",
            "HAProxy killed on the active router",
            "active_router",
            Recipe([_unit_signal("KILL", "haproxy")], [_service("start", "haproxy")]),
        ),
        Fault(
            "haproxy_hung",
            "HAProxy hung on the active router",
            "active_router",
            Recipe([_unit_signal("STOP", "haproxy")], [_unit_signal("CONT", "haproxy")]),
        ),
        Fault(
            "keepalived_killed",
            "keepalived killed on the active router",
            "active_router",
            Recipe([_unit_signal("KILL", "keepalived")], [_service("start", "keepalived")]),
        ),
        Fault("api_server_killed", "API server killed", "api_server", Recipe([_signal("KILL", "kube-apiserver")], [_revived("kube-apiserver")])),
        Fault("api_server_hung", "API server hung", "api_server", Recipe([_signal("STOP", "kube-apiserver")], [_signal("CONT", "kube-apiserver")])),
        # The kubelet is not restarted, however long it waits: it would ask the API server beside it for its pods, which has no etcd now, and
        # that took three minutes.
        Fault("etcd_leader_killed", "etcd killed on its leader", "etcd_leader", Recipe([_signal("KILL", "etcd")], []), writes=True),
        Fault("etcd_leader_frozen", "etcd frozen on its leader", "etcd_leader", Recipe([_signal("STOP", "etcd")], [_signal("CONT", "etcd")]), writes=True),
        Fault(
            "active_router_powered_off",
            "active router powered off",
            "active_router",
            # Without a word to anybody, like a power cut; and it comes up again.
            Recipe([{"write": "/proc/sysrq-trigger", "text": "b"}], []),
            "power_off",
            "power_on",
            loses_host=True,
        ),
        Fault(
            "active_router_frozen",
            "active router frozen",
            "active_router",
            Recipe([_signal("STOP", *OF_THE_CLUSTER)], [_signal("CONT", *OF_THE_CLUSTER)]),
            "freeze",
            "thaw",
            loses_host=True,
        ),
        Fault("active_router_cut_off", "active router cut off below IP", "active_router", _cut_off, "cut_off", "reconnect", loses_host=True),
        Fault("cable_pulled", "cable of the active router pulled", "active_router", _pull, "pull_cable", "plug_cable", loses_host=True),
        Fault("vrrp_blocked", "VRRP alone blocked", "active_router", _block_vrrp, "block_vrrp", "pass_vrrp"),
        Fault(
            "active_router_rebooted",
            "active router rebooted and back",
            "active_router",
            Recipe([_run("systemctl", "reboot")], []),
            "reboot",
            "boot",
            loses_host=True,
        ),
        Fault(
            "active_router_drained",
            "active router drained",
            "active_router",
            Recipe([_service("stop", "haproxy")], [_service("start", "haproxy")]),
            planned=True,
        ),
        Fault(
            "haproxy_reloaded",
            "HAProxy reloaded with a changed configuration",
            "active_router",
            _reload("haproxy", "/etc/haproxy/haproxy.cfg", "\nbackend quorum_drill\n    mode tcp\n"),
            planned=True,
        ),
        Fault(
            "keepalived_reloaded",
            "keepalived reloaded with a changed configuration",
            "active_router",
            _reload("keepalived", "/etc/keepalived/keepalived.conf", "\nglobal_defs {\n    vrrp_garp_master_repeat 6\n}\n"),
            planned=True,
        ),
        Fault(
            "api_server_restarted",
            "API server restarted in order",
            "api_server",
            # It serves on for a while before it goes, and what waits in it has a minute.
            Recipe([{**_signal("TERM", "kube-apiserver"), "gone": 75}], [_revived("kube-apiserver")]),
            planned=True,
        ),
        Fault(
            "etcd_without_quorum",
            "etcd without quorum: what needs none",
            "etcd_majority",
            Recipe([_signal("STOP", "etcd")], [_signal("CONT", "etcd")]),
            undisturbed=True,
            # An API server says that it is not ready two seconds after etcd has fallen silent.
            hold=12,
            readyz="/readyz?exclude=etcd&exclude=etcd-readiness",
        ),
        Fault(
            "active_router_busy",
            "every processor of the active router busy",
            "active_router",
            Recipe([{"spin": 2}], [{"spin": 0}]),
            undisturbed=True,
            hold=30,
        ),
    )
}
"""Every fault in the order in which a drill breaks them. The one home of what each is; the documentation of modules and the role take theirs from it."""


def own_means(fault: str, means: Means) -> Recipe:
    """How a host breaks itself, and mends."""
    how = FAULTS[fault].how
    return how if isinstance(how, Recipe) else how(means)


def command_recipe(breaks: Sequence[str], mends: Sequence[str]) -> Recipe:
    """How a user's commands break it."""
    return Recipe([_run(*breaks)], [_run(*mends)] if mends else [])
