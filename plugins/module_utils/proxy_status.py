# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What HAProxy and keepalived on one host say of themselves."""

from __future__ import annotations

import csv
import ipaddress
from typing import TypedDict

from ansible_collections.quorum.kubeadm.plugins.module_utils.machine import interface_of, parse_addresses
from ansible_collections.quorum.kubeadm.plugins.module_utils.state_file import is_fault


class ProxiedServer(TypedDict):
    """A server behind HAProxy."""

    name: str
    address: str
    up: bool
    check_status: str
    check_result: str
    last_change: int


def backends(statistics: str) -> list[ProxiedServer]:
    """Return the servers in the CSV that ``show stat`` prints.

    A check that is under way has a ``*`` before the status of the last one; a server about to change is ``UP 1/2``.
    """
    rows = csv.DictReader(statistics.removeprefix("# ").splitlines())
    return [
        ProxiedServer(
            name=row["svname"],
            address=row.get("addr") or "",
            up=row["status"].startswith("UP"),
            check_status=row["check_status"].lstrip("* "),
            check_result=": ".join(text for text in (row.get("check_desc"), row.get("last_chk")) if text),
            last_change=int(row["lastchg"] or 0),
        )
        for row in rows
        if row["svname"] not in ("FRONTEND", "BACKEND")
    ]


def holds(ip_json: str, address: str) -> bool:
    """Tell whether one of the interfaces that ``ip -json address`` shows has the address."""
    return interface_of(parse_addresses(ip_json), str(ipaddress.ip_address(address))) is not None


def keepalived_state(active: bool, has_address: bool, worth: int | None) -> str:
    """Return keepalived's state: it has no other way to tell than the address itself."""
    if not active:
        return "stopped"
    if has_address:
        return "master"
    return "fault" if worth is not None and is_fault(worth) else "backup"
