# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a node is to Kubernetes, told by the files that kubeadm leaves on it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal, NamedTuple, TypedDict

from ansible_collections.quorum.kubeadm.plugins.module_utils.certificates import CertificateError, common_name, first_certificate, public_key_pin
from ansible_collections.quorum.kubeadm.plugins.module_utils.ports import API_SERVER

State = Literal["clean", "initialising", "control_plane", "worker", "half_joined"]
Work = Literal["init", "join"]

KUBERNETES = "etc/kubernetes"
PKI = f"{KUBERNETES}/pki"
CA_CERTIFICATE = f"{PKI}/ca.crt"
CA_KEY = f"{PKI}/ca.key"
ADMIN_KUBECONFIG = f"{KUBERNETES}/admin.conf"
SUPER_ADMIN_KUBECONFIG = f"{KUBERNETES}/super-admin.conf"
KUBELET_KUBECONFIG = f"{KUBERNETES}/kubelet.conf"
BOOTSTRAP_KUBECONFIG = f"{KUBERNETES}/bootstrap-kubelet.conf"
MANIFESTS = f"{KUBERNETES}/manifests"
API_SERVER_MANIFEST = f"{MANIFESTS}/kube-apiserver.yaml"
ETCD_MANIFEST = f"{MANIFESTS}/etcd.yaml"
ETCD_DATA = "var/lib/etcd"
KUBELET_CERTIFICATE = "var/lib/kubelet/pki/kubelet-client-current.pem"
# Written before kubeadm starts and removed when it has ended well: what kubeadm leaves when it is killed
# looks in many places like a finished node (kubelet.conf is one of the first files that `init` writes).
# It lies among the certificates because whoever runs `kubeadm reset` by hand empties that directory, and the mark goes with what it speaks of.
UNFINISHED_MARK = f"{PKI}/quorum.kubeadm.unfinished"
# In the order in which kubeadm renews them (phases/upgrade/staticpods.go).
STATIC_PODS = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler")
# Where a node has the patches for kubeadm; all that is in there is ours.
PATCHES = f"{KUBERNETES}/quorum.kubeadm/patches"
MEMBER_STATES: tuple[State, ...] = ("control_plane", "worker")
UNFINISHED_STATES: tuple[State, ...] = ("initialising", "half_joined")


class Traces(NamedTuple):
    """What of kubeadm's work is on the disk."""

    unfinished: Work | None = None
    kubelet_kubeconfig: bool = False
    bootstrap_kubeconfig: bool = False
    super_admin_kubeconfig: bool = False
    ca_certificate: bool = False
    ca_key: bool = False
    api_server: bool = False
    etcd: bool = False
    local_etcd_expected: bool = False
    certificates: bool = False  # beside the CA


class Membership(TypedDict):
    """What a node is by itself."""

    state: State
    ca_hash: str | None
    ca_certificate: str | None
    endpoint: str | None
    node_name: str | None


class ApiServer(NamedTuple):
    """Where this node's own API server listens."""

    address: str
    port: int

    @property
    def url(self) -> str:
        """Its URL."""
        return f"https://{url_host(self.address)}:{self.port}"


def url_host(address: str) -> str:
    """Write an address as URLs want it: IPv6 in brackets."""
    return f"[{address}]" if ":" in address else address


def classify(traces: Traces) -> State:
    """Tell what a node with these traces is."""
    if traces.unfinished is not None and (has_node_traces(traces) or traces.ca_certificate):
        return "initialising" if traces.unfinished == "init" else "half_joined"
    if traces.kubelet_kubeconfig:
        if not traces.api_server:
            return "worker"
        # kubeadm writes the API server's manifest before it adds the etcd member that the API server talks to.
        return "half_joined" if traces.local_etcd_expected and not traces.etcd else "control_plane"
    if traces.bootstrap_kubeconfig:
        return "half_joined"
    if traces.api_server and not traces.super_admin_kubeconfig:
        return "half_joined"
    # A CA with its key and nothing else is what the phase certificate_authority leaves, or an `init` that was cut short.
    if traces.api_server or traces.ca_key:
        return "initialising"
    return "half_joined" if traces.ca_certificate else "clean"


def has_node_traces(traces: Traces) -> bool:
    """Tell whether there is more than a CA on the node: then only `kubeadm reset` makes it ready to start again."""
    return any((traces.certificates, traces.kubelet_kubeconfig, traces.bootstrap_kubeconfig, traces.api_server, traces.etcd))


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except (FileNotFoundError, NotADirectoryError):
        return ""


