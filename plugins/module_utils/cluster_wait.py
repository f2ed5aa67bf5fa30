# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Wait until nodes and workloads are ready; when they are not in time, say which and why."""

from __future__ import annotations

import re
import time
from typing import Any, Callable, Dict, Iterable, List, NamedTuple, Sequence

from ansible_collections.quorum.kubeadm.plugins.module_utils.kubectl import Kubectl, KubernetesObject, as_list, parse_objects

API_VERSIONS = {"Node": "v1", "DaemonSet": "apps/v1", "Deployment": "apps/v1"}
# A watch whose connection has died silently is begun anew after this; an event ends it sooner.
WATCH = 20.0
# Between two readings when an event came at once and yet something else is missing.
PAUSE = 0.3
NAMES = re.compile(r" restarting failed container=\S+ pod=\S+")
SHOWN_EVENTS = 3
SHOWN_LINES = 3


class Target(NamedTuple):
    """An object that has to become ready."""

    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind} {self.namespace + '/' if self.namespace else ''}{self.name}"

    @property
    def arguments(self) -> List[str]:
        """How kubectl is told of it."""
        return [f"{self.kind.lower()}/{self.name}", *([f"--namespace={self.namespace}"] if self.namespace else [])]


class Pending(NamedTuple):
    """A target that is not ready: what the API server says of it (None: it does not exist), and why."""

    target: Target
    reason: str
    found: KubernetesObject | None


def unready(document: KubernetesObject) -> str:
    """Why this object is not ready, or nothing when it is."""
    return {"Node": _node, "DaemonSet": _daemon_set, "Deployment": _deployment}[document["kind"]](document)


def pending(targets: Iterable[Target], documents: Iterable[KubernetesObject]) -> List[Pending]:
    """The targets that are not ready."""
    found = {Target(document["kind"], document["metadata"].get("namespace", ""), document["metadata"]["name"]): document for document in documents}
    looked_at = [(target, found.get(target)) for target in targets]
    judged = [Pending(target, unready(document) if document else "does not exist", document) for target, document in looked_at]
    return [entry for entry in judged if entry.reason]


def read(kubectl: Kubectl, targets: Sequence[Target]) -> List[Pending]:
    """One look at all of them, with one call."""
    if not targets:
        return []
    asked = [
        {"apiVersion": API_VERSIONS[kind], "kind": kind, "metadata": {"name": name, **({"namespace": namespace} if namespace else {})}}
        for kind, namespace, name in targets
    ]
    return pending(targets, kubectl.objects("get", "--ignore-not-found", "-f", "-", stdin=as_list(asked)))


def wait(kubectl: Kubectl, targets: Sequence[Target], sleep: Callable[[float], None] = time.sleep) -> List[Pending]:
    """Wait until all are ready or the deadline has come; return what is not ready then.

    Between two looks kubectl watches one of those that are missing, so nothing is polled.
    """
    while True:
        missing = read(kubectl, targets)
        if not missing or not kubectl.deadline.left:
            return missing
        left = kubectl.deadline.left
        kubectl.attempt(*watch(missing, min(left, WATCH)), seconds=WATCH + 1)
        if left - kubectl.deadline.left < PAUSE:
            sleep(PAUSE)


def watch(missing: Sequence[Pending], seconds: float) -> List[str]:
    """The kubectl command that ends when the next of these may have become ready."""
    timeout = f"--timeout={max(seconds, 1):.0f}s"
    absent = next((entry.target for entry in missing if entry.found is None), None)
    if absent:
        return ["wait", "--for=create", timeout, *absent.arguments]
    nodes = [f"node/{entry.target.name}" for entry in missing if entry.target.kind == "Node"]
    if nodes:
        return ["wait", "--for=condition=Ready", timeout, *nodes]
    return ["rollout", "status", timeout, *missing[0].target.arguments]


def explain(kubectl: Kubectl, missing: Sequence[Pending]) -> List[Dict[str, Any]]:
    """Each of them with what its pods and the last events say. Asking is bounded by a few seconds of its own."""
    explained = []
    for target, reason, document in missing:
        details: List[str] = []
        if document is not None and target.kind != "Node":
            labels = document["spec"]["selector"].get("matchLabels", {})
            selector = ",".join(f"{key}={value}" for key, value in labels.items())
            pods = _ask(kubectl, "get", "pods", f"--namespace={target.namespace}", f"--selector={selector}")
            details += pod_troubles(pods)
            details += _last_words(kubectl, pods)
            details += last_events(_ask(kubectl, "get", "events", f"--namespace={target.namespace}", "--field-selector=type=Warning"), target.name)
        explained.append({"kind": target.kind, "namespace": target.namespace, "name": target.name, "reason": reason, "details": details})
    return explained


def report(explained: Iterable[Dict[str, Any]], seconds: float) -> str:
    """The message for the operator."""
    lines = [f"Not ready after {seconds:.0f} s:"]
    for entry in explained:
        lines.append(f"{Target(entry['kind'], entry['namespace'], entry['name'])}: {entry['reason']}")
        lines += [f"  {detail}" for detail in entry["details"]]
    return "\n".join(lines)


def pod_troubles(pods: Iterable[KubernetesObject]) -> List[str]:
    """What keeps pods from being ready, pods with the same trouble together."""
    together: Dict[str, List[str]] = {}
    for pod in pods:
        place = pod["spec"].get("nodeName", "")
        for trouble in _troubles(pod):
            together.setdefault(trouble, []).append(f"{pod['metadata']['name']}{' on ' + place if place else ''}")
    return [f"pod {', '.join(names)}: {trouble}" for trouble, names in together.items()]


