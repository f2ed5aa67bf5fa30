#!/usr/bin/python
# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bring a node of a living cluster to other settings, or back to its old ones."""

from __future__ import annotations

DOCUMENTATION = r"""
module: kubeadm_reconfigure
short_description: Bring a node of a living cluster to other settings
version_added: 0.2.0
author: Quorum contributors (@quorum)
description:
  - Writes the files of kubeadm on a node as kubeadm would write them by the described documents and patches, for the components of O(components), and lets
    each component run with them - etcd, the API server, the controller manager, the scheduler, the kubelet, one after the other.
  - A component that began before a file which its flags name was written, such as an audit policy, is started anew as well.
  - Where one of them does not come up, all files are put back as they were, the components run with these again, and the module fails with the last words
    of that component. A run that was killed is judged by the next one.
  - The flags by which a member of etcd was born stay as they are.
  - What the cluster keeps of the documents is not written; M(quorum.kubeadm.kubeadm_upload) does that.
  - Traffic should have been led away from the node before.
  - Needs C(become), since the files are root's.
extends_documentation_fragment:
  - quorum.kubeadm.attributes.changes
  - quorum.kubeadm.described
  - quorum.kubeadm.described.node
attributes:
  diff_mode:
    description: Shows the files as they are and as they would be.
    support: full
options:
  state:
    description:
      - V(present) makes the change.
      - V(kept) only keeps the files of O(files) as they are, until a run with V(present) has judged what is new. Use it before they are written.
    type: str
    choices: [present, kept]
    default: present
  components:
    description: The components whose files are written, C(etcd), C(kube-apiserver), C(kube-controller-manager), C(kube-scheduler) and C(kubelet).
    type: list
    elements: str
    choices: [etcd, kube-apiserver, kube-controller-manager, kube-scheduler, kubelet]
    default: []
  certificate:
    description: Whether to make the certificate of the API server anew, since the names in it are to be others.
    type: bool
    default: false
  files:
    description: The paths of other files that belong to the change, such as an audit policy. They are put back as kubeadm's are.
    type: list
    elements: path
    default: []
  timeout:
    description: How many seconds each component may take to come up.
    type: int
    default: 180
seealso:
  - module: quorum.kubeadm.kubeadm_files
  - module: quorum.kubeadm.kubeadm_upload
"""

EXAMPLES = r"""
- name: Let the API server run with the described flags
  quorum.kubeadm.kubeadm_reconfigure:
    cluster_configuration: "{{ plan.kubeadm.cluster_configuration }}"
    init_configuration: "{{ plan.nodes[inventory_hostname].init_configuration }}"
    kubelet_configuration: "{{ plan.kubeadm.kubelet_configuration }}"
    patches: "{{ plan.nodes[inventory_hostname].patches }}"
    control_plane: true
    components: [kube-apiserver]
"""

RETURN = r"""
started:
  description: The components that were started anew, or would be.
  returned: success
  type: list
  elements: str
  sample: [kube-apiserver]
files:
  description: The files that were written, or would be.
  returned: success
  type: list
  elements: str
  sample: [/etc/kubernetes/manifests/kube-apiserver.yaml]
restored:
  description: Whether the node serves with its old settings again.
  returned: when a component did not come up, or kubeadm refuses the documents
  type: bool
"""

from pathlib import Path
from typing import Any, Mapping, TypedDict

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.quorum.kubeadm.plugins.module_utils import kept_files, static_pods
from ansible_collections.quorum.kubeadm.plugins.module_utils.command import Runner
from ansible_collections.quorum.kubeadm.plugins.module_utils.kubeadm_render import (
    ARGUMENTS,
    NODE_ARGUMENTS,
    RunIn,
    compare,
    described,
    documents,
    own_version,
    render,
    run_in,
)
from ansible_collections.quorum.kubeadm.plugins.module_utils.kubeadm_run import BusyError, KubeadmError, exclusively
from ansible_collections.quorum.kubeadm.plugins.module_utils.reconfiguration import KUBELET, Change, Failed, Trial, component_of, kept_by
from ansible_collections.quorum.kubeadm.plugins.module_utils.static_pods import COMPONENTS

ROOT = Path("/")


class Outcome(TypedDict):
    """What the module returns."""

    changed: bool
    started: list[str]
    files: list[str]
    diff: list[dict[str, str]]


def planned(params: Mapping[str, Any], work: Path, runner: Runner, root: Path = ROOT, run_in: RunIn = run_in) -> Change:
    """Return what is to be changed on the node."""
    node = described(params)
    version = own_version(runner)
    wanted = [file for file in compare(render(node, version, work, run_in), root) if component_of(file["path"]) in params["components"]]
    return Change(wanted, documents(node, version, None) if params["certificate"] else [])


def reconfigure(params: Mapping[str, Any], change: Change, check_mode: bool, runner: Runner, root: Path = ROOT) -> Outcome:
    """Make the change."""
    outdated = static_pods.outdated(root)
    started = [component for component in (*COMPONENTS, KUBELET) if component in change.components or component in outdated]
    if not check_mode:
        kept_files.keep(kept_by(change, params["files"]), root)
        started = Trial(runner, params["timeout"], root).run(change)
    return Outcome(changed=bool(started), started=started, files=[file["path"] for file in change.files], diff=differences(change))


def differences(change: Change) -> list[dict[str, str]]:
    """Return what Ansible shows with --diff."""
    shown = [
        {"before_header": file["path"], "after_header": file["path"], "before": file["there"] or "", "after": file["wanted"]} for file in change.files
    ]
    return [*shown, *([{"prepared": "the API server's certificate is made anew\n"}] if change.certificate else [])]


def main() -> None:
    """Entry point."""
    module = AnsibleModule(
        argument_spec={
            **ARGUMENTS,
            **NODE_ARGUMENTS,
            "state": {"type": "str", "choices": ["present", "kept"], "default": "present"},
            "components": {"type": "list", "elements": "str", "choices": [*COMPONENTS, KUBELET], "default": []},
            "certificate": {"type": "bool", "default": False},
            "files": {"type": "list", "elements": "path", "default": []},
            "timeout": {"type": "int", "default": 180},
        },
        supports_check_mode=True,
    )
    try:
        if module.params["state"] == "kept":
            if not module.check_mode:
                kept_files.keep((path.lstrip("/") for path in module.params["files"]), ROOT)
            module.exit_json(changed=False, started=[], files=[])
        with exclusively() as runner:
            change = planned(module.params, Path(module.tmpdir), runner)
            module.exit_json(**reconfigure(module.params, change, module.check_mode, runner))
    except KubeadmError as error:
        # It refuses the documents: no component has been touched.
        if not module.check_mode:
            kept_files.put_back(ROOT)
            kept_files.forget(ROOT)
        module.fail_json(msg=str(error), restored=True, **error.returned)
    except Failed as error:
        module.fail_json(msg=str(error), restored=error.restored)
    except (BusyError, OSError) as error:
        module.fail_json(msg=str(error))


if __name__ == "__main__":
    main()
