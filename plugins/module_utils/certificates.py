# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read what is needed from X.509 certificates with the standard library alone."""

from __future__ import annotations

import hashlib
import ipaddress
import re
import ssl
from datetime import datetime, timezone
from typing import Iterator, NamedTuple

_BEGIN = "-----BEGIN CERTIFICATE-----"
_END = "-----END CERTIFICATE-----"
_COMMON_NAME = bytes.fromhex("0603550403")  # OBJECT IDENTIFIER 2.5.4.3
_ALTERNATIVE_NAMES = bytes.fromhex("0603551d11")  # OBJECT IDENTIFIER 2.5.29.17
_EXPLICIT_VERSION = 0xA0
_EXPLICIT_EXTENSIONS = 0xA3
_OCTET_STRING = 0x04
_UTC_TIME, _GENERALIZED_TIME = 0x17, 0x18
_DNS_NAME, _IP_ADDRESS = 0x82, 0x87  # of GeneralName, RFC 5280, section 4.2.1.6


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


def der_certificate(pem: str) -> bytes:
    """Return the first certificate of a PEM text, DER."""
    try:
        return ssl.PEM_cert_to_DER_cert(first_certificate(pem))
    except CertificateError:
        raise
    except ValueError as error:
        raise CertificateError(f"the PEM certificate cannot be decoded: {error}") from None


def public_key_pin(pem: str) -> str:
    """Return kubeadm's pin of a CA: ``sha256:`` and the hash of its SubjectPublicKeyInfo."""
    der = der_certificate(pem)
    spki = _to_be_signed(der)[5]
    return "sha256:" + hashlib.sha256(der[spki.start : spki.end]).hexdigest()


def common_name(pem: str) -> str | None:
    """Return the subject's common name, or None when it has none."""
    der = der_certificate(pem)
    subject = _to_be_signed(der)[4]
    for relative_name in _children(der, subject):
        for attribute in _children(der, relative_name):
            kind, value = list(_children(der, attribute))[:2]
            if der[kind.start : kind.end] == _COMMON_NAME:
                return der[value.content : value.end].decode("utf-8", "replace")
    return None


class Validity(NamedTuple):
    """From when to when a certificate is valid, both in UTC."""

    not_before: datetime
    not_after: datetime


def validity(pem: str) -> Validity:
    """Return from when to when the certificate is valid."""
    der = der_certificate(pem)
    times = list(_children(der, _to_be_signed(der)[3]))
    if len(times) != 2:
        raise CertificateError("the certificate lacks its validity: this is not X.509")
    return Validity(*(_time(one.tag, der[one.content : one.end].decode("ascii", "replace")) for one in times))


def _time(tag: int, text: str) -> datetime:
    """Read a time as RFC 5280, section 4.1.2.5, allows it: whole seconds, in UTC; of two digits for the year, 50 and more are the last century's."""
    if tag == _UTC_TIME and re.fullmatch(r"\d{12}Z", text):
        text = ("19" if text[:2] >= "50" else "20") + text
    elif tag != _GENERALIZED_TIME or not re.fullmatch(r"\d{14}Z", text):
        raise CertificateError(f"the certificate has a time that cannot be read: {text!r}")
    try:
        return datetime.strptime(text, "%Y%m%d%H%M%SZ").replace(tzinfo=timezone.utc)
    except ValueError:
        raise CertificateError(f"the certificate has a time that is none: {text!r}") from None


def alternative_names(pem: str) -> list[str]:
    """Return the DNS names and addresses of the extension subjectAltName, in its order; none when there is none."""
    der = der_certificate(pem)
    extensions = [field for field in _to_be_signed(der)[6:] if field.tag == _EXPLICIT_EXTENSIONS]
    for extension in _children(der, _element(der, extensions[0].content)) if extensions else ():
        parts = list(_children(der, extension))
        if der[parts[0].start : parts[0].end] != _ALTERNATIVE_NAMES or parts[-1].tag != _OCTET_STRING:
            continue
        return [name for entry in _children(der, _element(der, parts[-1].content)) for name in _general_name(der, entry)]
    return []


def _general_name(der: bytes, entry: _Element) -> Iterator[str]:
    value = der[entry.content : entry.end]
    if entry.tag == _DNS_NAME:
        yield value.decode("ascii", "replace")
    elif entry.tag == _IP_ADDRESS and len(value) in (4, 16):
        yield str(ipaddress.ip_address(value))
