# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Speak to a cluster from one of its control planes."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple, Sequence

from ansible_collections.quorum.kubeadm.plugins.module_utils.command import Result
from ansible_collections.quorum.kubeadm.plugins.module_utils.kubectl import Deadline, Kubectl, bounded
from ansible_collections.quorum.kubeadm.plugins.module_utils.node_state import (
    ADMIN_KUBECONFIG,
    ApiServer,
    kubeconfig_server,
    read_api_server,
    read_authority,
)


class NoControlPlane(Exception):
    """This host is not a control plane."""


class ControlPlane(NamedTuple):
    """What a control plane knows of its cluster without asking."""

    api_server: ApiServer
    endpoint: str
    ca_hash: str


def read_control_plane(root: Path = Path("/")) -> ControlPlane:
    """Return what this control plane's files tell."""
    server = read_api_server(root)
    authority = read_authority(root)
    kubeconfig = root / ADMIN_KUBECONFIG
    endpoint = kubeconfig_server(kubeconfig.read_text(encoding="utf-8")) if kubeconfig.exists() else None
    if not (server and authority and endpoint):
        raise NoControlPlane(f"this host is no control plane: it lacks a kube-apiserver, a cluster CA or {kubeconfig}. Run this on one that serves")
    return ControlPlane(server, endpoint.replace("https://", "", 1), authority[1])


def local_kubectl(deadline: Deadline, root: Path = Path("/")) -> Kubectl:
    """Return a kubectl that asks this node's own API server, whatever becomes of the endpoint in front of it."""
    server = read_control_plane(root).api_server

    def ask_it(argv: Sequence[str], stdin: str | None, seconds: float) -> Result:
        return bounded([*argv, f"--server={server.url}"], stdin, seconds)

    return Kubectl(str(root / ADMIN_KUBECONFIG), deadline, ask_it)
