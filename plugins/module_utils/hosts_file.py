# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names in /etc/hosts of which each has the lines it should have, and no others."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from typing import NamedTuple

_NAME = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9_])?\Z")


# What the kubelet writes before and after the copy that a pod on the host's network gets: pkg/kubelet/kubelet_pods.go of Kubernetes.
COPY_HEADER = "# Kubernetes-managed hosts file (host network).\n"
COPY_ALIASES = "\n# Entries added by HostAliases."


class HostsFileError(ValueError):
    """An entry that /etc/hosts cannot have; the message says which and why."""


class Entry(NamedTuple):
    """A name and an address it has."""

    name: str
    address: str


def check(entries: Iterable[Entry]) -> None:
    """Refuse what would be no line of /etc/hosts."""
    for entry in entries:
        if not _NAME.match(entry.name):
            raise HostsFileError(f"`{entry.name}` is no host name: letters, digits, dots and hyphens")
        try:
            ipaddress.ip_address(entry.address)
        except ValueError:
            raise HostsFileError(f"{entry.name}: `{entry.address}` is no IP address") from None


def _without(line: str, names: set[str]) -> str | None:
    """Return a line without these names, None when it has no others."""
    text, hash_sign, comment = line.partition("#")
    words = text.split()
    kept = [word for word in words[1:] if word.lower() not in names]
    if len(kept) == len(words[1:]):
        return line
    return f"{words[0]} {' '.join(kept)}{' ' if hash_sign else ''}{hash_sign}{comment}" if kept else None


def addresses(text: str, name: str) -> list[str]:
    """Return the addresses that a name has in the file, in its order."""
    lines = (line.partition("#")[0].split() for line in text.splitlines())
    return [words[0] for words in lines if name.lower() in (word.lower() for word in words[1:])]


def owned(text: str, owner: str) -> list[str]:
    """Return the lines of an owner."""
    return [line for line in text.splitlines() if line.rstrip().endswith(_mark(owner))]


def _mark(owner: str) -> str:
    return f"# quorum.kubeadm {owner}"


def renewed(copy: str, text: str, owner: str) -> str:
    """Return a pod's copy of the file, made anew from ``text`` where its lines of this owner are others; a copy of another kind as it is.

    The kubelet makes it when a container starts and never again (kubernetes#85501).
    """
    if not copy.startswith(COPY_HEADER) or owned(copy, owner) == owned(text, owner):
        return copy
    _body, aliases, lines = copy.partition(COPY_ALIASES)
    return f"{COPY_HEADER}{text}{aliases}{lines}"


def render(text: str, owner: str, entries: Iterable[Entry], absent: Iterable[str] = ()) -> str:
    """Return the file in which the owner's lines are exactly ``entries`` and no other line has a name of ``entries`` or ``absent``.

    The owner's lines are known by a mark at their end. They stay where the first of them was.
    """
    mark = _mark(owner)
    wanted = list(entries)
    names = {name.lower() for name in (*absent, *(entry.name for entry in wanted))}
    own = [f"{entry.address} {entry.name} {mark}" for entry in wanted]
    lines: list[str] = []
    place: int | None = None
    for line in text.splitlines():
        if line.rstrip().endswith(mark):
            place = len(lines) if place is None else place
            continue
        rest = _without(line, names)
        if rest is not None:
            lines.append(rest)
    place = len(lines) if place is None else place
    lines[place:place] = own
    return text if lines == text.splitlines() else "".join(f"{line}\n" for line in lines)
