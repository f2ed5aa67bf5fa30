# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Says at the end of a run how long each phase, which is a play, took, and how much it changed."""

from __future__ import annotations

DOCUMENTATION = r"""
name: phases
type: aggregate
short_description: How long each phase of a run took
version_added: 0.1.0
author: Quorum contributors (@quorum)
description:
  - Prints, when a run ends, one line for each play with its seconds, its tasks and what it changed.
  - A play in which no task ran is left out.
options:
  phases_file:
    description: A file that gets the same figures as JSON; none is written when this is not set.
    type: path
    env:
      - name: QUORUM_PHASES_FILE
    ini:
      - section: callback_phases
        key: file
requirements:
  - enabled in the configuration, C(callbacks_enabled = quorum.kubeadm.phases)
"""

import json
import time
from dataclasses import asdict, dataclass
from typing import Any

from ansible.plugins.callback import CallbackBase


@dataclass
class Phase:
    """One play: its name, its seconds, and how many results of tasks on hosts came and were changes."""

    name: str
    started: float
    seconds: float = 0.0
    tasks: int = 0
    results: int = 0
    changed: int = 0
    failed: int = 0


def table(phases: list[Phase]) -> list[str]:
    """The lines that a person reads: phases in order, and their sum."""
    rows = [phase for phase in phases if phase.results]
    total = Phase(
        name="all together",
        started=0.0,
        seconds=sum(phase.seconds for phase in rows),
        tasks=sum(phase.tasks for phase in rows),
        results=sum(phase.results for phase in rows),
        changed=sum(phase.changed for phase in rows),
        failed=sum(phase.failed for phase in rows),
    )
    width = max(len(phase.name) for phase in [*rows, total])
    lines = [f"{'phase':<{width}}  {'seconds':>8}  {'tasks':>5}  {'on hosts':>8}  {'changed':>7}"]
    for phase in [*rows, total]:
        failed = f"  {phase.failed} FAILED" if phase.failed else ""
        lines.append(f"{phase.name:<{width}}  {phase.seconds:>8.1f}  {phase.tasks:>5}  {phase.results:>8}  {phase.changed:>7}{failed}")
    return lines


class CallbackModule(CallbackBase):  # type: ignore[misc]  # the base class is untyped
    """Times plays; everything else about a run is the standard output's."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "quorum.kubeadm.phases"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self) -> None:
        super().__init__()
        self.phases: list[Phase] = []
        self._seen: set[str] = set()

    def _end_phase(self) -> None:
        if self.phases:
            self.phases[-1].seconds = time.monotonic() - self.phases[-1].started

    def v2_playbook_on_play_start(self, play: Any) -> None:
        self._end_phase()
        self.phases.append(Phase(name=play.get_name(), started=time.monotonic()))

    def _count(self, result: Any, failed: bool = False) -> None:
        phase = self.phases[-1]
        phase.results += 1
        phase.changed += bool(result._result.get("changed", False))
        phase.failed += failed
        if result._task._uuid not in self._seen:
            self._seen.add(result._task._uuid)
            phase.tasks += 1

    def v2_runner_on_ok(self, result: Any) -> None:
        self._count(result)

    def v2_runner_on_failed(self, result: Any, ignore_errors: bool = False) -> None:
        self._count(result, failed=True)

    def v2_runner_on_unreachable(self, result: Any) -> None:
        self._count(result, failed=True)

    def v2_playbook_on_stats(self, stats: Any) -> None:
        self._end_phase()
        if not any(phase.results for phase in self.phases):
            return
        self._display.display("")
        for line in table(self.phases):
            self._display.display(line)
        path = self.get_option("phases_file")
        if path:
            with open(path, "w", encoding="utf-8") as file:
                json.dump([asdict(phase) for phase in self.phases if phase.results], file, indent=2)
