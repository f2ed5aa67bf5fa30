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
author: Quorum contributors (@quorum)
description:
  - Installs files of a bundle, a directory on the controller with a list C(SHA256SUMS), on a node.
  - Only files that are missing on the node, or differ from the bundle's list, travel. So a node that has everything costs one question.
  - Every file is verified against C(SHA256SUMS) where it arrives, and put in its place whole, owned by root.
extends_documentation_fragment:
  - quorum.kubeadm.attributes
  - quorum.kubeadm.bundle
attributes:
  check_mode:
    support: full
    details: Says what would be installed, and transfers nothing.
  diff_mode:
    support: partial
    details: Shows the difference of the text files, and only names those of the bundle.
  idempotent:
    support: full
    details: Run again it finds every checksum as it should be and changes nothing.
options:
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
  texts:
    description:
      - Text files that go with them, such as the units that run them. They are written before the files of the bundle.
    type: list
    elements: dict
    default: []
    suboptions:
      path:
        description: Absolute path of the file.
        type: path
        required: true
      content:
        description: What the file contains.
        type: str
        required: true
      mode:
        description: Permissions, as an octal string.
        type: str
        default: "0644"
  mode:
    description:
      - The mode of the installed files.
    type: str
    default: "0755"
  run_units:
    description:
      - The systemd units that run these files, now and at boot. They are started when they do not run, and restarted when something changed or when a
        killed run left them with an older file.
    type: list
    elements: str
    default: []
  boot_units:
    description:
      - Units that have to start at boot, and are enabled when they do not.
    type: list
    elements: str
    default: []
  _wanted:
    description:
      - Each file's path in the bundle, its path on the node, and its checksum, from the bundle's list.
        The action plugin of this name sets it; a task does not.
    type: list
    elements: list
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
idle_units:
  description: The units of O(run_units) that did not run, or not at boot, those without a unit file among them.
  returned: success
  type: list
  elements: str
  sample: []
enabled_units:
  description: The units of O(boot_units) that were enabled, or would be.
  returned: success
  type: list
  elements: str
  sample: [kubelet.service]
texts:
  description: The text files that were written, or would be in check mode.
  returned: success
  type: list
  elements: str
  sample: [/etc/systemd/system/containerd.service]
"""

import os

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.quorum.kubeadm.plugins.module_utils.bundle_files import OPTIONS, Wanted, differing, has_mode, install
from ansible_collections.quorum.kubeadm.plugins.module_utils.command import run
from ansible_collections.quorum.kubeadm.plugins.module_utils.text_files import TextFile, difference, is_as_wanted, look, write
from ansible_collections.quorum.kubeadm.plugins.module_utils.unit_files import enable, look_at_units, run_anew


def main() -> None:
    """Answer which files are missing; with a staging directory, put them in place."""
    module = AnsibleModule(
        argument_spec={**OPTIONS, "_wanted": {"type": "list", "elements": "list"}, "_staging": {"type": "path"}},
        supports_check_mode=True,
    )
    if module.params["_wanted"] is None:
        module.fail_json(msg="bundle_files works through its action plugin, which reads the bundle on the controller; call it by its full name as a task.")
    files = [Wanted(*file) for file in module.params["_wanted"]]
    mode = int(module.params["mode"], 8)
    texts = [TextFile(text["path"], text["content"], int(text["mode"], 8)) for text in module.params["texts"]]
    missing = differing(files)
    installed = [file.dest for file in missing]
    staging = module.params["_staging"]
    try:
        units = look_at_units(run, module.params["run_units"], [*(file.dest for file in files), *(text.path for text in texts)])
        disabled = look_at_units(run, module.params["boot_units"], []).disabled
        pending = [(text, found) for text in texts if not is_as_wanted(text, found := look(text.path))]
        # Where the action has files to bring, it asks again, and nothing is written before they are there.
        if not module.check_mode and (staging or not missing):
            for text, _found in pending:
                write(text)
                module.set_default_selinux_context(text.path, False)
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
        idle = units.missing + units.idle
        changed = bool(installed or pending or units.stale or idle)
        if not module.check_mode and not missing:
            run_anew(run, module.params["run_units"] if changed else [])
            enable(run, module.params["boot_units"], disabled, bool(pending))
    except (ValueError, OSError) as error:
        module.fail_json(msg=f"Bundle {module.params['path']}: {error}")
    module.exit_json(
        changed=changed or bool(disabled),
        installed=installed,
        texts=[text.path for text, _found in pending],
        stale_units=units.stale,
        idle_units=idle,
        enabled_units=disabled,
        diff=[*([{"prepared": f"files of the bundle: {', '.join(installed)}\n"}] if installed else []), *(difference(text, found) for text, found in pending)],
        _missing=[file.sha256 for file in missing],
    )


if __name__ == "__main__":
    main()
