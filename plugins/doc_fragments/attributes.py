# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What modules say alike of check mode, diff mode and a second run; a module adds `details` where there is more to say."""

from __future__ import annotations


class ModuleDocFragment:
    """One variant for modules that only read, one for modules that change something."""

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
