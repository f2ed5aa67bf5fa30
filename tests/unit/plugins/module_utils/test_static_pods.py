# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The components of a control plane, by their processes, files and logs."""

from __future__ import annotations

import http.server
import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ansible_collections.quorum.kubeadm.plugins.module_utils import static_pods
from ansible_collections.quorum.kubeadm.plugins.module_utils.certificates import der_certificate
from ansible_collections.quorum.kubeadm.plugins.module_utils.node_state import flag

FIXTURES = Path(__file__).parents[2] / "fixtures" / "node"
# As the kernel tells it of a container of the kubelet, cgroup v1 and v2.
IN_POD = "9:name=systemd:/kubepods/burstable/podc4493bc55a43325fe1ea36d285b2cb34/c7642005fd81\n"
IN_POD_V2 = "0::/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod9cee.slice/cri-containerd-753af813.scope\n"
APISERVER = ["kube-apiserver", "--tls-cert-file=/etc/kubernetes/pki/apiserver.crt", "--audit-log-path=/var/log/audit.log", "--secure-port=6443"]


def lay_out(root: Path, pid: int, command: list[str], age: float, cgroup: str = IN_POD) -> None:
    process = root / "proc" / str(pid)
    process.mkdir(parents=True)
    (process / "cmdline").write_text("\0".join(command) + "\0")
    (process / "cgroup").write_text(cgroup)
    ticks = int((time.clock_gettime(time.CLOCK_BOOTTIME) - age) * os.sysconf("SC_CLK_TCK"))
    # A name may hold what separates fields.
    (process / "stat").write_text(f"{pid} (kube) (x) S 1163 1185 1185 0 -1 4194560 90 0 0 0 5 6 0 0 20 0 13 0 {ticks} 1312165888 84311 18446744073709551615\n")


def write(root: Path, path: str, age: float, text: str = "") -> None:
    target = root / path
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(text)
    os.utime(target, (time.time() - age, time.time() - age))


@pytest.fixture(name="node")
def control_plane(tmp_path: Path) -> Path:
    for name in ("kube-apiserver", "etcd"):
        write(tmp_path, f"etc/kubernetes/manifests/{name}.yaml", 1000, (FIXTURES / f"{name}.yaml").read_text())
    write(tmp_path, "etc/kubernetes/pki/apiserver.crt", 900)
    write(tmp_path, "var/log/audit.log", 0)
    lay_out(tmp_path, 101, APISERVER, 600)
    lay_out(tmp_path, 102, ["etcd", "--cert-file=/etc/kubernetes/pki/etcd/server.crt"], 600, IN_POD_V2)
    lay_out(tmp_path, 103, ["etcd"], 600, "0::/system.slice/etcd.service\n")
    lay_out(tmp_path, 104, ["sh", "-c", "etcd"], 600)
    (tmp_path / "proc/105").mkdir()  # ended since the directory was read
    (tmp_path / "proc/net").mkdir()
    return tmp_path


def test_processes_are_those_in_pods(node: Path) -> None:
    assert [(one.pid, one.command) for one in static_pods.processes("etcd", node)] == [(102, ["etcd", "--cert-file=/etc/kubernetes/pki/etcd/server.crt"])]
    assert static_pods.processes("kube-apiserver", node)[0].started == pytest.approx(time.time() - 600, abs=1)
    assert static_pods.processes("kube-scheduler", node) == []


def test_what_began_before_its_files_is_outdated(node: Path) -> None:
    # What it writes itself is newer than it.
    assert static_pods.outdated(node) == []
    write(node, "etc/kubernetes/pki/apiserver.crt", 500)
    assert static_pods.outdated(node) == ["kube-apiserver"]
    write(node, "etc/kubernetes/pki/etcd/server.crt", 500)
    assert static_pods.outdated(node) == ["etcd", "kube-apiserver"]
    # A process without a manifest is nobody's static pod.
    (node / "etc/kubernetes/manifests/etcd.yaml").unlink()
    assert static_pods.outdated(node) == ["kube-apiserver"]


