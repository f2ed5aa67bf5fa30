# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which systemd units run with files older than those on the disk."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Sequence

from ansible_collections.quorum.kubeadm.plugins.module_utils.command import Runner
from ansible_collections.quorum.kubeadm.plugins.module_utils.config_files import is_stale, unit_properties

PROPERTIES = "Id,ActiveState,NeedDaemonReload,StateChangeTimestampMonotonic"


def stale_units(run: Runner, units: Sequence[str], paths: Iterable[str]) -> list[str]:
    """Return the running units that were not loaded since the newest of these files was written."""
    written = [os.stat(path).st_mtime for path in paths if os.path.exists(path)]
    if not units or not written:
        return []
    shown = run(["systemctl", "show", f"--property={PROPERTIES}", *units])
    if shown.rc:
        raise ValueError(f"systemctl does not tell the state of {', '.join(units)}: {shown.stderr.strip()}")
    boot = time.time() - time.clock_gettime(time.CLOCK_MONOTONIC)
    return [unit["Id"] for unit in unit_properties(shown.stdout) if is_stale(unit, max(written), boot)]
