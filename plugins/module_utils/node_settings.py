# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a Kubernetes node wants of its kernel, and how the files that keep it so look."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

HEADER = "# Managed by quorum.kubeadm: changes are lost at its next run.\n"


def module_key(name: str) -> str:
    """Return a kernel module's name as the kernel spells it."""
    return name.replace("-", "_")


def builtin_modules(text: str) -> set[str]:
    """Return the modules that modules.builtin lists, as the kernel spells them."""
    return {module_key(match) for match in re.findall(r"([^/\n]+)\.ko", text)}


def modules_file(modules: Iterable[str]) -> str:
    """Return what systemd-modules-load reads."""
    return HEADER + "".join(f"{module}\n" for module in modules)


def sysctl_path(key: str) -> str:
    """Return the file of a kernel parameter; as in sysctl(8), the first separator decides which of `.` and `/` it is."""
    first = re.search(r"[./]", key)
    if first and first[0] == ".":
        key = key.translate(str.maketrans("./", "/."))
    return f"/proc/sys/{key}"


def same_value(left: str, right: str) -> bool:
    """Compare kernel parameters, which separate several values by any white space."""
    return left.split() == right.split()


def sysctl_file(settings: Mapping[str, str]) -> str:
    """Return what systemd-sysctl reads."""
    return HEADER + "".join(f"{key} = {value}\n" for key, value in settings.items())


def unmanaged_file(interfaces: Iterable[str]) -> str:
    """Return the NetworkManager configuration that makes it leave interfaces alone."""
    patterns = ";".join(f"interface-name:{interface}" for interface in interfaces)
    return f"{HEADER}[keyfile]\nunmanaged-devices+={patterns}\n"


def fstab_without_swap(text: str) -> str:
    """Comment the swap areas out, and nothing else."""

    def without(line: str) -> str:
        fields = line.split()
        return f"#{line}" if len(fields) >= 3 and not fields[0].startswith("#") and fields[2] == "swap" else line

    return "".join(without(line) for line in text.splitlines(keepends=True))


def active_swaps(text: str) -> Sequence[str]:
    """Return the swap areas in use, from /proc/swaps."""
    return [line.split()[0] for line in text.splitlines()[1:] if line.strip()]
