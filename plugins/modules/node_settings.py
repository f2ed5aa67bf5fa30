#!/usr/bin/python
# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Set what Kubernetes wants of a Linux host."""

from __future__ import annotations

DOCUMENTATION = r"""
module: node_settings
short_description: Set names, kernel modules, kernel parameters and swap for a Kubernetes node
version_added: 0.1.0
author: Quorum contributors (@quorum)
description:
  - Gives the nodes their lines in C(/etc/hosts), loads kernel modules, sets kernel parameters, turns swap off and keeps
    NetworkManager away from the pods' interfaces, now and at every boot.
  - It is one module because all of it is looked up in an instant, and a task for each would cost a round trip for each.
extends_documentation_fragment:
  - quorum.kubeadm.attributes
attributes:
  check_mode:
    support: full
    details: Says what would be changed.
  diff_mode:
    support: full
    details: Shows the difference of every file.
  idempotent:
    support: full
    details: Changes only what is not as wanted.
options:
  hosts:
    description:
      - Names and addresses that get lines of their own in C(/etc/hosts), as M(quorum.kubeadm.hosts_entries) writes them for the owner V(nodes).
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: A host name.
        type: str
        required: true
      address:
        description: An IPv4 or IPv6 address of it.
        type: str
        required: true
  kernel_modules:
    description:
      - Modules to load. One that the kernel has built in counts as loaded.
    type: list
    elements: str
    default: []
  sysctls:
    description:
      - Kernel parameters by name. One that is not as wanted in the running kernel is set, whoever changed it.
    type: dict
    default: {}
  swap:
    description:
      - V(off) turns every swap area off, comments those in C(/etc/fstab) out, and masks the units that would turn one on at boot.
      - V(keep) leaves swap alone.
    type: str
    choices: ["off", keep]
    default: keep
  unmanaged_interfaces:
    description:
      - Interfaces, as NetworkManager's patterns, that NetworkManager must not touch where it is installed.
    type: list
    elements: str
    default: []
"""

EXAMPLES = r"""
- name: Prepare the kernel for pods
  quorum.kubeadm.node_settings:
    kernel_modules: [overlay, br_netfilter]
    sysctls:
      net.ipv4.ip_forward: 1
    swap: "off"
  become: true
"""

RETURN = r"""
changes:
  description: What was changed, or would be in check mode.
  returned: success
  type: list
  elements: str
  sample: [load overlay, set net.ipv4.ip_forward = 1 (was 0)]
"""

import os
from collections.abc import Callable
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.quorum.kubeadm.plugins.module_utils import node_settings as pure
from ansible_collections.quorum.kubeadm.plugins.module_utils.command import run
from ansible_collections.quorum.kubeadm.plugins.module_utils.hosts_change import set_entries
from ansible_collections.quorum.kubeadm.plugins.module_utils.hosts_file import Entry, HostsFileError
from ansible_collections.quorum.kubeadm.plugins.module_utils.text_files import TextFile, difference, is_as_wanted, look, write

HOSTS_FILE = "/etc/hosts"
MODULES_FILE = "/etc/modules-load.d/quorum-kubeadm.conf"
# The last word is ours: Debian links /etc/sysctl.conf as 99-sysctl.conf.
SYSCTL_FILE = "/etc/sysctl.d/99-zz-quorum-kubeadm.conf"
NETWORK_MANAGER = "/etc/NetworkManager"
UNMANAGED_FILE = f"{NETWORK_MANAGER}/conf.d/90-quorum-kubeadm.conf"
# Whatever else systemd would turn on, a partition it found or zram, hangs on swap.target; the others call swapon themselves.
SWAP_UNITS = ("swap.target", "zramswap.service", "dphys-swapfile.service")
UNIT_DIRECTORIES = ("/etc/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system")


class SettingError(Exception):
    """A setting that this host cannot have; the message says which and what to write."""


