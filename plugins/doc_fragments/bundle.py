# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options of the modules that install from a bundle."""

from __future__ import annotations


class ModuleDocFragment:
    """For modules whose action reads the bundle on the controller."""

    DOCUMENTATION = r"""
options:
  path:
    description: The bundle's directory on the controller, relative to the playbook or absolute.
    type: str
    required: true
  _staging:
    description: The directory to which the files were transferred. The action plugin of this name sets it; a task does not.
    type: path
"""
