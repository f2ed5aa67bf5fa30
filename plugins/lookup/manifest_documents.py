# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: manifest_documents
short_description: The objects of Kubernetes manifests on the controller
version_added: 0.1.0
author: Quorum contributors (@quorum)
description:
  - Reads manifests from files, directories and URLs and returns their objects, in order, lists opened and empty documents left out.
  - YAML is read as Kubernetes reads it, so V(12:30) is a string and V(2026-11-23) is no date.
options:
  _terms:
    description:
      - Paths of files, paths of directories (their C(*.yaml), C(*.yml) and C(*.json), by name), or URLs.
      - Relative paths are looked up like those of P(ansible.builtin.file#lookup), in C(files/) beside the role and the playbook.
    type: list
    elements: str
    required: true
  timeout:
    description: Seconds to wait for a URL.
    type: float
    default: 30
"""

EXAMPLES = r"""
- name: Apply everything in a directory
  quorum.kubeadm.apply_manifests:
    definitions: "{{ lookup('quorum.kubeadm.manifest_documents', '/srv/bundle/manifests') }}"
"""

RETURN = r"""
_raw:
  description: One list that holds all objects, so C(lookup) gives the list of objects however many there are.
  type: list
  elements: list
"""

from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError

from ansible.errors import AnsibleLookupError
from ansible.module_utils.common.text.converters import to_text
from ansible.module_utils.urls import ConnectionError as UrlConnectionError
from ansible.module_utils.urls import SSLValidationError, open_url
from ansible.plugins.lookup import LookupBase
from ansible_collections.quorum.kubeadm.plugins.module_utils.kubectl import KubernetesObject
from ansible_collections.quorum.kubeadm.plugins.plugin_utils.manifest_source import parse_manifest
from ansible_collections.quorum.kubeadm.plugins.module_utils.manifests import ManifestError

SUFFIXES = (".yaml", ".yml", ".json")


class LookupModule(LookupBase):  # type: ignore[misc]
    """Files, directories and URLs as objects."""

    def run(self, terms: list[str], variables: dict[str, Any] | None = None, **kwargs: Any) -> list[list[KubernetesObject]]:
        """Return one list, so that `lookup` does not join or unpack it."""
        self.set_options(var_options=variables, direct=kwargs)
        try:
            return [[document for term in terms for source, text in self._texts(str(term), variables) for document in parse_manifest(text, source)]]
        except ManifestError as error:
            raise AnsibleLookupError(str(error)) from error

    def _texts(self, term: str, variables: dict[str, Any] | None) -> list[tuple[str, str]]:
        """Each manifest behind a term with what to call it."""
        if term.startswith(("http://", "https://", "file://")):
            return [(term, self._download(term))]
        found = self.find_file_in_search_path(variables, "files", term)
        if not found:
            raise AnsibleLookupError(f"There is no manifest {term} on the controller: write a path or a URL that is")
        path = Path(found)
        if not path.is_dir():
            return [(term, path.read_text("utf-8"))]
        files = sorted(entry for entry in path.iterdir() if entry.suffix in SUFFIXES)
        if not files:
            raise AnsibleLookupError(f"The directory {term} on the controller holds no manifest (*.yaml, *.yml, *.json)")
        return [(str(entry), entry.read_text("utf-8")) for entry in files]

    def _download(self, url: str) -> str:
        try:
            with open_url(url, timeout=self.get_option("timeout"), http_agent="quorum.kubeadm") as answer:
                return str(to_text(answer.read()))
        except HTTPError as error:
            raise AnsibleLookupError(f"{url} answered {error.code} {error.reason}: write a URL or path the controller can read") from error
        except (URLError, SSLValidationError, UrlConnectionError, OSError) as error:
            raise AnsibleLookupError(f"{url} cannot be read from the controller: {error}; a path or a mirror's URL may stand in its place") from error
