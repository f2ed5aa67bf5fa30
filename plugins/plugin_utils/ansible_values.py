# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The user's variables, out of Ansible's hands: templated, and without Ansible's own types."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ansible.errors import AnsibleError

from ansible_collections.quorum.kubeadm.plugins.plugin_utils.cluster_inputs import Untemplated


def plain(value: Any) -> Any:
    """A value without Ansible's own types around it; templates in it are resolved on the way."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return str(value)
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return float(value)
    if isinstance(value, Mapping):
        return {plain(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return str(value)


def resolved(source: Mapping[str, Any], names: Iterable[str], template: Callable[[Any], Any] = lambda value: value) -> dict[str, Any]:
    """Some variables; one whose template cannot be resolved is Untemplated, for the plan to refuse."""
    values: dict[str, Any] = {}
    for name in names:
        try:
            values[str(name)] = plain(template(source[name]))
        except AnsibleError as error:
            values[str(name)] = Untemplated(str(error))
    return values
