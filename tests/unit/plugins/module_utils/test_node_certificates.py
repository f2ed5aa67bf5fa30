# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The certificates of a node, beside what kubeadm says of them."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.quorum.kubeadm.plugins.module_utils.node_certificates import (
    AUTHORITIES,
    RENEWED_BY_KUBEADM,
    Certificate,
    embedded_certificate,
    has_expired,
    is_due,
    is_urgent,
    read_certificates,
    time_left,
)

FIXTURES = Path(__file__).parents[2] / "fixtures"
CAPTURED: dict[str, Any] = json.loads((FIXTURES / "certificates" / "kubeadm_1.37.2.json").read_text())
NOW = datetime(2026, 11, 28, 16, 0, 0, tzinfo=timezone.utc)


@pytest.fixture(name="node")
def control_plane(tmp_path: Path) -> Path:
    for path, text in CAPTURED["files"].items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    return tmp_path


def told_by_kubeadm() -> dict[str, str]:
    check = CAPTURED["check_expiration"]
    return {one["name"]: one["expirationDate"] for one in [*check["certificates"], *check["certificateAuthorities"]]}


def test_dates_are_those_that_kubeadm_tells(node: Path) -> None:
    assert {one["name"]: one["not_after"] for one in read_certificates(node)} == told_by_kubeadm()
    assert set(told_by_kubeadm()) == {*RENEWED_BY_KUBEADM, *AUTHORITIES}


def test_names_and_paths(node: Path) -> None:
    found = {one["name"]: one for one in read_certificates(node)}
    assert found["apiserver"] == {
        "name": "apiserver",
        "path": "/etc/kubernetes/pki/apiserver.crt",
        "not_before": "2026-11-28T16:13:58Z",
        "not_after": "2026-12-05T22:18:58Z",
        "names": [
            *("api.lab.test", "cp1", "kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local"),
            *("10.96.0.1", "198.18.64.11"),
        ],
    }
    assert found["admin.conf"]["path"] == "/etc/kubernetes/admin.conf"


def test_the_kubelets_own(tmp_path: Path) -> None:
    pki = tmp_path / "var/lib/kubelet/pki"
    pki.mkdir(parents=True)
    (pki / "kubelet-client-current.pem").write_text((FIXTURES / "node" / "kubelet-client.crt").read_text())
    (pki / "kubelet.crt").write_text((FIXTURES / "node" / "kubelet-client.crt").read_text())
    assert [(one["name"], one["path"]) for one in read_certificates(tmp_path)] == [
        ("kubelet-client", "/var/lib/kubelet/pki/kubelet-client-current.pem"),
        ("kubelet-server", "/var/lib/kubelet/pki/kubelet.crt"),
    ]
    # A worker's kubeconfig names the file.
    (tmp_path / "etc/kubernetes").mkdir(parents=True)
    (tmp_path / "etc/kubernetes/kubelet.conf").write_text((FIXTURES / "node" / "kubelet.conf").read_text())
    assert embedded_certificate((FIXTURES / "node" / "kubelet.conf").read_text()) is None


def test_a_machine_without_any(tmp_path: Path) -> None:
    assert read_certificates(tmp_path) == []


@pytest.mark.parametrize("text", ["", "rubbish", "    client-certificate-data: AAAA\n", "    client-certificate-data: A\n"])
def test_what_cannot_be_read_has_no_date_and_counts_as_expired(tmp_path: Path, text: str) -> None:
    (tmp_path / "etc/kubernetes/pki").mkdir(parents=True)
    (tmp_path / "etc/kubernetes/pki/apiserver.crt").write_text(text)
    (tmp_path / "etc/kubernetes/scheduler.conf").write_text(text)
    found = read_certificates(tmp_path)
    assert {one["not_after"] for one in found} == {None}
    assert all(has_expired(one, NOW) and is_due(one, NOW) and is_urgent(one, NOW) for one in found)
    # A kubeconfig without a certificate of its own holds none.
    assert [one["name"] for one in found] == ["apiserver", *(["scheduler.conf"] if "data" in text else [])]


def certificate(life: timedelta, left: timedelta) -> Certificate:
    until = NOW + left
    since, until_text = ((moment).strftime("%Y-%m-%dT%H:%M:%SZ") for moment in (until - life, until))
    return Certificate(name="apiserver", path="/x", not_before=since, not_after=until_text, names=[])


DAY, HOUR = timedelta(days=1), timedelta(hours=1)


@pytest.mark.parametrize(
    ("life", "left", "expected"),
    [
        (365 * DAY, 31 * DAY, (False, False, False)),
        (365 * DAY, 29 * DAY, (False, True, False)),
        (365 * DAY, 8 * DAY, (False, True, False)),
        (365 * DAY, 6 * DAY, (False, True, True)),
        (365 * DAY, -1 * DAY, (True, True, True)),
        (365 * DAY, 0 * DAY, (True, True, True)),
        # A kubelet's that lives for a day is never far from its end.
        (24 * HOUR, 3 * HOUR, (False, False, False)),
        (24 * HOUR, 1.9 * HOUR, (False, True, False)),
        (24 * HOUR, 0.4 * HOUR, (False, True, True)),
        # A CA.
        (3650 * DAY, 40 * DAY, (False, False, False)),
    ],
)
def test_when_it_is_time(life: timedelta, left: timedelta, expected: tuple[bool, bool, bool]) -> None:
    one = certificate(life, left)
    assert (has_expired(one, NOW), is_due(one, NOW), is_urgent(one, NOW)) == expected
    assert time_left(one, NOW) == left
