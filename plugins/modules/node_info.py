#!/usr/bin/python
# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tell what a node is by itself."""

from __future__ import annotations

DOCUMENTATION = r"""
module: node_info
short_description: Tell what a node is by itself
version_added: 0.1.0
author: Quorum contributors (@quorum)
description:
  - Reads in one go what installing, initialising and joining must know of a host - its system, its addresses, who listens on which port,
    which versions are installed, and what it is to Kubernetes already, told by the CA of its cluster.
  - Needs C(become), since keys and the sockets of other processes are root's.
extends_documentation_fragment: quorum.kubeadm.attributes.reads
options:
  containerd_candidate:
    description: Whether to ask the package manager which version of containerd the distribution offers.
    type: bool
    default: false
  resolve:
    description: A name, the endpoint's, whose addresses on this host are to be told.
    type: str
  ask_dns:
    description: Whether to ask DNS for it where C(/etc/hosts) does not know it; an answer is waited for two seconds a server.
    type: bool
    default: true
  reboot_hint:
    description: Whether to ask C(needs-restarting) whether the host wants to be rebooted. C(/run/reboot-required) is looked at in any case.
    type: bool
    default: false
  upgrade:
    description: Whether to tell what an upgrade has to know as well; on a control plane its API server is asked for its metrics.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Read what the node is
  quorum.kubeadm.node_info:
  register: node_info

- name: Refuse a node of another cluster
  ansible.builtin.assert:
    that: node_info.node.ca_hash in [none, expected_ca_hash]
"""

