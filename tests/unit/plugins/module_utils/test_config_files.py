# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Configuration files: what may be shown."""

from __future__ import annotations

import pytest

from ansible_collections.quorum.kubeadm.plugins.module_utils.config_files import without_hidden


@pytest.mark.parametrize(
    ("text", "pattern", "shown"),
    [
        ("user a insecure-password 'old'\nbind x\n", "(?<=insecure-password ).*", "user a insecure-password ********\nbind x\n"),
        ("bind x\n", "(?<=insecure-password ).*", "bind x\n"),
        ("user a insecure-password 'old'\n", None, "user a insecure-password 'old'\n"),
    ],
)
def test_without_hidden(text: str, pattern: str | None, shown: str) -> None:
    assert without_hidden(text, pattern) == shown
