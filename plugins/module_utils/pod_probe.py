# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Try a pod network with pods of its own: one on each node, that reach each other and the cluster's DNS."""

from __future__ import annotations

import ipaddress
import re
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, timezone
from typing import Any, Callable, Dict, Iterable, List, NamedTuple, Sequence, Tuple

from ansible_collections.quorum.kubeadm.plugins.module_utils.cluster_wait import pod_troubles
from ansible_collections.quorum.kubeadm.plugins.module_utils.kubectl import Kubectl, KubernetesObject, as_list

LABEL = "quorum.kubeadm/probe"
PREFIX = "quorum-verify-"
PORT = 8080
# The full mesh of six nodes; beyond that every node still tries five others and is tried by five.
NEIGHBOURS = 5
SIDE_BY_SIDE = 4
CONNECT = 3
# Name look-up (Go's resolver gives up after 10 s) and connection together.
EXEC = 15.0
# How often a command is given to a pod when it does not get there.
TRIES = 3
# kubectl says this of a command that ran and failed; without it, the command did not get to the pod.
RAN = "command terminated with exit code"
KLOG = re.compile(r"^[IWEF]\d{4} ")
# The pod's own address and port would keep pods with the same trouble apart.
SOURCE = re.compile(r"\S+:\d+->(\S+:\d+)")
# A probe that was killed leaves its namespace; nobody's probe runs this long.
STALE = timedelta(minutes=15)
PAUSE = 0.5


class Pod(NamedTuple):
    """The pod on one node; without addresses when it does not run, and then why."""

    node: str
    name: str
    addresses: List[str]
    error: str


class Target(NamedTuple):
    """What one pod is to reach."""

    source: Pod
    node: str
    address: str


class LeftBehind(Exception):
    """What the probe made is still there."""


def objects(namespace: str, nodes: Sequence[str], image: str) -> List[KubernetesObject]:
    """The namespace with one pod on each node, whatever its taints, and able to run where Pod Security is strict."""
    labels = {LABEL: "true", "app.kubernetes.io/managed-by": "quorum.kubeadm"}
    # An account of its own: the namespace's default one appears only after a while.
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "probe", "namespace": namespace}}
    return [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace, "labels": labels}},
        account,
        *(_pod(namespace, f"probe-{number}", node, image, labels) for number, node in enumerate(nodes)),
    ]


def _pod(namespace: str, name: str, node: str, image: str, labels: Dict[str, str]) -> KubernetesObject:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": namespace, "labels": labels},
        "spec": {
            "nodeName": node,
            "tolerations": [{"operator": "Exists"}],
            "serviceAccountName": "probe",
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,
            "restartPolicy": "Never",
            "terminationGracePeriodSeconds": 0,
            "activeDeadlineSeconds": int(STALE.total_seconds()),
            "securityContext": {"runAsNonRoot": True, "runAsUser": 65534, "runAsGroup": 65534, "seccompProfile": {"type": "RuntimeDefault"}},
            "containers": [
                {
                    "name": "probe",
                    "image": image,
                    "imagePullPolicy": "IfNotPresent",
                    "args": ["netexec", f"--http-port={PORT}", "--udp-port=-1"],
                    "resources": {"requests": {"cpu": "1m", "memory": "16Mi"}},
                    "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
                }
            ],
        },
    }


def read_pods(documents: Iterable[KubernetesObject]) -> List[Pod]:
    """The pods with their addresses, in the order of the nodes."""
    pods = []
    for document in sorted(documents, key=lambda pod: int(pod["metadata"]["name"].rpartition("-")[2])):
        troubles = pod_troubles([document])
        running = document.get("status", {}).get("phase") == "Running" and not troubles
        addresses = [entry["ip"] for entry in document.get("status", {}).get("podIPs", [])] if running else []
        error = "" if addresses else "; ".join(trouble.partition(": ")[2] for trouble in troubles) or "does not run"
        pods.append(Pod(document["spec"]["nodeName"], document["metadata"]["name"], addresses, error))
    return pods


def pairs(pods: Sequence[Pod]) -> List[Target]:
    """Who reaches for whom: each pod for the addresses of the next few in a ring."""
    running = [pod for pod in pods if pod.addresses]
    return [
        Target(source, other.node, _with_port(address, PORT))
        for position, source in enumerate(running)
        for step in range(1, min(len(running) - 1, NEIGHBOURS) + 1)
        for other in [running[(position + step) % len(running)]]
        for address in other.addresses
    ]


