# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a node is, put together."""

from __future__ import annotations

import json
import os
import shutil
import socket
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.quorum.kubeadm.plugins.module_utils import api_server, machine
from ansible_collections.quorum.kubeadm.plugins.module_utils.command import Result
from ansible_collections.quorum.kubeadm.plugins.modules import node_info

FIXTURES = Path(__file__).parents[2] / "fixtures" / "node"
PIN = "sha256:1428bdb174c5554a24f7c98fa30f25066859370d868ce873809d0fcca3462d64"
KUBE_PROXYS_INODE = "203497"
Node = Callable[[str], Path]

ANSWERS = {
    "ip -json address": Result(0, (FIXTURES / "ip_address.json").read_text(), ""),
    "containerd --version": Result(0, "containerd github.com/containerd/containerd/v2 2.3.7 go-module\n", ""),
    "kubelet --version": Result(0, "Kubernetes v1.37.2\n", ""),
    "kubeadm version --output short": Result(0, "v1.37.2\n", ""),
    "apt-cache policy containerd": Result(0, "containerd:\n  Installed: (none)\n  Candidate: 1.6.20~ds1-1+deb12u3\n", ""),
    "dnf --quiet --cacheonly repoquery --latest-limit=1 --queryformat=%{version} containerd": Result(0, "2.1.5", ""),
}


def answering(**changes: Result) -> Callable[..., Result]:
    def runner(argv: Sequence[str], stdin: str | None = None) -> Result:
        return changes.get(argv[0]) or ANSWERS.get(" ".join(argv)) or Result(127, "", f"{argv[0]}: command not found")

    return runner


def captured(root: Path) -> Path:
    """A machine with two programs in the cluster's way, as its kernel told of them (Debian 12, a network namespace of their own)."""
    (root / "proc/net").mkdir(parents=True)
    for table in ("tcp", "tcp6"):
        shutil.copy(FIXTURES / "strangers" / f"proc_net_{table}", root / "proc/net" / table)
    for pid, process in json.loads((FIXTURES / "strangers" / "processes.json").read_text()).items():
        (root / "proc" / pid / "fd").mkdir(parents=True)
        (root / "proc" / pid / "comm").write_text(process["comm"])
        (root / "proc" / pid / "exe").symlink_to(process["exe"])
        for number, target in process["fd"].items():
            (root / "proc" / pid / "fd" / number).symlink_to(target)
    return root


def a_machine(root: Path) -> Path:
    for path, content in {
        "etc/os-release": 'ID=debian\nVERSION_ID="12"\nVERSION_CODENAME=bookworm\nPRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\n',
        "proc/meminfo": "MemTotal:       24684432 kB\n",
        "proc/swaps": "Filename Type Size Used Priority\n",
        "proc/net/tcp": (FIXTURES / "proc_net_tcp").read_text(),
        "proc/net/tcp6": (FIXTURES / "proc_net_tcp6").read_text(),
    }.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(content)
    for pid, name, program, inode in (
        ("100", "kube-apiserver", "/kube-apiserver", "194104"),
        ("101", "kube-controller", "/bin/kube-controller-manager", "195011"),
    ):
        process = root / "proc" / pid
        (process / "fd").mkdir(parents=True, exist_ok=True)
        (process / "comm").write_text(f"{name}\n")
        (process / "exe").unlink(missing_ok=True)
        (process / "exe").symlink_to(program)
        (process / "fd" / "3").unlink(missing_ok=True)
        (process / "fd" / "3").symlink_to(f"socket:[{inode}]")
        (process / "fd" / "4").unlink(missing_ok=True)
        (process / "fd" / "4").symlink_to("/dev/null")
    (root / "proc/102").mkdir(exist_ok=True)  # ended since the directory was read
    return root