def test_every_file_of_kubeadms_flags_is_looked_at(tmp_path: Path) -> None:
    manifest = (FIXTURES / "kube-apiserver.yaml").read_text()
    command = [line.strip()[2:] for line in manifest.splitlines() if line.strip().startswith("- --")]
    for argument in command:
        if "=/etc/kubernetes/" in argument:
            write(tmp_path, argument.partition("=")[2][1:], 0)
    assert {str(path.relative_to(tmp_path)) for path in static_pods.files_read(command, tmp_path)} == {
        str(path.relative_to(tmp_path)) for path in (tmp_path / "etc").rglob("*") if path.is_file()
    }
    assert len(set(static_pods.files_read(command, tmp_path))) == 13


@pytest.fixture(name="health")
def health_server() -> Iterator[tuple[int, dict[str, tuple[int, str]]]]:
    answers: dict[str, tuple[int, str]] = {}

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:  # the name is http.server's
            status, body = answers[self.path]
            self.send_response(status)
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *_arguments: object) -> None:
            """Say nothing."""

    server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_port, answers
    server.shutdown()
    server.server_close()


def test_etcds_health(node: Path, health: tuple[int, dict[str, tuple[int, str]]]) -> None:
    port, answers = health
    manifest = node / "etc/kubernetes/manifests/etcd.yaml"
    assert flag(manifest.read_text(), "listen-metrics-urls") == "http://127.0.0.1:2381"
    manifest.write_text(manifest.read_text().replace("http://127.0.0.1:2381", f"http://127.0.0.1:{port}"))
    answers["/readyz"] = (200, "ok\n")
    assert static_pods.why_unhealthy("etcd", node) is None
    # In the words of etcd's own /readyz (server/etcdserver/api/etcdhttp/health.go).
    answers["/readyz"] = (503, "[+]data_corruption ok\n[+]non_learner ok\n[-]linearizable_read failed: context deadline exceeded\n[+]serializable_read ok\n")
    assert static_pods.why_unhealthy("etcd", node) == (
        f"http://127.0.0.1:{port}/readyz answers 503: [-]linearizable_read failed: context deadline exceeded"
    )


def test_what_does_not_listen(node: Path) -> None:
    write(node, "etc/kubernetes/manifests/kube-scheduler.yaml", 0, "    - kube-scheduler\n    - --secure-port=1\n    - --bind-address=0.0.0.0\n")
    assert str(static_pods.why_unhealthy("kube-scheduler", node)).startswith("https://127.0.0.1:1/healthz does not answer: ")
    write(node, "etc/kubernetes/manifests/kube-scheduler.yaml", 0, "    - kube-scheduler\n    - --secure-port=0\n")
    assert static_pods.why_unhealthy("kube-scheduler", node) is None


def test_where_components_serve(node: Path) -> None:
    assert static_pods.served_files("kube-apiserver", node) == [(("198.18.79.11", 6443), "etc/kubernetes/pki/apiserver.crt")]
    assert static_pods.served_files("etcd", node) == [
        (("198.18.79.11", 2379), "etc/kubernetes/pki/etcd/server.crt"),
        (("198.18.79.11", 2380), "etc/kubernetes/pki/etcd/peer.crt"),
    ]
    assert static_pods.served_files("kube-scheduler", node) == []


