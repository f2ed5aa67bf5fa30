# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Certificates are renewed where it is time, and whoever uses them gets the new ones."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.quorum.kubeadm.plugins.module_utils.command import Result
from ansible_collections.quorum.kubeadm.plugins.module_utils.kubeadm_run import KubeadmError
from ansible_collections.quorum.kubeadm.plugins.module_utils.node_certificates import PLACES, RENEWED_BY_KUBEADM, embedded_certificate, read_certificates
from ansible_collections.quorum.kubeadm.plugins.module_utils.node_state import read_node_name
from ansible_collections.quorum.kubeadm.plugins.module_utils.static_pods import NotUp
from ansible_collections.quorum.kubeadm.plugins.modules import kubeadm_certificates, kubelet_bootstrap, static_pods

from .authority import Authority, authority, served

FIXTURES = Path(__file__).parents[2] / "fixtures"
CAPTURED: dict[str, Any] = json.loads((FIXTURES / "certificates" / "kubeadm_1.37.2.json").read_text())
PATHS = {place.name: place.path for place in PLACES}
CURRENT = "var/lib/kubelet/pki/kubelet-client-current.pem"


class Machine:
    """A control plane with kubeadm's certificates, all of them expired, and what kubeadm and systemd do on it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.authority: Authority = authority("kubernetes")
        self.ran: list[str] = []
        self.given: list[str] = []
        for path, text in CAPTURED["files"].items():
            self.write(path, text)
        for name in RENEWED_BY_KUBEADM:
            self.renew(name, -1)
        self.write("etc/kubernetes/pki/ca.key", "key")
        self.write("root/.kube/config", (root / "etc/kubernetes/admin.conf").read_text())
        self.kubelet(300)

    def write(self, path: str, text: str) -> None:
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
        target.chmod(0o600)

    def kubelet(self, days: int, own: int = 300) -> None:
        """Its two certificates, valid for so many days."""
        self.write("var/lib/kubelet/pki/kubelet-client-2026.pem", served("system:node:cp1", self.authority, [], days))
        current = self.root / CURRENT
        current.unlink(missing_ok=True)
        current.symlink_to(self.root / "var/lib/kubelet/pki/kubelet-client-2026.pem")
        self.write("var/lib/kubelet/pki/kubelet.crt", served("cp1", self.authority, ["cp1"], own))
        self.write("var/lib/kubelet/pki/kubelet.key", "key")

    def __call__(self, argv: Sequence[str], stdin: str | None = None) -> Result:
        words = " ".join(argv)
        self.ran.append(words.replace(" --config /dev/stdin", ""))
        self.given.append(stdin or "")
        if words == "kubeadm version --output short":
            return Result(0, "v1.37.2\n", "")
        if words.startswith("kubeadm certs renew "):
            for name in RENEWED_BY_KUBEADM if argv[3] == "all" else [argv[3]]:
                self.renew(name)
            return Result(0, "certificate for serving the Kubernetes API renewed\n", "")
        if words.startswith("kubeadm kubeconfig user "):
            pem = served("system:node:cp1", self.authority, [], 365)
            key, certificate = (base64.b64encode(part.encode()).decode() for part in re.split(r"(?=-----BEGIN CERTIFICATE)", pem))
            return Result(0, f"users:\n- user:\n    client-certificate-data: {certificate}\n    client-key-data: {key}\n", "")
        return Result(0, "", "")

    def renew(self, name: str, days: int = 365) -> None:
        pem = served("new", self.authority, ["cp1"], days)
        path = PATHS[name]
        if path.endswith(".conf"):
            old = (self.root / path).read_text()
            new = re.sub(r"(client-certificate-data: ).*", rf"\g<1>{base64.b64encode(pem.encode()).decode()}", old)
            pem = re.sub(r"(client-key-data: ).*", r"\g<1>bmV3", new)
        self.write(path, pem)

    def certificates(self, renew: str = "due", check_mode: bool = False) -> kubeadm_certificates.Outcome:
        self.ran.clear()
        self.given.clear()
        configuration = {"certificateValidityPeriod": "4380h0m0s", "kubernetesVersion": "v1.38.0"}
        return kubeadm_certificates.certificates({"renew": renew, "cluster_configuration": configuration}, check_mode, self, self.root)


@pytest.fixture(name="machine")
def a_machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_all_that_is_due_is_renewed_once(machine: Machine) -> None:
    outcome = machine.certificates()
    assert sorted(outcome["renewed"]) == sorted(RENEWED_BY_KUBEADM)
    assert machine.ran == ["kubeadm version --output short", *(f"kubeadm certs renew {name}" for name in RENEWED_BY_KUBEADM)]
    assert '"kubernetesVersion": "v1.37.2"' in machine.given[1] and '"certificateValidityPeriod": "4380h0m0s"' in machine.given[1]
    assert outcome["copies"] == [str(machine.root / "root/.kube/config")]
    copy = machine.root / "root/.kube/config"
    assert copy.read_text() == (machine.root / "etc/kubernetes/admin.conf").read_text() and copy.stat().st_mode & 0o777 == 0o600
    before, after = (re.findall(r"(?m)^apiserver is valid until (.*)$", outcome["diff"][side])[0] for side in ("before", "after"))
    assert before < after == read_certificates(machine.root)[1]["not_after"]
    again = machine.certificates()
    assert (again["changed"], again["renewed"], again["copies"], machine.ran) == (False, [], [], [])


def test_only_what_is_due(machine: Machine) -> None:
    for name in RENEWED_BY_KUBEADM:
        if name not in ("apiserver", "scheduler.conf"):
            machine.renew(name)
    machine.write("root/.kube/config", (machine.root / "etc/kubernetes/admin.conf").read_text())
    assert machine.certificates()["renewed"] == ["apiserver", "scheduler.conf"]


def test_all_when_the_user_says_so(machine: Machine) -> None:
    machine.certificates()
    outcome = machine.certificates("all")
    assert machine.ran == ["kubeadm version --output short", "kubeadm certs renew all", "systemctl restart kubelet.service"]
    assert outcome["renewed"] == [*RENEWED_BY_KUBEADM, "kubelet-server"]


def test_check_mode_tells_the_same_and_changes_nothing(machine: Machine) -> None:
    before = {path: path.read_bytes() for path in machine.root.rglob("*") if path.is_file()}
    outcome = machine.certificates(check_mode=True)
    assert machine.ran == []
    assert {path: path.read_bytes() for path in machine.root.rglob("*") if path.is_file()} == before
    assert outcome["changed"] and sorted(outcome["renewed"]) == sorted(RENEWED_BY_KUBEADM) and outcome["copies"] == [str(machine.root / "root/.kube/config")]
    assert "apiserver is valid until the end of a new period\n" in outcome["diff"]["after"]


def test_a_copy_of_an_older_kubeconfig_is_written_by_the_next_run(machine: Machine) -> None:
    machine.certificates()
    machine.write("home/deploy/.kube/config", CAPTURED["files"]["etc/kubernetes/admin.conf"])
    machine.write("home/other/.kube/config", CAPTURED["files"]["etc/kubernetes/admin.conf"].replace("api.lab.test", "api.example.org"))
    outcome = machine.certificates()
    assert (outcome["changed"], outcome["copies"]) == (True, [str(machine.root / "home/deploy/.kube/config")])
    assert "api.example.org" in (machine.root / "home/other/.kube/config").read_text()


def test_the_kubelets_certificates_that_have_expired(machine: Machine) -> None:
    machine.certificates()
    machine.kubelet(days=-1, own=-1)
    outcome = machine.certificates()
    assert outcome["renewed"] == ["kubelet-client", "kubelet-server"] and outcome["kubelet_restarted"]
    assert machine.ran == [
        "kubeadm version --output short",
        "kubeadm kubeconfig user --client-name=system:node:cp1 --org=system:nodes",
        "systemctl restart kubelet.service",
    ]
    current = machine.root / CURRENT
    assert current.is_symlink() and current.resolve().stat().st_mode & 0o777 == 0o600
    assert re.fullmatch(r"kubelet-client-\d{4}(-\d\d){5}\.pem", current.resolve().name)
    assert read_node_name(machine.root) == "cp1" and "PRIVATE KEY" in current.read_text()
    # The kubelet makes the other one itself.
    assert not list(machine.root.glob("var/lib/kubelet/pki/kubelet.*"))
    assert "PRIVATE" not in json.dumps(outcome)


def test_a_kubelets_certificate_that_is_valid_stays(machine: Machine) -> None:
    machine.certificates()
    machine.kubelet(days=1)
    assert machine.certificates("all")["renewed"] == [*RENEWED_BY_KUBEADM, "kubelet-server"]


def test_a_run_that_was_killed_before_the_kubelet_was_restarted(machine: Machine) -> None:
    machine.certificates()
    (machine.root / "var/lib/kubelet/pki/kubelet.crt").rename(machine.root / "var/lib/kubelet/pki/kubelet.crt.quorum")
    assert machine.certificates()["kubelet_restarted"]
    assert not machine.certificates()["changed"]


def test_a_worker_has_its_own_alone(machine: Machine) -> None:
    for path in machine.root.joinpath("etc/kubernetes").rglob("*"):
        if path.is_file() and path.name not in ("kubelet.conf", "ca.crt"):
            path.unlink()
    machine.kubelet(days=-1, own=-1)
    assert machine.certificates()["renewed"] == ["kubelet-server"]


@pytest.mark.parametrize(
    ("missing", "refusal"),
    [
        ("etc/kubernetes/pki/ca.key", "cannot be renewed here, since .*/pki/ca.key is not on this host"),
        ("etc/kubernetes/kubelet.conf", "belongs to no cluster"),
    ],
)
def test_what_is_refused(machine: Machine, missing: str, refusal: str) -> None:
    (machine.root / missing).unlink()
    with pytest.raises(kubeadm_certificates.Refused, match=refusal):
        machine.certificates()


def test_kubeadms_words_when_it_fails_hold_no_key(machine: Machine) -> None:
    machine.certificates()
    machine.kubelet(days=-1)
    working = machine.__call__

    def failing(argv: Sequence[str], stdin: str | None = None) -> Result:
        return Result(1, "client-key-data: c2VjcmV0", "failed to load key") if "user" in argv else working(argv, stdin)

    with pytest.raises(KubeadmError, match="failed to load key") as error:
        kubeadm_certificates.certificates({"renew": "due", "cluster_configuration": {}}, False, failing, machine.root)
    assert error.value.result.stdout == ""


def test_a_kubelet_without_a_name(machine: Machine) -> None:
    machine.certificates()
    (machine.root / CURRENT).write_text("rubbish")
    with pytest.raises(kubeadm_certificates.Refused, match="names no node"):
        machine.certificates()


# A worker.


class Kubelet:
    """A kubelet that requests a certificate when it finds a token at its start."""

    def __init__(self, machine: Machine, answers: bool = True) -> None:
        self.machine, self.answers = machine, answers
        self.found: dict[str, Any] = {}
        self.mode = 0

    def __call__(self, argv: Sequence[str], stdin: str | None = None) -> Result:
        path = self.machine.root / "etc/kubernetes/bootstrap-kubelet.conf"
        self.found, self.mode = json.loads(path.read_text()), path.stat().st_mode & 0o777
        if self.answers:
            self.machine.kubelet(days=365)
        return Result(0, "", "")


PARAMETERS = {"endpoint": "api.lab.test:16443", "token": "abcdef.0123456789abcdef", "timeout": 0}


def test_a_worker_requests_its_certificate_by_a_token(machine: Machine) -> None:
    machine.kubelet(days=-1)
    kubelet = Kubelet(machine)
    changed, certificate = kubelet_bootstrap.bootstrap(PARAMETERS, False, kubelet, machine.root)
    assert changed and str(certificate["not_after"]) > "2027"
    assert kubelet.found["clusters"][0]["cluster"]["server"] == "https://api.lab.test:16443"
    assert kubelet.found["users"][0]["user"] == {"token": "abcdef.0123456789abcdef"}
    assert kubelet.mode == 0o600
    assert not (machine.root / "etc/kubernetes/bootstrap-kubelet.conf").exists()
    assert kubelet_bootstrap.bootstrap(PARAMETERS, False, kubelet, machine.root)[0] is False


def test_a_worker_that_gets_none_says_where_to_look_and_keeps_no_token(machine: Machine) -> None:
    machine.kubelet(days=-1)
    with pytest.raises(kubelet_bootstrap.Refused, match="kubectl get certificatesigningrequests"):
        kubelet_bootstrap.bootstrap(PARAMETERS, False, Kubelet(machine, answers=False), machine.root)
    assert not (machine.root / "etc/kubernetes/bootstrap-kubelet.conf").exists()


def test_check_mode_of_a_worker(machine: Machine) -> None:
    machine.kubelet(days=-1)
    kubelet = Kubelet(machine)
    assert kubelet_bootstrap.bootstrap({**PARAMETERS, "token": None}, True, kubelet, machine.root)[0] is True
    assert kubelet.found == {}


def test_a_machine_that_is_no_node(tmp_path: Path) -> None:
    with pytest.raises(kubelet_bootstrap.Refused, match="no node of a cluster"):
        kubelet_bootstrap.bootstrap(PARAMETERS, False, lambda argv, stdin=None: Result(0, "", ""), tmp_path)


# The components.


def test_components_are_started_anew_one_after_the_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[str] = []
    monkeypatch.setattr(static_pods, "has", lambda component, root: component != "kube-scheduler")
    monkeypatch.setattr(static_pods, "outdated", lambda root: ["etcd", "kube-apiserver"])
    monkeypatch.setattr(static_pods, "start_anew", lambda component, timeout, root: done.append(f"start {component}"))
    monkeypatch.setattr(static_pods, "wait_up", lambda component, gone, timeout, root: done.append(f"wait for {component}"))
    monkeypatch.setattr(static_pods, "why_not_served", lambda component, root: done.append(f"ask {component}"))
    assert static_pods.bring_up(5, False, tmp_path) == ["etcd", "kube-apiserver"]
    assert done == [
        *("start etcd", "ask etcd"),
        *("start kube-apiserver", "ask kube-apiserver"),
        *("wait for kube-controller-manager", "ask kube-controller-manager"),
    ]
    done.clear()
    assert static_pods.bring_up(5, True, tmp_path) == ["etcd", "kube-apiserver"] and done == []
    monkeypatch.setattr(static_pods, "why_not_served", lambda component, root: "https://198.18.64.11:2379 shows another certificate than that of /x")
    with pytest.raises(NotUp, match="etcd runs, but https://198.18.64.11:2379 shows another"):
        static_pods.bring_up(5, False, tmp_path)


def test_embedded_certificates_of_the_fixture_are_certificates() -> None:
    assert all("BEGIN CERTIFICATE" in str(embedded_certificate(text)) for path, text in CAPTURED["files"].items() if path.endswith(".conf"))
    assert read_certificates(Path("/nonexistent")) == []
