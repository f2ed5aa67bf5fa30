# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The cluster as it is: its hosts with their addresses, what they were found to be, and what each has to do next."""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from functools import cached_property
from typing import Any, Literal, TypedDict

from ansible_collections.quorum.kubeadm.plugins.plugin_utils.cluster_endpoint import ENDPOINT_TYPES, EndpointType, Groups
from ansible_collections.quorum.kubeadm.plugins.plugin_utils.cluster_inputs import Address, ClusterInputs, HostInputs, Inputs, Network, as_address
from ansible_collections.quorum.kubeadm.plugins.plugin_utils.etcd_topology import ETCD_TOPOLOGIES, EtcdTopology
from ansible_collections.quorum.kubeadm.plugins.module_utils import ports
from ansible_collections.quorum.kubeadm.plugins.plugin_utils import cluster_bundle, upgrade
from ansible_collections.quorum.kubeadm.plugins.plugin_utils.procedure_run import Run, Verdict, this_run
from ansible_collections.quorum.kubeadm.plugins.plugin_utils.procedures import SITE, UPGRADE, YES, Procedure
from ansible_collections.quorum.kubeadm.plugins.plugin_utils.visits import Order, walking_order
from ansible_collections.quorum.kubeadm.plugins.module_utils.cluster_state import MAINTENANCE, Cluster, ProcedureLease
from ansible_collections.quorum.kubeadm.plugins.module_utils.machine import Interface, System
from ansible_collections.quorum.kubeadm.plugins.module_utils.node_certificates import Certificate, has_expired
from ansible_collections.quorum.kubeadm.plugins.module_utils.node_state import MEMBER_STATES, UNFINISHED_STATES, Membership, State, url_host
from ansible_collections.quorum.kubeadm.plugins.module_utils.ports import On, Port
from ansible_collections.quorum.kubeadm.plugins.module_utils.upgrade_facts import UpgradeFacts

Step = Literal["none", "init", "join", "rejoin"]


class Listener(TypedDict):
    """A TCP port that is listened on; nothing of the process is known where the kernel itself listens."""

    port: int
    address: str
    process: str | None


class Containerd(TypedDict):
    """containerd on a host: what is installed, and what the distribution has."""

    version: str | None
    candidate: str | None


class Kubelet(TypedDict):
    """The kubelet on a host."""

    version: str | None


class Resolved(TypedDict):
    """What the endpoint's name means on a host."""

    addresses: list[str]
    hosts_file: list[str]
    stale_copies: list[str]


class Node(Membership):
    """What module node_info tells of a host, as far as the plan needs it."""

    system: System
    hostname: str
    interfaces: list[Interface]
    default_address: str | None
    default_interface: str | None
    listening: list[Listener]
    containerd: Containerd
    kubelet: Kubelet
    certificates: list[Certificate]
    outdated_components: list[str]
    images: dict[str, str]
    api_ready: bool
    api_problem: str | None
    reboot_required: bool
    resolved: Resolved | None
    upgrade: UpgradeFacts | None


@dataclass(frozen=True)
class Request:
    """Everything a plan is made of."""

    groups: Groups
    run: frozenset[str]
    """The hosts that this run is for."""
    variables: Mapping[str, Mapping[str, Any]]
    """The variables of each host of the cluster; only `cluster_*` and `ansible_host` are read."""
    found: Mapping[str, Node]
    """What the hosts that could be reached were found to be."""
    cluster: Cluster | None = None
    """What a control plane told of the living cluster."""
    procedure: Procedure = SITE
    said: frozenset[str] = frozenset()
    """The names of the variables that were said with `-e`."""
    now: datetime = field(default_factory=lambda: datetime.now(timezone.utc))
    words: Mapping[str, Any] = field(default_factory=dict)
    """The procedure's own words that were said, with their values."""
    own_run: Run = field(default_factory=this_run)
    lease_verdict: Verdict = "unknown"
    """Whether the run that holds the Lease of the procedures lives, where one does."""

    @property
    def hosts(self) -> list[str]:
        """All hosts of the cluster, each once."""
        return list(dict.fromkeys([*self.groups.control_planes, *self.groups.workers, *self.groups.proxies]))


