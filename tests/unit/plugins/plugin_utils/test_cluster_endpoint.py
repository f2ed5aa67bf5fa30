# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The table of endpoint types."""

from __future__ import annotations

import pytest
from ansible_collections.quorum.kubeadm.plugins.plugin_utils.cluster_endpoint import ENDPOINT_TYPES, Groups


@pytest.mark.parametrize("name", ENDPOINT_TYPES)
def test_rows_agree_with_themselves(name: str) -> None:
    row = ENDPOINT_TYPES[name]
    proxies = row.proxies(Groups(["cp1"], ["w1"], []))
    assert bool(row.mover) == row.floating
    assert not row.floating or (row.address == "required" and proxies)
    assert bool(proxies) == bool(row.check_interval) == bool(row.proxy_address)