def flag(manifest: str, name: str) -> str | None:
    """Return the value of a component's flag in its static pod manifest."""
    found = re.search(rf"^\s*-\s+[\"']?--{re.escape(name)}=([^\"'\s]*)", manifest, re.MULTILINE)
    return found.group(1) if found else None


def image(manifest: str) -> str | None:
    """Return the image of the first container in a static pod manifest; kubeadm writes one container alone."""
    found = re.search(r"^\s+(?:-\s+)?image:\s*[\"']?(\S+?)[\"']?\s*$", manifest, re.MULTILINE)
    return found.group(1) if found else None


def read_images(root: Path) -> dict[str, str]:
    """Return the images of kubeadm's static pods on this node, as the manifests name them, by component: kube-apiserver, etcd and the others."""
    manifests = {name: _text(root / MANIFESTS / f"{name}.yaml") for name in STATIC_PODS}
    return {name: found for name, manifest in manifests.items() if (found := image(manifest))}


def kubeconfig_server(kubeconfig: str) -> str | None:
    """Return the first server of a kubeconfig file; kubeadm and the kubelet write one cluster alone."""
    found = re.search(r"^\s+server:\s*[\"']?(\S+?)[\"']?\s*$", kubeconfig, re.MULTILINE)
    return found.group(1) if found else None


def read_traces(root: Path) -> Traces:
    """Look for kubeadm's traces below ``root``."""
    work = _text(root / UNFINISHED_MARK).strip()
    manifest = _text(root / API_SERVER_MANIFEST)
    pki = root / PKI
    apart = {Path(one).name for one in (CA_CERTIFICATE, CA_KEY, UNFINISHED_MARK)}
    return Traces(
        unfinished="init" if work == "init" else "join" if work else None,
        kubelet_kubeconfig=(root / KUBELET_KUBECONFIG).exists(),
        bootstrap_kubeconfig=(root / BOOTSTRAP_KUBECONFIG).exists(),
        super_admin_kubeconfig=(root / SUPER_ADMIN_KUBECONFIG).exists(),
        ca_certificate=(root / CA_CERTIFICATE).exists(),
        ca_key=(root / CA_KEY).exists(),
        api_server=bool(manifest),
        etcd=(root / ETCD_MANIFEST).exists(),
        local_etcd_expected=any(host in (flag(manifest, "etcd-servers") or "") for host in ("//127.0.0.1:", "//[::1]:", "//localhost:")),
        certificates=pki.is_dir() and any(entry.name not in apart for entry in pki.iterdir()),
    )


def read_authority(root: Path) -> tuple[str, str] | None:
    """Return the cluster CA's certificate and its pin, or None when there is none."""
    text = _text(root / CA_CERTIFICATE)
    if not text:
        return None
    try:
        return first_certificate(text), public_key_pin(text)
    except CertificateError as error:
        raise CertificateError(f"{root / CA_CERTIFICATE}: {error}") from None


def read_membership(root: Path) -> Membership:
    """Tell what the node below ``root`` is and to which cluster it belongs."""
    authority = read_authority(root)
    return Membership(
        state=classify(read_traces(root)),
        ca_certificate=authority[0] if authority else None,
        ca_hash=authority[1] if authority else None,
        # A control plane's kubelet speaks to the API server beside it; the administrator's kubeconfig has the endpoint of the cluster.
        endpoint=kubeconfig_server(_text(root / ADMIN_KUBECONFIG) or _text(root / KUBELET_KUBECONFIG)),
        node_name=read_node_name(root),
    )


def read_node_name(root: Path) -> str | None:
    """Return the name under which the kubelet speaks to the cluster: the CN of its client certificate."""
    try:
        name = common_name(_text(root / KUBELET_CERTIFICATE)) or ""
    except CertificateError:
        return None
    return name[len("system:node:") :] if name.startswith("system:node:") else None


def read_api_server(root: Path) -> ApiServer | None:
    """Return where this node's API server listens, or None when it has none."""
    manifest = _text(root / API_SERVER_MANIFEST)
    if not manifest:
        return None
    return ApiServer(flag(manifest, "advertise-address") or "127.0.0.1", int(flag(manifest, "secure-port") or API_SERVER))
