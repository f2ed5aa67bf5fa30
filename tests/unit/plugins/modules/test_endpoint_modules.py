# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lines in /etc/hosts, and the proxy as it is."""

from __future__ import annotations

import errno
import os
import socket
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.quorum.kubeadm.plugins.module_utils.command import Result
from ansible_collections.quorum.kubeadm.plugins.modules import proxy_info

FIXTURES = Path(__file__).parents[2] / "fixtures" / "proxy"
RunModule = Callable[..., dict[str, Any]]
API = {"name": "api.example.org", "address": "192.0.2.10"}


@pytest.fixture(name="hosts")
def hosts_file(tmp_path: Path) -> Path:
    path = tmp_path / "hosts"
    path.write_text("127.0.0.1 localhost\n198.51.100.1 api.example.org\n")
    path.chmod(0o644)
    return path


@pytest.mark.parametrize("mounted", [False, True])
def test_lines_are_written(run_module: RunModule, hosts: Path, monkeypatch: pytest.MonkeyPatch, mounted: bool) -> None:
    if mounted:  # as Docker does

        def busy(*_arguments: str) -> None:
            raise OSError(errno.EBUSY, "Device or resource busy")

        monkeypatch.setattr(os, "replace", busy)
    before = hosts.read_text()
    checked = run_module("hosts_entries", check_mode=True, path=str(hosts), owner="endpoint", entries=[API])
    assert checked["changed"]
    assert hosts.read_text() == before
    done = run_module("hosts_entries", path=str(hosts), owner="endpoint", entries=[API])
    assert done["diff"] == checked["diff"]
    assert done["lines"] == ["192.0.2.10 api.example.org # quorum.kubeadm endpoint"]
    assert hosts.read_text() == "127.0.0.1 localhost\n192.0.2.10 api.example.org # quorum.kubeadm endpoint\n"
    assert hosts.stat().st_mode & 0o777 == 0o644
    assert os.listdir(hosts.parent) == ["hosts"]
    assert not run_module("hosts_entries", path=str(hosts), owner="endpoint", entries=[API])["changed"]
    assert run_module("hosts_entries", path=str(hosts), owner="endpoint")["changed"]
    assert hosts.read_text() == "127.0.0.1 localhost\n"


def test_copies_of_pods_are_made_anew_where_they_lie(run_module: RunModule, hosts: Path, tmp_path: Path) -> None:
    copy = tmp_path / "var/lib/kubelet/pods/0c4e/etc-hosts"
    copy.parent.mkdir(parents=True)
    lines = ["# Kubernetes-managed hosts file (host network).", "127.0.0.1 localhost", "198.51.100.100 api.example.org # quorum.kubeadm endpoint", "#" * 99]
    copy.write_text("\n".join(lines))
    (tmp_path / "var/log/pods/kube-system_kube-proxy-x7k2p_0c4e").mkdir(parents=True)
    arguments = {"path": str(hosts), "root": str(tmp_path), "owner": "endpoint", "entries": [API]}
    before, inode = copy.read_text(), copy.stat().st_ino
    run_module("hosts_entries", path=str(hosts), root="/nowhere", owner="endpoint", entries=[API])
    checked = run_module("hosts_entries", check_mode=True, **arguments)
    assert checked["changed"] and checked["pods"] == ["kube-system/kube-proxy-x7k2p"] and copy.read_text() == before
    assert run_module("hosts_entries", **arguments)["pods"] == checked["pods"]
    assert copy.read_text() == "# Kubernetes-managed hosts file (host network).\n" + hosts.read_text()
    # The pod sees this very file, by a mount.
    assert copy.stat().st_ino == inode
    assert not run_module("hosts_entries", **arguments)["changed"]


def test_a_file_that_is_not_there(run_module: RunModule, tmp_path: Path) -> None:
    assert run_module("hosts_entries", path=str(tmp_path / "hosts"), owner="endpoint", entries=[API])["changed"]
    assert (tmp_path / "hosts").stat().st_mode & 0o777 == 0o644


def test_a_wrong_entry(run_module: RunModule, hosts: Path) -> None:
    before = hosts.read_text()
    failed = run_module("hosts_entries", path=str(hosts), owner="endpoint", entries=[{**API, "address": "nowhere"}])
    assert failed["msg"] == "api.example.org: `nowhere` is no IP address"
    assert hosts.read_text() == before


def answering(argv: Sequence[str]) -> Result:
    return Result(0, (FIXTURES / {"systemctl": "systemctl_show.txt", "ip": "ip_address.json"}[argv[0]]).read_text(), "")


def test_the_proxy(run_module: RunModule, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proxy_info, "run", answering)
    (tmp_path / "state").write_text("0\n")
    asked: list[bytes] = []
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "stats"))
        listener.listen()

        def answer() -> None:
            connection, _peer = listener.accept()
            with connection:
                asked.append(connection.recv(1000))
                connection.sendall((FIXTURES / "show_stat_haproxy_2_6.csv").read_bytes())

        threading.Thread(target=answer, daemon=True).start()
        found = run_module("proxy_info", address="198.18.66.10", socket=str(tmp_path / "stats"), state_file=str(tmp_path / "state"))
    assert asked == [b"show stat api_servers 4 -1\n"]
    proxy = found["proxy"]
    assert not found["changed"]
    assert (proxy["holds_vip"], proxy["worth"]) == (True, 0)
    assert proxy["haproxy"]["active"]
    assert [(server["name"], server["up"]) for server in proxy["haproxy"]["backends"]] == [("api", True), ("closed", False), ("nobody", False)]
    assert proxy["keepalived"] == {"active": False, "state": "stopped"}


def test_no_proxy(run_module: RunModule, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proxy_info, "run", lambda _argv: Result(127, "", "command not found"))
    found = run_module("proxy_info", socket=str(tmp_path / "stats"), state_file=str(tmp_path / "state"))
    assert found["proxy"] == {
        "holds_vip": None,
        "worth": None,
        "haproxy": {"active": False, "backends": []},
        "keepalived": {"active": False, "state": "stopped"},
    }


def test_no_address(run_module: RunModule, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proxy_info, "run", answering)
    assert run_module("proxy_info", address="192.0.2.10/24")["msg"].startswith("address: '192.0.2.10/24' does not appear to be an IPv4 or IPv6")
