# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Speak to HAProxy by its runtime socket (management guide of HAProxy, chapter 9.3)."""

from __future__ import annotations

import socket

PATH = "/var/lib/haproxy/stats"
TIMEOUT = 5.0


def ask(command: str, path: str = PATH) -> str:
    """Give HAProxy a command and return its answer; raise OSError when it does not answer."""
    answer = b""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(TIMEOUT)
        connection.connect(path)
        connection.sendall(f"{command}\n".encode())
        while chunk := connection.recv(65536):
            answer += chunk
    return answer.decode("utf-8", "replace")
