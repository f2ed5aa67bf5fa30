# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The documentation of modules, as users see it, says what their code does."""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.plugins.action import ActionBase

from ..action.conftest import run_action

ROOT = Path(__file__).parents[4]
PLUGINS = "ansible_collections.quorum.kubeadm.plugins"
MODULES = sorted(path.stem for path in (ROOT / "plugins" / "modules").glob("[!_]*.py"))


@cache
def shown() -> dict[str, Any]:
    """What ansible-doc shows of every module, documentation fragments included."""
    command = [sys.executable, str(Path(sys.executable).with_name("ansible-doc")), "--json", *(f"quorum.kubeadm.{name}" for name in MODULES)]
    environment = {**os.environ, "ANSIBLE_COLLECTIONS_PATH": str(ROOT / "collections")}
    pages: dict[str, Any] = json.loads(subprocess.run(command, capture_output=True, check=True, env=environment).stdout)
    return pages


class Seen(Exception):
    """Carries out of a module or an action what it takes, and whether it supports check mode."""


def interface(name: str, monkeypatch: pytest.MonkeyPatch) -> tuple[Mapping[str, Any], bool]:
    """The argument spec and the support of check mode of a module; of its action, where that is all there is."""
    module = importlib.import_module(f"{PLUGINS}.modules.{name}")

    def stop_module(**options: Any) -> None:
        raise Seen(options["argument_spec"], options.get("supports_check_mode", False))

    def stop_action(action: Any, argument_spec: Mapping[str, Any]) -> None:
        raise Seen(argument_spec, action._supports_check_mode)

    with pytest.raises(Seen) as seen:
        if hasattr(module, "main"):
            monkeypatch.setattr(module, "AnsibleModule", stop_module)
            module.main()
        else:
            monkeypatch.setattr(ActionBase, "validate_argument_spec", stop_action)
            run_action(importlib.import_module(f"{PLUGINS}.action.{name}"), {})
    spec, check_mode = seen.value.args
    return spec, check_mode


def surface(options: Mapping[str, Any], nested: str) -> dict[str, Any]:
    return {
        name: (
            option.get("type", "str"),
            option.get("elements"),
            bool(option.get("required")),
            option.get("default"),
            list(option.get("choices") or []),
            surface(option[nested], nested) if option.get(nested) else None,
        )
        for name, option in options.items()
    }


@pytest.mark.parametrize("name", MODULES)
def test_options_and_check_mode(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    spec, check_mode = interface(name, monkeypatch)
    documented = shown()[f"quorum.kubeadm.{name}"]["doc"]
    assert surface(documented["options"], "suboptions") == surface(spec, "options")
    assert (documented["attributes"]["check_mode"]["support"] != "none") == check_mode


@pytest.mark.parametrize("name", MODULES)
def test_examples_and_returns(name: str) -> None:
    page = shown()[f"quorum.kubeadm.{name}"]
    tasks = yaml.safe_load(page["examples"])
    assert f"quorum.kubeadm.{name}:" in page["examples"] and isinstance(tasks, list)
    assert page["return"] and all("description" in value and "type" in value for value in page["return"].values())
    assert set(page["doc"]["attributes"]) >= {"check_mode", "diff_mode", "idempotent"}