RETURN = r"""
node:
  description: What the node is.
  returned: success
  type: dict
  contains:
    system:
      description:
        - The operating system - C(id), C(version_id) and C(codename) of C(/etc/os-release), its C(name), how its C(packages) are made,
          V(deb), V(rpm) or empty where that is not known, and the C(architecture).
      type: dict
      sample: {id: debian, version_id: "12", codename: bookworm, name: Debian GNU/Linux 12 (bookworm), packages: deb, architecture: x86_64}
    hostname:
      description: The host's name.
      type: str
    kernel:
      description: The kernel's release.
      type: str
    memory_mb:
      description: The memory in MiB.
      type: int
    swap:
      description: Whether swap is on.
      type: bool
    python:
      description: The version of the Python that ran this module.
      type: str
    interfaces:
      description: The network interfaces with their addresses, those of the link alone aside.
      type: list
      elements: dict
      sample: [{name: eth0, addresses: [{address: 192.0.2.11, prefix: 24}]}]
    default_address:
      description: The address from which the default route is used, or None.
      type: str
    default_interface:
      description: The interface that holds it, or None.
      type: str
    listening:
      description: Every TCP port that is listened on, with the name of the C(process), None where the kernel itself listens.
      type: list
      elements: dict
      sample: [{port: 6443, address: "::", process: kube-apiserver}]
    containerd:
      description: The C(version) of containerd that is installed, and the distribution's C(candidate) when that was asked for; None without.
      type: dict
      sample: {version: 2.3.7, candidate: null}
    kubelet:
      description: The C(version) of the kubelet that is installed, or None.
      type: dict
    kubeadm:
      description: The C(version) of kubeadm that is installed, or None.
      type: dict
    images:
      description: The images of kubeadm's static pods, as the manifests on this node name them; none on others than control planes.
      type: dict
      sample: {etcd: "registry.k8s.io/etcd:3.7.0-0", kube-apiserver: "registry.k8s.io/kube-apiserver:v1.37.2"}
    state:
      description:
        - C(clean), C(control_plane) and C(worker) are what they say.
        - C(initialising) has a CA, or what an unfinished C(kubeadm init) left.
        - C(half_joined) has what an unfinished C(kubeadm join) left.
        - A node whose work was marked as unfinished, but that its cluster has as a finished member and that serves, is what it became.
      type: str
    certificates:
      description:
        - The certificates that kubeadm, its kubeconfig files and the kubelet have here, and those of the CAs. C(name) is kubeadm's, or
          C(kubelet-client) and C(kubelet-server); C(not_before) and C(not_after) are in UTC, None where C(path) holds none that can be read; C(names) are those
          of subjectAltName.
      type: list
      elements: dict
      sample:
        - name: apiserver
          path: /etc/kubernetes/pki/apiserver.crt
          not_before: "2026-11-28T16:12:52Z"
          not_after: "2027-11-28T16:17:52Z"
          names: [cp1, kubernetes, 192.0.2.11]
    outdated_components:
      description: >-
        The components of a control plane that began before a file was last written that their flags name, such as a renewed certificate;
        M(quorum.kubeadm.static_pods) starts them anew.
      type: list
      elements: str
      sample: []
    patches:
      description: The names of the patches for kubeadm that the role P(quorum.kubeadm.kubeadm_patches#role) has written here.
      type: list
      elements: str
      sample: [kube-apiserver+merge.yaml]
    ca_hash:
      description: The pin of the cluster's CA, or None.
      type: str
    ca_certificate:
      description: The certificate of the cluster's CA, PEM, or None.
      type: str
    endpoint:
      description: The cluster's endpoint as this node's kubeconfig files have it, a URL, or None.
      type: str
      sample: https://api.example.com:16443
    node_name:
      description: The name under which the kubelet speaks to the cluster, or None.
      type: str
    api_ready:
      description: Whether this node's own API server says it is ready, within two seconds; false on others than control planes.
      type: bool
    api_problem:
      description: Why a control plane's API server is not ready, or None.
      type: str
    reboot_required:
      description: Whether the host asks for a reboot, by C(/run/reboot-required), or by C(needs-restarting) with O(reboot_hint).
      type: bool
    resolved:
      description:
        - What O(resolve) means here, None when no name was given.
        - C(addresses) are what programs get, C(hosts_file) what C(/etc/hosts) says alone, and C(stale_copies) the pods on the host's network
          that have an older copy of that file.
      type: dict
      sample: {addresses: [192.0.2.10], hosts_file: [192.0.2.10], stale_copies: []}
    upgrade:
      description:
        - What an upgrade has to know, None when O(upgrade=false).
        - C(room) on the disks where it writes, C(etcd_mb) that etcd's data takes, and C(deprecated_apis) that somebody has asked this node's API
          server for since it was started, each a list of group, version, resource and the release that removes it. C(metrics_problem) says why
          they are not known.
      type: dict
      sample:
        room: [{path: /etc/kubernetes, device: 64769, free_mb: 20480}]
        etcd_mb: 133
        deprecated_apis: [[flowcontrol.apiserver.k8s.io, v1beta3, flowschemas, "1.32"]]
        metrics_problem: null
"""

import os
import platform
import socket
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Iterable

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.quorum.kubeadm.plugins.module_utils import hosts_file, machine
from ansible_collections.quorum.kubeadm.plugins.module_utils.api_server import wait_ready
from ansible_collections.quorum.kubeadm.plugins.module_utils.certificates import CertificateError
from ansible_collections.quorum.kubeadm.plugins.module_utils.command import Runner, run
from ansible_collections.quorum.kubeadm.plugins.module_utils.control_plane import NoControlPlane, local_kubectl
from ansible_collections.quorum.kubeadm.plugins.module_utils.host_pods import stale_copies
from ansible_collections.quorum.kubeadm.plugins.module_utils.kubectl import Deadline, KubectlError
from ansible_collections.quorum.kubeadm.plugins.module_utils.membership import actual_membership
from ansible_collections.quorum.kubeadm.plugins.module_utils.node_certificates import read_certificates
from ansible_collections.quorum.kubeadm.plugins.module_utils.node_state import PATCHES, read_api_server, read_images
from ansible_collections.quorum.kubeadm.plugins.module_utils.static_pods import outdated
from ansible_collections.quorum.kubeadm.plugins.module_utils.upgrade_facts import read_upgrade_facts

