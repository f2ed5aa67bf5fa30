# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A role's README, argument_specs.yml and defaults say the same of its variables."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[3]
SPEC = importlib.util.spec_from_file_location("role_tables", ROOT / "tests" / "role_tables.py")
assert SPEC is not None and SPEC.loader is not None
tables: Any = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(tables)


@pytest.mark.parametrize(("readme", "text", "wanted"), list(tables.readmes()), ids=lambda value: value.parent.name if isinstance(value, Path) else "")
def test_the_table_is_current(readme: Path, text: str, wanted: str) -> None:
    assert text == wanted, "print the tables again: make tables"


@pytest.mark.parametrize("role", sorted(path.parents[1] for path in tables.ROLES.glob("*/meta/argument_specs.yml")), ids=lambda role: role.name)
def test_defaults_are_as_described(role: Path) -> None:
    given = yaml.safe_load((role / "defaults" / "main.yml").read_text(encoding="utf-8")) or {}
    described = {name: option["default"] for name, option in tables.variables(role).items() if "default" in option}
    assert {name: given.get(name) for name in described} == described
    assert set(given) <= set(tables.variables(role))


def test_markup() -> None:
    said = "C(a) of O(b), V(c|d), and M(quorum.kubeadm.node_info)\n  on two lines."
    assert tables.markdown(said) == "`a` of `b`, `c\\|d`, and `node_info` on two lines."
    option = {"type": "list", "description": ["One.", "Two."], "options": {"name": {"required": True}, "port": {"default": 1}}, "choices": ["x"]}
    assert tables.meaning(option) == "One. Two. Each has `name` (required), `port` (`1`). One of `x`."
    options: list[dict[str, Any]] = [{"required": True}, {}, {"default": ""}, {"default": []}, {"default": True}, {"default": "x"}]
    assert [tables.default(option) for option in options] == ["required", "", '`""`', "`[]`", "`true`", "`x`"]
