# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a host is asked before the plan is made."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from ansible_collections.quorum.kubeadm.plugins.modules import node_info
from ansible_collections.quorum.kubeadm.plugins.plugin_utils.cluster_inputs import PREFIX, Untemplated
from ansible_collections.quorum.kubeadm.plugins.plugin_utils.cluster_questions import NAMES, questions

NOTHING = {"containerd_candidate": False, "resolve": None, "ask_dns": True, "reboot_hint": False, "upgrade": False}


@pytest.mark.parametrize(
    ("given", "asked"),
    [
        ({}, {}),
        ({"endpoint_name": "api.lab.test"}, {"resolve": "api.lab.test"}),
        ({"endpoint_name": "api.lab.test", "endpoint_address": "198.18.64.10"}, {"resolve": "api.lab.test", "ask_dns": False}),
        ({"containerd_source": "distribution"}, {"containerd_candidate": True}),
        ({"containerd_source": "repository"}, {}),
    ],
)
def test_what_is_worth_asking(given: dict[str, Any], asked: dict[str, Any]) -> None:
    assert questions({PREFIX + name: value for name, value in given.items()}, "site") == {**NOTHING, **asked}


@pytest.mark.parametrize("bad", [7, "none of these", Untemplated("undefined")])
@pytest.mark.parametrize("name", NAMES)
def test_what_is_refused_stands_at_its_default(name: str, bad: Any) -> None:
    assert questions({name: bad}, "site") == NOTHING


def test_node_info_understands_it() -> None:
    assert set(NOTHING) == set(yaml.safe_load(node_info.DOCUMENTATION)["options"])