@dataclass(frozen=True)
class Host:
    """One host of the cluster."""

    host: str
    control_plane: bool
    node: bool
    """Whether it is to be a node of the cluster; a proxy of a separate group is not."""
    in_run: bool
    inputs: HostInputs
    found: Node | None
    name: str
    address: Address | None
    address_source: str
    """Where the address comes from, as a message about it says it."""

    @property
    def state(self) -> State | None:
        return self.found["state"] if self.found else None

    @property
    def ca_hash(self) -> str | None:
        return self.found["ca_hash"] if self.found else None

    def expired(self, now: datetime) -> list[str]:
        """The certificates on the host that are no longer valid."""
        return [certificate["name"] for certificate in (self.found["certificates"] if self.found else []) if has_expired(certificate, now)]

    def networks(self) -> Iterator[tuple[str, Address, Network]]:
        """Each address on the host's interfaces, with the interface and the network it is in."""
        for interface in self.found["interfaces"] if self.found else []:
            for entry in interface["addresses"]:
                address = ipaddress.ip_interface(f"{entry['address'].partition('%')[0]}/{entry['prefix']}")
                yield interface["name"], address.ip, address.network

    @property
    def interface(self) -> str:
        """The interface that carries the host's address; empty when it is not known."""
        return next((name for name, address, _network in self.networks() if address == self.address), "")

    @property
    def network(self) -> Network | None:
        return next((network for _name, address, network in self.networks() if address == self.address), None)

    def second_address(self, version: int, vip: Address | None) -> Address | None:
        """The address of another family on the same interface, for a dual-stack cluster; not the virtual one, which comes and goes."""
        own = (address for name, address, _network in self.networks() if name == self.interface)
        return next((address for address in own if address.version == version and address != vip), None)


def _node_name(host: str, found: Node | None) -> str:
    """A member keeps its name; an inventory that names hosts by their addresses leaves the host's own name."""
    if found and found["node_name"]:
        return found["node_name"]
    if as_address(host) is not None and found:
        return found["hostname"]
    return host


def _resolve_address(host: str, inputs: HostInputs, found: Node | None, variables: Mapping[str, Any], cluster: Cluster | None) -> tuple[Address | None, str]:
    sources = [
        (inputs.node_address, "cluster_node_address"),
        (found["default_address"] if found else None, "the address of the default route"),
        # Of a host that this run does not reach, the cluster knows the address.
        *(
            (address, "the cluster's own record")
            for member in (cluster["nodes"] if cluster else [])
            if member["name"] == host
            for address in member["addresses"]
        ),
        (variables.get("ansible_host"), "ansible_host"),
        (host, "the name in the inventory"),
    ]
    for text, source in sources:
        address = as_address(str(text)) if text else None
        if address is not None:
            return address, source
    return None, ""


def resolve_hosts(request: Request, inputs: Mapping[str, HostInputs]) -> list[Host]:
    """The hosts of the cluster with their names and addresses, in the inventory's order."""
    hosts = []
    for host in request.hosts:
        found = request.found.get(host)
        address, source = _resolve_address(host, inputs[host], found, request.variables.get(host, {}), request.cluster)
        hosts.append(
            Host(
                host=host,
                control_plane=host in request.groups.control_planes,
                node=host in request.groups.control_planes or host in request.groups.workers,
                in_run=host in request.run,
                inputs=inputs[host],
                found=found,
                name=_node_name(host, found),
                address=address,
                address_source=source,
            )
        )
    return hosts


@dataclass(frozen=True)
class Course:
    """Who is first, and what each host has to do."""

    primary: str
    initialise: bool
    serving: bool
    """Whether a control plane answers that can let others join."""
    ca_hash: str | None
    """The cluster that there is."""
    steps: dict[str, Step]
    reset: list[str]

    @property
    def joining(self) -> list[str]:
        """The hosts that join, or join anew, in the inventory's order."""
        return [host for host, step in self.steps.items() if step in ("join", "rejoin")]


def _step(host: Host, initialises: bool) -> Step:
    if not host.in_run or host.state is None or host.state in MEMBER_STATES:
        return "none"
    if initialises:
        return "init"
    return "rejoin" if host.state in UNFINISHED_STATES else "join"