ROOT = Path("/")
# A process that is just being started again has another socket by the time that processes are read.
LOOKS = 3
VERSIONS = {
    "containerd": ["containerd", "--version"],
    "kubelet": ["kubelet", "--version"],
    "kubeadm": ["kubeadm", "version", "--output", "short"],
}
# /readyz is "etcd failed" for a moment whenever etcd elects a leader: no reason to call a server dead, or to plan without it. Seconds.
MOMENT = 2.0

# /metrics of a busy API server has tens of megabytes. Seconds.
METRICS_ANSWER = 20

# The owner of the endpoint's line, as the role endpoint writes it.
ENDPOINT = "endpoint"


class NotEnough(Exception):
    """The host cannot be read."""


def read(path: Path) -> str:
    """Return a file's text, empty when there is none."""
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def process_name(process: Path) -> str:
    """Return a process's name, whole where the kernel keeps its first 15 letters alone."""
    name = read(process / "comm").strip()
    program = os.path.basename(os.readlink(process / "exe")) if len(name) == 15 else name
    return program if program.startswith(name) else name


def processes(inodes: Iterable[str], root: Path = ROOT) -> dict[str, str]:
    """Return the names of the processes that hold the sockets with these inodes."""
    wanted = {f"socket:[{inode}]": inode for inode in inodes}
    found: dict[str, str] = {}
    for process in (root / "proc").iterdir() if wanted else ():
        if not process.name.isdigit() or len(found) == len(wanted):
            continue
        try:
            for descriptor in os.scandir(process / "fd"):
                inode = wanted.get(os.readlink(descriptor.path))
                if inode:
                    found[inode] = process_name(process)
        except OSError:  # the process, or one of its descriptors, is gone
            continue
    return found


def listening(root: Path = ROOT) -> list[dict[str, Any]]:
    """Return who listens."""
    sockets: list[machine.Socket] = []
    names: dict[str, str] = {}
    for _look in range(LOOKS):
        sockets = [one for table in ("tcp", "tcp6") for one in machine.parse_listeners(read(root / "proc/net" / table))]
        names.update(processes({one["inode"] for one in sockets} - set(names), root))
        if all(one["inode"] in names for one in sockets):
            break
    return sorted(
        ({"port": one["port"], "address": one["address"], "process": names.get(one["inode"])} for one in sockets),
        key=lambda one: (one["port"], one["address"]),
    )


def installed_version(runner: Runner, command: list[str]) -> str | None:
    """Return the version of an installed program, or None when it is not there."""
    result = runner(command)
    return machine.parse_version(result.stdout) if result.rc == 0 else None


def candidate(runner: Runner, root: Path = ROOT) -> str | None:
    """Return the version of containerd that the distribution offers."""
    if (root / "usr/bin/apt-cache").exists():
        return machine.parse_candidate(runner(["apt-cache", "policy", "containerd"]).stdout)
    # Quiet and from the cache: EL has no containerd of its own, and a repository that does not answer is not this module's business.
    found = runner(["dnf", "--quiet", "--cacheonly", "repoquery", "--latest-limit=1", "--queryformat=%{version}", "containerd"])
    return machine.parse_version(found.stdout) if found.rc == 0 else None


def reboot_required(runner: Runner, ask: bool, root: Path = ROOT) -> bool:
    """Return whether the host asks for a reboot: Debian's packages leave a file, EL's tool compares what runs with what is installed."""
    # 1 says so (needs-restarting(1), --reboothint); without the tool it is 127.
    return (root / "run/reboot-required").exists() or (ask and runner(["needs-restarting", "--reboothint"]).rc == 1)


def from_dns(name: str) -> list[str]:
    """Return the addresses that DNS knows; none too when it does not answer."""
    # resolv.conf(5): by default glibc waits twice five seconds for each server.
    os.environ["RES_OPTIONS"] = "timeout:2 attempts:1"
    try:
        return list(dict.fromkeys(str(entry[4][0]) for entry in socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)))
    except OSError:
        return []


def resolved(name: str, ask_dns: bool, root: Path = ROOT) -> dict[str, list[str]]:
    """Return what a name means on this host."""
    hosts = read(root / "etc/hosts")
    known = hosts_file.addresses(hosts, name)
    return {
        "addresses": known or (from_dns(name) if ask_dns else []),
        "hosts_file": known,
        "stale_copies": [copy.pod for copy in stale_copies(hosts, ENDPOINT, root)],
    }


