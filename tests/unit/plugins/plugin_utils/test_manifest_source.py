# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""YAML is read as Kubernetes reads it."""

from __future__ import annotations

import re
from typing import Any

import pytest
from ansible_collections.quorum.kubeadm.plugins.plugin_utils.manifest_source import parse_manifest
from ansible_collections.quorum.kubeadm.plugins.module_utils.manifests import ManifestError

OBJECT = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\nx: %s\n"


@pytest.mark.parametrize(
    ("scalar", "value"),
    [
        # PyYAML would make numbers to the base of 60, dates, or an error of these.
        ("12:30", "12:30"),
        ("0:0", "0:0"),
        ("2026-11-23", "2026-11-23"),
        ("2026-11-23T10:00:00Z", "2026-11-23T10:00:00Z"),
        ("=", "="),
        ("1_000", "1_000"),
        # And these are what they look like.
        ("1", 1),
        ("-7", -7),
        ("0", 0),
        ("0644", 420),
        ("0x1f", 31),
        ("1.5", 1.5),
        ("1e3", 1000.0),
        ("true", True),
        ("null", None),
        ("~", None),
        ("1.37.2", "1.37.2"),
        ("10.244.0.0/16", "10.244.0.0/16"),
        ('"1"', "1"),
        ("250m", "250m"),
    ],
)
def test_scalars(scalar: str, value: Any) -> None:
    (document,) = parse_manifest(OBJECT % scalar, "m.yaml")
    assert document["x"] == value
    assert type(document["x"]) is type(value)


def test_documents_lists_and_emptiness() -> None:
    text = f"---\n# nothing\n---\n{OBJECT % 1}---\napiVersion: v1\nkind: List\nitems:\n- {{apiVersion: v1, kind: Namespace, metadata: {{name: n}}}}\n---\n"
    assert [document["kind"] for document in parse_manifest(text, "m.yaml")] == ["ConfigMap", "Namespace"]


def test_json_is_read_too() -> None:
    assert parse_manifest('{"apiVersion": "v1",\n\t"kind": "Namespace", "metadata": {"name": "n"}}', "m.json")[0]["kind"] == "Namespace"


def test_what_is_no_yaml_names_its_source() -> None:
    with pytest.raises(ManifestError, match=re.escape("https://example.org/m.yaml is not YAML")):
        parse_manifest("a: [", "https://example.org/m.yaml")


def test_a_page_instead_of_a_manifest_is_named() -> None:
    with pytest.raises(ManifestError, match=re.escape("document 1 of https://example.org/m.yaml is no Kubernetes object but a str")):
        parse_manifest("404: Not Found\n".replace(":", ""), "https://example.org/m.yaml")
