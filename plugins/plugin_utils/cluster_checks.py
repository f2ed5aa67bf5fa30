# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is wrong with a cluster as it is described and found: one small check each, all of them run."""

from __future__ import annotations

import ipaddress
import itertools
import json
import os
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TypeVar

import yaml

from ansible_collections.quorum.kubeadm.plugins.plugin_utils import calico_manifest, cluster_bundle, kubeadm_patches, upgrade
from ansible_collections.quorum.kubeadm.plugins.plugin_utils.calico_manifest import ENCAPSULATIONS
from ansible_collections.quorum.kubeadm.plugins.plugin_utils.cluster_inputs import Problem, as_address, is_dns_name, release
from ansible_collections.quorum.kubeadm.plugins.plugin_utils.cluster_model import (
    Host,
    Listener,
    Situation,
)
from ansible_collections.quorum.kubeadm.plugins.module_utils.cluster_state import MAINTENANCE, Documents, scalar
from ansible_collections.quorum.kubeadm.plugins.module_utils.node_certificates import AUTHORITIES
from ansible_collections.quorum.kubeadm.plugins.module_utils.node_state import MEMBER_STATES, UNFINISHED_STATES
from ansible_collections.quorum.kubeadm.plugins.module_utils.ports import NODE_PORTS, Port
from ansible_collections.quorum.kubeadm.plugins.plugin_utils.etcd_topology import is_wasteful
from ansible_collections.quorum.kubeadm.plugins.plugin_utils.procedures import (
    NO,
    NUMBER_WORDS,
    PROCEDURES,
    RENEW_CERTIFICATES,
    SITE,
    SWITCHED_WORDS,
    TAKEOVER,
    UPGRADE,
    YES,
    Aspect,
    refused_words,
)
from ansible_collections.quorum.kubeadm.plugins.plugin_utils.failover import Timings, over_budget, priorities

# By the id of /etc/os-release; of EL the first number of the version counts.
DEBIAN_LIKE = {"debian": ("12", "13"), "ubuntu": ("22.04", "24.04", "26.04")}
EL, EL_MAJORS = ("rhel", "centos", "rocky", "almalinux", "ol"), ("9", "10")
SYSTEMS = "Debian 12 or 13, Ubuntu 22.04, 24.04 or 26.04, or EL 9 or 10"

# What a test of the load balancer leaves listening when it is killed; the next one replaces it.
BALANCER_TEST = "quorum-listener"
WILDCARDS = ("0.0.0.0", "::")
# Somebody else's HAProxy cannot be told from ours, which may be there before the cluster is.
PROXY = "haproxy"

# kubeadm's defaults for the part of the pod network that a node gets.
NODE_PREFIX = {4: 24, 6: 64}
# The first release of Calico that is tested with a minor of Kubernetes (docs.tigera.io, system requirements of each release).
OLDEST_CALICO = {35: (3, 30), 36: (3, 32), 37: (3, 33)}
# What kubeadm-config may hold of earlier versions: the first minor that refuses it, the text, what it is, and what to do (CHANGELOG-1.36 and 1.37).
REMOVED_SETTINGS = (
    (36, "ControlPlaneKubeletLocalMode", "the feature gate ControlPlaneKubeletLocalMode", "take it out by `kubectl -n kube-system edit cm kubeadm-config`"),
    (37, "kubeadm.k8s.io/v1beta3", "the API version v1beta3", "write it anew in v1beta4 by `kubeadm config migrate` of Kubernetes 1.36"),
    (37, "name: experimental-", "a flag of etcd that begins with experimental-", "take it out of cluster_kubeadm_config, and run the playbook reconfigure"),
)
OLDEST_CONTAINERD = {36: (2, 0, 0), 37: (2, 0, 0)}

# By which inputs a user sets the timings of the model, by the fields of Timings.
TIMING_INPUTS = {
    "advertisement": "cluster_vrrp_advert_interval",
    "check_interval": "cluster_proxy_check_interval",
    "check_timeout": "cluster_proxy_check_timeout",
    "dead_interval": "cluster_proxy_dead_interval",
    "dead_timeout": "cluster_proxy_dead_timeout",
    "dead_fall": "cluster_proxy_dead_fall",
    "connect_timeout": "cluster_proxy_connect_timeout",
}

Key = TypeVar("Key")


