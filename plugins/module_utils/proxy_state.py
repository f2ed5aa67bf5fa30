# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What HAProxy and keepalived on one host say of themselves."""

from __future__ import annotations

import csv
import ipaddress
import json
from typing import TypedDict

# keepalived multiplies what the state file says by 127, and takes -254 and less for a fault.
FAULT = -2


class Backend(TypedDict):
    """A server behind HAProxy."""

    name: str
    address: str
    up: bool
    check_status: str
    check_result: str
    last_change: int


def backends(statistics: str) -> list[Backend]:
    """Return the servers in the CSV that ``show stat`` prints.

    A check that is under way has a ``*`` before the status of the last one; a server about to change is ``UP 1/2``.
    """
    rows = csv.DictReader(statistics.removeprefix("# ").splitlines())
    return [
        Backend(
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


def has_address(ip_json: str, address: str) -> bool:
    """Tell whether one of the interfaces that ``ip -json address`` shows has the address."""
    wanted = ipaddress.ip_address(address)
    return any(ipaddress.ip_address(info["local"]) == wanted for link in json.loads(ip_json) for info in link.get("addr_info", []) if "local" in info)


def active_units(shown: str) -> set[str]:
    """Return the units that are active by ``systemctl show --property=Id,ActiveState``."""
    blocks = [dict(line.split("=", 1) for line in block.splitlines() if "=" in line) for block in shown.split("\n\n")]
    return {block["Id"] for block in blocks if block.get("ActiveState") == "active" and "Id" in block}


def keepalived_state(active: bool, holds: bool, worth: int | None) -> str:
    """Return keepalived's state: it has no other way to tell than the address itself."""
    if not active:
        return "stopped"
    if holds:
        return "master"
    return "fault" if worth is not None and worth <= FAULT else "backup"
