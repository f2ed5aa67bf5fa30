# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The file by which a host's HAProxy tells keepalived beside it what it is worth: where it is, its numbers, and what keepalived makes of them.

This is the home of the protocol. The programs of the role haproxy and the configuration of the role keepalived stand alone on a host, so they repeat
these numbers; a unit test compares them.
"""

from __future__ import annotations

from enum import IntEnum

PATH = "/run/quorum-kubeadm/proxy"
WEIGHT = 127
"""The `weight` of keepalived's `track_file`: by how much one point in the file moves a host's VRRP priority."""


class Worth(IntEnum):
    """What HAProxy on a host is worth."""

    ACTIVE = 1
    """It serves and the host has the virtual address: above every other, nobody takes it away."""
    SERVES = 0
    """It serves: the host's own priority."""
    EMPTY = -1
    """It runs, but has no living API server, or is about to stop as planned: below every proxy that serves."""
    DEAD = -254
    """It has stopped, died or does not answer: the address must go at once."""


def is_fault(worth: int) -> bool:
    """Whether keepalived gives the address up and tells the others: from -254 on, weighed (keepalived.conf(5), track_file)."""
    return worth * WEIGHT <= -254
