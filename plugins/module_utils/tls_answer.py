# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a TLS server's certificate and answer say."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from typing import Any


def subject_alt_names(certificate: Mapping[str, Any]) -> list[str]:
    """Return the names and addresses of a certificate as ``ssl.SSLSocket.getpeercert`` gives it, in its order."""
    return [_canonical(value) for kind, value in certificate.get("subjectAltName", ()) if kind in ("DNS", "IP Address")]


def _canonical(name: str) -> str:
    try:
        # OpenSSL writes IPv6 addresses in full.
        return str(ipaddress.ip_address(name.strip()))
    except ValueError:
        return name.lower().rstrip(".")


def name_matches(name: str, names: list[str]) -> bool:
    """Tell whether a certificate with these names is one for ``name``; an address counts only as itself, a wildcard for one label."""
    wanted = _canonical(name)
    wildcard = f"*.{wanted.partition('.')[2]}" if "." in wanted and not wanted.replace(".", "").isdigit() else None
    return wanted in names or wildcard in names


def status(answer: bytes) -> int | None:
    """Return the status of an HTTP answer, None when it is none."""
    words = answer.split(b"\r\n", 1)[0].split(b" ")
    return int(words[1]) if words[0].startswith(b"HTTP/") and len(words) > 1 and words[1].isdigit() else None
