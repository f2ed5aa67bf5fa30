#!/usr/bin/python
# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the action plugin cluster_plan, which does the work on the controller."""

from __future__ import annotations

DOCUMENTATION = r"""
module: cluster_plan
short_description: Check the inputs of a cluster and plan what each host has to do
version_added: 0.1.0
author: Quorum contributors (@quorum)
description:
  - Reads the C(cluster_*) variables of all hosts of the cluster, also of those outside C(--limit), fills in the defaults,
    and joins them with what the hosts were found to be. The variables are listed in C(docs/inputs.md).
  - Refuses what is wrong with one message that lists every problem, each with the variable or host, what is wrong and what to write.
  - The primary is a control plane that serves the cluster already. Only when there is none, the first control plane of the inventory
    initialises the cluster.
  - Prints the plan, a few lines that say what hosts are going to do.
  - Works on the controller alone, without a connection to any host, and never changes anything.
extends_documentation_fragment: quorum.kubeadm.attributes.reads
options:
  procedure:
    description:
      - What the plan is for, which is a playbook of this collection. It decides what is checked, whether a host that does not answer ends the run,
        whether hosts get steps to take, and which words of C(-e) mean something; one that belongs to another procedure is refused.
      - V(site) builds the cluster, or brings it to what the inventory says; V(verify) tells what is wrong with it, V(drill) breaks its endpoint
        and measures what that costs, V(reboot) reboots its machines one after the other, V(upgrade) brings them to another version of Kubernetes,
        V(reconfigure) brings its components to the described settings, V(renew_certificates) renews its certificates, V(guide) is the lab's.
    type: str
    choices: [site, verify, drill, reboot, etcd_defragment, upgrade, reconfigure, renew_certificates, guide]
    default: site
  control_planes:
    description: The hosts of the inventory that are to be control planes. When not given, the group of that name.
    type: list
    elements: str
  workers:
    description: The hosts that are to be workers. When not given, the group of that name.
    type: list
    elements: str
  proxies:
    description: The hosts that serve a virtual IP. When not given, the group of that name; when empty, the control planes do.
    type: list
    elements: str
  facts_variable:
    description: The variable in which each host has the registered result of M(quorum.kubeadm.cluster_host_info).
    type: str
    default: found
  found_elsewhere:
    description:
      - Results of M(quorum.kubeadm.cluster_host_info) run in a loop by delegation, for hosts outside C(--limit).
        The C(item) of each is the host, its C(node) what was found; without C(node) the host was not reached.
    type: list
    elements: dict
    default: []
  cluster:
    description: The C(cluster) that M(quorum.kubeadm.cluster_info) returned, when there is a living one.
    type: dict
seealso:
  - module: quorum.kubeadm.cluster_host_info
  - module: quorum.kubeadm.cluster_info
"""

EXAMPLES = r"""
- name: See what each host is
  quorum.kubeadm.cluster_host_info:
  register: found
  ignore_unreachable: true

- name: Plan the cluster
  quorum.kubeadm.cluster_plan:
    procedure: site
    facts_variable: found
  run_once: true
  register: planned
"""

