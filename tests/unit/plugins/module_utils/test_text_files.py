# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Text files that are whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ansible_collections.quorum.kubeadm.plugins.module_utils import text_files
from ansible_collections.quorum.kubeadm.plugins.module_utils.text_files import FileState, TextFile

WANTED = TextFile("/etc/x", "text\n", 0o644)


@pytest.mark.parametrize(
    ("found", "as_wanted"),
    [
        (FileState("text\n", 0o644, True), True),
        (FileState("text", 0o644, True), False),
        (FileState("text\n", 0o600, True), False),
        (FileState("text\n", 0o644, False), False),
        (FileState(None, 0, False), False),
    ],
)
def test_is_as_wanted(found: FileState, as_wanted: bool) -> None:
    assert text_files.is_as_wanted(WANTED, found) is as_wanted


def test_write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    owners: list[tuple[int, int]] = []
    monkeypatch.setattr(os, "fchown", lambda _descriptor, user, group: owners.append((user, group)))
    file = TextFile(str(tmp_path / "new/directory/x.conf"), "größe\r\n", 0o600)
    text_files.write(file)
    found = text_files.look(file.path)
    assert (found.content, found.mode) == (file.content, file.mode)
    assert owners == [(0, 0)]
    assert os.listdir(tmp_path / "new/directory") == ["x.conf"]


def test_look_at_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert text_files.look(str(tmp_path / "missing")).content is None
    assert text_files.look(str(tmp_path / "file/below")).content is None


def test_difference() -> None:
    shown = text_files.difference(WANTED, FileState("old\n", 0o644, True))
    assert (shown["before"], shown["after"], shown["after_header"]) == ("old\n", "text\n", "/etc/x")
    assert text_files.difference(WANTED, FileState(None, 0, False))["before"] == ""


def test_difference_of_a_program() -> None:
    """The whole of a new one would be shown once for each host; what changes in one is shown."""
    program = TextFile("/usr/local/libexec/x", "#!/bin/sh\ntrue\n", 0o755)
    assert text_files.difference(program, FileState(None, 0, False)) == {"prepared": "/usr/local/libexec/x: a new program of 2 lines\n"}
    assert text_files.difference(program, FileState("#!/bin/sh\n", 0o755, True))["before"] == "#!/bin/sh\n"