class Settings:
    """The changes this host needs, made as they are found unless only asked for."""

    def __init__(self, check_mode: bool) -> None:
        self.check_mode = check_mode
        self.changes: list[str] = []
        self.diff: list[dict[str, str]] = []

    def _change(self, what: str, make: Callable[[], Any]) -> None:
        self.changes.append(what)
        if not self.check_mode:
            make()

    def file(self, path: str, content: str, mode: int = 0o644) -> bool:
        """Have a file with this content; tell whether it had to be written."""
        file = TextFile(path, content, mode)
        found = look(path)
        if is_as_wanted(file, found):
            return False
        self.diff.append(difference(file, found))
        self._change(f"write {path}", lambda: write(file))
        return True

    def hosts(self, entries: list[Entry]) -> bool:
        """Have these names in /etc/hosts; tell whether the file had to be written."""
        change = set_entries("nodes", entries, (), HOSTS_FILE, "/", self.check_mode)
        if change.after != change.before:
            self.changes.append(f"write {HOSTS_FILE}")
            self.diff.append(change.diff)
        self.changes.extend(f"renew the copy of {HOSTS_FILE} of pod {pod}" for pod in change.pods)
        return change.after != change.before

    def modules(self, names: list[str]) -> None:
        """Have these modules, now and at boot; what the kernel refuses is not written down."""
        builtin = pure.builtin_modules(look(f"/lib/modules/{os.uname().release}/modules.builtin").content or "")
        for name in names:
            key = pure.module_key(name)
            if key not in builtin and not os.path.exists(f"/sys/module/{key}"):
                self._change(f"load {name}", lambda name=name: load(name))  # type: ignore[misc]
        self.file(MODULES_FILE, pure.modules_file(names))

    def sysctls(self, settings: dict[str, str]) -> None:
        """Have these parameters, now and at boot; what the kernel refuses is not written down."""
        for key, value in settings.items():
            path = pure.sysctl_path(key)
            now = look(path).content
            if now is None and not self.check_mode:
                raise SettingError(
                    f"The kernel has no parameter {key} ({path}). Name the module that brings it among the kernel modules, or leave the parameter out."
                )
            if now is None or not pure.same_value(now, value):
                was = " ".join((now or "absent").split())
                self._change(f"set {key} = {value} (was {was})", lambda path=path, value=value: assign(path, value))  # type: ignore[misc]
        self.file(SYSCTL_FILE, pure.sysctl_file(settings))

    def swap_off(self) -> None:
        """Have no swap, now and at boot; what comes back at boot goes first, so that an interrupted run leaves nothing behind."""
        fstab = look("/etc/fstab")
        if fstab.content is not None:
            self.file("/etc/fstab", pure.fstab_without_swap(fstab.content), fstab.mode)
        units = [unit for unit in SWAP_UNITS if any(os.path.exists(f"{directory}/{unit}") for directory in UNIT_DIRECTORIES)]
        unmasked = [unit for unit in units if os.path.realpath(f"{UNIT_DIRECTORIES[0]}/{unit}") != "/dev/null"]
        if unmasked:
            self._change(f"mask {', '.join(unmasked)}", lambda: must("systemctl", "mask", *unmasked))
        swaps = pure.active_swaps(look("/proc/swaps").content or "")
        if swaps:
            self._change(f"turn off swap on {', '.join(swaps)}", lambda: must("swapoff", "-a"))

    def unmanaged(self, interfaces: list[str]) -> None:
        """Have NetworkManager, where there is one, leave these interfaces alone."""
        if os.path.isdir(NETWORK_MANAGER) and self.file(UNMANAGED_FILE, pure.unmanaged_file(interfaces)):
            self._change("reload NetworkManager", lambda: must("systemctl", "try-reload-or-restart", "NetworkManager.service"))


def must(*argv: str) -> None:
    """Run a command that has to succeed."""
    result = run(argv)
    if result.rc:
        raise SettingError(f"`{' '.join(argv)}` failed: {result.stderr.strip() or result.stdout.strip()}")


def load(name: str) -> None:
    """Load a kernel module."""
    result = run(["modprobe", name])
    if result.rc:
        raise SettingError(
            f"Kernel module {name} cannot be loaded: {result.stderr.strip()}. Install the modules of kernel {os.uname().release}, "
            "or leave it out of the kernel modules where the host has its features already, as in a container."
        )


def assign(path: str, value: str) -> None:
    """Set a kernel parameter."""
    try:
        with open(path, "w", encoding="ascii") as file:
            file.write(value)
    except OSError as error:
        raise SettingError(f"{path} does not take {value!r}: {error.strerror}.") from error


def main() -> None:
    """Make the host as wanted."""
    module = AnsibleModule(
        argument_spec={
            "hosts": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "options": {"name": {"type": "str", "required": True}, "address": {"type": "str", "required": True}},
            },
            "kernel_modules": {"type": "list", "elements": "str", "default": []},
            "sysctls": {"type": "dict", "default": {}},
            "swap": {"type": "str", "choices": ["off", "keep"], "default": "keep"},
            "unmanaged_interfaces": {"type": "list", "elements": "str", "default": []},
        },
        supports_check_mode=True,
    )
    params = module.params
    settings = Settings(module.check_mode)
    try:
        if settings.hosts([Entry(**entry) for entry in params["hosts"]]) and not module.check_mode:
            module.set_default_selinux_context(HOSTS_FILE, False)
        settings.modules(params["kernel_modules"])
        settings.sysctls({key: str(value) for key, value in params["sysctls"].items()})
        if params["swap"] == "off":
            settings.swap_off()
        if params["unmanaged_interfaces"]:
            settings.unmanaged(params["unmanaged_interfaces"])
    except (HostsFileError, SettingError) as error:
        module.fail_json(msg=str(error), changes=settings.changes)
    except OSError as error:
        module.fail_json(msg=f"{error.filename}: {error.strerror}", changes=settings.changes)
    module.exit_json(changed=bool(settings.changes), changes=settings.changes, diff=settings.diff)


if __name__ == "__main__":
    main()
