#!/usr/bin/env python
# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The tables of variables in the roles' READMEs, printed from meta/argument_specs.yml: `make tables` writes them anew.

The first table of a README whose heading is `HEADING` is the role's; everything else there is written by hand.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

ROLES = Path(__file__).parents[1] / "roles"
HEADING = "| Variable | Default | What it is |\n|---|---|---|\n"


def variables(role: Path) -> dict[str, dict[str, Any]]:
    """What the entry point `main` of a role takes, by name, as argument_specs.yml describes it; of a role without one, what all its entry points take."""
    specs = yaml.safe_load((role / "meta" / "argument_specs.yml").read_text(encoding="utf-8"))["argument_specs"]
    entry_points = [specs["main"]] if "main" in specs else specs.values()
    return {name: option for entry_point in entry_points for name, option in entry_point["options"].items()}


def markdown(text: str) -> str:
    """Ansible's markup of a description (docs.ansible.com, "Ansible markup") as Markdown inside a table."""
    text = re.sub(r"\b[CVE]\(([^)]*)\)", r"`\1`", text)
    text = re.sub(r"\bP\(quorum\.kubeadm\.([^#)]*)#\w+\)", r"`\1`", text)
    text = re.sub(r"\b[OM]\((?:quorum\.kubeadm\.)?([^)]*)\)", r"`\1`", text)
    return " ".join(text.split()).replace("|", "\\|")


def default(option: Mapping[str, Any]) -> str:
    """What a variable is when nobody sets it, as YAML has it."""
    if option.get("required"):
        return "required"
    value = option.get("default")
    if value is None:
        return ""
    return f"`{value}`" if isinstance(value, str) and value else f"`{json.dumps(value)}`"


def meaning(option: Mapping[str, Any]) -> str:
    """What a variable is, with the fields of its elements."""
    said = option["description"]
    words = [markdown(text) for text in ([said] if isinstance(said, str) else said)]
    if "options" in option:
        fields = [f"`{name}`" + (f" ({default(field)})" if default(field) else "") for name, field in option["options"].items()]
        words.append(f"{'Each has' if option['type'] == 'list' else 'It has'} {', '.join(fields)}.")
    if "choices" in option:
        words.append(f"One of {', '.join(f'`{choice}`' for choice in option['choices'])}.")
    return " ".join(words)


def table(role: Path) -> str:
    """The table of a role."""
    return HEADING + "".join(f"| `{name}` | {default(option)} | {meaning(option)} |\n" for name, option in variables(role).items())


def readmes() -> Iterator[tuple[Path, str, str]]:
    """Each role's README with its text as it is and as it should be."""
    for role in sorted(path.parents[1] for path in ROLES.glob("*/meta/argument_specs.yml")):
        path = role / "README.md"
        text = path.read_text(encoding="utf-8")
        before, heading, after = text.partition(HEADING)
        if not heading:
            raise SystemExit(f"{path}: there is no table that begins with\n{HEADING}")
        yield path, text, before + table(role) + re.sub(r"\A(\|[^\n]*\n)+", "", after)


def main() -> None:
    """Write all tables anew."""
    for path, text, wanted in readmes():
        if text != wanted:
            path.write_text(wanted, encoding="utf-8")
            sys.stdout.write(f"{path.relative_to(ROLES.parent)}\n")


if __name__ == "__main__":
    main()
