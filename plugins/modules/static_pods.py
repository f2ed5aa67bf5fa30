#!/usr/bin/python
# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Let the components of a control plane run with the files that they read."""

from __future__ import annotations

DOCUMENTATION = r"""
module: static_pods
short_description: Let the components of a control plane run with the files that they read
version_added: 0.2.0
author: Quorum contributors (@quorum)
description:
  - Starts etcd, the API server, the controller manager and the scheduler anew, in this order and as far as they run on this host, where a file that
    their flags name was written after they had begun - a certificate that was renewed, or a policy.
  - Each is told to end, and started by the kubelet; the next one is touched when it is well again, and shows the certificate that its file holds. Manifests
    stay as they are.
  - Connections to them end; lead the traffic away before.
  - Needs C(become), since the processes are root's.
extends_documentation_fragment: quorum.kubeadm.attributes.changes
attributes:
  diff_mode:
    description: Shows which components are started anew.
    support: full
options:
  timeout:
    description: How many seconds each component may take to be well again.
    type: int
    default: 120
seealso:
  - module: quorum.kubeadm.kubeadm_certificates
  - module: quorum.kubeadm.node_info
"""

EXAMPLES = r"""
- name: Let the components use their new certificates
  quorum.kubeadm.static_pods:
"""

RETURN = r"""
started:
  description: The components that were started anew, or would be.
  returned: success
  type: list
  elements: str
  sample: [etcd, kube-apiserver]
"""

from pathlib import Path

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.quorum.kubeadm.plugins.module_utils.static_pods import (
    COMPONENTS,
    NotUp,
    has,
    outdated,
    start_anew,
    wait_up,
    why_not_served,
)

ROOT = Path("/")


def bring_up(timeout: int, check_mode: bool, root: Path = ROOT) -> list[str]:
    """Start anew what is outdated, and return it; raise NotUp where a component is not well at the end, whether it was started anew or not."""
    old = outdated(root)
    for component in COMPONENTS:
        if check_mode or not has(component, root):
            continue
        if component in old:
            start_anew(component, timeout, root)
        else:
            wait_up(component, [], timeout, root)
        stale = why_not_served(component, root)
        if stale:
            raise NotUp(f"{component} runs, but {stale}")
    return old


def main() -> None:
    """Entry point."""
    module = AnsibleModule(argument_spec={"timeout": {"type": "int", "default": 120}}, supports_check_mode=True)
    try:
        started = bring_up(module.params["timeout"], module.check_mode)
    except NotUp as error:
        module.fail_json(msg=str(error))
    except OSError as error:
        module.fail_json(msg=f"{error.filename}: {error.strerror}")
    module.exit_json(changed=bool(started), started=started, diff={"prepared": "".join(f"{one}: started anew\n" for one in started)} if started else {})


if __name__ == "__main__":
    main()
