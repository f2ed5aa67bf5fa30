#!/usr/bin/python
# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Write a set of text files at once."""

from __future__ import annotations

DOCUMENTATION = r"""
module: text_files
short_description: Write a set of text files at once
version_added: 0.1.0
description:
  - Writes all text files of a service in one round trip, where M(ansible.builtin.template) needs three for each.
    The contents come rendered, for instance by the lookup P(ansible.builtin.template#lookup).
  - Every file is put in its place whole. Missing directories are made. Files belong to root.
author:
  - Quorum contributors (@quorum)
options:
  files:
    description:
      - The files.
    type: list
    elements: dict
    required: true
    suboptions:
      path:
        description:
          - Where the file is.
        type: path
        required: true
      content:
        description:
          - What is in it.
        type: str
        required: true
      mode:
        description:
          - Its mode.
        type: str
        default: "0644"
attributes:
  check_mode:
    description: Says what would be written.
    support: full
  diff_mode:
    description: Shows the difference of every file.
    support: full
  idempotent:
    description: Writes only files that differ.
    support: full
"""

EXAMPLES = r"""
- name: Configure containerd
  quorum.kubeadm.text_files:
    files:
      - path: /etc/containerd/config.toml
        content: "{{ lookup('ansible.builtin.template', 'config.toml.j2') }}"
      - path: /etc/crictl.yaml
        content: "{{ lookup('ansible.builtin.template', 'crictl.yaml.j2') }}"
  become: true
"""

RETURN = r"""
written:
  description: The files that were written, or would be in check mode.
  returned: success
  type: list
  elements: str
  sample: [/etc/containerd/config.toml]
"""

from ansible.module_utils.basic import AnsibleModule  # noqa: E402

from ansible_collections.quorum.kubeadm.plugins.module_utils.text_files import TextFile, difference, is_as_wanted, look, write  # noqa: E402


def main() -> None:
    """Write the files that differ."""
    module = AnsibleModule(
        argument_spec={
            "files": {
                "type": "list",
                "elements": "dict",
                "required": True,
                "options": {
                    "path": {"type": "path", "required": True},
                    "content": {"type": "str", "required": True},
                    "mode": {"type": "str", "default": "0644"},
                },
            },
        },
        supports_check_mode=True,
    )
    wanted = [TextFile(file["path"], file["content"], int(file["mode"], 8)) for file in module.params["files"]]
    try:
        pending = [(file, found) for file in wanted if not is_as_wanted(file, found := look(file.path))]
        if not module.check_mode:
            for file, _found in pending:
                write(file)
                module.set_default_selinux_context(file.path, False)
    except OSError as error:
        module.fail_json(msg=f"{error.filename}: {error.strerror}")
    module.exit_json(
        changed=bool(pending),
        written=[file.path for file, _found in pending],
        diff=[difference(file, found) for file, found in pending],
    )


if __name__ == "__main__":
    main()
