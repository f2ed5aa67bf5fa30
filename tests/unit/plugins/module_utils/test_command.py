# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The adapter that runs commands."""

from __future__ import annotations

import os

import pytest

from ansible_collections.quorum.kubeadm.plugins.module_utils.command import Result, environment, run


def test_streams_and_status() -> None:
    assert run(["sh", "-c", "cat; echo err >&2; exit 3"], "in") == Result(3, "in", "err\n")


def test_standard_input_is_empty_when_none_is_given() -> None:
    assert run(["cat"]) == Result(0, "", "")


def test_missing_command_is_a_result() -> None:
    assert run(["/no/such/kubeadm"]) == Result(127, "", "/no/such/kubeadm: command not found")


def test_slow_command_is_a_result() -> None:
    assert run(["sleep", "5"], timeout=0.1) == Result(124, "", "sleep did not end within 0.1 seconds")


def test_odd_bytes_do_no_harm() -> None:
    assert run(["printf", r"\377"]).stdout == "�"


def test_extra_environment() -> None:
    assert run(["sh", "-c", "echo $LC_ALL $ONE"], extra_environment={"ONE": "1"}).stdout == "C 1\n"


def test_only_named_descriptors_are_passed_on() -> None:
    reader, writer = os.pipe()
    os.write(writer, b"x")
    os.close(writer)
    shown = f"[ -e /proc/self/fd/{reader} ] && echo open || echo closed"
    assert run(["sh", "-c", shown]).stdout == "closed\n"
    assert run(["sh", "-c", shown], pass_fds=[reader]).stdout == "open\n"
    os.close(reader)


def test_search_path_has_what_sudo_leaves_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/opt/own")
    assert environment()["PATH"].split(":")[:2] == ["/opt/own", "/usr/local/sbin"]
    monkeypatch.delenv("PATH")
    assert environment()["PATH"].startswith("/usr/local/sbin:")
