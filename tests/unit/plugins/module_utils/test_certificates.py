# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The pin and the name of certificates, against OpenSSL."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from pathlib import Path

import pytest

from ansible_collections.quorum.kubeadm.plugins.module_utils.certificates import CertificateError, common_name, first_certificate, public_key_pin

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
