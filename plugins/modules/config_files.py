#!/usr/bin/python
# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Write the configuration files of a daemon together."""

from __future__ import annotations

DOCUMENTATION = r"""
module: config_files
short_description: Write the configuration files of a daemon together
version_added: 0.1.0
author: Quorum contributors (@quorum)
description:
  - Writes a set of files, owned by root, each validated and put in place atomically, in the order given.
  - Compares the whole set in one call, so a daemon with a main file, a unit drop-in and a certificate costs one task.
  - Missing parent directories are made, so it works on a host where the daemon is not installed yet, in check mode too.
  - Reloads or restarts the units that read the files when one was written, and also when a running unit has not been loaded since its files
    were written, or failed to, so that the next run mends what a killed one left.
extends_documentation_fragment: quorum.kubeadm.attributes.changes
attributes:
  diff_mode:
    description: Shows the difference of every file, secrets masked.
    support: full
options:
  files:
    description: The files, in the order in which they are written.
    type: list
    elements: dict
    required: true
    suboptions:
      path:
        description: Absolute path of the file.
        type: path
        required: true
      content:
        description: What the file contains, for instance rendered by the lookup P(ansible.builtin.template#lookup).
        type: str
      secret_content:
        description: The same for a file with a secret in it. Shown nowhere, but in a diff without what O(files[].hidden) matches.
        type: str
      mode:
        description: Permissions, as an octal string.
        type: str
        default: "0644"
      validate:
        description:
          - A command, word by word, that must succeed before the file is put in place; C(%s) stands for its temporary name.
          - Not run where there is no such command. Files can be written before the daemon is installed, so that it never runs without them.
        type: list
        elements: str
        default: []
      hidden:
        description: A regular expression for the secrets of O(files[].secret_content), those of now and those that the file had before.
        type: str
  directories:
    description: Directories that must exist besides those the files are in, for instance one below C(/run) that a daemon expects.
    type: list
    elements: path
    default: []
  reload_units:
    description: The systemd units that read these files and are reloaded when something changed and they run.
    type: list
    elements: str
    default: []
  restart_units:
    description: Those that have to be restarted for it.
    type: list
    elements: str
    default: []
  boot_units:
    description:
      - Units that have to start at boot, and are enabled when they do not.
    type: list
    elements: str
    default: []
"""

EXAMPLES = r"""
- name: Configure HAProxy
  quorum.kubeadm.config_files:
    files:
      - path: /etc/systemd/system/haproxy.service.d/restart.conf
        content: |
          [Service]
          Restart=always
      - path: /etc/haproxy/haproxy.cfg
        secret_content: "{{ lookup('ansible.builtin.template', 'haproxy.cfg.j2') }}"
        mode: "0600"
        hidden: (?<=insecure-password ).*
        validate: [haproxy, -c, -f, "%s"]
    reload_units: [haproxy.service]
  register: configured

- name: Install HAProxy
  ansible.builtin.apt:
    name: haproxy
  when: configured.missing_units | length > 0
"""

RETURN = r"""
files:
  description: The paths that were written or removed, or would be.
  returned: success
  type: list
  elements: str
  sample: [/etc/haproxy/haproxy.cfg]
stale_units:
  description: The running units that had not taken in what an earlier run wrote.
  returned: success
  type: list
  elements: str
  sample: [haproxy.service]
missing_units:
  description: The units of which there is no unit file yet, so what brings them has to be installed.
  returned: success
  type: list
  elements: str
  sample: []
idle_units:
  description: The other units that do not run, or are not enabled.
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
"""

import os  # noqa: E402
import shutil  # noqa: E402
import tempfile  # noqa: E402
from typing import Any  # noqa: E402

from ansible.module_utils.basic import AnsibleModule  # noqa: E402

