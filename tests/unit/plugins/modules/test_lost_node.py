# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Node of a machine that is gone."""

from __future__ import annotations

import json
from collections.abc import Sequence

import pytest

from ansible_collections.quorum.kubeadm.plugins.module_utils.command import Result
from ansible_collections.quorum.kubeadm.plugins.module_utils.kubectl import Deadline, Kubectl, KubectlError
from ansible_collections.quorum.kubeadm.plugins.modules.lost_node import forget


def node(ready: str) -> str:
    status = {"addresses": [{"type": "InternalIP", "address": "192.0.2.22"}], "conditions": [{"type": "Ready", "status": ready}]}
    return json.dumps({"kind": "Node", "metadata": {"name": "w2"}, "spec": {}, "status": status})


class World:
    """A kubectl that answers one thing after another, and a clock that sleeping moves."""

    def __init__(self, *answers: str) -> None:
        self.answers, self.asked, self.now = list(answers), [], 0.0  # type: list[str], list[Sequence[str]], float

    def run(self, argv: Sequence[str], _stdin: str | None, _seconds: float) -> Result:
        self.asked.append(argv[3:])
        if argv[3] == "delete":
            return Result(0, "", "")
        return Result(0, self.answers.pop(0) if len(self.answers) > 1 else self.answers[0], "")

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    def forget(self, address: str = "192.0.2.22", check_mode: bool = False) -> bool:
        kubectl = Kubectl("admin.conf", Deadline(110, clock=lambda: self.now), runner=self.run)
        return forget("w2", address, 90, check_mode, kubectl, self.sleep)

    @property
    def deleted(self) -> bool:
        return any(words[0] == "delete" for words in self.asked)


def test_a_node_at_the_new_machines_address_is_the_dead_ones() -> None:
    world = World(node("True"))
    assert world.forget() and world.deleted and world.now == 0


def test_one_at_another_address_is_given_time_to_be_found_dead() -> None:
    world = World(node("True"), node("True"), node("Unknown"))
    assert world.forget(address="192.0.2.99") and world.deleted and world.now == 2


def test_a_living_machine_keeps_its_name() -> None:
    world = World(node("True"))
    with pytest.raises(KubectlError, match="Ready at 192.0.2.22, so another machine has this name"):
        world.forget(address="192.0.2.99")
    assert not world.deleted and world.now == 90


def test_nothing_is_to_be_done_without_a_node() -> None:
    world = World("")
    assert not world.forget() and not world.deleted


def test_check_mode_deletes_nothing() -> None:
    world = World(node("True"))
    assert world.forget(check_mode=True) and not world.deleted
