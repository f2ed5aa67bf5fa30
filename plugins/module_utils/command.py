# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run commands in a way that pure code can be tested without them."""

from __future__ import annotations

import os
import subprocess
from typing import Mapping, NamedTuple, Optional, Protocol, Sequence


class Result(NamedTuple):
    """What a command left behind."""

    rc: int
    stdout: str
    stderr: str


class Runner(Protocol):
    """Anything that runs a command: the real one below, or a test's table of answers."""

    def __call__(self, argv: Sequence[str], stdin: Optional[str] = None) -> Result:
        """Run ``argv`` with ``stdin`` on its standard input."""


# sudo's secure_path and an EL login shell differ in these.
SEARCH_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def environment() -> dict[str, str]:
    """Return the environment for commands: English words, and every directory where the binaries can be."""
    own = os.environ.get("PATH", "")
    return {**os.environ, "LC_ALL": "C", "PATH": f"{own}:{SEARCH_PATH}" if own else SEARCH_PATH}


def run(
    argv: Sequence[str],
    stdin: str | None = None,
    *,
    pass_fds: Sequence[int] = (),
    extra_environment: Mapping[str, str] | None = None,
    timeout: float | None = None,
) -> Result:
    """Run a command to its end; a command that is missing or too slow is a result too."""
    try:
        done = subprocess.run(
            list(argv),
            input=stdin,
            stdin=subprocess.DEVNULL if stdin is None else None,
            capture_output=True,
            check=False,
            encoding="utf-8",
            errors="replace",
            env={**environment(), **(extra_environment or {})},
            pass_fds=tuple(pass_fds),
            timeout=timeout,
        )
    except FileNotFoundError:
        return Result(127, "", f"{argv[0]}: command not found")
    except subprocess.TimeoutExpired:
        return Result(124, "", f"{argv[0]} did not end within {timeout:g} seconds")
    return Result(done.returncode, done.stdout, done.stderr)
