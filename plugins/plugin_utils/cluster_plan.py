# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The plan of a run: what every role is given, made from the user's inputs and from what the hosts were found to be."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypedDict

from ansible_collections.quorum.kubeadm.plugins.plugin_utils import etcd_upkeep, kubeadm_documents, kubeadm_patches, reboot, renewal
from ansible_collections.quorum.kubeadm.plugins.plugin_utils.cluster_checks import problems_of, warnings_of
from ansible_collections.quorum.kubeadm.plugins.plugin_utils.cluster_endpoint import Mover, View
from ansible_collections.quorum.kubeadm.plugins.plugin_utils.cluster_inputs import Problem, read_inputs, without_secrets
from ansible_collections.quorum.kubeadm.plugins.plugin_utils.cluster_model import (
    Host,
    ProxyTimings,
    Request,
    Situation,
    Step,
    look,
)
from ansible_collections.quorum.kubeadm.plugins.plugin_utils.cluster_summary import aligned
from ansible_collections.quorum.kubeadm.plugins.plugin_utils.failover import priorities
from ansible_collections.quorum.kubeadm.plugins.plugin_utils.kubeadm_documents import Document
from ansible_collections.quorum.kubeadm.plugins.plugin_utils.procedures import ETCD_DEFRAGMENT, Procedure
from ansible_collections.quorum.kubeadm.plugins.plugin_utils.kubeadm_patches import Patch
from ansible_collections.quorum.kubeadm.plugins.plugin_utils.visits import Order
from ansible_collections.quorum.kubeadm.plugins.plugin_utils.upgrade import Upgrade, minor
from ansible_collections.quorum.kubeadm.plugins.module_utils import ports, state_file
from ansible_collections.quorum.kubeadm.plugins.module_utils.bootstrap_tokens import revocable
from ansible_collections.quorum.kubeadm.plugins.module_utils.node_state import MEMBER_STATES, url_host

# PauseVersion in cmd/kubeadm/app/constants/constants.go of k8s.io/kubernetes v1.35.4, v1.36.3 and v1.37.2, by minor.
PAUSE_TAGS = {35: "3.10.1", 36: "3.10.2", 37: "3.10.2"}


class Endpoint(TypedDict):
    """What follows from the type of the endpoint."""

    port: int
    host_port: str
    balanced: bool
    floating: bool
    mover: Mover


class Balancer(TypedDict):
    """How a load balancer that is not ours is tested; `skip` where there is none."""

    test: str
    listen: bool
    needs_hairpin: bool
    subject: str
    addresses: list[str]
    backends: list[HostsEntry]


class PlannedNode(TypedDict):
    """A node, its inputs, and what it has to do."""

    inputs: dict[str, Any]
    name: str
    address: str
    interface: str
    control_plane: bool
    version: str
    bundle_path: str
    sandbox_image: str
    keeps_containerd: bool
    left_to_upgrade: bool
    step: Step
    reset: bool
    endpoint_address: str
    endpoint_address_joined: str
    endpoint_named: bool
    hosts_entries: list[HostsEntry]
    sysctls: dict[str, Any]
    patches: list[Patch]
    init_configuration: Document
    join_configuration: Document
    upgrade_configuration: Document


class HostsEntry(TypedDict):
    """A node by its name."""

    name: str
    address: str


class Proxy(TypedDict):
    """A host on which HAProxy serves the endpoint, and keepalived where it has a virtual address."""

    address: str
    listen_address: str
    interface: str
    peers: list[str]
    priority: int
    owns_first: bool
    vip_prefix: str
    statistics_address: str
    etcd_address: str


class PlannedBackend(TypedDict):
    """An API server behind the proxies."""

    name: str
    address: str
    port: int


class Vrrp(TypedDict):
    """What all proxies agree on."""

    router_id: int
    state_file: str


class ProxyPorts(TypedDict):
    """Where HAProxies are asked how they are, each for the etcd beside it, and where their statistics page is."""

    monitor: int
    etcd: int
    statistics: int


class ContainerRuntime(TypedDict):
    """Where containerd comes from, and its configuration as far as it follows from other inputs."""

    source: str
    version: str
    systemd_cgroup: bool


class Kubeadm(TypedDict):
    """What kubeadm is told of the cluster; what it is told of a node is with each node."""

    cluster_configuration: Document
    kubelet_configuration: Document
    kube_proxy_configuration: Document