from ansible_collections.quorum.kubeadm.plugins.module_utils.command import environment, run  # noqa: E402
from ansible_collections.quorum.kubeadm.plugins.module_utils.config_files import without_hidden  # noqa: E402
from ansible_collections.quorum.kubeadm.plugins.module_utils.text_files import TextFile, difference, is_as_wanted, look, write  # noqa: E402
from ansible_collections.quorum.kubeadm.plugins.module_utils.unit_files import enable, look_at_units, take_in  # noqa: E402


def content_of(file: dict[str, Any]) -> str:
    """Return what a file is to contain."""
    content: str = file["content"] if file["secret_content"] is None else file["secret_content"]
    return content


def validate(module: AnsibleModule, text: TextFile, words: list[str], hidden: str | None) -> None:
    """Fail, with the daemon's own words, when the daemon refuses the content."""
    directory = os.path.dirname(text.path)
    os.makedirs(directory, mode=0o755, exist_ok=True)
    # Beside the file and not in /tmp: where SELinux is on, daemons may read their own directory alone.
    descriptor, trial = tempfile.mkstemp(prefix=".trial-", dir=directory)
    try:
        with open(descriptor, "w", encoding="utf-8", newline="") as file:
            file.write(text.content)
        answer = run([trial if word == "%s" else word for word in words])
    finally:
        os.unlink(trial)
    if answer.rc != 0:
        said = without_hidden((answer.stderr or answer.stdout).replace(trial, text.path).strip(), hidden)
        module.fail_json(msg=f"{text.path} was not written, `{' '.join(words)}` refuses it: {said}", rc=answer.rc)


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
                    "content": {"type": "str"},
                    "secret_content": {"type": "str", "no_log": True},
                    "mode": {"type": "str", "default": "0644"},
                    "validate": {"type": "list", "elements": "str", "default": []},
                    "hidden": {"type": "str"},
                },
                "required_one_of": [("content", "secret_content")],
                "mutually_exclusive": [("content", "secret_content")],
                "required_by": {"secret_content": "hidden"},
            },
            "directories": {"type": "list", "elements": "path", "default": []},
            "reload_units": {"type": "list", "elements": "str", "default": []},
            "restart_units": {"type": "list", "elements": "str", "default": []},
            "boot_units": {"type": "list", "elements": "str", "default": []},
        },
        supports_check_mode=True,
    )
    files: list[dict[str, Any]] = module.params["files"]
    reload, restart = module.params["reload_units"], module.params["restart_units"]
    try:
        units = look_at_units(run, [*reload, *restart], [file["path"] for file in files])
        disabled = look_at_units(run, module.params["boot_units"], []).disabled
        directories = [path for path in module.params["directories"] if not os.path.isdir(path)]
        wanted = [(TextFile(file["path"], content_of(file), int(file["mode"], 8)), file) for file in files]
        pending = [(text, file, found) for text, file in wanted if not is_as_wanted(text, found := look(text.path))]
        if not module.check_mode:
            for path in directories:
                os.makedirs(path, mode=0o755)
            for text, file, _found in pending:
                if file["validate"] and shutil.which(file["validate"][0], path=environment()["PATH"]):
                    validate(module, text, file["validate"], file["hidden"])
                write(text)
                module.set_default_selinux_context(text.path, False)
            if pending or directories or units.stale:
                take_in(run, units, reload, restart)
            enable(run, module.params["boot_units"], disabled, bool(pending))
    except ValueError as error:
        module.fail_json(msg=str(error))
    except OSError as error:
        module.fail_json(msg=f"{error.filename}: {error.strerror}")
    module.exit_json(
        changed=bool(pending or directories or units.stale or disabled),
        files=[text.path for text, _file, _found in pending],
        stale_units=units.stale,
        missing_units=units.missing,
        idle_units=units.idle,
        enabled_units=disabled,
        diff=[
            {side: without_hidden(part, file["hidden"]) for side, part in difference(text, found).items()} for text, file, found in pending
        ],
    )


if __name__ == "__main__":
    main()
