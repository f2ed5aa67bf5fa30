# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Kubernetes manifests: which objects they hold, in which order they can be applied, and what applying them changed."""

from __future__ import annotations

import re
from typing import Any, Dict, Iterable, List, NamedTuple, Sequence

from ansible_collections.quorum.kubeadm.plugins.module_utils.kubectl import PASSING, Kubectl, KubernetesObject, as_list

# A new kind is established before every replica's discovery lists it.
PASSING_OR_UNKNOWN_KIND = re.compile(PASSING.pattern + r"|no matches for kind", re.IGNORECASE)
SERVER_SIDE_NOISE = ("managedFields", "resourceVersion", "generation", "uid", "creationTimestamp")


class ManifestError(ValueError):
    """A manifest is not what it should be; the text says which document and why."""


class Reference(NamedTuple):
    """What names an object, whatever version of its API it is written in."""

    group: str
    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind} {self.namespace + '/' if self.namespace else ''}{self.name}"


class Change(NamedTuple):
    """What became of one object: `created`, `changed` or `unchanged`."""

    reference: Reference
    result: str
    before: KubernetesObject
    after: KubernetesObject


def reference(document: KubernetesObject) -> Reference:
    """What names this object."""
    group = document["apiVersion"].rpartition("/")[0]
    metadata = document["metadata"]
    return Reference(group, document["kind"], metadata.get("namespace") or "", metadata["name"])


def flatten(documents: Iterable[Any], source: str = "the manifest") -> List[KubernetesObject]:
    """The objects of the documents: lists opened, empty documents left out, each with what names it."""
    objects: List[KubernetesObject] = []
    for number, document in enumerate(documents, start=1):
        if document is None:
            continue
        where = f"document {number} of {source}"
        if not isinstance(document, dict):
            raise ManifestError(f"{where} is no Kubernetes object but a {type(document).__name__}")
        if str(document.get("kind", "")).endswith("List") and isinstance(document.get("items"), list):
            objects += flatten(document["items"], f"the {document['kind']} in {where}")
            continue
        missing = [field for field in ("apiVersion", "kind") if not isinstance(document.get(field), str)]
        metadata = document.get("metadata")
        if not isinstance(metadata, dict) or not isinstance(metadata.get("name"), str):
            missing.append("metadata.name")
        if missing:
            raise ManifestError(f"{where} ({document.get('kind') or 'of no kind'}) lacks {' and '.join(missing)}")
        objects.append(document)
    return objects


def workloads(documents: Iterable[KubernetesObject]) -> List[Dict[str, str]]:
    """The DaemonSets and Deployments among the objects, as `wait_for_cluster` takes them."""
    return [
        {"kind": document["kind"], "namespace": document["metadata"].get("namespace") or "default", "name": document["metadata"]["name"]}
        for document in documents
        if document["kind"] in ("DaemonSet", "Deployment") and document["apiVersion"].startswith("apps/")
    ]


def is_foundation(document: KubernetesObject) -> bool:
    """Whether other objects cannot even be asked for before this one exists."""
    return document["kind"] in ("Namespace", "CustomResourceDefinition")


def defines(document: KubernetesObject) -> tuple[str, str]:
    """The group and kind that a CustomResourceDefinition brings."""
    spec = document.get("spec", {})
    return spec.get("group", ""), spec.get("names", {}).get("kind", "")


def ours(document: KubernetesObject, manager: str) -> Any:
    """The API server's own note of which fields this manager set, and when it last changed any of them."""
    for entry in document.get("metadata", {}).get("managedFields", []):
        if (entry.get("manager"), entry.get("operation"), entry.get("subresource", "")) == (manager, "Apply", ""):
            return entry
    return None


def content(document: KubernetesObject) -> KubernetesObject:
    """The object without what the API server and controllers write into it, for a reader of differences."""
    kept = {key: value for key, value in document.items() if key != "status"}
    if document:
        kept["metadata"] = {key: value for key, value in document["metadata"].items() if key not in SERVER_SIDE_NOISE}
    if document.get("kind") == "Secret":
        kept.update({field: dict.fromkeys(document[field], "(hidden)") for field in ("data", "stringData") if document.get(field)})
    return kept


def compare(before: Iterable[KubernetesObject], after: Iterable[KubernetesObject], manager: str) -> List[Change]:
    """What the apply between two readings did.

    Status and controllers' annotations may move in between, so neither the resource version nor the content can tell.
    The manager's own entry can: the API server leaves its time alone when an apply changes nothing.
    """
    known = {reference(document): document for document in before}
    changes: List[Change] = []
    for document in after:
        name = reference(document)
        old = known.get(name)
        if old is None:
            changes.append(Change(name, "created", {}, document))
        else:
            same = old["metadata"].get("uid") == document["metadata"].get("uid") and ours(old, manager) == ours(document, manager)
            changes.append(Change(name, "unchanged" if same else "changed", old, document))
    return changes


def apply(kubectl: Kubectl, documents: Sequence[KubernetesObject], manager: str, dry_run: bool = False) -> List[Change]:
    """Apply the objects server-side, namespaces and kinds before what needs them."""
    foundations = [document for document in documents if is_foundation(document)]
    rest = [document for document in documents if not is_foundation(document)]
    changes = _apply(kubectl, foundations, manager, dry_run)
    if dry_run:
        presumed = [document for document in rest if _needs(document, changes)]
        rest = [document for document in rest if document not in presumed]
        changes += [Change(reference(document), "created", {}, document) for document in presumed]
    else:
        kinds = [f"customresourcedefinition/{document['metadata']['name']}" for document in foundations if document["kind"] != "Namespace"]
        if kinds:
            kubectl("wait", "--for=condition=Established", f"--timeout={kubectl.deadline.left:.0f}s", *kinds)
    return changes + _apply(kubectl, rest, manager, dry_run)


def absent(documents: Iterable[KubernetesObject]) -> List[Change]:
    """What applying to a cluster that does not exist yet would do."""
    return [Change(reference(document), "created", {}, document) for document in documents]


def difference(changes: Iterable[Change]) -> List[Dict[str, Any]]:
    """Ansible's `diff` of the objects that differ."""
    return [
        {
            "before_header": str(change.reference),
            "after_header": str(change.reference),
            "before": content(change.before) if change.before else "",
            "after": content(change.after),
        }
        for change in changes
        if change.result != "unchanged"
    ]


def _apply(kubectl: Kubectl, documents: Sequence[KubernetesObject], manager: str, dry_run: bool) -> List[Change]:
    if not documents:
        return []
    text = as_list(documents)
    arguments = ["apply", "--server-side", "--force-conflicts", f"--field-manager={manager}", "--show-managed-fields", "-f", "-"]
    if dry_run:
        arguments.append("--dry-run=server")
    before = kubectl.objects("get", "--ignore-not-found", "--show-managed-fields", "-f", "-", stdin=text, passing=PASSING_OR_UNKNOWN_KIND)
    return compare(before, kubectl.objects(*arguments, stdin=text), manager)


def _needs(document: KubernetesObject, changes: Iterable[Change]) -> bool:
    """Whether the object stands on a namespace or kind that would only be created."""
    name = reference(document)
    created = [change.after for change in changes if change.result == "created"]
    return any(
        defines(new) == (name.group, name.kind) if new["kind"] == "CustomResourceDefinition" else new["metadata"]["name"] == name.namespace for new in created
    )
