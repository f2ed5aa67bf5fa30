#!/usr/bin/python
# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Install files of a bundle."""

from __future__ import annotations

DOCUMENTATION = r"""
module: bundle_files
short_description: Install files of a bundle on a node
version_added: 0.1.0
description:
  - Installs files of a bundle, a directory on the controller with a list C(SHA256SUMS), on a node.
  - Only files that are missing on the node, or differ from the bundle's list, travel. So a node that has everything costs one question.
  - Every file is verified against C(SHA256SUMS) where it arrives, and put in its place whole, owned by root.
author:
  - Quorum contributors (@quorum)
options:
  path:
    description:
      - The bundle's directory on the controller, relative to the playbook or absolute.
    type: str
    required: true
  files:
    description:
      - What to install.
    type: list
    elements: dict
    required: true
    suboptions:
      src:
        description:
          - A file of the bundle, relative to it, or a directory of it, which stands for all files below.
        type: str
        required: true
      dest:
        description:
          - The path on the node. When O(files[].src) is a directory, or this ends in a slash, it is the directory to install into.
        type: str
        required: true
  mode:
    description:
      - The mode of the installed files.
    type: str
    default: "0755"
  units:
    description:
      - The systemd units that run these files. A change is reported as well when one still runs an older file,
        so that the handler a killed run never reached is notified by the next one.
    type: list
    elements: str
    default: []
attributes:
  check_mode:
    description: Says what would be installed, and transfers nothing.
    support: full
  diff_mode:
    description: Names the files that are replaced, without their contents.
    support: none
  idempotent:
    description: Run again it finds every checksum as it should be and changes nothing.
    support: full
"""

EXAMPLES = r"""
- name: Install the container runtime
  quorum.kubeadm.bundle_files:
    path: /srv/bundle-1.37
    files:
      - {src: bin/containerd, dest: /usr/local/bin/}
      - {src: bin/cni, dest: /opt/cni/bin}
  become: true
"""

RETURN = r"""
installed:
  description: The paths on the node that were installed, or would be in check mode.
  returned: success
  type: list
  elements: str
  sample: [/usr/local/bin/containerd]
stale_units:
  description: The running units that an earlier run left with older files.
  returned: success
  type: list
  elements: str
  sample: [containerd.service]
"""

import os

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.quorum.kubeadm.plugins.module_utils.bundle_files import (
    Wanted,
    differing,
    has_mode,
    install,
)
from ansible_collections.quorum.kubeadm.plugins.module_utils.command import run
from ansible_collections.quorum.kubeadm.plugins.module_utils.unit_files import stale_units


def main() -> None:
    """Answer which files are missing; with a staging directory, put them in place."""
    module = AnsibleModule(
        argument_spec={
            "path": {"type": "str", "required": True},
            "files": {
                "type": "list",
                "elements": "dict",
                "required": True,
                "options": {
                    "src": {"type": "str", "required": True},
                    "dest": {"type": "str", "required": True},
                    # Filled in by the action plugin from the bundle's list, as is _staging, the directory it transferred to.
                    "_sha256": {"type": "str"},
                },
            },
            "mode": {"type": "str", "default": "0755"},
            "units": {"type": "list", "elements": "str", "default": []},
            "_staging": {"type": "path"},
        },
        supports_check_mode=True,
    )
    files = [Wanted(file["src"], file["dest"], file["_sha256"]) for file in module.params["files"]]
    if not all(file.sha256 for file in files):
        module.fail_json(msg="bundle_files works through its action plugin, which reads the bundle on the controller; call it by its full name as a task.")
    mode = int(module.params["mode"], 8)
    missing = differing(files)
    installed = [file.dest for file in missing]
    staging = module.params["_staging"]
    try:
        stale = stale_units(run, module.params["units"], [file.dest for file in files])
        if staging and not module.check_mode:
            for file in missing:
                install(os.path.join(staging, file.sha256), file, mode)
                module.set_default_selinux_context(file.dest, False)
            missing = []
        for file in files:
            if file not in missing and not has_mode(file.dest, mode):
                if not module.check_mode:
                    os.chown(file.dest, 0, 0)
                    os.chmod(file.dest, mode)
                installed.append(file.dest)
    except (ValueError, OSError) as error:
        module.fail_json(msg=f"Bundle {module.params['path']}: {error}")
    module.exit_json(changed=bool(installed or stale), installed=installed, stale_units=stale, _missing=[file.sha256 for file in missing])


if __name__ == "__main__":
    main()