RETURN = r"""
plan:
  description: The inputs as they were read, and what follows from them and from what was found. It holds no secret.
  returned: success
  type: dict
  contains:
    inputs:
      description:
        - The inputs of the whole cluster by their names in C(docs/inputs.md) without C(cluster_), with their defaults, and with C(~) in paths
          of the controller resolved; secrets are left out.
      type: dict
    endpoint:
      description:
        - What follows from the type of the endpoint, C(port), C(host_port), the name and the port, C(balanced), whether a
          balancer that is not ours stands before it, C(floating), whether one of the proxies has that address at
          a time, and C(mover), what moves it between them, V(keepalived) or nothing.
      type: dict
    balancer:
      description:
        - How that load balancer is tested, C(test) (V(fail), V(warn) or V(skip)), C(listen) (whether nothing serves yet), C(needs_hairpin),
          C(subject), the inputs to name when it fails,
          C(addresses) where it is, and the C(backends) it has to reach.
      type: dict
    primary:
      description: The control plane that initialises the cluster or lets others join it.
      type: str
    initialise:
      description: Whether the primary has to initialise the cluster.
      type: bool
    ca_certificate:
      description: The certificate of the living cluster's CA, empty when there is no cluster.
      type: str
    stale_members:
      description: C(name) and C(address) of new machines in the place of control planes that died; etcd has to forget those first.
      type: list
      elements: dict
    stale_nodes:
      description: C(name) and C(address) of machines that have to join, by names of nodes which the cluster has to forget first.
      type: list
      elements: dict
    reset:
      description: The hosts whose unfinished C(kubeadm init) or C(kubeadm join) has to be cleaned first.
      type: list
      elements: str
    joining:
      description: The hosts that have to join; C(joining_control_planes) and C(joining_workers) are its two parts.
      type: list
      elements: str
    joining_control_planes:
      description: The control planes that have to join.
      type: list
      elements: str
    joining_workers:
      description: The workers that have to join.
      type: list
      elements: str
    present:
      description: The nodes of this run that belong to the cluster already, by their names in it.
      type: list
      elements: str
    awaited:
      description: All nodes of this run, by their names in the cluster.
      type: list
      elements: str
    order:
      description: >-
        All nodes in the order in which they are visited by a procedure that works on one after the other, C(control_planes) with etcd's leader second to
        last and the active router last, and C(workers).
      type: dict
      sample: {control_planes: [cp1, cp3, cp2], workers: [w1, w2, w3]}
    visits:
      description: >-
        By host what the role P(quorum.kubeadm.node_maintenance#role) is told of it, C(name), C(control_plane), C(serving), a control plane that answers
        meanwhile, C(address), the virtual IP where it may have it, and C(later), the names of the control planes that are visited after it.
      type: dict
    todo:
      description: >-
        The hosts of this run on which such a procedure has something to do, and those that an earlier run entered and did not leave. None where the
        procedure finds out later.
      type: list
      elements: str
    expired:
      description: >-
        The hosts of this run that have left the cluster because their certificates have expired, C(control_planes) and C(workers). None of them serves
        anybody.
      type: dict
      sample: {control_planes: [], workers: [w2]}
    notes:
      description: What sets hosts apart when they are visited, in words for the user.
      type: dict
      sample: {cp2: has the endpoint's address}
    drains:
      description: Whether the procedure moves the pods of a node away before it works on it.
      type: bool
    lease:
      description: >-
        C(run), the name of this run, by which it holds the Lease, whether an earlier run has C(left) it, and C(takes_over), the name of that run, or nothing
        where it said itself that it failed.
      type: dict
    words:
      description: The procedure's own words that were said with C(-e), or in the inventory, with their values.
      type: dict
    revoke:
      description: Whether join credentials have to be taken back, those of this run or those that a killed one left.
      type: bool
    nodes:
      description:
        - By host, its C(inputs), as above, C(name) in the cluster, C(address), C(interface), C(control_plane), C(step) (V(none), V(init), V(join)
          or V(rejoin)), C(reset), C(endpoint_address) (what the endpoint's name resolves to on it), C(endpoint_address_joined) (the same once it
          has joined), C(endpoint_named) (whether C(/etc/hosts) says the first already), C(hosts_entries) (C(name) and C(address) of the nodes
          that it knows by C(/etc/hosts)), C(sysctls), C(keeps_containerd), whether its containerd stays as it is, C(left_to_upgrade), whether
          Kubernetes' programs do because an upgrade is under way, their C(version), the C(bundle_path) of it, C(sandbox_image),
          C(upgrade_configuration), what C(kubeadm upgrade) is told,
          C(patches) for kubeadm (C(path) and C(content)), C(init_configuration) and C(join_configuration),
          what C(kubeadm init), or its phases, and C(kubeadm join) are told of it.
      type: dict
    proxies:
      description:
        - By host that serves the endpoint, its C(address) for VRRP, the C(listen_address) of HAProxy, the C(interface) of the virtual IP,
          C(vip_prefix), the C(peers), the C(priority), C(owns_first), C(statistics_address), where its statistics page listens, and C(etcd_address),
          where it tells the others of its etcd; empty where proxies have none.
      type: dict
    proxy_ports:
      description: C(monitor), C(etcd) and C(statistics), where HAProxies are asked how they are, each for the etcd beside it, and for their page.
      type: dict
    proxy_timings:
      description: >-
        C(check_interval), C(check_timeout), C(dead_interval), C(dead_timeout) and C(connect_timeout), in milliseconds, and C(dead_fall): how soon
        HAProxy notices that an API server is late, or dead.
      type: dict
    backends:
      description: C(name), C(address) and C(port) of every API server.
      type: list
      elements: dict
    clients:
      description: >-
        The hosts that measure what a procedure costs, each with the address or the name at which it asks the endpoint. None where no node sees the endpoint
        as others do.
      type: dict
      sample: {w1: 192.0.2.10, w3: 192.0.2.10}
    vrrp:
      description: C(router_id) and C(state_file), the file by which keepalived is told how HAProxy is.
      type: dict
    containerd:
      description: C(source), C(version), empty where any will do that is there, and C(systemd_cgroup).
      type: dict
    kubeadm:
      description:
        - What kubeadm is told of the cluster, without secrets, C(cluster_configuration), C(kubelet_configuration) and C(kube_proxy_configuration).
      type: dict
    upgrade:
      description:
        - What an upgrade does next, None for other procedures - the version that is C(there), the next C(version), the C(further) ones of the path,
          C(own_etcd), whether kubeadm brings the etcd of that version, and C(nodes), by host that has something to do C(mode) (V(apply) or V(node))
          and C(drain).
      type: dict
    fetch_kubeconfig_server:
      description: The host and port that a kubeconfig on the controller has to name; empty when it is the endpoint.
      type: str
    calico_manifest:
      description: Calico's manifest, the user's or the bundle's; empty when it is upstream's of the release.
      type: str
    warnings:
      description: What is allowed and yet worth knowing.
      type: list
      elements: str
    summary:
      description: The lines that are printed; none where no host gets a step.
      type: list
      elements: str
"""
