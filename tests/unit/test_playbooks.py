# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Playbooks and roles: who reads the user's inputs."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

import pytest

from ansible_collections.quorum.kubeadm.plugins.plugin_utils.cluster_inputs import PREFIX, SECRETS, ClusterInputs, HostInputs

ROOT = Path(__file__).parents[2]
INPUTS = {PREFIX + definition.name for kind in (ClusterInputs, HostInputs) for definition in fields(kind)}
WIRING = [path for directory in ("playbooks", "roles") for path in sorted((ROOT / directory).rglob("*")) if path.suffix in (".yml", ".j2")]


def read_in(path: Path) -> set[str]:
    """The inputs that a file names, but for what it says to people: comments and messages."""
    text = re.sub(r"(^|\s)(#|msg: [^{]).*", "", path.read_text(encoding="utf-8"))
    return INPUTS & set(re.findall(rf"{PREFIX}\w+", text))


@pytest.mark.parametrize("path", [path for path in WIRING if "roles" in path.parts], ids=lambda path: str(path.relative_to(ROOT)))
def test_a_role_knows_no_input_of_the_cluster(path: Path) -> None:
    assert read_in(path) == set()


def test_nothing_reads_inputs_beside_the_plan_but_what_it_must_not_hold() -> None:
    read = {name for path in WIRING for name in read_in(path)}
    assert read == {PREFIX + name for name in SECRETS}