class PlannedVisit(TypedDict):
    """What the role node_maintenance is told of a node: `serving` is a control plane that answers meanwhile, `later` are those visited after it."""

    name: str
    control_plane: bool
    serving: str
    address: str
    later: list[str]


class PlannedLease(TypedDict):
    """By which name this run holds the Lease of the procedures; whether an earlier run has left it, and which, where that did not say itself that it failed."""

    run: str
    left: bool
    takes_over: str


class Plan(TypedDict):
    """The inputs as they were read, and what follows from them and from what was found; see RETURN of the module cluster_plan."""

    inputs: dict[str, Any]
    endpoint: Endpoint
    balancer: Balancer
    primary: str
    initialise: bool
    ca_certificate: str
    stale_members: list[HostsEntry]
    stale_nodes: list[HostsEntry]
    reset: list[str]
    joining: list[str]
    joining_control_planes: list[str]
    joining_workers: list[str]
    present: list[str]
    awaited: list[str]
    order: Order
    visits: dict[str, PlannedVisit]
    todo: list[str]
    expired: Order
    notes: dict[str, str]
    drains: bool
    lease: PlannedLease
    words: dict[str, Any]
    revoke: bool
    nodes: dict[str, PlannedNode]
    proxies: dict[str, Proxy]
    proxy_ports: ProxyPorts
    proxy_timings: ProxyTimings
    backends: list[PlannedBackend]
    clients: dict[str, str]
    vrrp: Vrrp
    containerd: ContainerRuntime
    kubeadm: Kubeadm
    fetch_kubeconfig_server: str
    calico_manifest: str
    upgrade: Upgrade | None
    warnings: list[str]
    summary: list[str]


class Refused(ValueError):
    """The plan cannot be made; `problems` are all the reasons."""

    def __init__(self, problems: Sequence[Problem], procedure: Procedure) -> None:
        self.problems = problems
        cannot = "This cluster cannot be set up as it is described" if procedure.gives_steps else f"{procedure.playbook} cannot begin"
        super().__init__("\n".join([f"{cannot}; nothing on any host was changed.", *(f"- {text}" for text in problems)]))


def router_id(address: int) -> int:
    """A VRRP router id out of the endpoint's address: two addresses less than 255 apart never share one."""
    return address % 255 + 1


def _is_named(host: Host, address: str) -> bool:
    """Tell whether the endpoint's name has exactly this address in the host's /etc/hosts, and in the copies that pods have."""
    resolved = host.found["resolved"] if host.found else None
    return resolved is not None and resolved["hosts_file"] == ([address] if address else []) and not resolved["stale_copies"]


def _node(host: Host, situation: Situation, patches: list[Patch]) -> PlannedNode:
    primary = situation.hosts[situation.course.primary]
    serves = host is primary or host.state == "control_plane"
    view = View(situation.inputs.endpoint_address, str(host.address or ""), str(primary.address), serves, host.control_plane)
    endpoint_address = situation.endpoint_type.resolves_to(view)
    version = situation.version_of(host)
    return PlannedNode(
        inputs=without_secrets(host.inputs),
        name=host.name,
        address=str(host.address or ""),
        interface=host.interface,
        control_plane=host.control_plane,
        version=version,
        bundle_path=situation.bundle_path(version),
        sandbox_image=f"{situation.inputs.image_repository}/pause:{PAUSE_TAGS.get(minor(version), PAUSE_TAGS[max(PAUSE_TAGS)])}",
        keeps_containerd=situation.keeps_containerd(host),
        left_to_upgrade=situation.left_to_upgrade(host),
        step=situation.course.steps[host.host],
        reset=host.host in situation.course.reset,
        endpoint_address=endpoint_address,
        endpoint_address_joined=situation.endpoint_type.resolves_to(view._replace(serves=host.control_plane)),
        endpoint_named=_is_named(host, endpoint_address),
        # Its own and the control planes' names: so a new worker is nothing that another node has to learn of.
        hosts_entries=[
            HostsEntry(name=other.name, address=str(other.address)) for other in situation.nodes if other.address and (other.control_plane or other is host)
        ],
        sysctls=_sysctls(host, situation),
        patches=patches,
        init_configuration=kubeadm_documents.init_configuration(host, situation, bool(patches)),
        join_configuration=kubeadm_documents.join_configuration(host, situation, bool(patches)),
        upgrade_configuration=kubeadm_documents.upgrade_configuration(host, situation, bool(patches)),
    )


