# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The kinds of endpoint a cluster can have: one row each, and the only place that knows them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Callable, NamedTuple, Sequence


class Groups(NamedTuple):
    """The hosts of the inventory, by what they are to be."""

    control_planes: Sequence[str]
    workers: Sequence[str]
    proxies: Sequence[str]


class View(NamedTuple):
    """What one host has to choose from when it resolves the endpoint's name."""

    endpoint: str
    own: str
    primary: str
    control_plane: bool


@dataclass(frozen=True)
class EndpointType:
    """What sets one kind of endpoint apart from the others."""

    meaning: str
    port: int
    """Where the endpoint listens when `cluster_endpoint_port` is not set."""
    wants_address: bool
    """Whether the user must say the address the endpoint has."""
    vrrp: bool
    """Whether keepalived moves that address between the proxies."""
    proxies: Callable[[Groups], Sequence[str]]
    """The hosts on which our HAProxy serves the endpoint; none: somebody else serves it."""
    resolves_to: Callable[[View], str]
    """The address of the endpoint's name on one host; empty: we do not touch the name."""


ENDPOINT_TYPES: dict[str, EndpointType] = {
    "vip": EndpointType(
        meaning="a virtual IP moved by keepalived, with HAProxy behind it",
        port=16443,
        wants_address=True,
        vrrp=True,
        proxies=lambda groups: groups.proxies or groups.control_planes,
        resolves_to=lambda view: view.endpoint,
    ),
}
