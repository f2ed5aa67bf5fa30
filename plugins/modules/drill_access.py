#!/usr/bin/python
# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Let a drill's probes into the cluster for a short time."""

from __future__ import annotations

DOCUMENTATION = r"""
module: drill_access
short_description: Let a drill's probes into the cluster for a short time
version_added: 0.1.0
author: Quorum contributors (@quorum)
description:
  - Makes a namespace with a ServiceAccount that may use ConfigMaps in it and nothing else, and returns a token for it that ends by itself;
    or removes the namespace with all that is in it, which also ends the token.
  - Runs on a control plane and asks its own API server.
extends_documentation_fragment:
  - quorum.kubeadm.attributes
attributes:
  check_mode:
    support: none
    details: A token cannot be had without making it, and the module is skipped.
  diff_mode:
    support: none
    details: There is nothing that would differ.
  idempotent:
    support: partial
    details: With O(state=present) a new token is made each time.
options:
  state:
    description: Whether there is such access.
    type: str
    choices: [present, absent]
    default: present
  namespace:
    description: The namespace, which belongs to the drill alone.
    type: str
    default: quorum-drill
  seconds:
    description: How long the token is good. The API server may make it longer or shorter; it takes no less than 600.
    type: int
    default: 3600
  timeout:
    description: Seconds for all of it.
    type: float
    default: 60
"""

EXAMPLES = r"""
- name: Let the probes in
  quorum.kubeadm.drill_access:
  no_log: true
  register: access

- name: Take their access back
  quorum.kubeadm.drill_access:
    state: absent
"""

RETURN = r"""
token:
  description: The token. Register it under C(no_log).
  returned: O(state=present)
  type: str
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.quorum.kubeadm.plugins.module_utils.control_plane import NoControlPlane, local_kubectl
from ansible_collections.quorum.kubeadm.plugins.module_utils.drill_access import ACCOUNT, objects
from ansible_collections.quorum.kubeadm.plugins.module_utils.kubectl import Deadline, KubectlError, as_list


def main() -> None:
    """Make the access, or remove it."""
    module = AnsibleModule(
        argument_spec={
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "namespace": {"type": "str", "default": "quorum-drill"},
            "seconds": {"type": "int", "default": 3600},
            "timeout": {"type": "float", "default": 60},
        },
        supports_check_mode=False,
    )
    namespace = module.params["namespace"]
    try:
        kubectl = local_kubectl(Deadline(module.params["timeout"]))
        if module.params["state"] == "absent":
            said = kubectl("delete", "namespace", namespace, "--ignore-not-found")
            module.exit_json(changed=bool(said.strip()))
        kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", stdin=as_list(objects(namespace)))
        token = kubectl("--namespace", namespace, "create", "token", ACCOUNT, f"--duration={max(600, module.params['seconds'])}s").strip()
    except (KubectlError, NoControlPlane) as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=True, token=token)


if __name__ == "__main__":
    main()
