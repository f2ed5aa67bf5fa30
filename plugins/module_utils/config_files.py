# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Configuration files: what of them may be shown, and whether the daemon has read them since they were written."""

from __future__ import annotations

import re


def without_hidden(text: str, pattern: str | None) -> str:
    """Return a text without what the pattern matches."""
    return text if pattern is None else re.sub(pattern, "********", text)


def unit_properties(text: str) -> list[dict[str, str]]:
    """Return the blocks that ``systemctl show UNIT...`` prints, one for each unit."""
    return [dict(line.split("=", 1) for line in block.splitlines() if "=" in line) for block in text.split("\n\n") if block.strip()]


def is_stale(properties: dict[str, str], written: float, boot: float) -> bool:
    """Tell whether a running unit has not taken the files in, of which the newest was written then.

    ``written`` and ``boot`` are seconds since the epoch, systemd counts from boot in microseconds.
    A unit that does not run reads its files when it is started.
    """
    if properties.get("ActiveState") != "active":
        return False
    loaded = boot + int(properties.get("StateChangeTimestampMonotonic") or 0) / 1e6
    return written > loaded or properties.get("NeedDaemonReload") == "yes" or properties.get("ReloadResult", "success") != "success"


def is_idle(properties: dict[str, str]) -> bool:
    """Tell whether an installed unit does not run, or would not after a reboot; a unit that others start cannot be enabled."""
    return properties.get("LoadState") != "not-found" and (
        properties.get("ActiveState") not in ("active", "reloading") or properties.get("UnitFileState") == "disabled"
    )
