# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter over kubeadm_output.join_facts; the forms of output are tested there."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from ansible.errors import AnsibleFilterError

from ansible_collections.quorum.kubeadm.plugins.filter.join_facts import DOCUMENTATION, EXAMPLES, RETURN, FilterModule
from ansible_collections.quorum.kubeadm.plugins.module_utils.kubeadm_output import JoinFacts

join_facts = FilterModule().filters()["join_facts"]
OUTPUT = (Path(__file__).parents[2] / "fixtures" / "kubeadm_output" / "captured" / "v1.37.2-token-create-control-plane.txt").read_text()


def test_reads_output() -> None:
    assert join_facts(OUTPUT) == {
        "endpoint": "api.lab.test:16443",
        "token": "ukmxg1.6fhb9g9g78nilb3s",
        "ca_cert_hashes": ["sha256:81fd39235263d52ba090bbed22729a9af54044d8a001f6533cca421278c7c68c"],
        "certificate_key": "c44a4a4593155b16a2eda1d668325827e82ea51496ae036b8fe144ef0288419f",
        "control_plane": True,
    }


@pytest.mark.parametrize(
    ("output", "message"),
    [
        (
            "Token: ukmxg1.6fhb9g9g78nilb3s",
            "quorum.kubeadm.join_facts: There is no `kubeadm join` command in this text. Its last lines are:\nToken: ukmxg1.<redacted>",
        ),
        (["kubeadm join"], "quorum.kubeadm.join_facts reads the text that kubeadm printed (`stdout` of a registered task), not a value of type list."),
        (None, "quorum.kubeadm.join_facts reads the text that kubeadm printed (`stdout` of a registered task), not a value of type NoneType."),
    ],
)
def test_tells_what_is_wrong(output: object, message: str) -> None:
    with pytest.raises(AnsibleFilterError) as error:
        join_facts(output)
    assert str(error.value) == message


def test_documentation_matches() -> None:
    assert yaml.safe_load(DOCUMENTATION)["name"] in FilterModule().filters()
    assert set(yaml.safe_load(RETURN)["_value"]["contains"]) == set(JoinFacts.__annotations__)
    assert yaml.safe_load(EXAMPLES)
