# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The kinds of endpoint a cluster can have: one row each, and the only place that knows them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Callable, Literal, NamedTuple, Sequence

from ansible_collections.quorum.kubeadm.plugins.module_utils import ports

Need = Literal["required", "optional", "unused"]
Mover = Literal["keepalived", ""]


class Groups(NamedTuple):
    """The hosts of the inventory, by what they are to be."""

    control_planes: Sequence[str]
    workers: Sequence[str]
    proxies: Sequence[str]


class View(NamedTuple):
    """What one host has to choose from when it resolves the endpoint's name."""

    endpoint: str
    """The address the user gave the endpoint; empty: DNS knows it."""
    own: str
    primary: str
    serves: bool
    """Whether the host has an API server of this cluster, or makes the first one."""
    control_plane: bool


@dataclass(frozen=True)
class EndpointType:
    """What sets one kind of endpoint apart from the others."""

    meaning: str
    port: int
    """Where the endpoint listens when `cluster_endpoint_port` is not set."""
    address: Need
    """Whether the user says the address the endpoint has."""
    floating: bool
    """Whether that address is ours and floats: one of the proxies has it at a time."""
    mover: Mover
    """Who moves it between them; empty: nobody, it does not float."""
    balanced: bool
    """Whether a load balancer that is not ours stands before the API servers, to be tested before it is needed."""
    needs_hairpin: bool
    """Whether a control plane, too, comes to itself through that load balancer."""
    check_interval: int
    """Milliseconds between two checks of an API server by each of our HAProxies, of which there may be one on every node; 0: there is none."""
    proxy_address: str
    """The address on which our HAProxy takes connections; `*`: all of the host's."""
    from_outside: bool
    """Whether the endpoint means the same beyond the nodes; else a kubeconfig that leaves them names an API server."""
    proxies: Callable[[Groups], Sequence[str]]
    """The hosts on which our HAProxy serves the endpoint; none: somebody else serves it."""
    resolves_to: Callable[[View], str]
    """The address of the endpoint's name on one host; empty: we do not touch the name."""


def _nodes(groups: Groups) -> Sequence[str]:
    return [*groups.control_planes, *groups.workers]


def _nobody(groups: Groups) -> Sequence[str]:
    return ()


def _behind_the_balancer(view: View) -> str:
    """A load balancer may be unable to bring a backend's packets back to it, so no control plane depends on it.

    One that is still to join goes to the first, since it has no API server of its own (kubeadm#2271).
    """
    if not view.control_plane:
        return view.endpoint
    return view.own if view.serves else view.primary


ENDPOINT_TYPES: dict[str, EndpointType] = {
    "vip": EndpointType(
        meaning="a virtual IP moved by keepalived, with HAProxy behind it",
        port=ports.ENDPOINT,
        address="required",
        floating=True,
        mover="keepalived",
        balanced=False,
        needs_hairpin=False,
        check_interval=100,
        proxy_address="*",
        from_outside=True,
        proxies=lambda groups: groups.proxies or groups.control_planes,
        resolves_to=lambda view: view.endpoint,
    ),
    "load_balancer": EndpointType(
        meaning="a cloud's load balancer",
        port=ports.API_SERVER,
        address="optional",
        floating=False,
        mover="",
        balanced=True,
        needs_hairpin=False,
        check_interval=0,
        proxy_address="",
        from_outside=True,
        proxies=_nobody,
        resolves_to=_behind_the_balancer,
    ),
    "node_local": EndpointType(
        meaning="HAProxy on every node, for that node alone",
        port=ports.ENDPOINT,
        address="unused",
        floating=False,
        mover="",
        balanced=False,
        needs_hairpin=False,
        check_interval=1000,
        proxy_address="127.0.0.1",
        from_outside=False,
        proxies=_nodes,
        resolves_to=lambda view: "127.0.0.1",
    ),
    "external": EndpointType(
        meaning="a name and a load balancer that somebody else keeps",
        port=ports.API_SERVER,
        address="unused",
        floating=False,
        mover="",
        balanced=True,
        needs_hairpin=True,
        check_interval=0,
        proxy_address="",
        from_outside=True,
        proxies=_nobody,
        resolves_to=lambda view: "",
    ),
}
