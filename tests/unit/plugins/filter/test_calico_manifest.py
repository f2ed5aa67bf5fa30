# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter edits, warns, and says in its own name what is wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible.errors import AnsibleFilterError
from ansible.utils.display import Display
from ansible_collections.quorum.kubeadm.plugins.filter import calico_manifest
from ansible_collections.quorum.kubeadm.plugins.plugin_utils.manifest_source import parse_manifest

MANIFEST = Path(__file__).parents[4] / "molecule/calico/files/calico.yaml"


@pytest.fixture(name="documents")
def documents_fixture() -> list[dict[str, Any]]:
    text = MANIFEST.read_text().replace("quay.io/calico/agnhost:2.66.1", "quay.io/calico/node:v3.32.1")
    return parse_manifest(text, "calico.yaml")


@pytest.fixture(name="warnings")
def warnings_fixture(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    shown: list[str] = []
    monkeypatch.setattr(Display, "warning", lambda _self, text, **_more: shown.append(text))
    return shown


def test_it_is_there_by_its_name(documents: list[dict[str, Any]], warnings: list[str]) -> None:
    edited = calico_manifest.FilterModule().filters()["calico_manifest"](documents, encapsulation="ipip", pod_subnets=["10.244.0.0/16"])
    assert len(edited) == len(documents)
    assert edited != documents
    assert warnings == []


@pytest.mark.parametrize(
    ("version", "expected"), [("1.37.2", ["Calico 3.32.1 is not tested by its makers with Kubernetes 1.37; 3.33 is"]), ("1.36.3", []), ("", [])]
)
def test_it_warns_of_pairs_that_are_not_tested(documents: list[dict[str, Any]], warnings: list[str], version: str, expected: list[str]) -> None:
    calico_manifest.calico_manifest(documents, kubernetes_version=version)
    assert warnings == expected


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"encapsulation": "geneve"}, "quorum.kubeadm.calico_manifest: encapsulation is 'geneve'"),
        ({"encapsulations": "vxlan"}, "quorum.kubeadm.calico_manifest: .*unexpected keyword argument 'encapsulations'"),
    ],
)
def test_it_names_itself_in_errors(documents: list[dict[str, Any]], settings: dict[str, str], message: str) -> None:
    with pytest.raises(AnsibleFilterError, match=message):
        calico_manifest.calico_manifest(documents, **settings)