def test_a_served_certificate_that_is_not_the_files(node: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for path in ("ca.crt", "apiserver.crt"):
        write(node, f"etc/kubernetes/pki/{path}", 0, (FIXTURES / "ca.crt").read_text())
    monkeypatch.setattr(static_pods, "shown_certificate", lambda *_arguments: der_certificate((FIXTURES / "ca.crt").read_text()))
    assert static_pods.why_not_served("kube-apiserver", node) is None
    monkeypatch.setattr(static_pods, "shown_certificate", lambda *_arguments: b"another")
    assert static_pods.why_not_served("kube-apiserver", node) == (
        f"https://198.18.79.11:6443 shows another certificate than that of {node}/etc/kubernetes/pki/apiserver.crt"
    )

    def refused(*_arguments: object) -> bytes:
        raise ConnectionRefusedError("refused")

    monkeypatch.setattr(static_pods, "shown_certificate", refused)
    assert static_pods.why_not_served("kube-apiserver", node) == "https://198.18.79.11:6443 shows no certificate: refused"


LOG = "var/log/pods/kube-system_kube-apiserver-cp1_c4493bc55a43325fe1ea36d285b2cb34/kube-apiserver/{}.log"


def test_last_words_are_the_newest_errors(tmp_path: Path) -> None:
    assert static_pods.last_words("kube-apiserver", tmp_path) == f"it has no log below {tmp_path}/var/log/pods"
    lines = [
        "2026-11-28T16:07:50.1Z stderr F W1128 16:07:50.100000       1 registry.go:318] setting componentGlobalsRegistry in SetFallback",
        "2026-11-28T16:07:50.2Z stderr F Error: unknown flag: --nonsense",
        "2026-11-28T16:07:50.3Z stdout P half a line",
    ]
    write(tmp_path, LOG.format(3), 0, "\n".join(lines) + "\n")
    write(tmp_path, LOG.format(2), 60, "2026-11-28T16:06:50.2Z stderr F E1128 16:06:50.200000       1 run.go:72] older\n")
    assert static_pods.last_words("kube-apiserver", tmp_path) == "Error: unknown flag: --nonsense"
    # The log of a container that has only begun says nothing yet.
    write(tmp_path, LOG.format(4), -1, "")
    assert static_pods.last_words("kube-apiserver", tmp_path) == "Error: unknown flag: --nonsense"
    write(tmp_path, LOG.format(5), -2, lines[0] + "\n")
    assert static_pods.last_words("kube-apiserver", tmp_path).startswith("W1128 16:07:50.100000")


class Kubelet:
    """What happens to a node's processes while somebody waits."""

    def __init__(self, root: Path, *steps: str) -> None:
        self.root, self.steps = root, list(steps)

    def __call__(self, _seconds: float) -> None:
        step = self.steps.pop(0) if self.steps else ""
        if step == "end":
            (self.root / "proc/101/cmdline").unlink()
        elif step == "start":
            lay_out(self.root, 201, APISERVER, 0)


def test_waiting_for_the_next_process(node: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(static_pods, "why_unhealthy", lambda component, root: None)
    kubelet = Kubelet(node, "end", "", "start")
    static_pods.wait_up("kube-apiserver", [101], 5, node, kubelet)
    assert kubelet.steps == []


@pytest.mark.parametrize(
    ("steps", "reason"),
    [((), "the process of before has not ended"), (("end",), "it does not run"), (("end", "start"), "etcd failed")],
)
def test_what_does_not_come_up_says_why(node: Path, monkeypatch: pytest.MonkeyPatch, steps: tuple[str, ...], reason: str) -> None:
    monkeypatch.setattr(static_pods, "why_unhealthy", lambda component, root: "etcd failed")
    write(node, LOG.format(1), 0, "2026-11-28T16:07:50.2Z stderr F Error: unknown flag: --nonsense\n")
    with pytest.raises(static_pods.NotUp, match=f"kube-apiserver is not up after 0.1 seconds: {reason}. Its last words: Error: unknown flag: --nonsense"):
        static_pods.wait_up("kube-apiserver", [101], 0.1, node, Kubelet(node, *steps))


def test_a_component_that_ends_again_and_again_is_not_waited_for(node: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(static_pods, "why_unhealthy", lambda component, root: "it does not answer")
    write(node, LOG.format(1), 0, "2026-11-28T16:07:50.2Z stderr F Error: unknown flag: --nonsense\n")
    pids = iter(range(101, 200))

    def crash(_seconds: float) -> None:
        pid = next(pids)
        (node / f"proc/{pid}/cmdline").unlink(missing_ok=True)
        lay_out(node, pid + 100, APISERVER, 0)
        if pid > 101:
            (node / f"proc/{pid + 99}/cmdline").unlink()

    with pytest.raises(static_pods.NotUp, match="kube-apiserver ends again and again. Its last words: Error: unknown flag: --nonsense"):
        static_pods.wait_up("kube-apiserver", [101], 30, node, crash)
    assert next(pids) == 105


def test_starting_anew_ends_the_process_in_order(node: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[tuple[int, int]] = []
    waited: list[list[int]] = []
    monkeypatch.setattr(os, "kill", lambda pid, number: told.append((pid, number)))
    monkeypatch.setattr(static_pods, "wait_up", lambda component, gone, timeout, root: waited.append(gone))
    static_pods.start_anew("kube-apiserver", 5, node)
    assert (told, waited) == ([(101, signal.SIGTERM)], [[101]])
