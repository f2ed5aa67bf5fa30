# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a daemon has read its files since they were written."""

from __future__ import annotations


def unit_properties(text: str) -> list[dict[str, str]]:
    """Return the blocks that ``systemctl show UNIT...`` prints, one for each unit."""
    return [dict(line.split("=", 1) for line in block.splitlines() if "=" in line) for block in text.split("\n\n") if block.strip()]


def is_stale(properties: dict[str, str], written: float, boot: float) -> bool:
    """Tell whether a running unit has not been loaded since its newest file was written.

    ``written`` and ``boot`` are seconds since the epoch, systemd counts from boot in microseconds.
    A unit that does not run reads its files when it is started.
    """
    if properties.get("ActiveState") != "active":
        return False
    loaded = boot + int(properties.get("StateChangeTimestampMonotonic") or 0) / 1e6
    return properties.get("NeedDaemonReload") == "yes" or written > loaded
