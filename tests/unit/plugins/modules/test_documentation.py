# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The documentation of modules says what their code does."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any

import pytest
import yaml

MODULES = [
    "balancer_probe",
    "cluster_info",
    "config_files",
    "etcd_member",
    "hosts_entries",
    "join_credentials",
    "kubeadm_init",
    "kubeadm_join",
    "lost_node",
    "node_info",
    "proxy_info",
    "tls_probe",
]


class Seen(Exception):
    """Carries the argument spec out of main()."""


def argument_spec(name: str, monkeypatch: pytest.MonkeyPatch) -> Mapping[str, Any]:
    module = importlib.import_module(f"ansible_collections.quorum.kubeadm.plugins.modules.{name}")

    def stop(**options: Any) -> None:
        assert options["supports_check_mode"]
        raise Seen(options["argument_spec"])

    monkeypatch.setattr(module, "AnsibleModule", stop)
    with pytest.raises(Seen) as seen:
        module.main()
    spec: Mapping[str, Any] = seen.value.args[0]
    return spec


def surface(options: Mapping[str, Any], nested: str) -> dict[str, Any]:
    return {
        name: (
            option.get("type", "str"),
            option.get("elements"),
            bool(option.get("required")),
            option.get("default"),
            option.get("choices"),
            surface(option[nested], nested) if nested in option else None,
        )
        for name, option in options.items()
    }


@pytest.mark.parametrize("name", MODULES)
def test_options(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    module = importlib.import_module(f"ansible_collections.quorum.kubeadm.plugins.modules.{name}")
    documented = yaml.safe_load(module.DOCUMENTATION)
    assert documented["module"] == name
    assert surface(documented["options"], "suboptions") == surface(argument_spec(name, monkeypatch), "options")


@pytest.mark.parametrize("name", MODULES)
def test_examples_and_returns_are_yaml(name: str) -> None:
    module = importlib.import_module(f"ansible_collections.quorum.kubeadm.plugins.modules.{name}")
    assert isinstance(yaml.safe_load(module.EXAMPLES), list)
    assert all("description" in value and "type" in value for value in yaml.safe_load(module.RETURN).values())
    assert set(yaml.safe_load(module.DOCUMENTATION)["attributes"]) == {"check_mode", "diff_mode", "idempotent"}