def last_events(events: Iterable[KubernetesObject], name: str) -> List[str]:
    """The last warnings about an object and what it made (whose names begin with its own)."""
    about = [event for event in events if event.get("involvedObject", {}).get("name", "").startswith(name)]
    about.sort(key=lambda event: event.get("lastTimestamp") or event.get("eventTime") or event["metadata"].get("creationTimestamp") or "")
    return [
        f"event {event.get('reason', '')} of {event['involvedObject']['kind']} {event['involvedObject']['name']}: {event.get('message', '').strip()}"
        for event in about[-SHOWN_EVENTS:]
    ]


def crashed(pods: Iterable[KubernetesObject]) -> tuple[str, str] | None:
    """The first pod and container that came to a bad end."""
    for pod in pods:
        status = pod.get("status", {})
        for container in [*status.get("initContainerStatuses", []), *status.get("containerStatuses", [])]:
            if "ended with" in _container_trouble(container):
                return pod["metadata"]["name"], container["name"]
    return None


def _last_words(kubectl: Kubectl, pods: Sequence[KubernetesObject]) -> List[str]:
    victim = crashed(pods)
    if victim is None:
        return []
    pod, container = victim
    namespace = pods[0]["metadata"]["namespace"]
    result = kubectl.attempt("logs", pod, f"--container={container}", f"--namespace={namespace}", f"--tail={SHOWN_LINES}", seconds=6, late=True)
    return [f"log of {pod}: {line}" for line in result.stdout.splitlines()]


def _ask(kubectl: Kubectl, *arguments: str) -> List[KubernetesObject]:
    result = kubectl.attempt(*arguments, "--output=json", "--request-timeout=5s", seconds=6, late=True)
    return parse_objects(result.stdout) if result.rc == 0 else []


def _condition(document: KubernetesObject, kind: str) -> Dict[str, str]:
    return next((entry for entry in document.get("status", {}).get("conditions", []) if entry["type"] == kind), {})


def _node(document: KubernetesObject) -> str:
    ready = _condition(document, "Ready")
    if ready.get("status") == "True":
        return ""
    return ": ".join(part for part in (ready.get("reason"), ready.get("message")) if part) or "its kubelet has not reported yet"


def _daemon_set(document: KubernetesObject) -> str:
    status = document.get("status", {})
    wanted = status.get("desiredNumberScheduled", 0)
    if status.get("observedGeneration", 0) < document["metadata"].get("generation", 0):
        return "the controller manager has not looked at it yet"
    if document["spec"].get("updateStrategy", {}).get("type") != "OnDelete" and status.get("updatedNumberScheduled", 0) < wanted:
        return f"{status.get('updatedNumberScheduled', 0)} of {wanted} pods are of the new version"
    if status.get("numberAvailable", 0) < wanted:
        return f"{status.get('numberAvailable', 0)} of {wanted} pods are available"
    return ""


def _deployment(document: KubernetesObject) -> str:
    status = document.get("status", {})
    wanted = document["spec"].get("replicas", 1)
    updated = status.get("updatedReplicas", 0)
    if status.get("observedGeneration", 0) < document["metadata"].get("generation", 0):
        return "the controller manager has not looked at it yet"
    failure = _condition(document, "ReplicaFailure")
    if updated < wanted:
        return f"{updated} of {wanted} pods are of the new version" + (f": {failure['message']}" if failure.get("message") else "")
    if status.get("replicas", 0) > updated:
        return f"{status['replicas'] - updated} pods of the old version are still there"
    if status.get("availableReplicas", 0) < wanted:
        return f"{status.get('availableReplicas', 0)} of {wanted} pods are available"
    return ""


def _troubles(pod: KubernetesObject) -> List[str]:
    status = pod.get("status", {})
    if pod["metadata"].get("deletionTimestamp"):
        return ["is being deleted"]
    if status.get("phase") == "Failed":
        return [": ".join(part for part in ("failed", status.get("reason"), status.get("message")) if part)]
    scheduled = _condition(pod, "PodScheduled")
    if scheduled.get("status") == "False":
        return [f"is on no node: {scheduled.get('message') or scheduled.get('reason', '')}"]
    containers = [*status.get("initContainerStatuses", []), *status.get("containerStatuses", [])]
    if not containers:
        return ["its kubelet has not taken it up" if pod["spec"].get("nodeName") else "no scheduler has looked at it"]
    found = [trouble for trouble in map(_container_trouble, containers) if trouble]
    # While an init container works, the others only wait for it.
    telling = [trouble for trouble in found if not trouble.endswith("waits: PodInitializing")]
    return telling or found


def _container_trouble(container: Dict[str, Any]) -> str:
    name = container["name"]
    state = container.get("state", {})
    ended = state.get("terminated") or container.get("lastState", {}).get("terminated")
    end = ""
    if ended and ended.get("exitCode"):
        end = f"ended with {ended['exitCode']} ({ended.get('reason', 'Error')}){': ' + ended['message'].strip() if ended.get('message') else ''}"
    if "waiting" in state:
        waiting = state["waiting"]
        # The pod's name in the message would keep pods with the same trouble apart.
        message = NAMES.sub("", waiting.get("message", ""))
        said = ": ".join(part for part in (waiting.get("reason"), message) if part)
        return f"container {name} waits: {said}{'; it ' + end if end else ''}"
    if state.get("terminated"):
        return f"container {name} {end}" if end else ""
    if not container.get("ready") and container.get("started") is not None and "running" in state:
        return f"container {name} runs but is not ready"
    return ""
