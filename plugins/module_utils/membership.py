# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a node is, told by its files and, where a mark says that work on it was cut short, by its cluster as well.

kubeadm may have ended well although whoever watched it was killed: a member that serves is none to be taken back.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any, Iterable, Mapping, NamedTuple
from urllib.parse import urlsplit

from ansible_collections.quorum.kubeadm.plugins.module_utils.api_server import read_own_node, why_not_ready
from ansible_collections.quorum.kubeadm.plugins.module_utils.cluster_state import parse_node
from ansible_collections.quorum.kubeadm.plugins.module_utils.kubectl import Deadline, Kubectl, KubectlError
from ansible_collections.quorum.kubeadm.plugins.module_utils.node_state import (
    ADMIN_KUBECONFIG,
    KUBELET_KUBECONFIG,
    MEMBER_STATES,
    SUPER_ADMIN_KUBECONFIG,
    UNFINISHED_MARK,
    ApiServer,
    Membership,
    Traces,
    classify,
    kubeconfig_server,
    read_api_server,
    read_membership,
    read_node_name,
    read_traces,
)

# What others need of `init`, and the last things that it makes.
MADE_BY_INIT = frozenset(
    {
        ("ConfigMap", "kube-system", "kubeadm-config"),
        ("ConfigMap", "kube-system", "kubelet-config"),
        ("ConfigMap", "kube-public", "cluster-info"),
        ("Deployment", "kube-system", "coredns"),
        ("DaemonSet", "kube-system", "kube-proxy"),
    }
)
ADDONS = ("kube-dns", "kube-proxy")
# For how many seconds who is about to reset a node gives it the chance to prove that it is finished.
PATIENCE = 10.0


class Survey(NamedTuple):
    """What a cluster has, seen from the control plane on which an `init` was cut short."""

    complete: bool
    """Whether everything is there that `init` makes."""
    beyond: list[str]
    """What it never makes: other nodes, and pods of somebody's."""


def survey(objects: Iterable[Mapping[str, Any]], own_name: str | None) -> Survey:
    """Tell from the objects of a cluster what `init` made of them, and what came after it."""
    made, beyond = set(), []
    for one in objects:
        kind, metadata = one["kind"], one["metadata"]
        name, namespace, labels = metadata["name"], metadata.get("namespace", ""), metadata.get("labels", {})
        made.add((kind, namespace, name))
        if kind == "Node" and name != own_name:
            beyond.append(f"node {name}")
        elif kind == "Pod" and not (namespace == "kube-system" and (labels.get("tier") == "control-plane" or labels.get("k8s-app") in ADDONS)):
            beyond.append(f"pod {namespace}/{name}")
    return Survey(made >= MADE_BY_INIT, sorted(beyond))


def _look(root: Path, server: ApiServer) -> Survey:
    # The administrator's own rights are one of the things that `init` makes late.
    kubeconfig = next((path for path in (root / SUPER_ADMIN_KUBECONFIG, root / ADMIN_KUBECONFIG) if path.exists()), root / ADMIN_KUBECONFIG)
    kubectl = Kubectl(str(kubeconfig), Deadline(15), server=server.url)
    return survey(kubectl.objects("get", "nodes,pods,configmaps,deployments,daemonsets", "--all-namespaces"), read_node_name(root))


def _kubelets_server(root: Path) -> ApiServer | None:
    kubeconfig = root / KUBELET_KUBECONFIG
    url = urlsplit((kubeconfig_server(kubeconfig.read_text(encoding="utf-8")) or "") if kubeconfig.exists() else "")
    return ApiServer(url.hostname, url.port or 443) if url.hostname else None


def _is_member(root: Path, traces: Traces) -> bool:
    """Ask the cluster whether it has this node as what its files say, and nothing is left to do on it."""
    name, own = read_node_name(root), read_api_server(root)
    server = own or _kubelets_server(root)
    if name is None or server is None or (own is not None and why_not_ready(root, own) is not None):
        return False
    node = read_own_node(root, server, name)
    if node is None:
        return False
    if own is None:
        return True
    if not parse_node(node)["control_plane"]:  # a join labels the node last of all
        return False
    try:
        return traces.unfinished != "init" or _look(root, own).complete
    except KubectlError:
        return False


def actual_membership(root: Path, patience: float = 0.0) -> Membership:
    """Tell what the node is; a cluster that may only be starting is asked for as many seconds as there is patience."""
    membership, traces = read_membership(root), read_traces(root)
    state = classify(traces._replace(unfinished=None))
    if traces.unfinished is None or state not in MEMBER_STATES or read_node_name(root) is None:
        return membership
    deadline = time.monotonic() + patience
    while not _is_member(root, traces):
        if time.monotonic() >= deadline:
            return membership
        time.sleep(0.5)
    return {**membership, "state": state}


def clear_stale_mark(root: Path, membership: Membership, check_mode: bool) -> bool:
    """Take the mark of unfinished work off a node that is finished; return whether there was one."""
    mark = root / UNFINISHED_MARK
    stale = membership["state"] in MEMBER_STATES and mark.exists()
    if stale and not check_mode:
        mark.unlink()
    return stale


def what_lives_here(root: Path) -> list[str]:
    """Return what a reset of this node would destroy although `init` alone did not make it; nothing when no API server is ready."""
    server = read_api_server(root)
    if server is None or why_not_ready(root, server) is not None:
        return []
    try:
        return _look(root, server).beyond
    except KubectlError as error:
        return [f"what cannot be read ({error})"]
