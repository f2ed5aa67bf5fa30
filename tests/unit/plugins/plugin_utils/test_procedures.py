# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The procedures, their playbooks, and the words that belong to each."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.quorum.kubeadm.plugins.modules import cluster_plan
from ansible_collections.quorum.kubeadm.plugins.plugin_utils.procedures import DRILL, GUIDE, PROCEDURES, REBOOT, SITE, TAKEOVER, VERIFY, refused_words

ROOT = Path(__file__).parents[4]
# Those that no user starts are left out: what the others begin and end with, and what they include.
PARTS = ("look.yml", "begin.yml", "end.yml")
PLAYBOOKS = sorted(path for path in (ROOT / "playbooks").glob("*.yml") if path.name not in PARTS) + [ROOT / "lab/guide.yml"]


def read(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def test_the_playbooks_are_the_procedures() -> None:
    assert {path.stem for path in PLAYBOOKS} == set(PROCEDURES)


@pytest.mark.parametrize("path", PLAYBOOKS, ids=lambda path: path.stem)
def test_every_playbook_begins_with_the_look(path: Path) -> None:
    first, *others = read(path)
    assert (path.parent / first["ansible.builtin.import_playbook"]).resolve() == ROOT / "playbooks/look.yml"
    assert first["vars"] == {"procedure": path.stem}
    assert others
    text = path.read_text(encoding="utf-8")
    assert not any(f"quorum.kubeadm.{module}:" in text for module in ("node_info", "cluster_host_info", "cluster_info", "cluster_plan"))


def test_the_plan_documents_every_procedure() -> None:
    assert yaml.safe_load(cluster_plan.DOCUMENTATION)["options"]["procedure"]["choices"] == list(PROCEDURES)


def test_the_drills_words_are_its_roles_inputs_but_for_those_of_the_playbook() -> None:
    inputs = set(read(ROOT / "roles/drill/meta/argument_specs.yml")["argument_specs"]["main"]["options"])
    given = {name for play in read(ROOT / "playbooks/drill.yml") for task in play.get("tasks", []) for name in task.get("vars", {})}
    assert given < inputs and set(DRILL.words) == inputs - given


def test_the_reboots_words_are_its_roles_inputs_and_those_of_the_plan() -> None:
    inputs = set(read(ROOT / "roles/reboot/meta/argument_specs.yml")["argument_specs"]["main"]["options"])
    given = {name for task in read(ROOT / "playbooks/reboot/work.yml") for name in task.get("vars", {})}
    assert given < inputs and set(REBOOT.words) == (inputs - given) | {TAKEOVER, "reboot_all", "reboot_update"}


@pytest.mark.parametrize("path", [path for path in PLAYBOOKS if PROCEDURES[path.stem].walks], ids=lambda path: path.stem)
def test_a_walk_ends_as_it_has_begun_and_survives_a_node_that_is_lost(path: Path) -> None:
    # A part of a playbook is in a directory of the procedure's own name.
    parts = [ROOT / "playbooks" / play.get("ansible.builtin.import_playbook", "") for play in read(path)]
    plays = read(path) + [play for part in dict.fromkeys(parts) if part.parent.name == path.stem for play in read(part)]
    imported = [Path(play["ansible.builtin.import_playbook"]).name for play in plays if "ansible.builtin.import_playbook" in play]
    assert imported[:1] + imported[-2:] == ["look.yml", "begin.yml", "end.yml"]
    visits = [play for play in plays if "visited_" in str(play.get("hosts", "")) and "serial" in play]
    assert visits
    # An unreachable host would end the run before the last play.
    assert all(play["ignore_unreachable"] for play in visits)
    assert all("failed_visits" in str(play["tasks"][0]) for play in visits)


def test_the_verifications_word_is_one_of_its_playbook() -> None:
    assert all(word in (ROOT / "playbooks/verify.yml").read_text(encoding="utf-8") for word in VERIFY.words)


@pytest.mark.parametrize("procedure", PROCEDURES.values(), ids=lambda row: row.name)
def test_ones_own_words_and_the_users_are_nobodys_business(procedure: Any) -> None:
    assert list(refused_words(procedure, {*procedure.words, "site_name", "guide_url", "ansible_user", "cluster_name", "target"})) == []


@pytest.mark.parametrize(
    ("procedure", "word", "refusal"),
    [
        (SITE, "drill_confirm", "means nothing to site, it belongs to drill; leave it out, or run `ansible-playbook quorum.kubeadm.drill`"),
        (GUIDE, "verify_image", "means nothing to guide, it belongs to verify; leave it out, or run `ansible-playbook quorum.kubeadm.verify`"),
        (VERIFY, "drill_repeat", "means nothing to verify, it belongs to drill; leave it out, or run `ansible-playbook quorum.kubeadm.drill`"),
        (DRILL, "drill_repeat", "drill knows no such word; did you mean drill_repeats?"),
        (VERIFY, "verify_harder", "verify knows no such word; write one of verify_image"),
        (SITE, "procedure", "a playbook says itself which procedure it is; start the playbook of the one that you want"),
    ],
)
def test_a_word_that_does_not_belong_is_refused(procedure: Any, word: str, refusal: str) -> None:
    assert [str(problem) for problem in refused_words(procedure, [word])] == [f"-e {word}: {refusal}"]
