# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The pin and the name of certificates, against OpenSSL."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from datetime import datetime, timezone
from pathlib import Path

import pytest

from ansible_collections.quorum.kubeadm.plugins.module_utils.certificates import (
    CertificateError,
    Validity,
    alternative_names,
    common_name,
    first_certificate,
    public_key_pin,
    validity,
)

FIXTURES = Path(__file__).parents[2] / "fixtures" / "node"
CA = (FIXTURES / "ca.crt").read_text()


def openssl(*arguments: str, stdin: bytes | None = None) -> bytes:
    if not shutil.which("openssl"):
        pytest.skip("openssl is not installed")
    return subprocess.run(["openssl", *arguments], input=stdin, capture_output=True, check=True).stdout


def pin_by_openssl(pem: str) -> str:
    key = openssl("x509", "-pubkey", "-noout", stdin=pem.encode())
    return "sha256:" + hashlib.sha256(openssl("pkey", "-pubin", "-outform", "der", stdin=key)).hexdigest()


def test_pin_of_kubeadms_ca() -> None:
    assert public_key_pin(CA) == "sha256:1428bdb174c5554a24f7c98fa30f25066859370d868ce873809d0fcca3462d64"


@pytest.mark.parametrize(
    "key",
    [["rsa:2048"], ["rsa:3072"], ["ec", "-pkeyopt", "ec_paramgen_curve:P-256"], ["ec", "-pkeyopt", "ec_paramgen_curve:P-384"], ["ed25519"]],
    ids=lambda key: key[-1].replace(":", "-"),
)
@pytest.mark.parametrize("subject", ["/CN=kubernetes", "/O=system:nodes/CN=system:node:cp1", "/C=DE/O=A long organisation" + "n" * 40 + "/CN=käse"])
def test_any_key_and_subject(key: list[str], subject: str, tmp_path: Path) -> None:
    pem = openssl(
        "req", "-x509", "-newkey", *key, "-nodes", "-utf8", "-keyout", str(tmp_path / "key"), "-subj", subject, "-days", "1"
    ).decode()
    assert public_key_pin(pem) == pin_by_openssl(pem)
    assert common_name(pem) == subject.rpartition("CN=")[2]


def test_certificate_without_a_version(tmp_path: Path) -> None:
    # X.509 version 1 leaves the version field out; some hand-made CAs are such.
    request = openssl("req", "-new", "-newkey", "rsa:2048", "-nodes", "-keyout", str(tmp_path / "key"), "-subj", "/CN=old")
    pem = openssl("x509", "-req", "-signkey", str(tmp_path / "key"), "-days", "1", stdin=request).decode()
    assert public_key_pin(pem) == pin_by_openssl(pem)
    assert common_name(pem) == "old"


def test_name_of_the_kubelets_certificate() -> None:
    assert common_name((FIXTURES / "kubelet-client.crt").read_text()) == "system:node:cp1"


def test_subject_without_a_common_name(tmp_path: Path) -> None:
    pem = openssl("req", "-x509", "-newkey", "ed25519", "-nodes", "-keyout", str(tmp_path / "key"), "-subj", "/O=nobody").decode()
    assert common_name(pem) is None


def test_first_of_a_bundle_with_text_around() -> None:
    other = (FIXTURES / "kubelet-client.crt").read_text()
    bundle = f"subject=CN = kubernetes\n{CA}\n{other}"
    assert first_certificate(bundle) == CA
    assert public_key_pin(bundle) == public_key_pin(CA)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "no PEM certificate"),
        ("-----BEGIN CERTIFICATE-----\nMIID", "no PEM certificate"),
        ("-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n", "ends in the middle"),
        ("-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n", "ends in the middle"),
        ("-----BEGIN CERTIFICATE-----\n" + "\n".join(CA.splitlines()[1:6]) + "\n-----END CERTIFICATE-----\n", "ends in the middle"),
        ("-----BEGIN CERTIFICATE-----\n" + "\n".join(CA.splitlines()[1:-2]) + "\n-----END CERTIFICATE-----\n", "ends in the middle"),
        ("-----BEGIN CERTIFICATE-----\nMAQwAgUA\n-----END CERTIFICATE-----\n", "lacks fields"),
        ("-----BEGIN CERTIFICATE-----\nA\n-----END CERTIFICATE-----\n", "cannot be decoded"),
    ],
)
def test_what_is_no_certificate(text: str, why: str) -> None:
    with pytest.raises(CertificateError, match=why):
        public_key_pin(text)


@pytest.mark.parametrize(
    ("since", "until"),
    [
        ("19700101000000Z", "20491231235959Z"),
        # From 2050 on a certificate has its years in full (RFC 5280, section 4.1.2.5).
        ("20261128161752Z", "20500101000000Z"),
        ("20261128161752Z", "99991231235959Z"),
    ],
)
def test_validity(since: str, until: str, tmp_path: Path) -> None:
    request = openssl("req", "-new", "-newkey", "ed25519", "-nodes", "-keyout", str(tmp_path / "key"), "-subj", "/CN=x")
    (tmp_path / "request").write_bytes(request)
    (tmp_path / "ca.cnf").write_text(
        f"[ca]\ndefault_ca = x\n[x]\ndatabase = {tmp_path}/index\nserial = {tmp_path}/serial\nnew_certs_dir = {tmp_path}\n"
        "default_md = default\npolicy = p\n[p]\ncommonName = supplied\n"
    )
    (tmp_path / "index").touch()
    (tmp_path / "serial").write_text("01\n")
    pem = openssl(
        *f"ca -batch -config {tmp_path}/ca.cnf -selfsign -keyfile {tmp_path}/key -in {tmp_path}/request -startdate {since} -enddate {until}".split()
    ).decode()
    assert validity(pem) == Validity(*(datetime.strptime(text, "%Y%m%d%H%M%SZ").replace(tzinfo=timezone.utc) for text in (since, until)))


def with_time(text: bytes) -> str:
    """kubeadm's CA with another time in its validity."""
    der = openssl("x509", "-outform", "der", stdin=CA.encode())
    start = der.index(b"\x17\x0d") + 2
    return openssl("base64", stdin=der[:start] + text + der[start + len(text) :]).decode()


@pytest.mark.parametrize(("text", "why"), [(b"2611281617+01", "cannot be read"), (b"269928161752Z", "a time that is none")])
def test_a_time_that_is_none(text: bytes, why: str) -> None:
    with pytest.raises(CertificateError, match=why):
        validity(f"-----BEGIN CERTIFICATE-----\n{with_time(text)}-----END CERTIFICATE-----\n")


def test_alternative_names(tmp_path: Path) -> None:
    names = "DNS:api.lab.test,DNS:*.example.org,IP:198.18.64.10,IP:2001:db8::1,email:a@example.org,URI:spiffe://x"
    arguments = ["req", "-x509", "-newkey", "ed25519", "-nodes", "-keyout", str(tmp_path / "key"), "-subj", "/CN=x", "-addext", f"subjectAltName={names}"]
    assert alternative_names(openssl(*arguments).decode()) == ["api.lab.test", "*.example.org", "198.18.64.10", "2001:db8::1"]
    assert alternative_names(openssl(*arguments[:-2]).decode()) == []
    # One of version 1 has no extensions.
    request = openssl("req", "-new", "-newkey", "ed25519", "-nodes", "-keyout", str(tmp_path / "key"), "-subj", "/CN=old")
    assert alternative_names(openssl("x509", "-req", "-signkey", str(tmp_path / "key"), "-days", "1", stdin=request).decode()) == []
