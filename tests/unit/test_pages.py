# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""README and docs/: links and pictures lead somewhere, in the clone, in the tarball and on Galaxy, and commands also have their collection's name."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

# markdown-it-py comes with rich, which ansible-lint and Molecule want.
from markdown_it import MarkdownIt
from markdown_it.token import Token

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted(ROOT.glob("docs/*.md")), *sorted(ROOT.glob("roles/*/README.md"))]
OURS = re.compile(r"https://(?:github\.com/quorum/kubeadm/(?:blob|tree)|raw\.githubusercontent\.com/quorum/kubeadm)/main/")
BY_NAME = {"site.yml": "site", "playbooks/site.yml": "site", **{f"playbooks/{path.name}": path.stem for path in ROOT.glob("playbooks/*.yml")}}
MARKDOWN = MarkdownIt("commonmark").enable("table")


def tokens(page: Path) -> Iterator[Token]:
    for token in MARKDOWN.parse(page.read_text(encoding="utf-8")):
        yield token
        yield from token.children or []


def targets(page: Path) -> list[str]:
    """Where the links and pictures of a page lead."""
    found = [str(token.attrs.get("href") or token.attrs["src"]) for token in tokens(page) if token.type in ("link_open", "image")]
    return [target for target in found if OURS.match(target) or "://" not in target]


def anchors(page: Path) -> set[str]:
    """The anchors that GitHub gives to the headings of a page: https://docs.github.com/en/get-started/writing-on-github."""
    everything = MARKDOWN.parse(page.read_text(encoding="utf-8"))
    headings = [following.content for token, following in zip(everything, everything[1:], strict=False) if token.type == "heading_open"]
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def shipped(path: Path) -> bool:
    ignored = yaml.safe_load((ROOT / "galaxy.yml").read_text(encoding="utf-8"))["build_ignore"]
    return not any(part == entry for entry in ignored for part in (path.as_posix(), *(parent.as_posix() for parent in path.parents)))


@pytest.mark.parametrize(("page", "target"), [(page, target) for page in PAGES for target in targets(page)], ids=lambda value: str(value).removeprefix(f"{ROOT}/"))
def test_a_link_leads_somewhere(page: Path, target: str) -> None:
    path, _, anchor = target.partition("#")
    if OURS.match(path):
        there = ROOT / OURS.sub("", path)
    else:
        # Galaxy shows the README alone, and the tarball is not the whole clone: what is not there needs the repository's address.
        assert page.name != "README.md" or page.parent != ROOT or not path, "the README is shown on Galaxy, where a relative link leads nowhere"
        there = (page.parent / path).resolve() if path else page
        assert shipped(there.relative_to(ROOT)), "the tarball does not have it: link it by the repository's address"
    assert there.exists()
    assert not anchor or anchor in anchors(there)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_a_playbook_of_the_clone_is_named_as_the_collection_s_too(page: Path) -> None:
    code = "\n".join(token.content for token in tokens(page) if token.type in ("code_block", "fence", "code_inline"))
    for path in re.findall(r"ansible-playbook (?:-\S+ )*(\S+\.yml)", code):
        if path in BY_NAME:
            assert f"ansible-playbook quorum.kubeadm.{BY_NAME[path]}" in code, f"{path} without its collection name"
