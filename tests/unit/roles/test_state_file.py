# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What stands alone on a host, and what people read, says the same of the state file as its home, module_utils/state_file.py."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from ansible_collections.quorum.kubeadm.plugins.module_utils import state_file
from ansible_collections.quorum.kubeadm.plugins.module_utils.state_file import Worth
from ansible_collections.quorum.kubeadm.plugins.modules import proxy_info

ROOT = Path(__file__).parents[3]


def text(path: str) -> str:
    return (ROOT / path).read_text(encoding="utf-8")


def test_the_watcher_writes_these_numbers() -> None:
    program = text("roles/haproxy/files/proxy_state.py")
    assert f"{', '.join(worth.name for worth in Worth)} = {', '.join(str(int(worth)) for worth in Worth)}\n" in program
    assert [int(number) for number in re.findall(r"^ *(-?\d+)   ", program.partition('"""')[2].partition('"""')[0], re.MULTILINE)] == list(Worth)


def test_what_systemd_runs_when_haproxy_stops_writes_two_of_them() -> None:
    assert {int(number) for number in re.findall(r"^ *tell (\S+)$", text("roles/haproxy/files/proxy-leaves"), re.MULTILINE)} == {Worth.EMPTY, Worth.DEAD}


def test_keepalived_weighs_them_so() -> None:
    assert yaml.safe_load(text("roles/keepalived/vars/main.yml"))["__keepalived_weight"] == state_file.WEIGHT
    (before_there_is_one,) = re.findall(r"init_file (\S+)", text("roles/keepalived/templates/keepalived.conf.j2"))
    assert int(before_there_is_one) == Worth.DEAD
    assert [worth for worth in Worth if state_file.is_fault(worth)] == [Worth.DEAD]


@pytest.mark.parametrize("path", ["roles/haproxy/README.md", "docs/architecture.md"])
def test_tables_have_every_number(path: str) -> None:
    rows = re.findall(r"^\| `?(-?\d+)`? \|", text(path), re.MULTILINE)
    assert [int(number) for number in rows] == list(Worth)


def test_it_is_where_everybody_looks() -> None:
    assert yaml.safe_load(text("roles/drill/defaults/main.yml"))["drill_state_file"] == state_file.PATH
    assert yaml.safe_load(proxy_info.DOCUMENTATION)["options"]["state_file"]["default"] == state_file.PATH
    scenarios = ("molecule/haproxy/molecule.yml", "molecule/keepalived/molecule.yml", "molecule/keepalived/expect.yml")
    for path in ("roles/haproxy/README.md", *scenarios, "docs/operations.md"):
        assert state_file.PATH in text(path)
