# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Manifests are put in order and applied, and what changed is what the API server says."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.quorum.kubeadm.plugins.module_utils.command import Result
from ansible_collections.quorum.kubeadm.plugins.module_utils.kubectl import Deadline, Kubectl
from ansible_collections.quorum.kubeadm.plugins.module_utils.manifests import (
    Change,
    ManifestError,
    Reference,
    absent,
    apply,
    compare,
    difference,
    flatten,
    reference,
    workloads,
)

# Readings before and after an apply, captured from a kube-apiserver 1.37.2.
CASES = json.loads((Path(__file__).parents[2] / "fixtures/apply/kubectl_1.37.json").read_text())["cases"]
MANAGER = "quorum.kubeadm"


def made(kind: str, name: str, namespace: str = "", version: str = "v1", **more: Any) -> dict[str, Any]:
    """A small object."""
    return {"apiVersion": version, "kind": kind, "metadata": {"name": name, **({"namespace": namespace} if namespace else {})}, **more}


@pytest.mark.parametrize("name", CASES)
def test_what_an_apply_changed(name: str) -> None:
    case = CASES[name]
    assert [change.result for change in compare(case["before"], case["after"], MANAGER)] == [case["want"]]


def test_the_captured_cases_are_those_that_matter() -> None:
    assert {case["want"] for case in CASES.values()} == {"created", "changed", "unchanged"}
    meanwhile = CASES["somebody annotated it meanwhile"]
    assert meanwhile["before"][0]["metadata"]["resourceVersion"] != meanwhile["after"][0]["metadata"]["resourceVersion"]


def test_an_object_made_anew_within_the_same_second_is_changed() -> None:
    (before,) = CASES["nothing"]["before"]
    after = {**before, "metadata": {**before["metadata"], "uid": "another"}}
    assert [change.result for change in compare([before], [after], MANAGER)] == ["changed"]


@pytest.mark.parametrize(
    ("documents", "names"),
    [
        ([], []),
        ([None, made("Namespace", "a"), None], ["Namespace a"]),
        ([{"kind": "List", "apiVersion": "v1", "items": [made("Namespace", "a"), made("Secret", "b", "a")]}], ["Namespace a", "Secret a/b"]),
        ([{"kind": "ConfigMapList", "apiVersion": "v1", "items": [made("ConfigMap", "c", "a")]}], ["ConfigMap a/c"]),
    ],
)
def test_flatten(documents: list[Any], names: list[str]) -> None:
    assert [str(reference(document)) for document in flatten(documents)] == names


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ("text", "document 1 of m.yaml is no Kubernetes object but a str"),
        (["list"], "document 1 of m.yaml is no Kubernetes object but a list"),
        ({}, "document 1 of m.yaml (of no kind) lacks apiVersion and kind and metadata.name"),
        ({"apiVersion": "v1", "kind": "Namespace", "metadata": {}}, "document 1 of m.yaml (Namespace) lacks metadata.name"),
        ({"apiVersion": "v1", "kind": "Pod", "metadata": {"generateName": "x-"}}, "document 1 of m.yaml (Pod) lacks metadata.name"),
        (
            {"apiVersion": "v1", "kind": "List", "items": [{"kind": "Pod", "metadata": {"name": "x"}}]},
            "document 1 of the List in document 1 of m.yaml (Pod) lacks apiVersion",
        ),
    ],
)
def test_flatten_names_what_is_no_object(document: Any, message: str) -> None:
    with pytest.raises(ManifestError) as error:
        flatten([document], "m.yaml")
    assert str(error.value) == message


def test_workloads_are_those_that_can_be_waited_for() -> None:
    documents = [
        made("DaemonSet", "net", "kube-system", "apps/v1"),
        made("Deployment", "web", version="apps/v1"),
        made("StatefulSet", "db", "x", "apps/v1"),
        made("Deployment", "other", "x", "example.org/v1"),
    ]
    assert workloads(documents) == [
        {"kind": "DaemonSet", "namespace": "kube-system", "name": "net"},
        {"kind": "Deployment", "namespace": "default", "name": "web"},
    ]


