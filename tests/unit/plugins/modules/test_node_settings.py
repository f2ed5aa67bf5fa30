# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is changed on a host, in which order, and what is only said in check mode."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import pytest

from ansible_collections.quorum.kubeadm.plugins.module_utils import node_settings as pure
from ansible_collections.quorum.kubeadm.plugins.module_utils import text_files
from ansible_collections.quorum.kubeadm.plugins.module_utils.command import Result
from ansible_collections.quorum.kubeadm.plugins.module_utils.hosts_file import Entry
from ansible_collections.quorum.kubeadm.plugins.modules import node_settings
from ansible_collections.quorum.kubeadm.plugins.modules.node_settings import SettingError, Settings

FSTAB = "UUID=0d1e / ext4 defaults 0 1\n/swap.img none swap sw 0 0\n"
SWAPS = "Filename Type Size Used Priority\n/swap.img file 2097148 0 -2\n"


class Host:
    """A host below a directory: its files, and the commands that were run on it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.commands: list[str] = []
        self.failing: dict[str, str] = {}

    def path(self, path: str) -> Path:
        return self.root / path.lstrip("/")

    def have(self, path: str, text: str = "") -> None:
        self.path(path).parent.mkdir(parents=True, exist_ok=True)
        self.path(path).write_text(text)

    def read(self, path: str) -> str:
        return self.path(path).read_text()

    def run(self, argv: Sequence[str]) -> Result:
        self.commands.append(" ".join(argv))
        if argv[0] == "modprobe" and argv[0] not in self.failing:
            self.have(f"/sys/module/{pure.module_key(argv[1])}/refcnt")
            if argv[1] == "br_netfilter":
                self.have("/proc/sys/net/bridge/bridge-nf-call-iptables", "0\n")
        if argv[:2] == ["systemctl", "mask"] or argv[:2] == ("systemctl", "mask"):
            for unit in argv[2:]:
                self.path(f"/etc/systemd/system/{unit}").symlink_to("/dev/null")
        if argv[0] == "swapoff":
            self.have("/proc/swaps", SWAPS.splitlines(keepends=True)[0])
        return Result(1, "", self.failing[argv[0]]) if argv[0] in self.failing else Result(0, "", "")


@pytest.fixture(name="host")
def make_host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Host:
    """Return a host with swap on, forwarding off, and no kernel module loaded."""
    host = Host(tmp_path)
    for directory in ("/etc/modules-load.d", "/etc/sysctl.d", "/etc/systemd/system"):
        host.path(directory).mkdir(parents=True)
    host.have("/etc/fstab", FSTAB)
    host.have("/etc/hosts", "127.0.0.1 localhost\n")
    host.have("/proc/swaps", SWAPS)
    host.have("/proc/sys/net/ipv4/ip_forward", "0\n")
    host.have("/usr/lib/systemd/system/swap.target")
    host.have(f"/lib/modules/{os.uname().release}/modules.builtin", "kernel/fs/overlayfs/overlay.ko\n")
    exists = os.path.exists
    monkeypatch.setattr(os, "fchown", lambda *_: None)
    monkeypatch.setattr(os.path, "exists", lambda path: exists(str(path) if str(path).startswith(str(tmp_path)) else host.path(str(path))))
    for name in ("HOSTS_FILE", "MODULES_FILE", "SYSCTL_FILE", "NETWORK_MANAGER", "UNMANAGED_FILE"):
        monkeypatch.setattr(node_settings, name, str(host.path(getattr(node_settings, name))))
    monkeypatch.setattr(node_settings, "UNIT_DIRECTORIES", tuple(str(host.path(directory)) for directory in node_settings.UNIT_DIRECTORIES))
    monkeypatch.setattr(pure, "sysctl_path", lambda key: str(host.path("/proc/sys/" + key.replace(".", "/"))))
    monkeypatch.setattr(node_settings, "run", host.run)

    def look(path: str) -> text_files.FileState:
        found = text_files.look(path if path.startswith(str(tmp_path)) else str(host.path(path)))
        return found._replace(owned_by_root=found.content is not None)

    def write(file: text_files.TextFile) -> None:
        text_files.write(file if file.path.startswith(str(tmp_path)) else file._replace(path=str(host.path(file.path))))

    monkeypatch.setattr(node_settings, "look", look)
    monkeypatch.setattr(node_settings, "write", write)
    return host


def settle(check_mode: bool = False, modules: Sequence[str] = ("overlay", "br_netfilter")) -> Settings:
    settings = Settings(check_mode)
    settings.hosts([Entry("cp1", "192.0.2.11")])
    settings.modules(list(modules))
    settings.sysctls({"net.ipv4.ip_forward": "1", "net.bridge.bridge-nf-call-iptables": "1"})
    settings.swap_off()
    settings.unmanaged(["cali*"])
    return settings


def test_first_and_second_run(host: Host) -> None:
    host.path("/etc/NetworkManager/conf.d").mkdir(parents=True)
    first = settle()
    assert host.commands == [
        "modprobe br_netfilter",
        "systemctl mask swap.target",
        "swapoff -a",
        "systemctl try-reload-or-restart NetworkManager.service",
    ]
    assert "set net.ipv4.ip_forward = 1 (was 0)" in first.changes
    assert host.read("/proc/sys/net/ipv4/ip_forward") == "1"
    assert host.read("/proc/sys/net/bridge/bridge-nf-call-iptables") == "1"
    assert host.read("/etc/fstab") == FSTAB.replace("/swap.img", "#/swap.img")
    assert "net.ipv4.ip_forward = 1\n" in host.read(node_settings.SYSCTL_FILE.removeprefix(str(host.root)))
    assert host.read("/etc/hosts") == "127.0.0.1 localhost\n192.0.2.11 cp1 # quorum.kubeadm nodes\n"
    assert len(first.diff) == 5

    host.commands.clear()
    assert (settle().changes, host.commands) == ([], [])


def test_check_mode_says_the_same_and_changes_nothing(host: Host) -> None:
    said = settle(check_mode=True).changes
    assert not host.commands
    assert host.read("/etc/fstab") == FSTAB
    assert host.read("/etc/hosts") == "127.0.0.1 localhost\n"
    assert host.read("/proc/sys/net/ipv4/ip_forward") == "0\n"
    assert [change.replace("was absent", "was 0") for change in said] == settle().changes


def test_drift_of_the_running_kernel(host: Host) -> None:
    settle()
    host.have("/proc/sys/net/ipv4/ip_forward", "0\n")
    assert settle().changes == ["set net.ipv4.ip_forward = 1 (was 0)"]


def test_a_name_that_another_line_has(host: Host) -> None:
    host.have("/etc/hosts", "127.0.1.1 cp1 mine\n")
    assert f"write {node_settings.HOSTS_FILE}" in settle().changes
    assert host.read("/etc/hosts") == "127.0.1.1 mine\n192.0.2.11 cp1 # quorum.kubeadm nodes\n"


def test_no_network_manager(host: Host) -> None:
    settle()
    assert not host.path("/etc/NetworkManager").exists()


def test_refused_module(host: Host) -> None:
    host.failing["modprobe"] = "modprobe: FATAL: Module br_netfilter not found"
    with pytest.raises(SettingError, match="Kernel module br_netfilter cannot be loaded: modprobe: FATAL.*leave it out"):
        settle()
    assert not os.listdir(host.path("/etc/modules-load.d"))


@pytest.mark.usefixtures("host")
def test_parameter_that_the_kernel_does_not_have() -> None:
    with pytest.raises(SettingError, match="The kernel has no parameter net.bridge.bridge-nf-call-iptables"):
        settle(modules=["overlay"])


def test_swap_that_does_not_go(host: Host) -> None:
    host.failing["swapoff"] = "swapoff: /swap.img: swapoff failed: Cannot allocate memory"
    with pytest.raises(SettingError, match="`swapoff -a` failed: swapoff: /swap.img"):
        settle()
