# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Taking a dead machine's member out of etcd."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.quorum.kubeadm.plugins.module_utils.etcd import EtcdError
from ansible_collections.quorum.kubeadm.plugins.modules import etcd_member

Node = Callable[[str], Path]


class Etcd:
    """An etcd of three, asked at the first."""

    def __init__(self, *healthy: int) -> None:
        self.healthy = set(healthy)
        self.numbers = [1, 2, 3]
        self.naps = 0

    def __call__(self, url: str, body: Mapping[str, Any] | None) -> Any:
        if url.endswith("/health"):
            return {"health": str(int(url.split(":")[1][-1]) in self.healthy).lower()}
        assert url.startswith("https://198.18.79.11:2379/v3/cluster/member/")
        if url.endswith("remove"):
            assert body is not None
            self.numbers.remove(int(body["ID"]) - 30)
        return {"members": [self.member(number) for number in self.numbers]}

    @staticmethod
    def member(number: int) -> dict[str, Any]:
        address = f"https://198.18.79.1{number}"
        return {"ID": str(30 + number), "name": f"cp{number}", "peerURLs": [f"{address}:2380"], "clientURLs": [f"{address}:2379"]}

    def nap(self, seconds: float) -> None:
        self.naps += 1


def forget(etcd: Etcd, root: Path, name: str = "cp3", check_mode: bool = False, patience: float = 0) -> list[str]:
    return [member["name"] for member in etcd_member.forget(name, None, patience, check_mode, root, lambda _root: etcd, etcd.nap)]


def test_dead_member_goes_once(node: Node) -> None:
    etcd = Etcd(1, 2)
    assert forget(etcd, node("control_plane"), check_mode=True) == ["cp3"]
    assert etcd.numbers == [1, 2, 3]
    assert forget(etcd, node("control_plane")) == ["cp3"]
    assert etcd.numbers == [1, 2]
    assert forget(etcd, node("control_plane")) == []


@pytest.mark.parametrize(("healthy", "why"), [((1, 2, 3), "is healthy"), ((1,), "no majority")])
def test_nothing_else_goes(node: Node, healthy: tuple[int, ...], why: str) -> None:
    etcd = Etcd(*healthy)
    with pytest.raises(EtcdError, match=why):
        forget(etcd, node("control_plane"))
    assert etcd.numbers == [1, 2, 3]


def test_member_that_comes_back_stays(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    etcd = Etcd(1, 2)
    monkeypatch.setattr(etcd, "nap", lambda seconds: etcd.healthy.add(3))
    with pytest.raises(EtcdError, match="is healthy"):
        forget(etcd, node("control_plane"), patience=60)
    assert etcd.numbers == [1, 2, 3]


def test_nothing_to_remove_needs_no_patience(node: Node) -> None:
    etcd = Etcd(1, 2)
    assert forget(etcd, node("control_plane"), name="cp9", patience=60) == []
    assert etcd.naps == 0


def test_host_without_etcd_is_refused(node: Node) -> None:
    with pytest.raises(EtcdError, match="run this on a control plane"):
        forget(Etcd(1, 2), node("worker"))


def test_main(run_module: Callable[..., dict[str, Any]], node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    etcd = Etcd(1, 2)
    monkeypatch.setattr(etcd_member.forget, "__defaults__", (node("control_plane"), lambda _root: etcd, etcd.nap))
    answer = run_module("etcd_member", name="cp3", address="198.18.79.13", patience=0)
    assert (answer["changed"], answer["removed"]) == (True, [{"name": "cp3", "id": "21", "peer_urls": ["https://198.18.79.13:2380"]}])
    assert run_module("etcd_member", name="cp3", patience=0)["changed"] is False
    assert run_module("etcd_member", name="cp2", patience=0)["msg"].startswith("the etcd member of cp2 cannot be removed: member cp2")
    assert "one of the following is required: name, address" in run_module("etcd_member")["msg"]
