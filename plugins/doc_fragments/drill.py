# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the modules of the drill say alike: the faults there are, out of their table."""

from __future__ import annotations

from ansible_collections.quorum.kubeadm.plugins.module_utils.drill_faults import FAULTS


OPTIONS = """
options:
  fault:
    description: What is broken; C(docs/failover.md) describes each.
    type: str
    choices: [%s]
"""


class ModuleDocFragment:
    """The option `fault`."""

    # Set below, as ansible-test reads plain texts alone.
    DOCUMENTATION = ""


ModuleDocFragment.DOCUMENTATION = OPTIONS % ", ".join(FAULTS)