def listed(names: Iterable[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    texts = list(dict.fromkeys(names))
    return " and ".join([", ".join(texts[:-1]), texts[-1]] if len(texts) > 1 else texts)


def grouped(hosts: Iterable[Host], key: Callable[[Host], Key]) -> dict[Key, list[str]]:
    """The names of hosts that have something in common."""
    groups: dict[Key, list[str]] = {}
    for host in hosts:
        groups.setdefault(key(host), []).append(host.host)
    return groups


def shortened(ca_hash: str | None) -> str:
    """A CA's hash as far as a person compares it."""
    return f"CA {ca_hash[:23]}…" if ca_hash else "no CA"


# Who takes part.


def check_groups(situation: Situation) -> Iterator[Problem]:
    both = [host for host in situation.request.groups.control_planes if host in situation.request.groups.workers]
    if both:
        yield Problem(
            listed(both), "is in both groups, control planes and workers", "leave it in one of them; a control plane can be a proxy too, and so can a worker"
        )


def check_reached(situation: Situation) -> Iterator[Problem]:
    silent = [host.host for host in situation.hosts.values() if host.in_run and host.found is None]
    if silent:
        yield Problem(listed(silent), "could not be reached or read", "repair the connection, or exclude the host with --limit")


def check_systems(situation: Situation) -> Iterator[Problem]:
    for host in situation.hosts.values():
        if host.found:
            system = host.found["system"]
            major = system["version_id"].partition(".")[0]
            if system["version_id"] not in DEBIAN_LIKE.get(system["id"], ()) and not (system["id"] in EL and major in EL_MAJORS):
                runs = system["name"] or f"{system['id']} {system['version_id']}"
                yield Problem(host.host, f"runs {runs}, which is not supported", f"install {SYSTEMS}")


def check_names(situation: Situation) -> Iterator[Problem]:
    for host in situation.nodes:
        if len(host.name) > 63 or not is_dns_name(host.name):
            yield Problem(
                host.host, f"{host.name!r} cannot be the name of a node", "use at most 63 lower-case letters, digits, dashes and dots in the inventory"
            )
        if host.name == situation.inputs.endpoint_name:
            yield Problem("cluster_endpoint_name", f"{host.name} is the name of a node", "write another name")
    for name, hosts in grouped(situation.nodes, lambda host: host.name).items():
        if len(hosts) > 1:
            yield Problem(listed(hosts), f"have the same name {name}", "give each host its own")


# Addresses and networks.


def check_addresses(situation: Situation) -> Iterator[Problem]:
    proxies = situation.proxies
    for host in situation.hosts.values():
        own = [str(address) for _name, address, _network in host.networks() if not address.is_loopback]
        subject = f"cluster_node_address of {host.host}"
        if host.address is None:
            if host.in_run or host.control_plane or host in proxies:
                yield Problem(subject, "is not set, and the host has no known address", "write the host's address in the cluster")
        elif host.found and (not host.interface or host.address.is_loopback):
            yield Problem(subject, f"{host.address} ({host.address_source}) is on none of its networks", f"write one of {listed(own)}")
    addresses = grouped((host for host in situation.hosts.values() if host.address), lambda host: host.address)
    for address, hosts in addresses.items():
        if len(hosts) > 1:
            yield Problem(listed(hosts), f"have the same address {address}", "give each its own by cluster_node_address")


def check_families(situation: Situation) -> Iterator[Problem]:
    families = {name: [network.version for other, network in situation.subnets if other == name] for name, _network in situation.subnets}
    pods, services = families.get("cluster_pod_subnets"), families.get("cluster_service_subnets")
    if not pods or not services:
        for name in ("cluster_pod_subnets", "cluster_service_subnets"):
            if name not in situation.refused_inputs and name not in families:
                yield Problem(name, "is empty", "write at least one network")
        return
    if pods != services:
        yield Problem(
            "cluster_service_subnets",
            f"has the families {listed(f'IPv{version}' for version in services)}, cluster_pod_subnets {listed(f'IPv{version}' for version in pods)}",
            "write networks of the same families, in the same order",
        )
    for host in situation.nodes:
        if host.address and host.address.version != pods[0]:
            yield Problem(
                host.host,
                f"has the address {host.address}, but the first pod network is IPv{pods[0]}",
                f"set cluster_node_address to an IPv{pods[0]} address, or change the order of the networks",
            )
        elif host.found and host.interface and len(pods) > 1 and host.second_address(pods[1], situation.endpoint_address) is None:
            yield Problem(
                host.host,
                f"has no IPv{pods[1]} address on {host.interface}, which a dual-stack cluster needs",
                "give it one, or write one pod network and one Service network",
            )


def check_networks(situation: Situation) -> Iterator[Problem]:
    for (name, network), (other_name, other) in itertools.combinations(situation.subnets, 2):
        if network.overlaps(other):
            yield Problem(name, f"{network} overlaps {other} of {other_name}", "write networks that do not overlap")
    # What is known of a host that was not reached is its address alone.
    of_hosts = grouped((host for host in situation.hosts.values() if host.address), lambda host: host.network or ipaddress.ip_network(str(host.address)))
    # A node of the cluster has the pods' network on its interfaces; a machine that is none yet should have it on none.
    for host in situation.hosts.values():
        for network in {network for _name, address, network in host.networks() if host.state == "clean" and not address.is_loopback}:
            if host.host not in of_hosts.setdefault(network, []):
                of_hosts[network].append(host.host)
    for (name, network), (of_host, hosts) in itertools.product(situation.subnets, of_hosts.items()):
        if network.overlaps(of_host):
            yield Problem(name, f"{network} overlaps {of_host}, the network of {listed(hosts)}", "write a network that nothing else uses")
    vip = situation.endpoint_address
    for name, network in situation.subnets:
        # An address of the nodes' own network is not to blame for a network that covers it all.
        if vip is not None and vip in network and not any(vip in of_host and network.overlaps(of_host) for of_host in of_hosts):
            yield Problem("cluster_endpoint_address", f"{vip} is inside {network} of {name}", "write an address outside the pods' and Services' networks")


def check_room(situation: Situation) -> Iterator[Problem]:
    for name, network in situation.subnets:
        room = 2 ** (NODE_PREFIX[network.version] - network.prefixlen)
        if name == "cluster_pod_subnets" and room < len(situation.nodes):
            yield Problem(name, f"{network} has room for {room} nodes, and there are {len(situation.nodes)}", "write a larger network")


# The endpoint.


def check_endpoint(situation: Situation) -> Iterator[Problem]:
    inputs, refused = situation.inputs, situation.refused_inputs
    if not inputs.endpoint_name and "cluster_endpoint_name" not in refused:
        yield Problem("cluster_endpoint_name", "is not set", "write the DNS name of the endpoint, such as api.example.org")
    if "cluster_endpoint_address" not in refused:
        yield from _endpoint_address(situation)
    if situation.proxies and not inputs.statistics_password and "cluster_statistics_password" not in refused:
        yield Problem("cluster_statistics_password", "is not set", "write a password for HAProxy's statistics page, preferably in a vault")


def _endpoint_address(situation: Situation) -> Iterator[Problem]:
    inputs, address = situation.inputs, situation.endpoint_type.address
    if address == "unused" and inputs.endpoint_address:
        yield Problem("cluster_endpoint_address", f"has no meaning with cluster_endpoint_type {inputs.endpoint_type}", "leave it out")
    elif address == "required" and not inputs.endpoint_address:
        yield Problem("cluster_endpoint_address", "is not set", "write the endpoint's address; for a virtual IP, an unused one in the proxies' network")
    elif inputs.endpoint_name and not inputs.endpoint_address:
        silent = [host for host in situation.nodes if host.in_run and host.found and host.found["resolved"] and not host.found["resolved"]["addresses"]]
        # A control plane behind a load balancer has a line of its own; those without one need DNS.
        lost = [host.host for host in silent if address == "unused" or not host.control_plane or situation.course.initialise]
        if situation.endpoint_type.balanced and lost:
            write = "write the load balancer's DNS name" + (", or its address into cluster_endpoint_address" if address == "optional" else "")
            yield Problem("cluster_endpoint_name", f"{inputs.endpoint_name} resolves to no address on {listed(lost)}", write)


def check_balancer(situation: Situation) -> Iterator[Problem]:
    vip = situation.endpoint_address
    if not situation.endpoint_type.balanced or vip is None:
        return
    taken = [host.host for host in situation.hosts.values() if host.address == vip or any(vip == address for _name, address, _network in host.networks())]
    if taken:
        yield Problem("cluster_endpoint_address", f"{vip} is the address of {listed(taken)}", "write the address of the load balancer")


def check_proxies(situation: Situation) -> Iterator[Problem]:
    groups = situation.request.groups
    if groups.proxies and set(groups.proxies) - {proxy.host for proxy in situation.proxies}:
        yield Problem("proxies", f"has hosts, but cluster_endpoint_type {situation.inputs.endpoint_type} uses no proxies", "leave the group empty")
    joining = situation.joining_as(control_plane=True)
    left_out = [proxy.host for proxy in situation.proxies if not proxy.in_run]
    if joining and left_out and not situation.course.initialise:
        yield Problem(
            listed(joining),
            f"joins as a control plane, but this run excludes {listed(left_out)}, whose HAProxy must get the new API server",
            "add them to --limit, or run without it",
        )


def check_virtual_ip(situation: Situation) -> Iterator[Problem]:
    vip, proxies = situation.endpoint_address, situation.proxies
    if not situation.endpoint_type.floating or vip is None:
        return
    subject = "cluster_endpoint_address"
    taken = [host.host for host in situation.hosts.values() if host.address == vip]
    if taken:
        yield Problem(subject, f"{vip} is the address of {listed(taken)}", "write an unused address of the same network")
        return
    strays = [host.host for host in situation.hosts.values() if host not in proxies and any(vip == address for _name, address, _network in host.networks())]
    if strays:
        yield Problem(subject, f"{vip} is on an interface of {listed(strays)}, which is not a proxy", "stop keepalived there, or write an unused address")
    outside = [proxy for proxy in proxies if proxy.found and not situation.carrier(proxy)]
    for interface, hosts in grouped((proxy for proxy in outside if proxy.inputs.vrrp_interface), lambda proxy: proxy.inputs.vrrp_interface).items():
        yield Problem(
            f"cluster_vrrp_interface of {listed(hosts)}", f"{interface} is in no network that contains {vip}", "write an interface that is, or delete it"
        )
    without = [proxy for proxy in outside if not proxy.inputs.vrrp_interface]
    if without:
        networks = listed(str(network) for proxy in without for _name, address, network in proxy.networks() if not address.is_loopback)
        yield Problem(
            subject,
            f"{vip} is outside every network of {listed(proxy.host for proxy in without)} ({networks})",
            "write an unused address of a network that all proxies share",
        )
    for network in {carrier[2] for proxy in proxies for carrier in [situation.carrier(proxy)] if carrier}:
        if vip.version == 4 and network.prefixlen < 31 and vip in (network.network_address, network.broadcast_address):
            yield Problem(subject, f"{vip} is the first or last address of {network}, which no host can use", "write one between them")


def check_failover(situation: Situation) -> Iterator[Problem]:
    """Whether a fault could cost more than the budget, by the inputs (the defaults of all else are the roles' own)."""
    inputs = situation.inputs
    if situation.endpoint_type.mover != "keepalived":
        return
    timings = Timings(
        advertisement=inputs.vrrp_advert_interval,
        priorities=tuple(priorities(len(situation.proxies))),
        **situation.proxy_timings,
    )
    for refusal in over_budget(timings, round(1000 * inputs.failover_budget)):
        lower = [TIMING_INPUTS[name] for name in refusal.timings if name in TIMING_INPUTS]
        yield Problem(
            "cluster_failover_budget",
            f"{refusal.fault} can cost {refusal.milliseconds / 1000:g} s, and the budget is {inputs.failover_budget:g} s",
            f"lower {listed(lower)}, or raise the budget" if lower else "raise the budget",
        )


def check_endpoint_port(situation: Situation) -> Iterator[Problem]:
    port = situation.endpoint_port
    if port in NODE_PORTS and any(proxy.node for proxy in situation.proxies):
        yield Problem(
            "cluster_endpoint_port",
            f"{port} is in the range of NodePort Services, {NODE_PORTS[0]} to {NODE_PORTS[-1]}",
            f"write another one, such as {situation.endpoint_type.port}",
        )
    for proxy in situation.proxies:
        # The endpoint's own row is the first that has the number, whatever else has it.
        others = [other for other in situation.ports(proxy) if other.number == port][1:]
        if others:
            yield Problem(
                "cluster_endpoint_port",
                f"HAProxy cannot use {port} on {proxy.host}: it is the port of {others[0].process} ({others[0].purpose})",
                f"write another one, such as {situation.endpoint_type.port}",
            )
            return


def check_ports(situation: Situation) -> Iterator[Problem]:
    for host in situation.hosts.values():
        found = host.found["listening"] if host.found and host.in_run else []
        for port in situation.ports(host):
            stranger = next((listener for listener in found if _is_strange(listener, port, host)), None)
            if stranger:
                yield Problem(host.host, f"port {port.number}, which {port.process} needs, is taken by {stranger['process'] or 'the kernel'}", "stop it there")


def _is_strange(listener: Listener, port: Port, host: Host) -> bool:
    """Whether a listener keeps a host's port from the process that is to have it."""
    if listener["port"] != port.number or not (port.address in ("*", listener["address"]) or listener["address"] in WILDCARDS):
        return False
    if port.process == PROXY:
        return listener["process"] != PROXY
    if listener["process"] == BALANCER_TEST:
        return False
    # On a machine that has nothing of Kubernetes, nobody has business there.
    return host.state == "clean" or listener["process"] != port.process


# Versions and where they come from.


def check_containerd(situation: Situation) -> Iterator[Problem]:
    inputs, oldest = situation.inputs, OLDEST_CONTAINERD.get(situation.kubernetes_minor)
    distribution = situation.containerd_source == "distribution"
    if situation.containerd_source == "bundle":
        bundle = situation.bundle_path(situation.version)
        version = cluster_bundle.containerd_version(bundle) if bundle else None
        if version and oldest and (release(version) or ()) < oldest and not inputs.allow_old_containerd:
            yield Problem(
                "cluster_bundle_path",
                f"{bundle} has containerd {version}, and Kubernetes {situation.version} requires {oldest[0]}.{oldest[1]} or later",
                "make the bundle with a later one, or set cluster_allow_old_containerd to true",
            )
        return
    for host in situation.nodes:
        if host.in_run and host.found:
            # What is installed stays, unless an exact version is wanted.
            version = inputs.containerd_version or host.found["containerd"]["version"] or (host.found["containerd"]["candidate"] if distribution else None)
            if version is None and distribution:
                yield Problem(host.host, "its distribution has no containerd package", "set cluster_containerd_source to repository or bundle")
            elif version and oldest and (release(version) or ()) < oldest and not inputs.allow_old_containerd:
                yield Problem(
                    host.host,
                    f"containerd {version} does not support Kubernetes {situation.version}, which requires {oldest[0]}.{oldest[1]} or later",
                    "set cluster_containerd_version to a later one, cluster_containerd_source to repository or bundle, or cluster_allow_old_containerd to true",
                )


def check_bundle(situation: Situation) -> Iterator[Problem]:
    inputs = situation.inputs
    if not situation.uses_bundle or "cluster_bundle_path" in situation.refused_inputs:
        return
    if not inputs.bundle_path:
        source = "cluster_install_source" if inputs.install_source == "bundle" else "cluster_containerd_source"
        yield Problem("cluster_bundle_path", f"is not set, and {source} is bundle", "write the bundle's directory on the controller")
        return
    hosts = [host for host in situation.nodes if host.in_run and not situation.left_to_upgrade(host)]
    for version in dict.fromkeys([situation.version_of(host) for host in hosts] or [situation.version]):
        # Nodes that have everything are given nothing, and what they are given is verified there again.
        new = [
            host
            for host in hosts
            if situation.version_of(host) == version and (situation.course.steps[host.host] != "none" or not _has_kubelet(host, version))
        ]
        bundle = situation.bundle_path(version)
        found = cluster_bundle.faults(
            bundle,
            version,
            kubernetes=inputs.install_source == "bundle",
            containerd=situation.containerd_source == "bundle",
            contents=bool(new),
        )
        for fault in found:
            yield Problem("cluster_bundle_path", f"{bundle}: {fault}", "make or copy it again, or write {version} in the path where there is one for each")


def _has_kubelet(host: Host, version: str) -> bool:
    return host.found is not None and host.found["kubelet"]["version"] == version


def check_pod_network(situation: Situation) -> Iterator[Problem]:
    inputs = situation.inputs
    local: list[tuple[str, str]] = []
    if inputs.pod_network == "manifests":
        if not inputs.pod_network_manifests and "cluster_pod_network_manifests" not in situation.refused_inputs:
            yield Problem(
                "cluster_pod_network_manifests", "is empty, and cluster_pod_network is manifests", "write the manifests' paths on the controller, or their URLs"
            )
        local += [("cluster_pod_network_manifests", source) for source in inputs.pod_network_manifests]
    if inputs.pod_network == "calico":
        backends = ENCAPSULATIONS[inputs.calico_encapsulation].backends
        if inputs.calico_backend not in ("auto", *backends):
            yield Problem("cluster_calico_backend", f"{inputs.calico_backend} cannot do {inputs.calico_encapsulation}", f"write auto or {listed(backends)}")
        local.append(("cluster_calico_manifest", inputs.calico_manifest))
    for name, source in local:
        if source.startswith(("/", "~")) and not os.path.exists(source):
            yield Problem(name, f"there is no {source} on the controller", "write the path of an existing file")


def check_kubelet_config(situation: Situation) -> Iterator[Problem]:
    for driver, hosts in grouped(situation.nodes, lambda host: host.inputs.kubelet_config.get("cgroupDriver", situation.inputs.cgroup_driver)).items():
        if driver != situation.inputs.cgroup_driver:
            yield Problem(
                f"cluster_kubelet_config of {listed(hosts)}",
                f"has cgroupDriver {driver}, but containerd gets {situation.inputs.cgroup_driver}",
                f"delete it, and write cluster_cgroup_driver: {driver}",
            )


def check_kubeadm_patches(situation: Situation) -> Iterator[Problem]:
    if situation.inputs.kubeadm_patches:
        for fault in kubeadm_patches.faults(situation.inputs.kubeadm_patches):
            yield Problem("cluster_kubeadm_patches", *fault)


def check_files(situation: Situation) -> Iterator[Problem]:
    for file in situation.inputs.files:
        if "source" in file and not os.path.isfile(os.path.expanduser(file["source"])):
            yield Problem("cluster_files", f"there is no file {file['source']} on the controller", "write the path of an existing file")


# What there is already.


def check_clusters(situation: Situation) -> Iterator[Problem]:
    course = situation.course
    control_planes = [host for host in situation.control_planes if host.state == "control_plane"]
    clusters = grouped(control_planes, lambda host: host.ca_hash)
    if len(clusters) > 1:
        wrong = "; ".join(f"{listed(hosts)}: {shortened(ca_hash)}" for ca_hash, hosts in clusters.items())
        yield Problem(
            listed(host.host for host in control_planes),
            f"belong to different clusters ({wrong})",
            "keep the hosts of one cluster in the inventory, or run `kubeadm reset` on the others",
        )
    # With an unfinished `init` of the same cluster at hand, check_unfinished has more to say.
    known = {None, course.ca_hash, *(host.ca_hash for host in situation.nodes if host.state == "initialising")}
    for host in situation.nodes:
        foreign = host.state not in (None, "clean", "initialising") and host.ca_hash not in known
        if foreign and host not in control_planes:
            of = f"not to {shortened(course.ca_hash)}" if course.ca_hash else "and no control plane of it is in the inventory"
            left = "has begun to join" if host.state == "half_joined" else "belongs to"
            yield Problem(
                host.host,
                f"{left} another cluster ({shortened(host.ca_hash)}, {of})",
                "remove it from the inventory, or run `kubeadm reset` on it if that cluster does not need it",
            )
        elif host.state == "control_plane" and not host.control_plane:
            yield Problem(
                host.host,
                "is a control plane of the cluster, but a worker in the inventory",
                "move it to the control planes, or remove it from the cluster first",
            )
        elif host.state == "worker" and host.control_plane:
            yield Problem(
                host.host, "is a worker of the cluster, but a control plane in the inventory", "move it to the workers, or remove it from the cluster first"
            )
        elif host.state == "worker" and course.initialise and host.ca_hash is None:
            yield Problem(host.host, "is a worker of a cluster that has no control plane here", "run `kubeadm reset` on it")


def check_first_init(situation: Situation) -> Iterator[Problem]:
    course = situation.course
    if not course.initialise:
        return
    count = len(situation.etcd_members)
    if is_wasteful(count):
        yield Problem(
            situation.etcd.group, f"there are {count}, which tolerate no more failures than {count - 1}", f"begin with {count - 1} or {count + 1}"
        )
    unknown = [host.host for host in situation.control_planes if host.found is None and not host.in_run]
    if unknown:
        yield Problem(course.primary, f"would initialise a cluster, but {listed(unknown)} may already belong to one", "run once without --limit")
    elif not situation.hosts[course.primary].in_run:
        yield Problem(course.primary, "must initialise the cluster, but this run excludes it", "run once without --limit")


def check_unfinished(situation: Situation) -> Iterator[Problem]:
    """An unfinished `init` is undone only if it is proven that no other node belongs to its cluster."""
    for host in situation.nodes:
        if host.state != "initialising" or host.ca_hash is None or host.ca_hash == situation.course.ca_hash:
            continue
        others = [other for other in situation.nodes if other is not host]
        members = [other.host for other in others if other.ca_hash == host.ca_hash]
        unknown = [other.host for other in others if other.found is None]
        if members:
            yield Problem(
                host.host,
                f"has an unfinished `kubeadm init`, but {listed(members)} belongs to its cluster ({shortened(host.ca_hash)})",
                "run `kubeadm reset` on all of them, or repair the cluster by hand",
            )
        elif unknown:
            yield Problem(
                host.host,
                f"has an unfinished `kubeadm init`, and {listed(unknown)} may belong to its cluster",
                "run without --limit, with all hosts running",
            )


def check_there(situation: Situation) -> Iterator[Problem]:
    if situation.course.initialise:
        yield Problem("control_planes", "none of them belongs to a cluster yet", f"build one with `ansible-playbook {SITE.playbook}`")


def check_serving(situation: Situation) -> Iterator[Problem]:
    silent = [host for host in situation.control_planes if host.state == "control_plane"]
    if silent and not situation.course.serving:
        why = "; ".join(f"{host.host}: {host.found['api_problem']}" for host in silent if host.found and host.found["api_problem"])
        expired = [host for host in silent if host.expired(situation.request.now)]
        if expired:
            names = listed(name for host in expired for name in host.expired(situation.request.now))
            why = f"certificates have expired on {listed(host.host for host in expired)}: {names}"
        yield Problem(
            listed(host.host for host in silent),
            "belongs to a cluster, but no API server of it is ready" + (f" ({why})" if why else ""),
            "run `ansible-playbook quorum.kubeadm.renew_certificates`" if expired else "repair one: see `journalctl -u kubelet` and /var/log/pods there",
        )
    living = situation.request.cluster
    if living is not None and not living["reachable"]:
        said = f"its API server is ready, but does not describe the cluster: {living['reason']}"
        yield Problem(situation.course.primary, said, "run again, or see the API server's log there")


def check_version(situation: Situation) -> Iterator[Problem]:
    living, inputs = situation.request.cluster, situation.inputs
    if living is None or not living["reachable"] or situation.course.initialise or "cluster_kubernetes_version" in situation.refused_inputs:
        return
    # While an upgrade is under way, those who join get what the others have.
    if inputs.kubernetes_version != living["version"] and not situation.upgrade_under_way:
        yield Problem(
            "cluster_kubernetes_version",
            f"is {inputs.kubernetes_version}, but the cluster has {living['version'] or 'none'}",
            f"write the cluster's value, or run `ansible-playbook {UPGRADE.playbook}`, which upgrades the cluster",
        )


def check_changes(situation: Situation) -> Iterator[Problem]:
    """What can never change on an existing cluster; what another procedure brings about is no problem, and drift tells of it."""
    living, inputs = situation.request.cluster, situation.inputs
    if living is None or not living["reachable"] or situation.course.initialise:
        return
    given = {
        "cluster_name": (inputs.name, living["name"], "the name cannot be changed"),
        "cluster_endpoint_name": (
            f"{inputs.endpoint_name}:{situation.endpoint_port}",
            living["endpoint"],
            "the endpoint's name and port cannot be changed: every certificate and kubeconfig contains them",
        ),
        "cluster_dns_domain": (inputs.dns_domain, living["dns_domain"], "the domain of Services cannot be changed"),
        "cluster_pod_subnets": (_networks(inputs.pod_subnets), _networks(living["pod_subnets"]), "the pod network cannot be changed"),
        "cluster_service_subnets": (_networks(inputs.service_subnets), _networks(living["service_subnets"]), "the Service network cannot be changed"),
    }
    for name, (wanted, there, reason) in given.items():
        if wanted != there and name not in situation.refused_inputs:
            yield Problem(name, f"is {wanted}, but the cluster has {there or 'none'}", f"write the cluster's value; {reason}")
    yield from _changed_documents(situation, living["documents"])
    members = {member["name"]: member["addresses"] for member in living["nodes"]}
    for host in situation.nodes:
        known = [address for address in members.get(host.name, []) if as_address(address)]
        if host.state in MEMBER_STATES and host.address and known and str(host.address) not in known:
            yield Problem(
                f"cluster_node_address of {host.host}",
                f"{host.address} ({host.address_source}) is not the node's address in the cluster, {listed(known)}",
                "write the cluster's value; to change it, remove the node from the cluster and join it again",
            )


def check_calico(situation: Situation) -> Iterator[Problem]:
    """A living cluster's Calico is raised by two releases at a time."""
    living, inputs = situation.request.cluster, situation.inputs
    there = calico_manifest.node_release(living["addons"].get("calico-node", "")) if living else ""
    subject, wanted = "cluster_calico_version", inputs.calico_version
    manifest = situation.calico_manifest
    if manifest:
        subject = "cluster_calico_manifest" if inputs.calico_manifest else "cluster_bundle_path"
        # What a URL leads to is not known here.
        wanted = calico_manifest.node_release(Path(manifest).read_text(encoding="utf-8", errors="replace")) if os.path.isfile(manifest) else ""
    if inputs.pod_network != "calico" or not there or not wanted or subject in situation.refused_inputs:
        return
    problem = calico_manifest.unreachable(there, wanted)
    if problem:
        yield Problem(subject, *problem)


def _changed_documents(situation: Situation, documents: Documents) -> Iterator[Problem]:
    """What can never change of kubeadm's documents."""
    inputs = situation.inputs
    driver = scalar(documents["kubelet"] or "", "cgroupDriver")
    if driver and driver != inputs.cgroup_driver and "cluster_cgroup_driver" not in situation.refused_inputs:
        yield Problem(
            "cluster_cgroup_driver",
            f"is {inputs.cgroup_driver}, but the cluster has {driver}",
            "write the cluster's value; pods that run have their cgroups by the driver they were started with, so a node changes it by joining anew",
        )
    name = "caCertificateValidityPeriod"
    wanted, there = inputs.kubeadm_config.get(name), scalar(documents["cluster"] or "", name)
    if wanted and there and duration(str(wanted)) != duration(there):
        yield Problem(
            "cluster_kubeadm_config",
            f"has {name} {wanted}, but the cluster's CA was made for {there}",
            "write the cluster's value, or leave it out; a CA that is there keeps its dates",
        )
    etcd = ((yaml.safe_load(documents["cluster"] or "") or {}).get("etcd") or {}).get("local") or {}
    described = (inputs.kubeadm_config.get("etcd") or {}).get("local") or {}
    for name in ("serverCertSANs", "peerCertSANs"):
        if documents["cluster"] and set(described.get(name) or []) != set(etcd.get(name) or []):
            yield Problem(
                "cluster_kubeadm_config",
                f"has etcd.local.{name} {listed(described.get(name) or []) or 'not'}, but the cluster has {listed(etcd.get(name) or []) or 'none'}",
                "write the cluster's value; these names are in certificates that kubeadm makes when a node joins, and keeps when it renews them",
            )


def duration(text: str) -> float | None:
    """The seconds of a duration as Go writes it, `8760h0m0s`; None of anything else."""
    parts = re.fullmatch(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?", text)
    return sum(int(part) * unit for part, unit in zip(parts.groups(default="0"), (3600, 60, 1))) if parts and text else None


# One node after the other.


def check_lease(situation: Situation) -> Iterator[Problem]:
    """Whether another procedure is at work, or was cut short."""
    lease, procedure = situation.lease, situation.request.procedure
    if lease is None:
        return
    what, by = f"{lease['procedure']} is at work", f"begun at {lease['since']} by {lease['run']}"
    dead = f"if that run is dead, say -e {TAKEOVER}=yes"
    if situation.request.lease_verdict == "alive":
        yield Problem("this cluster", f"{what}, {by}", "wait until it has ended")
    elif situation.said(TAKEOVER):
        return
    elif situation.request.lease_verdict == "unknown" and lease["run"]:
        yield Problem("this cluster", f"{what}, {by}, and from here it cannot be seen whether that run lives", f"wait until it has ended; {dead}")
    elif lease["procedure"] != procedure.name:
        ended = lease["failed"] or f"its run, {by}, is dead"
        known = PROCEDURES.get(lease["procedure"])
        command = f"run `ansible-playbook {known.playbook}` to its end first" if known else "end it first"
        yield Problem("this cluster", f"{lease['procedure']} did not come to its end ({ended})", f"{command}, or say -e {TAKEOVER}=yes to leave it as it is")


def check_words(situation: Situation) -> Iterator[Problem]:
    for name, value in situation.request.words.items():
        if name in SWITCHED_WORDS and value not in YES and value not in NO:
            yield Problem(f"-e {name}", f"is {value!r}", "write yes or no")
        if name in NUMBER_WORDS and not re.fullmatch(r"\d+", str(value)):
            yield Problem(f"-e {name}", f"is {value!r}", "write a whole number")


def check_nodes_serve(situation: Situation) -> Iterator[Problem]:
    """Nodes that are not Ready, and that nothing of ours has left so: work on another one would make it two."""
    living, now = situation.request.cluster, situation.request.now
    silent = [node["name"] for node in (living["nodes"] if living else []) if not node["ready"] and MAINTENANCE not in node["annotations"]]
    expired = {host.name: host.expired(now) for host in situation.nodes if host.name in silent and host.expired(now)}
    others = [name for name in silent if name not in expired]
    if others:
        yield Problem(
            listed(others), "is not Ready" if len(others) == 1 else "are not Ready", "see `journalctl -u kubelet` there; a machine that is gone, remove it"
        )
    for name, certificates in expired.items() if situation.request.procedure is not RENEW_CERTIFICATES else ():
        yield Problem(name, f"is not Ready, since {listed(certificates)} has expired", f"run `ansible-playbook {RENEW_CERTIFICATES.playbook}`")


def check_authorities(situation: Situation) -> Iterator[Problem]:
    """CAs that have expired: whatever they sign is worth nothing."""
    for host in situation.control_planes:
        expired = [name for name in host.expired(situation.request.now) if name in AUTHORITIES] if host.state == "control_plane" else []
        if expired:
            yield Problem(host.host, f"{listed(expired)} has expired", "no procedure makes a CA anew yet: build a new cluster")


def _networks(texts: Iterable[str]) -> str:
    return ", ".join(str(ipaddress.ip_network(text)) for text in texts)


# What stands in the way of an upgrade. All of it is asked again for each version of the path, and of a run that goes on with one that was killed.


def check_upgrade_path(situation: Situation) -> Iterator[Problem]:
    if situation.configured_version and not situation.refused_inputs & {"cluster_kubernetes_version", "cluster_upgrade_path"}:
        there = upgrade.control_plane_version(situation.versions, situation.configured_version)
        yield from upgrade.path_problems(there, situation.inputs.kubernetes_version, situation.inputs.upgrade_path)


def check_upgrade_hosts(situation: Situation) -> Iterator[Problem]:
    living, following = situation.request.cluster, situation.upgrade
    if living is None or following is None:
        return
    unfinished = [host.host for host in situation.nodes if host.state in UNFINISHED_STATES]
    if unfinished:
        yield Problem(listed(unfinished), "has an unfinished kubeadm", f"run `ansible-playbook {SITE.playbook}` first, which ends it")
    known = {host.name for host in situation.nodes}
    strangers = [node["name"] for node in living["nodes"] if node["control_plane"] and node["name"] not in known]
    if strangers:
        yield Problem(listed(strangers), "is a control plane of the cluster, and not in the inventory", "add it there, or remove it from the cluster")
    left_out = [host.host for host in situation.control_planes if host.host in following["nodes"] and not host.in_run]
    if left_out:
        yield Problem(listed(left_out), "would keep the old version, since this run excludes it", "run without --limit")


def check_upgrade_health(situation: Situation) -> Iterator[Problem]:
    """Others than nodes at which an earlier run stopped: those are the next to be worked on."""
    living, following = situation.request.cluster, situation.upgrade
    if living is None or following is None or not following["nodes"]:
        return
    excused = [situation.hosts[host].name for host in situation.left_in_maintenance]
    for host in situation.control_planes:
        if host.state == "control_plane" and host.found and not host.found["api_ready"] and host.name not in excused:
            problem = host.found["api_problem"] or "no reason given"
            yield Problem(host.host, f"its API server is not ready ({problem})", "repair it: see `journalctl -u kubelet` and /var/log/pods there")
    if living["etcd_problem"]:
        yield Problem("etcd", f"does not answer: {living['etcd_problem']}", "repair it: see /var/log/pods on the control planes")
    sick = [member["name"] or member["id"] for member in living["etcd_members"] if not member["healthy"] and member["name"] not in excused]
    learners = [member["name"] or member["id"] for member in living["etcd_members"] if member["learner"]]
    if sick:
        yield Problem(f"etcd member {listed(sick)}", "is not healthy", "repair it, or replace its machine: without it, no other may stop")
    if learners:
        yield Problem(f"etcd member {listed(learners)}", "is a learner, which has no vote", "wait until it is promoted, or remove it")


def check_upgrade_budgets(situation: Situation) -> Iterator[Problem]:
    """Before the first node rather than at the third; where a run goes on, a pod may wait for just the node that it has to put back."""
    living, following = situation.request.cluster, situation.upgrade
    if living is None or following is None or situation.left_in_maintenance or not any(visit["drain"] for visit in following["nodes"].values()):
        return
    for budget in living["strict_budgets"]:
        counts = f"{budget['healthy']} are healthy, {budget['required']} have to be"
        yield Problem(
            f"PodDisruptionBudget {budget['namespace']}/{budget['name']}",
            f"lets none of its {budget['pods']} pods go ({counts}), so no node that has one can be emptied",
            "repair its pods, run more of them, or allow one to be missing",
        )


def check_upgrade_etcd(situation: Situation) -> Iterator[Problem]:
    following = situation.upgrade
    if following:
        tags = {one.host: one.components[upgrade.ETCD] for one in situation.versions if upgrade.ETCD in one.components}
        yield from upgrade.etcd_problems(tags, [following["version"], *following["further"]])


def check_upgrade_settings(situation: Situation) -> Iterator[Problem]:
    living, following = situation.request.cluster, situation.upgrade
    text = living["documents"]["cluster"] or "" if living and following else ""
    target = upgrade.minor(following["version"]) if following else 0
    for first, phrase, subject, write in REMOVED_SETTINGS:
        if target >= first and phrase in text:
            yield Problem(f"kubeadm-config in kube-system: {subject}", f"Kubernetes 1.{first} no longer has it", write)


def check_upgrade_apis(situation: Situation) -> Iterator[Problem]:
    """The metric counts from the start of an API server, and does not say who asked; only an audit log would."""
    following = situation.upgrade
    if following is None or not following["nodes"]:
        return
    used: dict[str, list[str]] = {}
    for host in situation.control_planes:
        facts = host.found["upgrade"] if host.found else None
        if facts and facts["metrics_problem"]:
            yield Problem(host.host, f"does not tell which deprecated APIs are in use ({facts['metrics_problem']})", "repair its API server, and run again")
        for group, version, resource, removed in facts["deprecated_apis"] if facts else ():
            if (release(f"{removed}.0") or ()) <= (1, upgrade.minor(following["version"]), 0):
                used.setdefault(f"{resource} of {group or 'core'}/{version} (removed in {removed})", []).append(host.host)
    for api, hosts in used.items():
        yield Problem(
            listed(hosts),
            f"somebody uses {api}, which Kubernetes {following['version']} does not have",
            "find who asks for it (an audit log tells), move them to a later API, and restart that API server, which counts since its start",
        )


def check_upgrade_calico(situation: Situation) -> Iterator[Problem]:
    living, following = situation.request.cluster, situation.upgrade
    there = release(calico_manifest.node_release(living["addons"].get("calico-node", ""))) if living and following and following["nodes"] else None
    oldest = OLDEST_CALICO.get(upgrade.minor(following["version"])) if following else None
    if there and oldest and there[:2] < oldest and following:
        yield Problem(
            "cluster_calico_version",
            f"the cluster has Calico {'.'.join(map(str, there))}, which is not tested with Kubernetes {following['version']}",
            f"raise it to {oldest[0]}.{oldest[1]} first, by `ansible-playbook {SITE.playbook}`",
        )


def check_upgrade_room(situation: Situation) -> Iterator[Problem]:
    following = situation.upgrade
    for host in situation.nodes:
        facts = host.found["upgrade"] if host.found and following and host.host in following["nodes"] else None
        needed: dict[int, int] = {}
        for place in facts["room"] if facts else ():
            needed[place["device"]] = needed.get(place["device"], 0) + upgrade.room_mb(place["path"], host.control_plane, facts["etcd_mb"] if facts else 0)
        for device, megabytes in needed.items():
            places = [place for place in facts["room"] if place["device"] == device] if facts else []
            if places[0]["free_mb"] < megabytes:
                yield Problem(
                    host.host,
                    f"{listed(place['path'] for place in places)} has {places[0]['free_mb']} MB left, and the upgrade takes up to {megabytes} MB",
                    "make room there",
                )


# In the order of a message that has several.
CHECKS: tuple[tuple[Aspect, Callable[[Situation], Iterator[Problem]]], ...] = (
    ("description", check_groups),
    ("reached", check_reached),
    ("machines", check_systems),
    ("description", check_names),
    ("description", check_endpoint),
    ("description", check_addresses),
    ("description", check_families),
    ("description", check_networks),
    ("description", check_room),
    ("description", check_balancer),
    ("description", check_proxies),
    ("description", check_virtual_ip),
    ("description", check_failover),
    ("description", check_endpoint_port),
    ("machines", check_ports),
    ("machines", check_containerd),
    ("machines", check_bundle),
    ("building", check_pod_network),
    ("building", check_kubelet_config),
    ("building", check_kubeadm_patches),
    ("building", check_files),
    ("one cluster", check_clusters),
    ("building", check_first_init),
    ("building", check_unfinished),
    ("existing", check_there),
    ("serving", check_serving),
    ("building", check_version),
    ("unchanged", check_changes),
    ("unchanged", check_calico),
    ("walking", check_words),
    ("walking", check_lease),
    ("walking", check_nodes_serve),
    ("upgrading", check_upgrade_path),
    ("upgrading", check_upgrade_hosts),
    ("upgrading", check_upgrade_health),
    ("upgrading", check_upgrade_budgets),
    ("upgrading", check_upgrade_etcd),
    ("upgrading", check_upgrade_settings),
    ("upgrading", check_upgrade_apis),
    ("upgrading", check_upgrade_calico),
    ("upgrading", check_upgrade_room),
    ("certificates", check_authorities),
)


def problems_of(situation: Situation) -> list[Problem]:
    """Everything that must not be, as far as it concerns the procedure."""
    procedure = situation.request.procedure
    return [
        *refused_words(procedure, situation.request.said),
        *(problem for aspect, check in CHECKS if aspect in procedure.aspects for problem in check(situation)),
    ]


def _pool_warnings(situation: Situation) -> Iterator[str]:
    """Calico takes its encapsulation from the manifest when it makes its pools, and never again."""
    living, inputs = situation.request.cluster, situation.inputs
    wanted = ENCAPSULATIONS[inputs.calico_encapsulation]
    for pool in living["calico_pools"] if living and inputs.pod_network == "calico" else ():
        # IPv6 has no IP in IP.
        modes = {"vxlanMode": (pool["vxlan"], wanted.vxlan), **({} if ":" in pool["cidr"] else {"ipipMode": (pool["ipip"], wanted.ipip)})}
        if pool["cidr"] in inputs.pod_subnets and any(there != described for there, described in modes.values()):
            there = ", ".join(f"{name} {mode}" for name, (mode, _wanted) in modes.items())
            patch = json.dumps({"spec": {name: described for name, (_there, described) in modes.items()}})
            yield (
                f"cluster_calico_encapsulation is {inputs.calico_encapsulation}, but Calico keeps its pool {pool['name']} as it was made ({there}). Write the "
                f"cluster's value, or change the pool: kubectl patch ippools.crd.projectcalico.org {pool['name']} --type merge --patch '{patch}'. Pods on "
                "different nodes do not reach each other until every node has the new routes, for seconds."
            )


def warnings_of(situation: Situation) -> list[str]:
    """What is allowed and yet worth knowing, of a situation without problems."""
    warnings = []
    count = len(situation.etcd_members)
    if is_wasteful(count):
        warnings.append(f"There are {count} hosts in {situation.etcd.group}, which tolerate no more failures than {count - 1}; an odd number is better.")
    if situation.inputs.allow_old_containerd and situation.kubernetes_minor in OLDEST_CONTAINERD:
        warnings.append("cluster_allow_old_containerd is set: upstream supports this Kubernetes with containerd 2.0 and later only.")
    if situation.upgrade_under_way and situation.request.procedure is SITE:
        warnings.append(
            f"An upgrade to {situation.configured_version} is under way, and not every node has it: `ansible-playbook {UPGRADE.playbook}` ends it. "
            "Nodes that join until then get the version that the control plane has, the others are left as they are."
        )
    warnings += _pool_warnings(situation)
    for host in situation.control_planes:
        if host.state == "control_plane" and host.found and not host.found["api_ready"]:
            warnings.append(f"{host.host}: its API server is not ready ({host.found['api_problem'] or 'no reason given'}).")
    return warnings
