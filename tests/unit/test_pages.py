# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The commands of README and docs/ exist, and those of the clone are also given by their collection names. (test_tarball.py has the links.)"""

from __future__ import annotations

import fnmatch
import re
from dataclasses import fields
from pathlib import Path

import pytest

from ansible_collections.quorum.kubeadm.plugins.plugin_utils.cluster_inputs import PREFIX, ClusterInputs, HostInputs

ROOT = Path(__file__).parents[2]
FILES = (ROOT / "README.md", *ROOT.glob("docs/*.md"), *ROOT.glob("roles/*/README.md"))
PAGES = {str(page.relative_to(ROOT)): page.read_text(encoding="utf-8") for page in FILES}
PLAYED = re.compile(r"ansible-playbook (?:-\S+ )*([\w./]+)")
MAKE_TARGETS = set(re.findall(r"^(\w+):.*##", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))


@pytest.mark.parametrize("page", PAGES)
def test_a_playbook_has_its_collection_name_too(page: str) -> None:
    played = set(PLAYED.findall(PAGES[page]))
    for name in played:
        if name.startswith("quorum.kubeadm."):
            assert (ROOT / "playbooks" / f"{name.rpartition('.')[2]}.yml").exists(), name
            continue
        assert (ROOT / name).exists(), name
        # The lab's own playbooks are no part of the collection.
        assert name.startswith("lab/") or f"quorum.kubeadm.{Path(name).stem}" in played, f"{name} without its collection name"


@pytest.mark.parametrize("page", PAGES)
def test_make_has_the_targets(page: str) -> None:
    assert set(re.findall(r"(?:`|^    )make (\w+)", PAGES[page], re.MULTILINE)) <= MAKE_TARGETS


def test_commands_are_found() -> None:
    assert {"site.yml", "quorum.kubeadm.site", "quorum.kubeadm.verify", "quorum.kubeadm.drill"} <= set(PLAYED.findall(PAGES["README.md"]))
    assert "`make test` runs everything that CI runs" in PAGES["README.md"] and "\nmake test\n" in (ROOT / ".ci" / "run").read_text(encoding="utf-8")


def test_the_architecture_names_every_plugin() -> None:
    named = set(re.findall(r"`([\w.]+)`", PAGES["docs/architecture.md"]))
    files = {path for kind in ("modules", "module_utils", "plugin_utils", "filter", "lookup", "callback") for path in (ROOT / "plugins" / kind).glob("*.py")}
    unnamed = {str(path.relative_to(ROOT)) for path in files if (path.name if path.parent.name.endswith("_utils") else path.stem) not in named}
    assert unnamed == set()
    assert {name for name in named if name.endswith(".py")} <= {path.name for path in files}


def test_the_operations_say_of_every_input_what_changing_it_does() -> None:
    table = PAGES["docs/operations.md"].partition("## Change an input\n")[2].partition("\n## ")[0]
    told = set(re.findall(r"`(cluster_\w+\*?)`", table))
    inputs = {PREFIX + definition.name for kind in (ClusterInputs, HostInputs) for definition in fields(kind)}
    untold = {name for name in inputs if not any(fnmatch.fnmatch(name, pattern) for pattern in told)}
    unknown = {pattern for pattern in told if not fnmatch.filter(inputs, pattern)}
    assert (untold, unknown) == (set(), set())
