# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read what is needed from X.509 certificates with the standard library alone."""

from __future__ import annotations

import hashlib
import ssl
from typing import Iterator, NamedTuple

_BEGIN = "-----BEGIN CERTIFICATE-----"
_END = "-----END CERTIFICATE-----"
_COMMON_NAME = bytes.fromhex("0603550403")  # OBJECT IDENTIFIER 2.5.4.3
_EXPLICIT_VERSION = 0xA0


class CertificateError(ValueError):
    """The text is not a certificate that can be read."""


class _Element(NamedTuple):
    tag: int
    start: int  # of the element itself
    content: int  # of its content
    end: int


def _element(der: bytes, start: int) -> _Element:
    """Read the head of the DER element at ``start``."""
    try:
        tag, length = der[start], der[start + 1]
    except IndexError:
        raise CertificateError("the certificate ends in the middle of a DER element") from None
    content = start + 2
    if length & 0x80:
        size = length & 0x7F
        length = int.from_bytes(der[content : content + size], "big")
        content += size
    if content + length > len(der):
        raise CertificateError("the certificate ends in the middle of a DER element")
    return _Element(tag, start, content, content + length)


def _children(der: bytes, parent: _Element) -> Iterator[_Element]:
    position = parent.content
    while position < parent.end:
        child = _element(der, position)
        yield child
        position = child.end


def _to_be_signed(der: bytes) -> list[_Element]:
    """Return the fields of TBSCertificate from serialNumber on: serial, algorithm, issuer, validity, subject, SPKI, ..."""
    fields = list(_children(der, _element(der, _element(der, 0).content)))
    if fields and fields[0].tag == _EXPLICIT_VERSION:
        fields = fields[1:]
    if len(fields) < 6:
        raise CertificateError("the certificate lacks fields: this is not X.509")
    return fields


def first_certificate(pem: str) -> str:
    """Return the first certificate block of a PEM text, without what stands around it."""
    begin = pem.find(_BEGIN)
    end = pem.find(_END, begin)
    if begin < 0 or end < 0:
        raise CertificateError("there is no PEM certificate in the text")
    return pem[begin : end + len(_END)] + "\n"


def _der(pem: str) -> bytes:
    try:
        return ssl.PEM_cert_to_DER_cert(first_certificate(pem))
    except CertificateError:
        raise
    except ValueError as error:
        raise CertificateError(f"the PEM certificate cannot be decoded: {error}") from None


def public_key_pin(pem: str) -> str:
    """Return kubeadm's pin of a CA: ``sha256:`` and the hash of its SubjectPublicKeyInfo."""
    der = _der(pem)
    spki = _to_be_signed(der)[5]
    return "sha256:" + hashlib.sha256(der[spki.start : spki.end]).hexdigest()


def common_name(pem: str) -> str | None:
    """Return the subject's common name, or None when it has none."""
    der = _der(pem)
    subject = _to_be_signed(der)[4]
    for relative_name in _children(der, subject):
        for attribute in _children(der, relative_name):
            kind, value = list(_children(der, attribute))[:2]
            if der[kind.start : kind.end] == _COMMON_NAME:
                return der[value.content : value.end].decode("utf-8", "replace")
    return None
