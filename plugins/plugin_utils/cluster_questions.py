# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What has to be asked of a host so that a plan can be made: what some of the inputs make worth asking, before all of them are checked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.quorum.kubeadm.plugins.plugin_utils.cluster_inputs import PREFIX, read_inputs
from ansible_collections.quorum.kubeadm.plugins.plugin_utils.procedures import REBOOT, UPGRADE

# The inputs that count here.
NAMES = tuple(f"{PREFIX}{name}" for name in ("endpoint_name", "endpoint_address", "containerd_source"))


def questions(variables: Mapping[str, Any], procedure: str) -> dict[str, Any]:
    """The arguments of module `node_info` for a procedure, out of the variables of a host by these names.

    An input that is refused stands at its default here; it is the plan that says so, for all hosts at once.
    """
    inputs = read_inputs({"": variables}).cluster
    return {
        "containerd_candidate": inputs.containerd_source == "distribution",
        "resolve": inputs.endpoint_name or None,
        # Whoever writes the address has no need for the name in DNS.
        "ask_dns": not inputs.endpoint_address,
        "reboot_hint": procedure == REBOOT.name,
        "upgrade": procedure == UPGRADE.name,
    }
