# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Minting what joins need, and taking it back."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.quorum.kubeadm.plugins.module_utils import bootstrap_tokens, control_plane
from ansible_collections.quorum.kubeadm.plugins.module_utils.command import Result
from ansible_collections.quorum.kubeadm.plugins.module_utils.control_plane import NoControlPlane
from ansible_collections.quorum.kubeadm.plugins.module_utils.kubeadm_config import TOKEN_DESCRIPTION
from ansible_collections.quorum.kubeadm.plugins.module_utils.kubeadm_run import KubeadmError
from ansible_collections.quorum.kubeadm.plugins.module_utils.kubectl import Deadline, Kubectl, KubectlError
from ansible_collections.quorum.kubeadm.plugins.modules import join_credentials

PIN = "sha256:1428bdb174c5554a24f7c98fa30f25066859370d868ce873809d0fcca3462d64"
PARAMS: dict[str, Any] = {"control_plane": True, "ttl": "30m0s", "endpoint": None, "cri_socket": "unix:///run/containerd/containerd.sock"}
Node = Callable[[str], Path]


class Cluster:
    """A cluster's Secrets, kept through the command lines of kubeadm and kubectl."""

    def __init__(self) -> None:
        self.tokens: dict[str, str] = {}
        self.certificates: str | None = None
        self.arguments: list[str] = []
        self.failing = ""
        self.secrets: list[str] = []
        self._lock = threading.Lock()

    def kubeadm(self, argv: Sequence[str], stdin: str | None = None) -> Result:
        line = " ".join(argv)
        with self._lock:
            self.arguments.append(line)
            if line == "kubeadm version --output short":
                return Result(0, "v1.37.2\n", "")
            init, cluster = [json.loads(part) for part in (stdin or "").split("---\n") if part]
            self.secrets += [
                *(one["token"] for one in init.get("bootstrapTokens", []) if "token" in one),
                *([init["certificateKey"]] if "certificateKey" in init else []),
            ]
            if self.failing and self.failing in line:
                return Result(1, "", f"error: timed out, was given {stdin}")
            assert cluster["kubernetesVersion"] == "v1.37.2", "kubeadm would ask the internet for a version"
            assert init["localAPIEndpoint"] == {"advertiseAddress": "198.18.79.11", "bindPort": 6443}
            if line == "kubeadm token create --config /dev/stdin":
                [token] = init["bootstrapTokens"]
                assert token["ttl"] == "30m0s"
                self.tokens[token["token"][:6]] = token["description"]
                return Result(0, token["token"], "")
            assert line == "kubeadm init phase upload-certs --upload-certs --skip-certificate-key-print --config /dev/stdin"
            self.certificates = init["certificateKey"]
            self.tokens["proxy1"] = bootstrap_tokens.BY_UPLOAD
            return Result(0, "[upload-certs] Storing the certificates\n", "")

    def kubectl(self, argv: Sequence[str], stdin: str | None, seconds: float) -> Result:
        line = " ".join(argv[3:])
        with self._lock:
            self.arguments.append(line)
            if self.failing and self.failing in line:
                return Result(1, "", "Error from server (Forbidden): no")
            if "--field-selector type=bootstrap.kubernetes.io/token" in line:
                return Result(0, json.dumps({"kind": "List", "items": [self._secret(*token) for token in self.tokens.items()]}), "")
            if " get secret kubeadm-certs " in f"{line} ":
                return Result(0, "secret/kubeadm-certs\n" if self.certificates else "", "")
            before, _space, names = line.partition(" --wait=false ")
            assert before == "--namespace kube-system delete secret --ignore-not-found"
            for name in names.split():
                if name == "kubeadm-certs":
                    self.certificates = None
                else:
                    self.tokens.pop(name[len("bootstrap-token-") :], None)
            return Result(0, "", "")

    @staticmethod
    def _secret(token: str, description: str) -> dict[str, Any]:
        data = {"token-id": token, "token-secret": "0123456789abcdef", "description": description}
        return {
            "kind": "Secret",
            "type": bootstrap_tokens.SECRET_TYPE,
            "metadata": {"name": f"bootstrap-token-{token}"},
            "data": {key: base64.b64encode(value.encode()).decode() for key, value in data.items()},
        }


@pytest.fixture(name="cluster")
def fake_cluster() -> Cluster:
    return Cluster()


def mint(cluster: Cluster, root: Path, check_mode: bool = False, **params: Any) -> join_credentials.Outcome:
    return join_credentials.mint({**PARAMS, **params}, check_mode, cluster.kubeadm, Kubectl("/etc/kubernetes/admin.conf", Deadline(1), cluster.kubectl), root)


def revoke(cluster: Cluster, check_mode: bool = False) -> join_credentials.Outcome:
    return join_credentials.revoke(check_mode, Kubectl("/etc/kubernetes/admin.conf", Deadline(1), cluster.kubectl))


def test_credentials_for_control_planes(cluster: Cluster, node: Node) -> None:
    outcome = mint(cluster, node("control_plane"))
    credentials = outcome["credentials"]
    assert (credentials["endpoint"], credentials["ca_cert_hashes"], credentials["control_plane"]) == ("api.lab.test:6443", [PIN], True)
    assert cluster.certificates is not None
    assert credentials["certificate_key"] == cluster.certificates
    assert credentials["token"] is not None
    assert cluster.tokens[credentials["token"][:6]] == TOKEN_DESCRIPTION
    assert outcome["changed"]