def test_control_plane(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(node_info, "wait_ready", lambda root, server, timeout: None)
    monkeypatch.setattr(machine, "outward_address", lambda: "198.18.79.11")
    found = node_info.node(True, answering(), a_machine(node("control_plane")))
    assert found.pop("ca_certificate") == (FIXTURES / "ca.crt").read_text()
    assert {"port": 6443, "address": "::", "process": "kube-apiserver"} in found["listening"]
    assert {"port": 10250, "address": "::", "process": None} in found["listening"]
    # What is in the other files of this node is none.
    assert [(one["name"], one["not_after"]) for one in found.pop("certificates")] == [
        ("admin.conf", None),
        ("apiserver", None),
        ("ca", "2036-11-20T15:34:07Z"),
    ]
    assert [one["port"] for one in found.pop("listening")] == [22, 22, 2379, 2379, 2380, 2381, 6443, 10248, 10249, 10250, 10256, 10257, 10259, 34089, 43645]
    assert found == {
        "system": {
            "id": "debian",
            "version_id": "12",
            "codename": "bookworm",
            "name": "Debian GNU/Linux 12 (bookworm)",
            "packages": "deb",
            "architecture": os.uname().machine,
        },
        "hostname": socket.gethostname(),
        "kernel": os.uname().release,
        "memory_mb": 24105,
        "swap": False,
        "python": found["python"],
        "interfaces": [
            {"name": "lo", "addresses": [{"address": "127.0.0.1", "prefix": 8}]},
            {"name": "eth0", "addresses": [{"address": "198.18.79.11", "prefix": 24}]},
        ],
        "default_address": "198.18.79.11",
        "default_interface": "eth0",
        "containerd": {"version": "2.3.7", "candidate": "2.1.5"},
        "kubelet": {"version": "1.37.2"},
        "kubeadm": {"version": "1.37.2"},
        "state": "control_plane",
        "ca_hash": PIN,
        "endpoint": "https://api.lab.test:6443",
        "node_name": None,
        "outdated_components": [],
        "patches": [],
        "api_ready": True,
        "api_problem": None,
        "reboot_required": False,
        "resolved": None,
        "images": {"etcd": "registry.k8s.io/etcd:3.7.0-0", "kube-apiserver": "registry.k8s.io/kube-apiserver:v1.37.2"},
        "upgrade": None,
    }


def test_candidate_of_debian(node: Node) -> None:
    root = a_machine(node("clean"))
    (root / "usr/bin").mkdir(parents=True)
    (root / "usr/bin/apt-cache").write_text("")
    assert node_info.node(True, answering(), root)["containerd"]["candidate"] == "1.6.20"
    assert node_info.node(False, answering(), root)["containerd"]["candidate"] is None


def test_api_server_that_says_no_for_a_moment(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = iter(["etcd failed", None])
    monkeypatch.setattr(api_server, "why_not_ready", lambda root, server: next(answers))
    found = node_info.node(False, answering(), a_machine(node("control_plane")))
    assert (found["api_ready"], found["api_problem"]) == (True, None)


def test_api_server_that_is_not_ready(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(node_info, "wait_ready", lambda root, server, timeout: f"{server.url} refused")
    found = node_info.node(False, answering(), a_machine(node("control_plane")))
    assert (found["api_ready"], found["api_problem"]) == (False, "https://198.18.79.11:6443 refused")


@pytest.mark.parametrize("kind", ["clean", "authority", "worker", "killed init", "killed join"])
def test_others_are_not_asked_for_an_api_server(node: Node, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    monkeypatch.setattr(node_info, "wait_ready", lambda root, server, timeout: pytest.fail("it was asked"))
    found = node_info.node(False, answering(), a_machine(node(kind)))
    assert (found["api_ready"], found["api_problem"]) == (False, None)


def test_machine_with_nothing_installed(node: Node) -> None:
    missing = Result(127, "", "command not found")
    found = node_info.node(True, answering(containerd=missing, kubelet=missing, kubeadm=missing, dnf=missing), a_machine(node("clean")))
    assert found["containerd"] == {"version": None, "candidate": None}
    assert (found["kubelet"], found["kubeadm"], found["state"]) == ({"version": None}, {"version": None}, "clean")


def test_patches(node: Node) -> None:
    root = a_machine(node("worker"))
    for name in ("kubeletconfiguration+merge.yaml", "kube-apiserver.json"):
        (root / "etc/kubernetes/quorum.kubeadm/patches").mkdir(parents=True, exist_ok=True)
        (root / "etc/kubernetes/quorum.kubeadm/patches" / name).touch()
    assert node_info.node(False, answering(), root)["patches"] == ["kube-apiserver.json", "kubeletconfiguration+merge.yaml"]


def test_names_of_processes(node: Node) -> None:
    root = a_machine(node("clean"))
    named = {one["port"]: one["process"] for one in node_info.listening(root)}
    assert (named[6443], named[10257], named[10250], named[10249]) == ("kube-apiserver", "kube-controller-manager", None, None)


def test_every_listener_has_its_process(tmp_path: Path) -> None:
    assert node_info.listening(captured(tmp_path)) == [
        {"port": 1080, "address": "127.0.0.1", "process": "perl"},
        {"port": 8443, "address": "0.0.0.0", "process": "python3"},
        {"port": 9100, "address": "::", "process": "python3"},
        {"port": 16444, "address": "0.0.0.0", "process": "python3"},
    ]


def test_a_process_that_is_just_being_restarted_is_looked_for_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = captured(tmp_path)
    real = node_info.processes
    looks: list[Iterable[str]] = []

    def not_yet(inodes: Iterable[str], root: Path) -> dict[str, str]:
        looks.append(inodes)
        return real(inodes, root) if len(looks) > 1 else {}

    monkeypatch.setattr(node_info, "processes", not_yet)
    assert None not in {one["process"] for one in node_info.listening(root)}
    assert len(looks) == 2
    # And what the kernel itself listens on does not keep the module for ever.

    def never(inodes: Iterable[str], root: Path) -> dict[str, str]:
        looks.append(inodes)
        return {}

    monkeypatch.setattr(node_info, "processes", never)
    assert {one["process"] for one in node_info.listening(root)} == {None}
    assert len(looks) == 2 + node_info.LOOKS


def test_what_the_endpoints_name_means(node: Node) -> None:
    root = a_machine(node("control_plane"))
    (root / "etc/hosts").write_text("127.0.0.1 localhost\n192.0.2.11 localhost.example # quorum.kubeadm endpoint\n")
    pod = root / "var/lib/kubelet/pods/0c4e"
    pod.mkdir(parents=True)
    (pod / "etc-hosts").write_text("# Kubernetes-managed hosts file (host network).\n192.0.2.12 localhost.example # quorum.kubeadm endpoint\n")
    found = node_info.node(False, answering(), root, resolve="localhost.example")
    assert found["resolved"]["hosts_file"] == ["192.0.2.11"] and found["resolved"]["stale_copies"] == ["0c4e"]
    assert found["resolved"]["addresses"] == ["192.0.2.11"]
    (root / "etc/hosts").write_text("")
    assert node_info.resolved("localhost", True, root)["addresses"] != [] and node_info.resolved("localhost", False, root)["addresses"] == []
    assert node_info.resolved("nowhere.invalid", True, root)["addresses"] == []


def test_ip_that_is_missing_is_named(node: Node) -> None:
    with pytest.raises(node_info.NotEnough, match="Install iproute2"):
        node_info.node(False, answering(ip=Result(127, "", "ip: command not found")), a_machine(node("clean")))


def test_ordinary_user_is_told_to_become(run_module: Callable[..., dict[str, Any]], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert "become: true" in run_module("node_info")["msg"]


def test_main_on_this_machine(run_module: Callable[..., dict[str, Any]], monkeypatch: pytest.MonkeyPatch) -> None:
    if not shutil.which("ip"):
        pytest.skip("ip is not installed")
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    answer = run_module("node_info", check_mode=True)
    assert answer["changed"] is False
    assert set(json.loads(json.dumps(answer["node"]))) >= {"state", "listening", "ca_hash", "system"}
