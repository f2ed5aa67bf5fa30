# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Find the processes of a run on this host, by a variable in their environment which they all inherit."""

from __future__ import annotations

import os
from pathlib import Path

# Set by the plays of a procedure for everything that they start.
VARIABLE = "QUORUM_KUBEADM_RUN"


def processes(run: str, root: Path = Path("/")) -> list[str]:
    """Return the processes whose environment names the run, but not those of this module itself, each with its number and its command line."""
    wanted = f"{VARIABLE}={run}".encode()
    found = []
    for process in (root / "proc").iterdir():
        if not process.name.isdigit() or int(process.name) == os.getpid():
            continue
        try:
            if wanted in (process / "environ").read_bytes().split(b"\0"):
                words = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace").strip()
                found.append(f"{process.name} ({words[:80]})")
        except OSError:  # it is gone
            continue
    return found
