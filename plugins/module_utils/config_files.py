# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Configuration files: what of them may be shown."""

from __future__ import annotations

import re


def without_hidden(text: str, pattern: str | None) -> str:
    """Return a text without what the pattern matches."""
    return text if pattern is None else re.sub(pattern, "********", text)
