#!/usr/bin/python
# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Compare the files that kubeadm wrote on a node with those that it would write by the described documents."""

from __future__ import annotations

DOCUMENTATION = r"""
module: kubeadm_files
short_description: Compare the files of kubeadm on a node with what it would write
version_added: 0.2.0
author: Quorum contributors (@quorum)
description:
  - Lets the kubeadm of a node that belongs to a cluster write its files anew beside the real ones, by C(kubeadm init phase --dry-run), and returns those
    that are not the same - the static pods of a control plane, and the configuration and flags of the kubelet.
  - kubeadm itself applies its defaults and the patches, so that whatever it does with the documents is in what is compared. It asks neither the API server
    nor the container runtime.
  - The version of Kubernetes is that of the node's kubeadm, whatever the documents say.
  - The flags by which a member of etcd was born, C(--initial-cluster) and its like, are taken from the node.
  - Files are compared letter by letter. Whether a difference means something is for who reads YAML, M(quorum.kubeadm.cluster_drift).
  - Needs C(become), since the files are root's.
extends_documentation_fragment:
  - quorum.kubeadm.attributes.reads
  - quorum.kubeadm.described
  - quorum.kubeadm.described.node
options:
  shared:
    description: Whether to return also what kubeadm would keep in the cluster. That is the same on each control plane; one is enough.
    type: bool
    default: false
seealso:
  - module: quorum.kubeadm.cluster_drift
  - module: quorum.kubeadm.cluster_info
"""

EXAMPLES = r"""
- name: Compare the node with what is described
  quorum.kubeadm.kubeadm_files:
    cluster_configuration: "{{ plan.kubeadm.cluster_configuration }}"
    init_configuration: "{{ plan.nodes[inventory_hostname].init_configuration }}"
    kubelet_configuration: "{{ plan.kubeadm.kubelet_configuration }}"
    patches: "{{ plan.nodes[inventory_hostname].patches }}"
    control_plane: "{{ plan.nodes[inventory_hostname].control_plane }}"
  register: files
"""

RETURN = r"""
kubeadm:
  description: The version of the kubeadm that was asked, None where there is none.
  returned: success
  type: str
  sample: 1.37.2
problem:
  description: Why nothing could be compared, kubeadm's own words where it refuses the documents; None when it could.
  returned: success
  type: str
files:
  description: The files that kubeadm would write otherwise.
  returned: success
  type: list
  elements: dict
  contains:
    path:
      description: The path.
      type: str
      sample: /etc/kubernetes/manifests/kube-apiserver.yaml
    there:
      description: What is in the file, None where there is none.
      type: str
    wanted:
      description: What kubeadm would write.
      type: str
served_names:
  description: The names and addresses of the certificate that a control plane's API server shows; None on a worker, and where it shows none.
  returned: success
  type: list
  elements: str
  sample: [api.example.com, cp1, kubernetes, 10.96.0.1, 192.0.2.11]
shared:
  description:
    - What kubeadm would keep in the cluster - C(cluster), the ClusterConfiguration, and C(kubelet), the KubeletConfiguration without this node's patches,
      both with kubeadm's defaults, and C(addons), the manifests of kube-proxy and CoreDNS. YAML. None when O(shared) is false.
  returned: success
  type: dict
"""

from pathlib import Path
from typing import TypedDict

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.quorum.kubeadm.plugins.module_utils.api_server import served_names
from ansible_collections.quorum.kubeadm.plugins.module_utils.command import Runner, run
from ansible_collections.quorum.kubeadm.plugins.module_utils.kubeadm_render import (
    ARGUMENTS,
    NODE_ARGUMENTS,
    Described,
    Difference,
    RunIn,
    Shared,
    compare,
    described,
    own_version,
    render,
    render_shared,
    run_in,
)
from ansible_collections.quorum.kubeadm.plugins.module_utils.kubeadm_run import KubeadmError
from ansible_collections.quorum.kubeadm.plugins.module_utils.node_state import read_api_server

ROOT = Path("/")


class Answer(TypedDict):
    """What the module returns."""

    kubeadm: str | None
    problem: str | None
    files: list[Difference]
    served_names: list[str] | None
    shared: Shared | None


def names(root: Path) -> list[str] | None:
    """Return the names that this node's API server shows, None where there is none to ask."""
    server = read_api_server(root)
    try:
        return served_names(root, server) if server else None
    except OSError:
        return None


def look(node: Described, shared: bool, work: Path, root: Path = ROOT, runner: Runner = run, run_in: RunIn = run_in) -> Answer:
    """Compare the node below `root` with what is described."""
    answer = Answer(kubeadm=None, problem=None, files=[], served_names=names(root) if node.control_plane else None, shared=None)
    try:
        version = answer["kubeadm"] = own_version(runner)
        answer["files"] = compare(render(node, version, work, run_in), root)
        answer["shared"] = render_shared(node, version, work, run_in) if shared else None
    except KubeadmError as error:
        answer["problem"] = str(error)
    return answer


def main() -> None:
    """Entry point."""
    module = AnsibleModule(
        argument_spec={
            **ARGUMENTS,
            **NODE_ARGUMENTS,
            "shared": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    module.exit_json(changed=False, **look(described(module.params), module.params["shared"], Path(module.tmpdir)))


if __name__ == "__main__":
    main()
