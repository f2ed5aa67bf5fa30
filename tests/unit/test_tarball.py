# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What leaves the clone: the tarball holds the files of tests/tarball.txt and nothing of a user's, and every link of the documentation works there."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
import yaml

ROOT = Path(__file__).parents[2]
SHIPPED = (ROOT / "tests" / "tarball.txt").read_text(encoding="utf-8").splitlines()
REPOSITORY = yaml.safe_load((ROOT / "galaxy.yml").read_text(encoding="utf-8"))["repository"]
# A page of GitHub is no picture.
PICTURES = REPOSITORY.replace("github.com", "raw.githubusercontent.com") + "/main"
SECRET = "nobody else may read this"
# What people have in a clone: copies of the inventories, variables beside the playbooks, kubeconfigs, keys, passwords, tools of their own.
USERS = [
    ".env",
    ".vault_pass",
    ".venv/pyvenv.cfg",
    "admin.conf",
    "ansible.log",
    "bundle/bundle.json",
    "ca.key",
    "certs/ca.key",
    "cluster.yml",
    "credentials.yml",
    "dist/notes.txt",
    "docker/config.json",
    "dockerconfig.json",
    "documents/hosts.yml",
    "domain.key",
    "downloads/admin.conf",
    "env/bin/activate",
    "group_vars/all/vault.yml",
    "host_vars/cp1.yml",
    "hosts.yml",
    "inventories/cloud-prod/hosts.yml",
    "inventories/cloud.bak/hosts.yml",
    "inventories/cluster/group_vars/all/vault.yml",
    "inventories/mine/group_vars/all/vault.yml",
    "inventories/mine/hosts.yml",
    "inventories/office/hosts.yml",
    "inventories/on/hosts.yml",
    "inventories/onprem/.hosts.yml.swp",
    "inventories/onprem/group_vars/all/vault.yml~",
    "inventories/onprem/host_vars/cp1.yml",
    "inventories/onprem2/group_vars/all/vault.yml",
    "inventories/onpremises/hosts.yml",
    "inventories/vault.yml",
    "inventories.old/mine/hosts.yml",
    "inventory/hosts.yml",
    "inventory.ini",
    "kubeconfig",
    "meta.yml",
    "mine/group_vars/all/vault.yml",
    "my-site.yml",
    "passwords.txt",
    "playbook.yml",
    "playbooks/.vault_pass",
    "playbooks/group_vars/all/vault.yml",
    "playbooks/host_vars/cp1.yml",
    "playbooks.tar.gz",
    "private.key",
    "prod/hosts.yml",
    "quorum-kubeadm-0.0.1.tar.gz",
    "registry-password",
    "root.key",
    "site.retry",
    "vault.yml",
    "venv/pyvenv.cfg",
    "work/notes.md",
]


