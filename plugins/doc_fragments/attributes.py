# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What modules say alike of check mode, diff mode and a second run; a module adds `details` where there is more to say."""

from __future__ import annotations


class ModuleDocFragment:
    """The meaning alone, for modules that say what they support; one variant for modules that only read, one for modules that change something."""

    DOCUMENTATION = r"""
options: {}
attributes:
  check_mode:
    description: Can run in check_mode and return changed status prediction without modifying the target.
  diff_mode:
    description: Will return details on what has changed (or possibly needs changing in check_mode), when in diff mode.
  idempotent:
    description: When run twice in a row outside check mode, with the same arguments, the second invocation indicates no change.
"""

    READS = r"""
options: {}
attributes:
  check_mode:
    description: Reads only, and does the same in check mode.
    support: full
  diff_mode:
    description: Changes nothing that could differ.
    support: none
  idempotent:
    description: Changes nothing.
    support: full
"""

    CHANGES = r"""
options: {}
attributes:
  check_mode:
    description: Says in check mode whether it would change something, and changes nothing.
    support: full
  diff_mode:
    description: Shows no difference of what it changes.
    support: none
  idempotent:
    description: Changes nothing when it is run again with the same arguments.
    support: full
"""