def metrics(root: Path = ROOT) -> str:
    """Return what this node's API server tells of itself; raise OSError when it does not."""
    try:
        return local_kubectl(Deadline(METRICS_ANSWER), root)("get", "--raw", "/metrics")
    except (KubectlError, NoControlPlane) as error:
        raise OSError(str(error)) from None


def patches(root: Path = ROOT) -> list[str]:
    """Return the names of the patches that kubeadm finds on this node."""
    directory = root / PATCHES
    return sorted(entry.name for entry in directory.iterdir()) if directory.is_dir() else []


def node(
    containerd_candidate: bool,
    runner: Runner = run,
    root: Path = ROOT,
    resolve: str | None = None,
    ask_dns: bool = True,
    reboot_hint: bool = False,
    upgrade: bool = False,
) -> dict[str, Any]:
    """Read the node."""
    membership = actual_membership(root)
    with ThreadPoolExecutor() as side_by_side:
        addresses = side_by_side.submit(runner, ["ip", "-json", "address"])
        versions = {name: side_by_side.submit(installed_version, runner, command) for name, command in VERSIONS.items()}
        offered = side_by_side.submit(candidate, runner, root) if containerd_candidate else None
        meant = side_by_side.submit(resolved, resolve, ask_dns, root) if resolve else None
        reboot = side_by_side.submit(reboot_required, runner, reboot_hint, root)
        sockets = listening(root)
        server = read_api_server(root) if membership["state"] == "control_plane" else None
        problem = wait_ready(root, server, MOMENT) if server else None
        serves = server is not None and problem is None
        facts = read_upgrade_facts(root, (lambda: metrics(root)) if serves else None) if upgrade else None
    if addresses.result().rc != 0:
        raise NotEnough(f"`ip -json address` failed: {addresses.result().stderr.strip()}. Install iproute2 (Debian, Ubuntu) or iproute (EL)")
    interfaces = machine.parse_addresses(addresses.result().stdout)
    outward = machine.outward_address()
    kernel = os.uname()
    return {
        "system": machine.parse_os_release(read(root / "etc/os-release"), kernel.machine),
        "hostname": socket.gethostname(),
        "kernel": kernel.release,
        "memory_mb": machine.parse_memory_mb(read(root / "proc/meminfo")),
        "swap": machine.has_swap(read(root / "proc/swaps")),
        "python": platform.python_version(),
        "interfaces": interfaces,
        "default_address": outward,
        "default_interface": machine.interface_of(interfaces, outward),
        "listening": sockets,
        "containerd": {"version": versions["containerd"].result(), "candidate": offered.result() if offered else None},
        "kubelet": {"version": versions["kubelet"].result()},
        "kubeadm": {"version": versions["kubeadm"].result()},
        "images": read_images(root),
        **membership,
        "patches": patches(root),
        "certificates": read_certificates(root),
        "outdated_components": outdated(root),
        "api_ready": serves,
        "api_problem": problem,
        "reboot_required": reboot.result(),
        "resolved": meant.result() if meant else None,
        "upgrade": facts,
    }


def main() -> None:
    """Entry point."""
    module = AnsibleModule(
        argument_spec={
            "containerd_candidate": {"type": "bool", "default": False},
            "resolve": {"type": "str"},
            "ask_dns": {"type": "bool", "default": True},
            "reboot_hint": {"type": "bool", "default": False},
            "upgrade": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    if os.geteuid() != 0:
        module.fail_json(msg="node_info reads keys and the sockets of other processes, which are root's: write `become: true` on the play")
    try:
        asked = {name: module.params[name] for name in ("containerd_candidate", "resolve", "ask_dns", "reboot_hint", "upgrade")}
        read_node = node(**asked)
        module.exit_json(changed=False, node=read_node)
    except (CertificateError, NotEnough) as error:
        module.fail_json(msg=str(error))


if __name__ == "__main__":
    main()