def _visit(host: Host, situation: Situation) -> PlannedVisit:
    walk = situation.order["control_planes"]
    others = [other for other in walk if other != host.host]
    ready = [other for other in others for found in [situation.hosts[other].found] if found and found["api_ready"]]
    mover = situation.endpoint_type.floating and host in situation.proxies
    return PlannedVisit(
        name=host.name,
        control_plane=host.control_plane,
        serving=(ready or others or [host.host])[0],
        address=situation.inputs.endpoint_address if mover else "",
        later=[situation.hosts[other].name for other in walk[walk.index(host.host) + 1 :]] if host.control_plane else [],
    )


# What a procedure has to do on which hosts, where that is known from the look alone.
TODO: dict[str, Callable[[Situation], list[str]]] = {
    "reboot": reboot.todo,
    "etcd_defragment": etcd_upkeep.todo,
    "upgrade": lambda situation: [*(situation.upgrade["nodes"] if situation.upgrade else []), *situation.containerd_todo],
    "renew_certificates": renewal.todo,
}


def _todo(situation: Situation) -> list[str]:
    """The hosts on which the procedure has something to do, and those that a run which was cut short has not put back into service."""
    procedure = situation.request.procedure
    if not procedure.walks:
        return []
    own = TODO[procedure.name](situation) if procedure.name in TODO else []
    return [host.host for host in situation.nodes if host.host in own or host.host in situation.left_in_maintenance]


def _drains(situation: Situation) -> bool:
    """Whether nodes are emptied before they are worked on; of an upgrade, where the new kubelet or containerd wants it."""
    following = situation.upgrade
    wanted = following is None or any(visit["drain"] for visit in following["nodes"].values()) or bool(situation.containerd_todo)
    return situation.request.procedure.drains and wanted


def _notes(situation: Situation) -> dict[str, str]:
    """What sets a node apart when nodes are visited one after the other."""
    gives_back = etcd_upkeep.gives_back(situation) if situation.request.procedure is ETCD_DEFRAGMENT else {}
    said = [
        (situation.etcd_leader, "leads etcd"),
        (situation.active_router, "has the endpoint's address"),
        *((host, "an earlier run has not put it back into service") for host in situation.left_in_maintenance),
        *((host, f"containerd {situation.containerd_version}") for host in situation.containerd_todo),
        *((host, f"etcd gives back {size} MiB") for host, size in gives_back.items()),
    ]
    return {
        host.host: ", ".join(note for name, note in said if name == host.host)
        for host in situation.nodes
        if any(name == host.host for name, _note in said)
    }


def _has_to_revoke(situation: Situation) -> bool:
    """Tell whether join credentials have to be taken back: those of this run, or those that a killed one left."""
    living, course = situation.request.cluster, situation.course
    if living is None or course.initialise or course.joining:
        return True
    return bool(revocable(living["bootstrap_tokens"])) or living["certificates_uploaded"]


def _balancer(situation: Situation) -> Balancer:
    course = situation.course
    # What an interrupted `init` left behind listens where the test would.
    ready = not course.initialise or all(host.state == "clean" for host in situation.control_planes)
    backends = [host for host in situation.control_planes if course.initialise or (host.found and host.found["api_ready"])]
    return Balancer(
        test=situation.inputs.balancer_test if situation.endpoint_type.balanced and ready else "skip",
        listen=course.initialise,
        needs_hairpin=situation.endpoint_type.needs_hairpin,
        subject=f"{'cluster_endpoint_address' if situation.inputs.endpoint_address else 'cluster_endpoint_name'} and cluster_endpoint_port",
        addresses=[str(address) for address in situation.balancer_addresses],
        backends=[HostsEntry(name=host.name, address=str(host.address)) for host in backends],
    )


def _proxies(situation: Situation) -> dict[str, Proxy]:
    carriers = {proxy.host: situation.carrier(proxy) for proxy in situation.proxies}
    # A proxy that this run does not reach is still a peer of the others.
    addresses = {proxy.host: str(carrier[1] if carrier else proxy.address) for proxy in situation.proxies for carrier in [carriers[proxy.host]]}
    ranked = zip(situation.proxies, priorities(len(situation.proxies)))
    proxies: dict[str, Proxy] = {}
    for position, (proxy, priority) in enumerate(ranked):
        carrier = carriers[proxy.host]
        proxies[proxy.host] = Proxy(
            address=addresses[proxy.host],
            listen_address=_listen_address(situation),
            interface=carrier[0] if carrier else "",
            peers=[address for host, address in addresses.items() if host != proxy.host],
            priority=priority,
            owns_first=position == 0,
            vip_prefix=f"{situation.endpoint_address}/{carrier[2].prefixlen}" if carrier else "",
            statistics_address=proxy.inputs.statistics_address or str(proxy.address),
            etcd_address=str(proxy.address) if situation.proxies_have_etcd else "",
        )
    return proxies