class Answers:
    """What kubectl answers when it remembers what was applied, as far as these tests look."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.stored: dict[Reference, dict[str, Any]] = {}

    def run(self, argv: Sequence[str], stdin: str | None, _seconds: float) -> Result:
        verb = argv[3]
        documents = json.loads(stdin)["items"] if stdin else []
        what = " ".join(str(reference(document)) for document in documents) or " ".join(word for word in argv[4:] if not word.startswith("--timeout"))
        self.calls.append(f"{verb}{' (dry run)' if '--dry-run=server' in argv else ''} {what}")
        if verb == "get":
            answer = [self.stored[reference(document)] for document in documents if reference(document) in self.stored]
        else:
            answer = [{**document, "metadata": {**document["metadata"], "uid": "1"}} for document in documents]
            if verb == "apply" and "--dry-run=server" not in argv:
                self.stored.update({reference(document): document for document in answer})
        return Result(0, json.dumps({"kind": "List", "items": answer}), "")

    def apply(self, documents: list[dict[str, Any]], dry_run: bool = False) -> list[Change]:
        return apply(Kubectl("/admin.conf", Deadline(10), self.run), documents, MANAGER, dry_run)


CRD = made("CustomResourceDefinition", "pools.net.example", version="apiextensions.k8s.io/v1", spec={"group": "net.example", "names": {"kind": "Pool"}})
POOL = made("Pool", "default", version="net.example/v1")
NAMESPACE = made("Namespace", "net")
DAEMON = made("DaemonSet", "node", "net", "apps/v1")
ROLE = made("ClusterRole", "node", version="rbac.authorization.k8s.io/v1")


def test_kinds_and_namespaces_come_before_what_needs_them() -> None:
    answers = Answers()
    changes = answers.apply([POOL, DAEMON, CRD, ROLE, NAMESPACE])
    assert answers.calls == [
        "get CustomResourceDefinition pools.net.example Namespace net",
        "apply CustomResourceDefinition pools.net.example Namespace net",
        "wait --for=condition=Established customresourcedefinition/pools.net.example",
        "get Pool default DaemonSet net/node ClusterRole node",
        "apply Pool default DaemonSet net/node ClusterRole node",
    ]
    assert {change.result for change in changes} == {"created"}


def test_a_second_apply_changes_nothing() -> None:
    answers = Answers()
    answers.apply([CRD, POOL])
    assert [change.result for change in answers.apply([CRD, POOL])] == ["unchanged", "unchanged"]


def test_a_dry_run_presumes_what_needs_something_that_would_only_be_made() -> None:
    answers = Answers()
    changes = answers.apply([POOL, DAEMON, CRD, ROLE, NAMESPACE], dry_run=True)
    assert answers.calls == [
        "get CustomResourceDefinition pools.net.example Namespace net",
        "apply (dry run) CustomResourceDefinition pools.net.example Namespace net",
        "get ClusterRole node",
        "apply (dry run) ClusterRole node",
    ]
    assert sorted(str(change.reference) for change in changes if change.result == "created") == [
        "ClusterRole node",
        "CustomResourceDefinition pools.net.example",
        "DaemonSet net/node",
        "Namespace net",
        "Pool default",
    ]
    assert not answers.stored


def test_a_dry_run_asks_for_what_has_all_it_needs() -> None:
    answers = Answers()
    answers.apply([CRD, NAMESPACE])
    answers.calls.clear()
    answers.apply([CRD, POOL, NAMESPACE, DAEMON], dry_run=True)
    assert answers.calls[-1] == "apply (dry run) Pool default DaemonSet net/node"


def test_without_foundations_nothing_is_waited_for() -> None:
    answers = Answers()
    answers.apply([ROLE])
    assert answers.calls == ["get ClusterRole node", "apply ClusterRole node"]


def test_without_a_cluster_everything_would_be_made() -> None:
    assert [(str(change.reference), change.result) for change in absent([NAMESPACE, DAEMON])] == [
        ("Namespace net", "created"),
        ("DaemonSet net/node", "created"),
    ]


def test_the_difference_hides_secrets_and_noise() -> None:
    secret = made("Secret", "key", "net", data={"password": "aHVudGVyMg=="}, status={"x": 1})
    secret["metadata"].update(uid="1", resourceVersion="7", managedFields=[{"manager": "x"}])
    entry = difference([Change(reference(secret), "created", {}, secret), Change(reference(ROLE), "unchanged", ROLE, ROLE)])
    assert entry == [
        {
            "before_header": "Secret net/key",
            "after_header": "Secret net/key",
            "before": "",
            "after": {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "key", "namespace": "net"}, "data": {"password": "(hidden)"}},
        }
    ]
