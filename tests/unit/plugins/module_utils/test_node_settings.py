# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a node's kernel and its files are to be."""

from __future__ import annotations

import pytest

from ansible_collections.quorum.kubeadm.plugins.module_utils import node_settings

BUILTIN = "kernel/fs/overlayfs/overlay.ko\nkernel/net/bridge/br_netfilter.ko\nkernel/drivers/block/zram-x.ko.xz\n"
DEBIAN = """# /etc/fstab: static file system information.
UUID=0d1e / ext4 errors=remount-ro 0 1
# swap was on /dev/sda5 during installation
UUID=7c2f none            swap    sw              0       0
/dev/sr0        /media/cdrom0   udf,iso9660 user,noauto     0       0
"""
UBUNTU = "/dev/disk/by-id/dm-uuid-x / ext4 defaults 0 1\n/swap.img\tnone\tswap\tsw\t0\t0\n"
ROCKY = """/dev/mapper/rl-root     /                       xfs     defaults        0 0
/dev/mapper/rl-swap     none                    swap    defaults        0 0"""


def test_builtin_modules() -> None:
    assert node_settings.builtin_modules(BUILTIN) == {"overlay", "br_netfilter", "zram_x"}
    assert not node_settings.builtin_modules("")


@pytest.mark.parametrize(
    ("key", "path"),
    [
        ("net.ipv4.ip_forward", "/proc/sys/net/ipv4/ip_forward"),
        ("net/ipv4/ip_forward", "/proc/sys/net/ipv4/ip_forward"),
        ("net.ipv4.conf.eth0/100.rp_filter", "/proc/sys/net/ipv4/conf/eth0.100/rp_filter"),
        ("net/ipv4/conf/eth0.100/rp_filter", "/proc/sys/net/ipv4/conf/eth0.100/rp_filter"),
    ],
)
def test_sysctl_path(key: str, path: str) -> None:
    assert node_settings.sysctl_path(key) == path


@pytest.mark.parametrize(("left", "right", "same"), [("1\n", "1", True), ("4096\t131072\t6291456\n", "4096 131072 6291456", True), ("1\n", "0", False)])
def test_same_value(left: str, right: str, same: bool) -> None:
    assert node_settings.same_value(left, right) is same


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (DEBIAN, DEBIAN.replace("UUID=7c2f", "#UUID=7c2f")),
        (UBUNTU, UBUNTU.replace("/swap.img", "#/swap.img")),
        (ROCKY, ROCKY.replace("/dev/mapper/rl-swap", "#/dev/mapper/rl-swap")),
        ("/srv/swap /srv/swap ext4 defaults 0 2\n", "/srv/swap /srv/swap ext4 defaults 0 2\n"),
        ("", ""),
    ],
)
def test_fstab(before: str, after: str) -> None:
    assert node_settings.fstab_without_swap(before) == after
    assert node_settings.fstab_without_swap(after) == after


@pytest.mark.parametrize(
    ("text", "swaps"),
    [
        ("Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n", []),
        ("Filename Type Size Used Priority\n/dev/dm-1 partition 2097148 0 -2\n/dev/zram0 partition 8 0 100\n", ["/dev/dm-1", "/dev/zram0"]),
        ("", []),
    ],
)
def test_active_swaps(text: str, swaps: list[str]) -> None:
    assert node_settings.active_swaps(text) == swaps


def test_files() -> None:
    assert node_settings.modules_file(["overlay", "br_netfilter"]).splitlines()[1:] == ["overlay", "br_netfilter"]
    assert node_settings.sysctl_file({"net.ipv4.ip_forward": "1"}).splitlines()[1:] == ["net.ipv4.ip_forward = 1"]
    assert node_settings.unmanaged_file(["cali*", "tunl*"]).splitlines()[1:] == ["[keyfile]", "unmanaged-devices+=interface-name:cali*;interface-name:tunl*"]