def _clients(situation: Situation) -> dict[str, str]:
    """The two hosts that measure what a procedure costs, with the address or name at which each asks the endpoint.

    Those of the run first; among them those on which least is done that an endpoint depends on, and as far apart in the inventory as can be, so that they
    are not worked on at the same time.
    """
    view = View(situation.inputs.endpoint_address, "", "", True, False)
    address = situation.endpoint_type.resolves_to(view) or situation.inputs.endpoint_name
    places = ((False, False), (False, True), (True, False), (True, True))
    kinds = [
        [
            host.host
            for host in situation.nodes
            if host.in_run is in_run and host.found and host.control_plane is control_plane and (host in situation.proxies) is proxy
        ]
        for in_run in (True, False)
        for control_plane, proxy in places
        # Behind such a load balancer, a control plane's own name of the endpoint leads to itself.
        if not (control_plane and situation.endpoint_type.balanced and not situation.endpoint_type.needs_hairpin)
    ]
    ranked = [host for kind in kinds for host in ([kind[0], kind[-1], *kind[1:-1]] if len(kind) > 1 else kind)]
    return dict.fromkeys(ranked[:2], address)


def _listen_address(situation: Situation) -> str:
    """HAProxy's `*` means IPv4 alone; `::` takes both."""
    ipv6 = situation.endpoint_address is not None and situation.endpoint_address.version == 6
    return "::" if ipv6 and situation.endpoint_type.proxy_address == "*" else situation.endpoint_type.proxy_address


def _sysctls(host: Host, situation: Situation) -> dict[str, Any]:
    # FileContent--proc-sys-net-ipv6-conf-default-forwarding of kubeadm's preflight; `all` sets `default` too.
    forwarding = {"net.ipv6.conf.all.forwarding": 1} if any(network.version == 6 for _name, network in situation.subnets) else {}
    return {**forwarding, **host.inputs.sysctls}


def _patches(situation: Situation, kubelets: dict[str, Document]) -> dict[str, list[Patch]]:
    """What kubeadm has to patch on each node: the user's patches, and what sets the node's kubelet apart."""
    given = kubeadm_patches.read(situation.inputs.kubeadm_patches) if situation.inputs.kubeadm_patches else []
    # Most nodes are alike.
    kinds: list[Document] = []
    for document in kubelets.values():
        kinds.extend([document] if document not in kinds else [])
    patches: dict[str, list[Patch]] = {}
    for host in situation.nodes:
        deviation = kubeadm_patches.deviation(kubelets[host.host], kinds)
        own = [patch for patch in given if host.control_plane or kubeadm_patches.is_of_kubelet(patch)]
        patches[host.host] = [*own, *([kubeadm_patches.of_kubelet(deviation)] if deviation else [])]
    return patches


def _verb(hosts: Sequence[str], one: str, several: str) -> str:
    return one if len(hosts) == 1 else several


def _summary(situation: Situation) -> list[str]:
    """The plan as it is printed: one line for each thing that hosts do, and one alone where they do nothing."""
    inputs, course, following = situation.inputs, situation.course, situation.upgrade
    if following and following["nodes"]:
        further = f", and then to {', '.join(following['further'])}" if following["further"] else ""
        begun = "goes on with the upgrade of" if situation.upgrade_under_way else "upgrades"
        return [f"Plan: {begun} the cluster {inputs.name} from Kubernetes {situation.configured_version} to {following['version']}{further}."]
    if not situation.request.procedure.gives_steps:
        return []
    cluster = f"the cluster {inputs.name} (Kubernetes {inputs.kubernetes_version})"
    if not course.initialise and not course.joining:
        return [f"Plan: every host of this run belongs to {cluster} already; none has to join."]
    control_planes, workers = situation.joining_as(control_plane=True), situation.joining_as(control_plane=False)
    replacing = [host.host for host in situation.replacing if host.host not in course.reset]
    proxies = [proxy.host for proxy in situation.proxies if proxy.in_run]
    rows = [
        ([course.primary] if course.initialise else [], "initialises the cluster"),
        (course.reset, f"{_verb(course.reset, 'has', 'have')} an unfinished kubeadm, which is cleaned first"),
        (replacing, f"{_verb(replacing, 'takes', 'take')} the place of {_verb(replacing, 'a node that is dead', 'nodes that are dead')}"),
        (control_planes, _verb(control_planes, "joins as a control plane", "join as control planes, one after the other")),
        (workers, _verb(workers, "joins as a worker", "join as workers")),
        (proxies, _verb(proxies, "runs HAProxy", "run HAProxy")),
    ]
    address = f" ({inputs.endpoint_address})" if inputs.endpoint_address else ""
    endpoint = f"{inputs.endpoint_name}{address}, port {situation.endpoint_port}: {situation.endpoint_type.meaning}"
    heading = f"Plan: build {cluster}." if course.initialise else f"Plan: hosts join {cluster}, which {course.primary} serves."
    return [heading, *aligned([*rows, (["endpoint"], endpoint)])]


