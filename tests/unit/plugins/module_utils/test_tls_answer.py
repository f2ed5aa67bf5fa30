# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a TLS server's certificate and answer say."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.quorum.kubeadm.plugins.module_utils.tls_answer import name_matches, status, subject_alt_names

# From ssl.SSLSocket.getpeercert() of a kube-apiserver 1.37.2 whose certificate kubeadm made; the last three were put there by hand.
CERTIFICATE: dict[str, Any] = {
    "subject": ((("commonName", "kube-apiserver"),),),
    "subjectAltName": (
        ("DNS", "kubernetes"),
        ("DNS", "kubernetes.default"),
        ("DNS", "kubernetes.default.svc"),
        ("DNS", "kubernetes.default.svc.cluster.local"),
        ("DNS", "quorum-haproxy-api"),
        ("IP Address", "10.96.0.1"),
        ("IP Address", "198.18.66.12"),
        ("IP Address", "2001:DB8:0:0:0:0:0:10"),
        ("DNS", "*.example.org"),
        ("email", "ops@example.org"),
    ),
}
NAMES = subject_alt_names(CERTIFICATE)


def test_subject_alt_names() -> None:
    assert NAMES == [
        "kubernetes",
        "kubernetes.default",
        "kubernetes.default.svc",
        "kubernetes.default.svc.cluster.local",
        "quorum-haproxy-api",
        "10.96.0.1",
        "198.18.66.12",
        "2001:db8::10",
        "*.example.org",
    ]
    assert subject_alt_names({}) == []


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("kubernetes", True),
        ("Kubernetes.Default", True),
        ("kubernetes.default.svc.cluster.local.", True),
        ("198.18.66.12", True),
        ("2001:db8:0::10", True),
        ("api.example.org", True),
        ("a.b.example.org", False),
        ("example.org", False),
        ("kube", False),
        ("198.18.66.1", False),
        ("2001:db8::11", False),
    ],
)
def test_name_matches(name: str, expected: bool) -> None:
    assert name_matches(name, NAMES) is expected


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (b"HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\nok", 200),
        (b"HTTP/1.1 503 Service Unavailable\r\n\r\n", 503),
        (b"HTTP/1.1 401\r\n\r\n", 401),
        (b"SSH-2.0-OpenSSH_9.2p1\r\n", None),
        (b"HTTP/1.1\r\n", None),
        (b"HTTP/1.1 abc\r\n", None),
        (b"", None),
    ],
)
def test_status(answer: bytes, expected: int | None) -> None:
    assert status(answer) == expected
