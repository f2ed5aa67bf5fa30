# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A change on one node: what works stays, and what does not come up gets its old settings back."""

from __future__ import annotations

import http.server
import os
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pytest

from ansible_collections.quorum.kubeadm.plugins.module_utils import kept_files, reconfiguration, static_pods
from ansible_collections.quorum.kubeadm.plugins.module_utils.command import Result
from ansible_collections.quorum.kubeadm.plugins.module_utils.kubeadm_render import Difference
from ansible_collections.quorum.kubeadm.plugins.module_utils.reconfiguration import Change, Failed, Trial, component_of, kept_by
from ansible_collections.quorum.kubeadm.plugins.module_utils.static_pods import NotUp

MANIFESTS = "etc/kubernetes/manifests"
API_SERVER, SCHEDULER = f"{MANIFESTS}/kube-apiserver.yaml", f"{MANIFESTS}/kube-scheduler.yaml"
CONFIGURATION = "var/lib/kubelet/config.yaml"
POLICY = "etc/kubernetes/audit/policy.yaml"
DOCUMENTS = [{"apiVersion": "kubeadm.k8s.io/v1beta4", "kind": "ClusterConfiguration"}]


class Node:
    """A control plane whose components do not come up with what contains `bad`."""

    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.root, self.done = root, []  # type: Path, list[str]
        self.old: list[str] = []
        for component in ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler"):
            self.write(f"{MANIFESTS}/{component}.yaml", f"old {component}", 0o600)
        self.write(CONFIGURATION, "old kubelet", 0o644)
        for path in reconfiguration.API_SERVER_CERTIFICATE:
            self.write(path, "old certificate", 0o600)
        monkeypatch.setattr(static_pods, "processes", lambda component, root: [static_pods.Process(7, 0.0, [component])])
        monkeypatch.setattr(static_pods, "outdated", lambda root: self.old)
        monkeypatch.setattr(static_pods, "why_not_served", lambda component, root: None)
        monkeypatch.setattr(static_pods, "wait_up", self.wait_up)
        monkeypatch.setattr(static_pods, "start_anew", self.start_anew)
        monkeypatch.setattr(reconfiguration, "wait_kubelet", self.wait_kubelet)

    def write(self, path: str, text: str, mode: int = 0o600) -> None:
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
        target.chmod(mode)

    def text(self, path: str) -> str:
        return (self.root / path).read_text()

    def judge(self, component: str, path: str) -> None:
        if "bad" in self.text(path) or (self.root / POLICY).exists() and "bad" in self.text(POLICY) and component == "kube-apiserver":
            raise NotUp(f"{component} is not up after 5 seconds: it does not run. Its last words: Error: unknown flag: --bad")

    def wait_up(self, component: str, gone: Sequence[int], timeout: float, root: Path) -> None:
        self.done.append(f"{component} {'begins' if gone else 'is well'}")
        self.judge(component, f"{MANIFESTS}/{component}.yaml")

    def start_anew(self, component: str, timeout: float, root: Path) -> None:
        self.old.remove(component)
        self.done.append(f"{component} starts anew")
        self.judge(component, f"{MANIFESTS}/{component}.yaml")

    def wait_kubelet(self, timeout: float, runner: object, root: Path) -> None:
        self.done.append("kubelet is well")
        self.judge("kubelet", CONFIGURATION)

    def __call__(self, argv: Sequence[str], stdin: str | None = None) -> Result:
        self.done.append(" ".join(argv[:5]))
        if argv[:5] == ["kubeadm", "init", "phase", "certs", "apiserver"]:
            assert not any((self.root / path).exists() for path in reconfiguration.API_SERVER_CERTIFICATE)
            for path in reconfiguration.API_SERVER_CERTIFICATE:
                self.write(path, "new certificate")
        return Result(0, "", "")

    def change(self, files: Mapping[str, str], certificate: bool = False, others: Sequence[str] = ()) -> list[str]:
        change = Change(
            [Difference(path=f"/{path}", there=self.text(path), wanted=text) for path, text in files.items()], DOCUMENTS if certificate else []
        )
        kept_files.keep(kept_by(change, others), self.root)
        return Trial(self, 5, self.root).run(change)


