# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a node is, told by the files that kubeadm leaves."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.quorum.kubeadm.plugins.module_utils.certificates import CertificateError
from ansible_collections.quorum.kubeadm.plugins.module_utils.node_state import (
    ApiServer,
    State,
    classify,
    flag,
    has_node_traces,
    kubeconfig_server,
    read_api_server,
    read_membership,
    read_traces,
)

FIXTURES = Path(__file__).parents[2] / "fixtures" / "node"
PIN = "sha256:1428bdb174c5554a24f7c98fa30f25066859370d868ce873809d0fcca3462d64"

AUTHORITY = {"etc/kubernetes/pki/ca.crt": "ca.crt", "etc/kubernetes/pki/ca.key": "key"}
CERTIFICATES = {**AUTHORITY, "etc/kubernetes/pki/apiserver.crt": "crt"}
API_SERVER = {**CERTIFICATES, "etc/kubernetes/manifests/kube-apiserver.yaml": "kube-apiserver.yaml"}
ETCD = {"etc/kubernetes/manifests/etcd.yaml": "etcd.yaml"}
KUBELET = {"etc/kubernetes/kubelet.conf": "kubelet.conf"}
ADMIN = {"etc/kubernetes/admin.conf": "admin.conf"}
SUPER_ADMIN = {"etc/kubernetes/super-admin.conf": "conf"}
BOOTSTRAP = {"etc/kubernetes/bootstrap-kubelet.conf": "conf"}
WORKER_CA = {"etc/kubernetes/pki/ca.crt": "ca.crt"}
CONTROL_PLANE = {**API_SERVER, **ETCD, **KUBELET, **ADMIN}
INIT = {"etc/kubernetes/pki/quorum.kubeadm.unfinished": "=init\n"}
JOIN = {"etc/kubernetes/pki/quorum.kubeadm.unfinished": "=join\n"}


def lay_out(root: Path, files: dict[str, str]) -> Path:
    """Put fixtures (or, where there is none, their names as content) below a root."""
    for path, name in files.items():
        target = root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        fixture = FIXTURES / name
        target.write_text(name[1:] if name.startswith("=") else fixture.read_text() if fixture.exists() else name)
    return root


@pytest.mark.parametrize(
    ("what", "files", "state", "needs_reset"),
    [
        ("an empty machine", {}, "clean", False),
        ("the directories of the packages alone", {"etc/kubernetes/manifests/.keep": "="}, "clean", False),
        ("the CA made beforehand", AUTHORITY, "initialising", False),
        ("init refused by its preflight checks", INIT, "clean", False),
        ("init refused by its preflight checks, with the CA made beforehand", {**AUTHORITY, **INIT}, "initialising", False),
        ("init killed while it made certificates", {**CERTIFICATES, **INIT}, "initialising", True),
        ("a foreign init killed while it made certificates", CERTIFICATES, "initialising", True),
        ("init killed when it looked like a control plane", {**CONTROL_PLANE, **SUPER_ADMIN, **INIT}, "initialising", True),
        ("a foreign init killed before the kubelet's kubeconfig", {**API_SERVER, **SUPER_ADMIN}, "initialising", True),
        ("the first control plane", {**CONTROL_PLANE, **SUPER_ADMIN}, "control_plane", True),
        ("a further control plane", CONTROL_PLANE, "control_plane", True),
        (
            "a control plane with its etcd elsewhere",
            {**API_SERVER, **KUBELET, "etc/kubernetes/manifests/kube-apiserver.yaml": "external"},
            "control_plane",
            True,
        ),
        ("a worker", {**WORKER_CA, **KUBELET}, "worker", True),
        ("join refused by its preflight checks", JOIN, "clean", False),
        ("join of a worker killed before the kubelet started", {**WORKER_CA, **JOIN}, "half_joined", False),
        ("join of a worker killed while the kubelet asked for its certificate", {**WORKER_CA, **BOOTSTRAP, **JOIN}, "half_joined", True),
        ("join of a worker killed at its very end", {**WORKER_CA, **KUBELET, **JOIN}, "half_joined", True),
        ("a foreign join of a worker killed", {**WORKER_CA, **BOOTSTRAP}, "half_joined", True),
        ("a foreign join of a control plane killed while the kubelet asked for its certificate", {**CERTIFICATES, **BOOTSTRAP}, "half_joined", True),
        ("a CA and nothing else", WORKER_CA, "half_joined", False),
        ("join of a control plane killed with its certificates there", {**CERTIFICATES, **ADMIN, **JOIN}, "half_joined", True),
        ("join of a control plane killed at its very end", {**CONTROL_PLANE, **JOIN}, "half_joined", True),
        ("a foreign join of a control plane killed before the kubelet's kubeconfig", {**API_SERVER, **ADMIN}, "half_joined", True),
        ("a foreign join of a control plane killed before its etcd member", {**API_SERVER, **ADMIN, **KUBELET}, "half_joined", True),
    ],
)
def test_state(what: str, files: dict[str, str], state: State, needs_reset: bool, tmp_path: Path) -> None:
    traces = read_traces(lay_out(tmp_path, files))
    assert (classify(traces), has_node_traces(traces)) == (state, needs_reset), what