def stale(namespaces: Iterable[KubernetesObject], now: datetime) -> List[str]:
    """Namespaces that killed probes left."""
    made = [(entry["metadata"]["name"], datetime.strptime(entry["metadata"]["creationTimestamp"], "%Y-%m-%dT%H:%M:%SZ")) for entry in namespaces]
    return [name for name, moment in made if name.startswith(PREFIX) and now - moment.replace(tzinfo=timezone.utc) > STALE]


def probe(kubectl: Kubectl, namespace: str, nodes: Sequence[str], image: str, dns_domain: str, start: float, settle: float) -> Dict[str, Any]:
    """Start the pods, try all connections side by side until they work or the time to settle is over, and take everything away."""
    left = stale(kubectl.objects("get", "namespaces", f"--selector={LABEL}=true"), datetime.now(timezone.utc))
    if left:
        kubectl("delete", "namespace", "--ignore-not-found", "--wait=false", *left)
    try:
        kubectl("create", "--filename=-", "--output=name", stdin=as_list(objects(namespace, nodes, image)))
        bound = min(start, kubectl.deadline.left)
        kubectl.attempt("wait", "pod", "--all", "--for=condition=Ready", f"--namespace={namespace}", f"--timeout={bound:.0f}s", seconds=bound + 5)
        pods = read_pods(kubectl.objects("get", "pods", f"--namespace={namespace}"))
        # The last dot keeps the resolver from asking for the name in every search domain first.
        dns_name = f"kubernetes.default.svc.{dns_domain}.:443"
        targets = pairs(pods) + [Target(pod, "", dns_name) for pod in pods if pod.addresses]
        tried = try_all(targets, lambda target: _connect(kubectl, namespace, target), settle)
    finally:
        remove(kubectl, namespace)
    return {
        "pods": [{**pod._asdict(), "address": pod.addresses[0] if pod.addresses else ""} for pod in pods],
        "connections": [
            {"from_node": target.source.node, "to_node": target.node, "address": target.address, "ok": not error, "error": error}
            for target, error in tried
            if target.node
        ],
        "dns": [{"node": target.source.node, "ok": not error, "error": error} for target, error in tried if not target.node],
    }


def try_all(
    targets: Sequence[Target],
    connect: Callable[[Target], str],
    settle: float,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> List[Tuple[Target, str]]:
    """Each target with its error, or nothing; those that fail are tried again while the cluster may still be settling."""
    waiting = list(range(len(targets)))
    results = [""] * len(targets)
    end = clock() + settle
    with ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
        while waiting:
            for position, error in zip(waiting, pool.map(connect, [targets[position] for position in waiting])):
                results[position] = error
            waiting = [position for position in waiting if results[position]]
            if clock() >= end:
                break
            if waiting:
                sleep(PAUSE)
    return list(zip(targets, results))


def remove(kubectl: Kubectl, namespace: str) -> None:
    """Delete the namespace and see it gone; this has time of its own."""
    result = kubectl.attempt("delete", "namespace", namespace, "--ignore-not-found", "--timeout=60s", seconds=65, late=True)
    if result.rc:
        raise LeftBehind(f"The namespace {namespace} could not be removed: {result.stderr.strip()}. Remove it with `kubectl delete namespace {namespace}`")


def _connect(kubectl: Kubectl, namespace: str, target: Target) -> str:
    command = ["exec", f"--namespace={namespace}", target.source.name, "--", "/agnhost", "connect", f"--timeout={CONNECT}s", target.address]
    for _attempt in range(TRIES):
        result = kubectl.attempt(*command, seconds=EXEC)
        if result.rc == 0:
            return ""
        if RAN in result.stderr:
            return said(result.stderr)
    return f"could not be tried: {said(result.stderr)}"


def said(stderr: str) -> str:
    """What agnhost or kubectl said, without the words of kubectl's libraries."""
    lines = [line.strip() for line in stderr.splitlines()]
    telling = [line for line in lines if line and RAN not in line and not KLOG.match(line)]
    return SOURCE.sub(r"\1", " ".join(telling)) or "no reason given"


def _with_port(address: str, port: int) -> str:
    return f"[{address}]:{port}" if ipaddress.ip_address(address).version == 6 else f"{address}:{port}"