@pytest.fixture(name="clone", scope="module")
def clone_with_secrets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of this tree without its caches, with all that a user may have put into it."""
    clone = tmp_path_factory.mktemp("clone") / "kubeadm"
    shutil.copytree(ROOT, clone, symlinks=True, ignore=shutil.ignore_patterns(".git", ".venv", ".state", ".ansible", ".*_cache", ".hypothesis", "__pycache__"))
    for name in USERS:
        path = clone / name
        assert not path.exists(), f"{name} is in the tree: it cannot stand for a user's file"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(SECRET, encoding="utf-8")
    return clone


def ansible_galaxy(*arguments: str, cwd: Path) -> None:
    """Run `ansible-galaxy collection`, which needs no network and no package beside ansible-core here."""
    # Neither this clone's configuration nor a user's, which may name a server, is to count.
    (cwd / "ansible.cfg").touch()
    environment = {**os.environ, "ANSIBLE_CONFIG": str(cwd / "ansible.cfg"), "ANSIBLE_HOME": str(cwd / "home")}
    environment.pop("ANSIBLE_COLLECTIONS_PATH", None)
    command = [str(Path(sys.executable).parent / "ansible-galaxy"), "collection", *arguments]
    done = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def compared(found: list[str]) -> str:
    """Say how found files differ from the list, empty when they do not."""
    surplus, missing = sorted(set(found) - set(SHIPPED)), sorted(set(SHIPPED) - set(found))
    if not surplus and not missing:
        return ""
    return f"not in tests/tarball.txt: {surplus}; only there: {missing}. When that is meant, write the list anew: make files"


def test_the_tarball_holds_what_is_listed(clone: Path, tmp_path: Path) -> None:
    ansible_galaxy("build", str(clone), "--output-path", str(tmp_path), cwd=tmp_path)
    (built,) = tmp_path.glob("*.tar.gz")
    with tarfile.open(built) as tar:
        files = [member for member in tar.getmembers() if not member.isdir()]
        assert not compared([member.name for member in files])
        for member in files:
            content = tar.extractfile(member)
            assert content
            assert SECRET.encode() not in content.read(), member.name


def test_what_is_installed_from_the_clone_is_what_is_listed(clone: Path, tmp_path: Path) -> None:
    ansible_galaxy("install", str(clone), "--collections-path", str(tmp_path), cwd=tmp_path)
    installed = tmp_path / "ansible_collections" / "quorum" / "kubeadm"
    assert not compared([str(path.relative_to(installed)) for path in installed.rglob("*") if path.is_file()])


def test_git_knows_no_inventory_of_a_user() -> None:
    if not (ROOT / ".git").exists():
        pytest.skip("this is not a clone")
    for name in ("inventories/mine/hosts.yml", "inventories/mine/group_vars/all/vault.yml"):
        assert subprocess.run(["git", "check-ignore", "--quiet", name], cwd=ROOT, check=False).returncode == 0, name
    for name in ("inventories/cloud/hosts.yml", "inventories/lab/hosts.yml", "inventories/onprem/hosts.yml"):
        assert subprocess.run(["git", "check-ignore", "--quiet", "--no-index", name], cwd=ROOT, check=False).returncode == 1, name


class Link(NamedTuple):
    """Where a document points to."""

    document: str
    target: str


# Galaxy shows the README of the collection, and those of the roles, by themselves: a link that is relative leads nowhere there.
ALONE = re.compile(r"(roles/\w+/)?README\.md")
DOCUMENTS = [name for name in SHIPPED if name.endswith(".md")]
# [text](target), ![text](target), and [name]: target on a line of its own.
TARGETS = re.compile(r"\]\(([^)\s]+)\)|^\[[^\]]+\]:\s+(\S+)$", re.MULTILINE)
FENCED = re.compile(r"^(?:```.*?^```$|    .*?$)", re.MULTILINE | re.DOTALL)


def links(document: str) -> Iterator[Link]:
    text = FENCED.sub("", (ROOT / document).read_text(encoding="utf-8"))
    for inline, defined in TARGETS.findall(text):
        yield Link(document, inline or defined)


LINKS = [link for document in DOCUMENTS for link in links(document)]


def anchors(document: str) -> set[str]:
    """The names that GitHub and Galaxy give to the headings of a document."""
    text = re.sub(r"^```.*?^```$", "", (ROOT / document).read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    headings = [re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading) for heading in re.findall(r"^#+ +(.+)$", text, re.MULTILINE)]
    return {re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-") for heading in headings}


def in_repository(target: str) -> str | None:
    """The path in the repository that an absolute link leads to, None where it leads elsewhere."""
    for page in (f"{REPOSITORY}/blob/main/", f"{REPOSITORY}/tree/main/", f"{PICTURES}/"):
        if target.startswith(page):
            return target.removeprefix(page)
    return None


@pytest.mark.parametrize("link", LINKS, ids=lambda link: f"{link.document}:{link.target}")
def test_links_lead_to_what_is_there(link: Link) -> None:
    path, _mark, anchor = link.target.partition("#")
    if path.startswith(("https://", "http://")):
        named = in_repository(path)
        if named is None:
            return
        assert (ROOT / named).exists(), f"{named} is not in the repository"
    elif path:
        assert not ALONE.fullmatch(link.document), f"Galaxy shows {link.document} alone: write {REPOSITORY}/blob/main/... (a picture: {PICTURES}/...)"
        named = os.path.normpath(os.path.join(os.path.dirname(link.document), path))
        assert named in SHIPPED, f"{named} is not in the tarball: write {REPOSITORY}/blob/main/{named}"
    else:
        named = link.document
    if anchor and named.endswith(".md"):
        assert anchor in anchors(named), f"{named} has no heading #{anchor}: {sorted(anchors(named))}"


def test_links_are_found() -> None:
    assert len(LINKS) > 50
    assert {link.document for link in LINKS} >= {"README.md", "docs/endpoints.md", "docs/architecture.md"}