@pytest.fixture(name="node")
def control_plane(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Node:
    return Node(tmp_path, monkeypatch)


def test_components_of_files() -> None:
    paths = (API_SERVER, "/etc/kubernetes/manifests/etcd.yaml", CONFIGURATION, "var/lib/kubelet/kubeadm-flags.env", "/var/lib/kubelet/instance-config.yaml")
    assert [component_of(path) for path in paths] == ["kube-apiserver", "etcd", "kubelet", "kubelet", "kubelet"]


def test_each_component_comes_up_before_the_next_is_touched(node: Node) -> None:
    assert node.change({SCHEDULER: "new", API_SERVER: "new", CONFIGURATION: "new"}) == ["kube-apiserver", "kube-scheduler", "kubelet"]
    assert node.done == [
        *("etcd is well", "kube-apiserver begins", "kube-controller-manager is well", "kube-scheduler begins"),
        *("systemctl restart kubelet.service", "kubelet is well"),
    ]
    assert (node.text(API_SERVER), node.text(CONFIGURATION)) == ("new", "new")
    assert (node.root / API_SERVER).stat().st_mode & 0o777 == 0o600 and (node.root / CONFIGURATION).stat().st_mode & 0o777 == 0o644
    assert {path.name for path in (node.root / MANIFESTS).iterdir()} == {f"{name}.yaml" for name in static_pods.COMPONENTS}
    assert not kept_files.is_keeping(node.root)


def test_the_kubelet_passes_over_what_lies_beside_the_manifests_meanwhile(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    names: list[str] = []
    really = os.replace

    def replace(source: Path, target: Path) -> None:
        names.append(source.name)
        really(source, target)

    monkeypatch.setattr(os, "replace", replace)
    node.change({API_SERVER: "new"})
    assert names and all(name.startswith(".") for name in names)


def test_an_api_server_that_does_not_come_up_gets_its_old_manifest_back(node: Node) -> None:
    with pytest.raises(Failed) as failed:
        node.change({API_SERVER: "bad", SCHEDULER: "new"})
    assert str(failed.value) == (
        "kube-apiserver is not up after 5 seconds: it does not run. Its last words: Error: unknown flag: --bad\n"
        "The old settings are back on this node, and it serves with them."
    )
    assert failed.value.restored
    assert (node.text(API_SERVER), node.text(SCHEDULER)) == ("old kube-apiserver", "old kube-scheduler")
    assert node.done == ["etcd is well", "kube-apiserver begins", "kube-apiserver begins"]
    assert not kept_files.is_keeping(node.root)


def test_all_of_the_node_goes_back(node: Node) -> None:
    with pytest.raises(Failed):
        node.change({API_SERVER: "new", SCHEDULER: "bad"}, certificate=True)
    assert (node.text(API_SERVER), node.text(reconfiguration.API_SERVER_CERTIFICATE[0])) == ("old kube-apiserver", "old certificate")


def test_a_kubelet_that_does_not_come_up(node: Node) -> None:
    with pytest.raises(Failed, match="The old settings are back on this node"):
        node.change({CONFIGURATION: "bad"})
    assert node.text(CONFIGURATION) == "old kubelet"
    assert node.done[-3:] == ["kubelet is well", "systemctl restart kubelet.service", "kubelet is well"]


def test_a_node_that_comes_up_with_neither(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    def never(component: str, gone: Sequence[int], timeout: float, root: Path) -> None:
        raise NotUp(f"{component} is not up")

    monkeypatch.setattr(static_pods, "wait_up", never)
    with pytest.raises(Failed, match="but it does not come up with them either: etcd is not up") as failed:
        node.change({f"{MANIFESTS}/etcd.yaml": "new"})
    assert not failed.value.restored
    # The next run judges it again.
    assert kept_files.is_keeping(node.root)


def test_a_run_that_was_killed_before_it_had_judged(node: Node) -> None:
    kept_files.keep([API_SERVER], node.root)
    node.write(API_SERVER, "bad")
    with pytest.raises(Failed):
        node.change({})
    assert node.text(API_SERVER) == "old kube-apiserver"
    # What is known to have worked is older than that run.
    kept_files.keep([API_SERVER], node.root)
    node.write(API_SERVER, "worse")
    kept_files.keep([API_SERVER], node.root)
    assert kept_files.put_back(node.root) == [API_SERVER] and node.text(API_SERVER) == "old kube-apiserver"


def test_a_certificate_with_other_names(node: Node) -> None:
    # What kubeadm wrote is newer than the process.
    node.old = ["kube-apiserver"]
    assert node.change({}, certificate=True) == ["kube-apiserver"]
    assert node.done[:3] == ["kubeadm init phase certs apiserver", "etcd is well", "kube-apiserver starts anew"]
    assert node.text(reconfiguration.API_SERVER_CERTIFICATE[0]) == "new certificate"


def test_other_files_go_back_too(node: Node) -> None:
    node.write(POLICY, "old")
    kept_files.keep([POLICY, "etc/kubernetes/new.yaml"], node.root)
    node.write(POLICY, "bad")
    node.write("etc/kubernetes/new.yaml", "new")
    node.old = ["kube-apiserver"]
    with pytest.raises(Failed):
        node.change({}, others=[f"/{POLICY}", "/etc/kubernetes/new.yaml"])
    assert node.text(POLICY) == "old" and not (node.root / "etc/kubernetes/new.yaml").exists()


def test_what_is_kept_is_roots_alone(node: Node) -> None:
    kept_files.keep(["etc/kubernetes/pki/apiserver.key"], node.root)
    before = node.root / kept_files.BEFORE
    assert all(path.stat().st_mode & 0o077 == 0 for path in (before, *before.rglob("*")))


@pytest.fixture(name="healthz")
def kubelets_port() -> Iterator[int]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:  # the name is http.server's
            self.send_response(200 if self.path == "/healthz" else 404)
            self.end_headers()

        def log_message(self, *_arguments: object) -> None:
            """Say nothing."""

    server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_port
    server.shutdown()
    server.server_close()


# As klog writes.
JOURNAL = """I1128 17:10:02.100000    5001 server.go:100] "Kubelet version" kubeletVersion="v1.37.2"
E1128 17:10:02.210000    5001 run.go:72] "command failed" err="failed to validate kubelet configuration, error: invalid configuration"
kubelet.service: Main process exited, code=exited, status=1/FAILURE
"""


def test_waiting_for_the_kubelet(tmp_path: Path, healthz: int) -> None:
    (tmp_path / "var/lib/kubelet").mkdir(parents=True)
    (tmp_path / CONFIGURATION).write_text(f"healthzBindAddress: 127.0.0.1\nhealthzPort: {healthz}\n")

    def runner(argv: Sequence[str], stdin: str | None = None) -> Result:
        return Result(0, JOURNAL, "")

    reconfiguration.wait_kubelet(0, runner, tmp_path)
    (tmp_path / CONFIGURATION).write_text("healthzPort: 1\n")
    with pytest.raises(NotUp, match=r'the kubelet is not up after 0 seconds: its /healthz does not answer: .* Its last words: E1128 .*"command failed"'):
        reconfiguration.wait_kubelet(0, runner, tmp_path)
    (tmp_path / CONFIGURATION).write_text("healthzPort: 0\n")
    reconfiguration.wait_kubelet(0, runner, tmp_path)
