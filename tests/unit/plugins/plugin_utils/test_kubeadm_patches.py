# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Patches for kubeadm: what sets one node's kubelet apart, and what kubeadm finds by its name."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from ansible_collections.quorum.kubeadm.plugins.plugin_utils.kubeadm_patches import OF_THIS_NODE, deviation, faults, shared

NAMES = some.sampled_from(["a", "b", "c"])
DOCUMENTS = some.recursive(
    some.dictionaries(NAMES, some.sampled_from([1, 2, "x", ["x"], ["x", "y"], False])),
    lambda inner: some.dictionaries(NAMES, inner | some.just(7)),
    max_leaves=6,
)


def patched(target: Any, patch: Any) -> Any:
    """The algorithm of RFC 7386, section 2."""
    if not isinstance(patch, dict):
        return patch
    result = copy.deepcopy(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = patched(result.get(name), value)
    return result


@given(some.lists(DOCUMENTS, min_size=1, max_size=4))
def test_every_node_gets_its_own_whatever_the_cluster_was_made_with(documents: list[dict[str, Any]]) -> None:
    for own in documents:
        patch = deviation(own, documents)
        for made_with in (shared(documents), *documents):
            assert patched(made_with, patch) == own


def test_alike_nodes_have_no_patch() -> None:
    document = {"maxPods": 200, "evictionHard": {"memory.available": "5%"}}
    assert shared([document]) == shared([document, copy.deepcopy(document)]) == document
    assert deviation(document, [document]) == {}


@pytest.mark.parametrize("name", ["etcd.json", "kube-apiserver0+merge.yaml", "kubeletconfiguration+json.json", "corednsdeployment-a+strategic.yaml"])
def test_names_that_kubeadm_knows(tmp_path: Path, name: str) -> None:
    (tmp_path / name).touch()
    assert list(faults(str(tmp_path))) == []


@pytest.mark.parametrize("name", ["apiserver.yaml", "kube-apiserver+mrege.yaml", "kube-apiserver+merge.yml", "README.md", "etcd+.yaml", OF_THIS_NODE])
def test_names_that_kubeadm_would_pass_over(tmp_path: Path, name: str) -> None:
    (tmp_path / name).touch()
    [(wrong, write)] = faults(str(tmp_path))
    assert wrong.startswith(name) and "kubeletconfiguration" in write


def test_a_directory_is_no_patch(tmp_path: Path) -> None:
    (tmp_path / "etcd.yaml").mkdir()
    assert len(list(faults(str(tmp_path)))) == 1
