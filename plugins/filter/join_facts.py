# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter quorum.kubeadm.join_facts: what a node needs to join, from what kubeadm printed."""

from __future__ import annotations

DOCUMENTATION = r"""
name: join_facts
short_description: Read what a node needs to join a cluster from kubeadm's output
version_added: 0.1.0
author: Quorum contributors (@quorum)
description:
  - Reads the C(kubeadm join) commands that C(kubeadm init) or C(kubeadm token create --print-join-command) printed, of kubeadm 1.13 to 1.37.
  - Messages of standard error between the lines, Windows line ends, non-breaking spaces and indentation do no harm.
  - When C(kubeadm init) printed its commands for several bootstrap tokens, the first token is taken.
  - It is an error, told without any secret, when the text holds no join command, a cut off or malformed one,
    or commands with different endpoints, CA certificate hashes or certificate keys.
notes:
  - The result holds secrets. Set C(no_log) on tasks that use it.
positional: _input
options:
  _input:
    description:
      - Standard output of kubeadm, also mixed with its standard error.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Mint a token for one join
  ansible.builtin.command: kubeadm token create --ttl 30m --print-join-command
  register: token
  changed_when: true
  no_log: true

- name: Join the cluster
  quorum.kubeadm.kubeadm_join:
    credentials: "{{ token.stdout | quorum.kubeadm.join_facts }}"
  no_log: true
"""

RETURN = r"""
_value:
  description: What a node needs to join.
  type: dict
  contains:
    endpoint:
      description: Host and port of the API server as kubeadm printed them, an IPv6 address in brackets.
      type: str
      sample: api.example.com:6443
    token:
      description: Bootstrap token. Null when kubeadm withheld it (C(--skip-token-print)).
      type: str
      sample: abcdef.0123456789abcdef
    ca_cert_hashes:
      description: Hashes of the public keys of the cluster's CA certificates.
      type: list
      elements: str
      sample: ["sha256:8cb2de97839780a412b93877f8507ad6c94f73add17d5d7058e91741c9d5ec78"]
    certificate_key:
      description: Key of the uploaded certificates. Null when kubeadm withheld it or uploaded none.
      type: str
      sample: null
    control_plane:
      description: Whether kubeadm printed a command to join as a control plane.
      type: bool
      sample: false
"""

from typing import Any, Callable

from ansible.errors import AnsibleFilterError

from ansible_collections.quorum.kubeadm.plugins.module_utils.kubeadm_output import JoinFacts, KubeadmOutputError
from ansible_collections.quorum.kubeadm.plugins.module_utils.kubeadm_output import join_facts as _join_facts


def join_facts(output: Any) -> JoinFacts:
    """Return the join facts of kubeadm's output; AnsibleFilterError when there are none or they contradict each other."""
    if not isinstance(output, str):
        raise AnsibleFilterError(
            f"quorum.kubeadm.join_facts reads the text that kubeadm printed (`stdout` of a registered task), not a value of type {type(output).__name__}."
        )
    try:
        return _join_facts(output)
    except KubeadmOutputError as error:
        raise AnsibleFilterError(f"quorum.kubeadm.join_facts: {error}") from error


class FilterModule:
    """Filters of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Name the filters."""
        return {"join_facts": join_facts}
