# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Manifests come from files, directories and URLs of the controller."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible.errors import AnsibleLookupError
from ansible.parsing.dataloader import DataLoader
from ansible_collections.quorum.kubeadm.plugins.lookup.manifest_documents import LookupModule

CONFIG_MAP = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: %s}\n"


class Lookup(LookupModule):
    """Without the loader that reads options out of the documentation."""

    def set_options(self, **_options: Any) -> None:
        pass

    def get_option(self, _name: str) -> float:
        return 5.0


def look(*terms: str) -> Any:
    """What `lookup()` gives."""
    (found,) = Lookup(loader=DataLoader()).run(list(terms), {})
    return found


def names(*terms: str) -> list[str]:
    """The names of what is found."""
    return [document["metadata"]["name"] for document in look(*terms)]


@pytest.fixture(name="server")
def server_fixture(tmp_path: Path) -> Iterator[str]:
    class Handler(http.server.SimpleHTTPRequestHandler):
        """Serves the directory and says nothing."""

        def __init__(self, *arguments: Any) -> None:
            super().__init__(*arguments, directory=str(tmp_path))

        def log_message(self, *_arguments: Any) -> None:
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


def test_a_file_with_one_object_is_a_list(tmp_path: Path) -> None:
    (tmp_path / "one.yaml").write_text(CONFIG_MAP % "one")
    assert look(str(tmp_path / "one.yaml")) == [{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "one"}}]


def test_a_directory_is_read_by_name_and_only_manifests(tmp_path: Path) -> None:
    for name in ("20-b.yml", "10-a.yaml", "30-c.json"):
        (tmp_path / name).write_text(
            CONFIG_MAP % name[3] if not name.endswith("json") else '{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}}'
        )
    (tmp_path / "README.md").write_text("# no manifest")
    assert names(str(tmp_path)) == ["a", "b", "c"]


def test_sources_keep_their_order(tmp_path: Path, server: str) -> None:
    for name in ("a", "b", "c"):
        (tmp_path / f"{name}.yaml").write_text(CONFIG_MAP % name)
    assert names(f"{server}/c.yaml", str(tmp_path / "a.yaml"), f"{server}/b.yaml") == ["c", "a", "b"]


def test_what_is_not_there_is_named(tmp_path: Path, server: str) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "broken.yaml").write_text("a: [")
    for term, message in (
        (str(tmp_path / "none.yaml"), r"There is no manifest .*none\.yaml on the controller: write a path or a URL that is"),
        (str(tmp_path / "empty"), r"The directory .*empty on the controller holds no manifest"),
        (f"{server}/none.yaml", r"http://127\.0\.0\.1:\d+/none\.yaml answered 404 File not found: write a URL or path the controller can read"),
        ("http://127.0.0.1:9/x.yaml", r"http://127\.0\.0\.1:9/x\.yaml cannot be read from the controller: .*refused"),
        (str(tmp_path / "broken.yaml"), r"broken\.yaml is not YAML"),
    ):
        with pytest.raises(AnsibleLookupError, match=message):
            look(term)