def set_course(hosts: Sequence[Host], procedure: Procedure) -> Course:
    """The primary is a control plane that serves already; only when there is none anywhere, the first one, which then initialises.

    Takes at least one control plane.
    """
    control_planes = [host for host in hosts if host.control_plane]
    members = [host for host in control_planes if host.state == "control_plane"]
    serving = [host for host in members if host.found and host.found["api_ready"]]
    primary = (serving or members or control_planes)[0]
    steps: dict[str, Step] = {
        host.host: _step(host, not members and host is primary) if procedure.gives_steps else "none" for host in hosts if host.node
    }
    return Course(
        primary=primary.host,
        initialise=not members,
        serving=bool(serving),
        ca_hash=(serving or members)[0].ca_hash if members else None,
        steps=steps,
        reset=[host.host for host in hosts if host.state in UNFINISHED_STATES and steps.get(host.host, "none") != "none"],
    )


class ProxyTimings(TypedDict):
    """How soon HAProxy notices that an API server is gone; milliseconds, and a count."""

    check_interval: int
    check_timeout: int
    dead_interval: int
    dead_timeout: int
    dead_fall: int
    connect_timeout: int


@dataclass(frozen=True)
class Situation:
    """What the user wants and what there is, side by side: what the checks look at and the plan is made from."""

    request: Request
    inputs: ClusterInputs
    refused_inputs: frozenset[str]
    hosts: dict[str, Host]
    course: Course

    @property
    def endpoint_type(self) -> EndpointType:
        return ENDPOINT_TYPES[self.inputs.endpoint_type]

    @property
    def etcd(self) -> EtcdTopology:
        return ETCD_TOPOLOGIES["stacked"]

    @property
    def active_router(self) -> str | None:
        """The host that has the endpoint's address, where it floats."""
        vip = self.endpoint_address if self.endpoint_type.floating else None
        return next((host.host for host in self.proxies if any(address == vip for _name, address, _network in host.networks())), None)

    @property
    def etcd_leader(self) -> str | None:
        """The host whose member leads etcd, where that is known."""
        members = self.request.cluster["etcd_members"] if self.request.cluster else []
        leaders = [member["name"] for member in members if member["leader"]]
        return next((host.host for host in self.etcd_members if host.name in leaders), None)

    @property
    def lease(self) -> ProcedureLease | None:
        """The Lease of the procedures, where one is at work or was cut short."""
        return self.request.cluster["lease"] if self.request.cluster else None

    def said(self, word: str) -> bool:
        """Whether a word was switched on."""
        return self.request.words.get(word) in YES

    @property
    def left_in_maintenance(self) -> list[str]:
        """The hosts of this run that an earlier one entered and did not leave."""
        nodes = self.request.cluster["nodes"] if self.request.cluster else []
        marked = [node["name"] for node in nodes if MAINTENANCE in node["annotations"]]
        return [host.host for host in self.nodes if host.in_run and host.name in marked]

    @property
    def etcd_members(self) -> list[Host]:
        """The hosts on which a member of etcd runs, or will."""
        return [self.hosts[name] for name in self.etcd.members(self.request.groups)]

    @property
    def endpoint_port(self) -> int:
        return self.endpoint_type.port if self.inputs.endpoint_port is None else self.inputs.endpoint_port

    @property
    def endpoint_host_port(self) -> str:
        return f"{self.inputs.endpoint_name}:{self.endpoint_port}"

    @property
    def proxies_have_etcd(self) -> bool:
        """Whether every API server has a proxy of its own beside it, which can ask the etcd there and tell the others."""
        beside = {proxy.host for proxy in self.proxies} == {host.host for host in self.control_planes}
        return self.endpoint_type.floating and self.etcd.beside_api_servers and beside

    def ports(self, host: Host) -> list[Port]:
        """The ports that a host must have for itself, as the inputs say them, with the address that each listens on; `*`: all of them."""
        proxy = host in self.proxies
        has: dict[On, bool] = {
            "node": host.node,
            "control_plane": host.control_plane,
            "etcd_member": host in self.etcd_members,
            "proxy": proxy,
            "etcd_proxy": proxy and self.proxies_have_etcd,
        }
        given: dict[int, dict[str, Any]] = {
            ports.ENDPOINT: {"number": self.endpoint_port, "address": self.endpoint_type.proxy_address},
            ports.STATISTICS: {"address": host.inputs.statistics_address or "own"},
        }
        needed = (port._replace(**given.get(port.number, {})) for port in ports.PORTS if has[port.on])
        return [port._replace(address=str(host.address)) if port.address == "own" else port for port in needed]

    @property
    def proxy_timings(self) -> ProxyTimings:
        inputs = self.inputs
        check_interval = self.endpoint_type.check_interval if inputs.proxy_check_interval is None else inputs.proxy_check_interval
        return ProxyTimings(
            check_interval=check_interval,
            check_timeout=inputs.proxy_check_timeout,
            dead_interval=3 * check_interval if inputs.proxy_dead_interval is None else inputs.proxy_dead_interval,
            dead_timeout=inputs.proxy_dead_timeout,
            dead_fall=inputs.proxy_dead_fall,
            connect_timeout=inputs.proxy_connect_timeout,
        )

    @property
    def endpoint_address(self) -> Address | None:
        return as_address(self.inputs.endpoint_address)

    @property
    def balancer_addresses(self) -> list[Address]:
        """Where the load balancer is: as the user says, or as DNS tells hosts whose own /etc/hosts does not say otherwise."""
        if self.endpoint_address is not None:
            return [self.endpoint_address]
        known = [host.found["resolved"] for host in self.nodes if host.found and host.found["resolved"]]
        told = [address for resolved in known if resolved and not resolved["hosts_file"] for address in resolved["addresses"]]
        return [address for address in map(as_address, dict.fromkeys(told)) if address]

    @property
    def nodes(self) -> list[Host]:
        return [host for host in self.hosts.values() if host.node]

    @property
    def control_planes(self) -> list[Host]:
        return [host for host in self.hosts.values() if host.control_plane]

    @property
    def proxies(self) -> list[Host]:
        """The hosts on which our HAProxy serves the endpoint."""
        return [self.hosts[name] for name in self.endpoint_type.proxies(self.request.groups)]

    @property
    def subnets(self) -> list[tuple[str, Network]]:
        """The cluster's own networks, each with the input it comes from; not those that were refused."""
        given = (("cluster_pod_subnets", self.inputs.pod_subnets), ("cluster_service_subnets", self.inputs.service_subnets))
        return [(name, ipaddress.ip_network(subnet)) for name, subnets in given if name not in self.refused_inputs for subnet in subnets]

    @property
    def kubernetes_minor(self) -> int:
        return upgrade.minor(self.version)

    @property
    def configured_version(self) -> str | None:
        """The version in kubeadm-config, which the cluster is to have."""
        living = self.request.cluster
        return living["version"] if living is not None and living["reachable"] and not self.course.initialise else None

    @cached_property
    def versions(self) -> list[upgrade.NodeVersions]:
        """What each member of the cluster has, by itself and as the cluster knows it."""
        living = self.request.cluster
        running = {node["name"]: node["version"] for node in living["nodes"]} if living else {}
        return [
            upgrade.NodeVersions(
                host=host.host,
                control_plane=host.control_plane,
                kubelet=host.found["kubelet"]["version"] if host.found else None,
                running=running.get(host.name),
                components={name: image.rpartition(":")[2].removeprefix("v") for name, image in host.found["images"].items()} if host.found else {},
            )
            for host in self.nodes
            if host.state in MEMBER_STATES or (host.found is None and host.name in running)
        ]

    @cached_property
    def upgrade(self) -> upgrade.Upgrade | None:
        """What an upgrade has to do next; None for other procedures."""
        if self.request.procedure is not UPGRADE or self.configured_version is None:
            return None
        order = [*self.order["control_planes"], *self.order["workers"]]
        walked = sorted(self.versions, key=lambda versions: order.index(versions.host))
        return upgrade.next_upgrade(walked, self.configured_version, self.inputs.kubernetes_version, self.inputs.upgrade_path, self._etcd_tag)

    @property
    def _etcd_tag(self) -> str | None:
        """The tag of etcd's image that the user has written."""
        etcd = self.inputs.kubeadm_config.get("etcd") or {}
        return (etcd.get("local") or {}).get("imageTag")

    @property
    def order(self) -> Order:
        """The nodes in the order in which a procedure visits them."""
        groups = self.request.groups
        return walking_order(groups.control_planes, groups.workers, self.etcd_leader, self.active_router, self.left_in_maintenance)

    @property
    def upgrade_under_way(self) -> bool:
        """Whether an upgrade has begun, and not every node is done."""
        return self.configured_version is not None and upgrade.is_mixed(self.versions, self.configured_version)

    @property
    def version(self) -> str:
        """The version of Kubernetes that this run is about."""
        following = self.upgrade
        return following["version"] if following else self.inputs.kubernetes_version

    def left_to_upgrade(self, host: Host) -> bool:
        """Whether a member's programs are left alone, because an upgrade is under way and this is another procedure."""
        return host.state in MEMBER_STATES and self.upgrade is None and self.upgrade_under_way

    def version_of(self, host: Host) -> str:
        """The version of Kubernetes that a node is to have after this run."""
        if self.left_to_upgrade(host):
            return (host.found["kubelet"]["version"] if host.found else None) or self.version
        if self.configured_version is None or self.upgrade is not None or not self.upgrade_under_way:
            return self.version
        return upgrade.joining_version(host.control_plane, self.versions, self.configured_version)

    def bundle_path(self, version: str) -> str:
        """Where the bundle of a version is."""
        return self.inputs.bundle_path.replace("{version}", version)

    @property
    def containerd_source(self) -> str:
        follows = "bundle" if self.inputs.install_source == "bundle" else "repository"
        return self.inputs.containerd_source or follows

    @cached_property
    def containerd_version(self) -> str | None:
        """The version of containerd that nodes are to have; None where any will do that is there."""
        if self.containerd_source != "bundle":
            return self.inputs.containerd_version or None
        return cluster_bundle.containerd_version(self.bundle_path(self.version)) if self.inputs.bundle_path else None

    def keeps_containerd(self, host: Host) -> bool:
        """Whether a node's containerd stays as it is: replacing it wants the node out of service, which only an upgrade does."""
        return host.state in MEMBER_STATES and self.request.procedure is not UPGRADE

    @property
    def containerd_todo(self) -> list[str]:
        """The nodes of this run that an upgrade gives another containerd."""
        wanted = self.containerd_version if self.request.procedure is UPGRADE else None
        return [host.host for host in self.nodes if wanted and host.in_run and host.found and host.found["containerd"]["version"] not in (None, wanted)]

    @property
    def keeps_swap(self) -> bool:
        return any(node.inputs.swap == "keep" for node in self.nodes)

    @property
    def uses_bundle(self) -> bool:
        return "bundle" in (self.inputs.install_source, self.containerd_source)

    @property
    def calico_manifest(self) -> str:
        """Calico's manifest: the user's, else the bundle's; empty is upstream's of the release."""
        bundled = os.path.join(self.bundle_path(self.version), "manifests", "calico.yaml")
        return self.inputs.calico_manifest or (bundled if self.uses_bundle and os.path.isfile(bundled) else "")

    def joining_as(self, control_plane: bool) -> list[str]:
        """The hosts that join as control planes, or those that join as workers."""
        return [host for host in self.course.joining if self.hosts[host].control_plane is control_plane]

    @property
    def replacing(self) -> list[Host]:
        """Machines that have to join by a name that the cluster knows already, that of a dead machine, or will know: of a join that was cut short.

        The kubelet of such a join goes on by itself, so the cluster may hear of its node later than this look at it.
        """
        known = {node["name"] for node in self.request.cluster["nodes"]} if self.request.cluster else set()
        joining = [self.hosts[host] for host in self.course.joining]
        return [host for host in joining if host.name in known or host.state == "half_joined"]

    @property
    def replaced(self) -> list[Host]:
        """New machines in the place of members that etcd still knows, and whose member no longer answers."""
        members = self.request.cluster["etcd_members"] if self.request.cluster else []
        dead = [member for member in members if not member["healthy"]]
        return [
            host
            for host in self.etcd_members
            if self.course.steps.get(host.host) == "join" and any(member["name"] == host.name or _peer_url(host) in member["peer_urls"] for member in dead)
        ]

    def carrier(self, proxy: Host) -> tuple[str, Address, Network] | None:
        """The interface of a proxy that can carry the endpoint's address, its own address there and the network."""
        vip, wanted = self.endpoint_address, proxy.inputs.vrrp_interface
        candidates = [
            (name, address, network)
            for name, address, network in proxy.networks()
            if vip is not None and vip in network and address != vip and wanted in ("", name)
        ]
        return next((candidate for candidate in candidates if candidate[1] == proxy.address), candidates[0] if candidates else None)


def _peer_url(host: Host) -> str:
    return f"https://{url_host(str(host.address))}:{ports.ETCD_PEERS}"


def look(request: Request, inputs: Inputs) -> Situation:
    """Bring together what is wanted and what there is; takes at least one control plane."""
    hosts = resolve_hosts(request, inputs.hosts)
    return Situation(
        request=request,
        inputs=inputs.cluster,
        refused_inputs=inputs.refused,
        hosts={host.host: host for host in hosts},
        course=set_course(hosts, request.procedure),
    )
