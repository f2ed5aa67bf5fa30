# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Snapshots of etcd: the answer of the gateway of etcd 3.7.0, and what is not a whole snapshot."""

from __future__ import annotations

import gzip
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from ansible_collections.quorum.kubeadm.plugins.module_utils import etcd_snapshot
from ansible_collections.quorum.kubeadm.plugins.module_utils.etcd import EtcdError

ANSWER = gzip.decompress((Path(__file__).parents[2] / "fixtures" / "upgrade" / "snapshot.json.gz").read_bytes()).splitlines(keepends=True)


@pytest.fixture(name="snapshot")
def whole_snapshot(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "etcd.db"
    with path.open("wb") as target:
        etcd_snapshot.write(etcd_snapshot.blobs(ANSWER), target)
    yield path


def test_a_whole_snapshot_is_one(snapshot: Path) -> None:
    # `etcdutl snapshot status` of it: revision 2, 20 kB.
    assert etcd_snapshot.verify(snapshot).size == 20480 and snapshot.stat().st_size == 20480 + 32


def test_a_connection_that_broke_leaves_no_snapshot(snapshot: Path) -> None:
    os.truncate(snapshot, 20480)
    with pytest.raises(EtcdError, match="cut off"):
        etcd_snapshot.verify(snapshot)
    os.truncate(snapshot, 4096 + 32)
    with pytest.raises(EtcdError, match="damaged"):
        etcd_snapshot.verify(snapshot)


def test_a_flipped_bit_is_noticed(snapshot: Path) -> None:
    content = bytearray(snapshot.read_bytes())
    content[9000] ^= 1
    snapshot.write_bytes(content)
    with pytest.raises(EtcdError, match="does not match the hash"):
        etcd_snapshot.verify(snapshot)


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ([b'{"error":{"code":14,"message":"etcdserver: no leader"}}\n'], "no leader"),
        ([b"404 page not found\n"], "not a snapshot"),
        ([b'{"result":{"blob":"***"}}\n'], "not a snapshot"),
    ],
)
def test_what_etcd_says_instead_is_told(lines: list[bytes], words: str) -> None:
    with pytest.raises(EtcdError, match=words):
        list(etcd_snapshot.blobs(lines))


def test_the_newest_stay(tmp_path: Path) -> None:
    for age, name in enumerate(("before-b.db", "before-a.db", "before-c.db", "other-d.db")):
        (tmp_path / name).touch()
        os.utime(tmp_path / name, (1000 - age, 1000 - age))
    assert [path.name for path in etcd_snapshot.surplus(tmp_path, "before-", 2)] == ["before-c.db"]
