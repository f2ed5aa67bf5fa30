# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which member is defragmented, and what is told of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.quorum.kubeadm.plugins.module_utils import etcd
from ansible_collections.quorum.kubeadm.plugins.modules import etcd_defragment

MEBIBYTE = 2**20
URL = "https://198.18.64.11:2379"


class Database:
    """A member that gives back what it does not use."""

    def __init__(self, size: int, in_use: int, quota: int = 0, alarms: Sequence[Mapping[str, str]] = ()) -> None:
        self.size, self.in_use, self.quota = size * MEBIBYTE, in_use * MEBIBYTE, quota * MEBIBYTE
        self.alarms = list(alarms)
        self.asked: list[str] = []

    def __call__(self, url: str, body: Mapping[str, Any] | None) -> Any:
        assert url.startswith(URL)
        self.asked.append(url.rpartition("/")[2])
        if url.endswith("/alarm") and body:
            if body["action"] == "DEACTIVATE":
                self.alarms.remove({"memberID": body["memberID"], "alarm": body["alarm"]})
            return {"header": {}, **({"alarms": self.alarms} if self.alarms else {})}
        assert body == {}
        if url.endswith("/defragment"):
            self.size = self.in_use
            return {"header": {}}
        sizes = {"dbSize": str(self.size), "dbSizeInUse": str(self.in_use), "dbSizeQuota": str(self.quota)}
        return {"header": {"member_id": "1"}, "version": "3.7.0", "leader": "1", **sizes}


@pytest.mark.parametrize(
    ("above", "check_mode", "asked", "changed", "after"),
    [
        (100, False, ["status", "defragment", "status", "alarm", "status"], True, 50),
        (100, True, ["status"], True, 50),
        (150, False, ["status"], False, 200),
        (0, False, ["status", "defragment", "status", "alarm", "status"], True, 50),
    ],
)
def test_space_is_given_back_where_it_is_enough(above: int, check_mode: bool, asked: list[str], changed: bool, after: int) -> None:
    database = Database(200, 50)
    found = etcd_defragment.give_back(database, [URL], above, check_mode)
    assert (database.asked, found) == (asked, {"changed": changed, "before": 200 * MEBIBYTE, "after": after * MEBIBYTE, "disarmed": False})


@pytest.mark.parametrize(
    ("in_use", "alarms", "disarmed", "left"),
    [
        (50, [("1", "NOSPACE"), ("2", "NOSPACE"), ("1", "CORRUPT")], True, [("2", "NOSPACE"), ("1", "CORRUPT")]),
        (50, [("2", "NOSPACE")], False, [("2", "NOSPACE")]),
        # Nothing is gained by it.
        (150, [("1", "NOSPACE")], False, [("1", "NOSPACE")]),
    ],
)
def test_a_member_that_has_room_again_takes_its_alarm_back(in_use: int, alarms: list[tuple[str, str]], disarmed: bool, left: list[tuple[str, str]]) -> None:
    database = Database(200, in_use, 150, [{"memberID": member, "alarm": alarm} for member, alarm in alarms])
    assert etcd_defragment.give_back(database, [URL], 0, False)["disarmed"] is disarmed
    assert [(alarm["memberID"], alarm["alarm"]) for alarm in database.alarms] == left


def test_only_the_first_endpoint_is_told_to() -> None:
    """A second address of the same member would have it done twice where the first answers late."""

    def late(url: str, body: Mapping[str, Any] | None) -> Any:
        if url.endswith("/defragment"):
            raise etcd.EtcdError(f"{url}: timed out")
        return {"header": {}, "dbSize": str(500 * MEBIBYTE)}

    with pytest.raises(etcd.EtcdError, match=r"^https://198.18.64.11:2379/v3/maintenance/defragment: timed out$"):
        etcd_defragment.give_back(late, [URL, "https://127.0.0.1:2379"], 100, False)


def test_main_where_etcd_is_elsewhere(run_module: Callable[..., dict[str, Any]], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(etcd_defragment, "ROOT", tmp_path)
    answer = run_module("etcd_defragment")
    assert answer["failed"] and answer["msg"] == "kubeadm runs no etcd on this host"