def test_membership_of_a_control_plane(tmp_path: Path) -> None:
    lay_out(tmp_path, {**CONTROL_PLANE, "var/lib/kubelet/pki/kubelet-client-current.pem": "kubelet-client.crt"})
    assert read_membership(tmp_path) == {
        "state": "control_plane",
        "ca_hash": PIN,
        "ca_certificate": (FIXTURES / "ca.crt").read_text(),
        "endpoint": "https://api.lab.test:6443",
        "node_name": "cp1",
    }


def test_membership_of_a_worker_names_the_kubelets_endpoint(tmp_path: Path) -> None:
    lay_out(tmp_path, {**WORKER_CA, **KUBELET})
    membership = read_membership(tmp_path)
    assert (membership["state"], membership["endpoint"], membership["node_name"]) == ("worker", "https://198.18.79.11:6443", None)


def test_membership_of_an_empty_machine(tmp_path: Path) -> None:
    assert read_membership(tmp_path) == {"state": "clean", "ca_hash": None, "ca_certificate": None, "endpoint": None, "node_name": None}


def test_broken_ca_is_named(tmp_path: Path) -> None:
    lay_out(tmp_path, {"etc/kubernetes/pki/ca.crt": "=nonsense"})
    with pytest.raises(CertificateError, match=r"pki/ca\.crt: there is no PEM certificate"):
        read_membership(tmp_path)


def test_foreign_client_certificate_is_no_node(tmp_path: Path) -> None:
    lay_out(tmp_path, {"var/lib/kubelet/pki/kubelet-client-current.pem": "ca.crt"})
    assert read_membership(tmp_path)["node_name"] is None


@pytest.mark.parametrize(
    ("text", "server"),
    [
        ((FIXTURES / "admin.conf").read_text(), "https://api.lab.test:6443"),
        ("clusters:\n- cluster:\n    server: 'https://[2001:db8::1]:6443'\n", "https://[2001:db8::1]:6443"),
        ('clusters:\n- cluster:\n    server: "https://a:1"\n- cluster:\n    server: https://b:2\n', "https://a:1"),
        ("server: https://not.in.a.cluster:6443\n", None),
        ("", None),
    ],
)
def test_kubeconfig_server(text: str, server: str | None) -> None:
    assert kubeconfig_server(text) == server


@pytest.mark.parametrize(
    ("name", "value"),
    [("advertise-address", "198.18.79.11"), ("etcd-servers", "https://127.0.0.1:2379"), ("shutdown-delay-duration", "5s"), ("secure", None), ("port", None)],
)
def test_flag(name: str, value: str | None) -> None:
    assert flag((FIXTURES / "kube-apiserver.yaml").read_text(), name) == value


def test_api_server(tmp_path: Path) -> None:
    assert read_api_server(tmp_path) is None
    assert read_api_server(lay_out(tmp_path, API_SERVER)) == ApiServer("198.18.79.11", 6443)
    assert ApiServer("198.18.79.11", 6443).url == "https://198.18.79.11:6443"
    assert ApiServer("2001:db8::1", 6443).url == "https://[2001:db8::1]:6443"


def test_quoted_flags_of_ipv6(tmp_path: Path) -> None:
    lay_out(tmp_path, {"etc/kubernetes/manifests/kube-apiserver.yaml": "=    - '--advertise-address=2001:db8::1'\n    - \"--secure-port=6444\"\n"})
    assert read_api_server(tmp_path) == ApiServer("2001:db8::1", 6444)