def test_no_secret_is_in_an_argument(cluster: Cluster, node: Node) -> None:
    credentials = mint(cluster, node("control_plane"))["credentials"]
    assert credentials["token"] is not None and credentials["certificate_key"] is not None
    told = "\n".join(cluster.arguments)
    assert credentials["token"][7:] not in told and credentials["certificate_key"] not in told


def test_credentials_for_workers_leave_the_certificates_where_they_are(cluster: Cluster, node: Node) -> None:
    credentials = mint(cluster, node("control_plane"), control_plane=False)["credentials"]
    assert (credentials["certificate_key"], credentials["control_plane"], cluster.certificates) == (None, False, None)


def test_endpoint_of_the_caller(cluster: Cluster, node: Node) -> None:
    assert mint(cluster, node("control_plane"), endpoint="[2001:db8::1]:6443")["credentials"]["endpoint"] == "[2001:db8::1]:6443"


def test_tokens_of_killed_runs_go_when_new_ones_come(cluster: Cluster, node: Node) -> None:
    cluster.tokens = {"killed": TOKEN_DESCRIPTION, "theirs": "somebody else's", "proxy0": bootstrap_tokens.BY_UPLOAD}
    outcome = mint(cluster, node("control_plane"))
    assert outcome["deleted_tokens"] == ["killed"]
    assert sorted(cluster.tokens.values()) == [bootstrap_tokens.BY_UPLOAD, bootstrap_tokens.BY_UPLOAD, TOKEN_DESCRIPTION, "somebody else's"]


def test_check_mode_mints_nothing(cluster: Cluster, node: Node) -> None:
    outcome = mint(cluster, node("control_plane"), check_mode=True)
    assert outcome["changed"] and cluster.arguments == []
    assert (outcome["credentials"]["token"], outcome["credentials"]["certificate_key"]) == (None, None)
    assert outcome["credentials"]["ca_cert_hashes"] == [PIN]


@pytest.mark.parametrize("failing", ["token create", "upload-certs"])
def test_failures_are_told_without_secrets(cluster: Cluster, node: Node, failing: str) -> None:
    cluster.failing = failing
    with pytest.raises(KubeadmError, match=f"{failing}.*timed out") as failure:
        mint(cluster, node("control_plane"))
    shown = str(failure.value) + failure.value.result.stderr
    assert "was given" in shown and len(cluster.secrets) == 2
    assert not [secret for secret in cluster.secrets if secret in shown]


def test_purge_that_fails_is_an_error(cluster: Cluster, node: Node) -> None:
    cluster.failing = "get secrets"
    with pytest.raises(KubectlError, match="Forbidden"):
        mint(cluster, node("control_plane"))


@pytest.mark.parametrize("kind", ["clean", "worker", "authority"])
def test_others_than_control_planes_are_refused(cluster: Cluster, node: Node, kind: str) -> None:
    with pytest.raises(NoControlPlane):
        mint(cluster, node(kind))


def test_everything_is_taken_back(cluster: Cluster, node: Node) -> None:
    mint(cluster, node("control_plane"))
    cluster.tokens |= {"init00": bootstrap_tokens.BY_INIT, "theirs": "somebody else's"}
    going = sorted(set(cluster.tokens) - {"theirs"})
    assert revoke(cluster, check_mode=True) == {"changed": True, "deleted_tokens": going, "deleted_certificates": True}
    assert len(cluster.tokens) == 4
    assert revoke(cluster) == {"changed": True, "deleted_tokens": going, "deleted_certificates": True}
    assert (cluster.tokens, cluster.certificates) == ({"theirs": "somebody else's"}, None)
    assert revoke(cluster) == {"changed": False, "deleted_tokens": [], "deleted_certificates": False}
    assert "delete" not in cluster.arguments[-1]


def test_certificates_alone_are_taken_back(cluster: Cluster) -> None:
    cluster.certificates = "a" * 64
    assert revoke(cluster) == {"changed": True, "deleted_tokens": [], "deleted_certificates": True}
    assert cluster.certificates is None


@pytest.mark.parametrize("state", ["present", "absent"])
def test_main_on_a_machine_that_is_no_control_plane(
    run_module: Callable[..., dict[str, Any]], state: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(control_plane.local_kubectl, "__defaults__", (tmp_path,))
    answer = run_module("join_credentials", state=state)
    assert answer["failed"] and "this host is no control plane" in answer["msg"]


@pytest.mark.parametrize(
    ("state", "changed", "credentials"),
    [
        ("present", True, {"endpoint": "api.lab.test:16443", "token": None, "ca_cert_hashes": [], "certificate_key": None, "control_plane": True}),
        ("absent", False, None),
    ],
)
def test_a_check_before_there_is_a_cluster_foresees(state: str, changed: bool, credentials: dict[str, object] | None) -> None:
    """A check run of a whole cluster gets here before `kubeadm init` ran."""
    outcome = join_credentials.foresee({"state": state, "endpoint": "api.lab.test:16443", "control_plane": True})
    assert (outcome["changed"], outcome.get("credentials")) == (changed, credentials)