def make_plan(request: Request) -> Plan:
    """Make the plan, or raise Refused with everything that is wrong."""
    read = read_inputs(request.variables)
    if not request.groups.control_planes:
        empty = Problem("control_planes", "there is no control plane in the inventory", "put an odd number of hosts into this group, usually three")
        raise Refused([empty, *read.problems], request.procedure)
    situation = look(request, read)
    problems = [*read.problems, *problems_of(situation)]
    if problems:
        raise Refused(problems, request.procedure)

    inputs, course = situation.inputs, situation.course
    primary = situation.hosts[course.primary]
    kubelets = kubeadm_documents.kubelet_configurations(situation)
    patches = _patches(situation, kubelets)
    nodes = {node.host: _node(node, situation, patches[node.host]) for node in situation.nodes}
    return Plan(
        inputs=without_secrets(inputs),
        endpoint=Endpoint(
            port=situation.endpoint_port,
            host_port=situation.endpoint_host_port,
            balanced=situation.endpoint_type.balanced,
            floating=situation.endpoint_type.floating,
            mover=situation.endpoint_type.mover,
        ),
        balancer=_balancer(situation),
        primary=course.primary,
        initialise=course.initialise,
        ca_certificate="" if course.initialise else primary.found["ca_certificate"] or "" if primary.found else "",
        stale_members=[HostsEntry(name=host.name, address=str(host.address)) for host in situation.replaced],
        stale_nodes=[HostsEntry(name=host.name, address=str(host.address)) for host in situation.replacing],
        reset=course.reset,
        joining=course.joining,
        joining_control_planes=situation.joining_as(control_plane=True),
        joining_workers=situation.joining_as(control_plane=False),
        present=[host.name for host in situation.nodes if host.in_run and host.state in MEMBER_STATES],
        awaited=[host.name for host in situation.nodes if host.in_run],
        order=situation.order,
        visits={host.host: _visit(host, situation) for host in situation.nodes},
        todo=_todo(situation),
        expired=renewal.expired(situation),
        notes=_notes(situation),
        drains=_drains(situation),
        lease=PlannedLease(run=request.own_run.name, left=situation.lease is not None, takes_over=(situation.lease or {"run": ""})["run"]),
        words=dict(request.words),
        revoke=_has_to_revoke(situation),
        nodes=nodes,
        proxies=_proxies(situation),
        proxy_ports=ProxyPorts(monitor=ports.MONITOR, etcd=ports.ETCD_HEALTH, statistics=ports.STATISTICS),
        proxy_timings=situation.proxy_timings,
        backends=[PlannedBackend(name=host.name, address=str(host.address), port=ports.API_SERVER) for host in situation.control_planes],
        clients=_clients(situation),
        vrrp=Vrrp(
            router_id=router_id(int(situation.endpoint_address or 0)) if inputs.vrrp_router_id is None else inputs.vrrp_router_id,
            state_file=state_file.PATH if situation.endpoint_type.mover == "keepalived" else "",
        ),
        containerd=ContainerRuntime(
            source=situation.containerd_source,
            version=situation.containerd_version or "",
            systemd_cgroup=inputs.cgroup_driver == "systemd",
        ),
        kubeadm=Kubeadm(
            cluster_configuration=kubeadm_documents.cluster_configuration(situation),
            kubelet_configuration=kubeadm_patches.shared(list(kubelets.values())),
            kube_proxy_configuration=inputs.kube_proxy_config,
        ),
        fetch_kubeconfig_server="" if situation.endpoint_type.from_outside else f"{url_host(str(primary.address))}:{ports.API_SERVER}",
        calico_manifest=situation.calico_manifest,
        upgrade=situation.upgrade,
        warnings=warnings_of(situation),
        summary=_summary(situation),
    )
