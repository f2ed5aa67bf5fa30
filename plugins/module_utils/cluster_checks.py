# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is wrong with a cluster as it is described and found: one small check each, all of them run."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Callable

from ansible_collections.quorum.kubeadm.plugins.module_utils.cluster_inputs import Problem
from ansible_collections.quorum.kubeadm.plugins.module_utils.cluster_model import Situation

CHECKS: tuple[Callable[[Situation], Iterator[Problem]], ...] = ()


def problems_of(situation: Situation) -> list[Problem]:
    return [problem for check in CHECKS for problem in check(situation)]


def warnings_of(situation: Situation) -> list[str]:
    return []
