#!/usr/bin/python
# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: apply_manifests
short_description: Apply Kubernetes objects server-side, and tell which of them changed
version_added: 0.1.0
author: Quorum contributors (@quorum)
description:
  - Gives the objects to C(kubectl apply --server-side --force-conflicts) on standard input, on a host that has C(kubectl) and a kubeconfig.
  - Namespaces and custom resource definitions go first, and the definitions are waited for before anything that needs them.
  - An object counts as changed when the API server itself notes that this field manager changed it; status updates and other writers do not count.
  - A connection that is refused, lost or timed out is tried again until O(timeout); every other failure shows kubectl's words at once.
extends_documentation_fragment:
  - quorum.kubeadm.attributes
  - quorum.kubeadm.cluster.kubeconfig
attributes:
  check_mode:
    support: full
    details:
      - The API server is asked to apply without storing. Objects in a namespace or of a kind that does not exist yet are reported as created
        without asking, and so is everything when there is no kubeconfig yet.
  diff_mode:
    support: full
    details: Without status, managed fields and the values of Secrets.
  idempotent:
    support: full
    details: Changes nothing when every object is as it is defined.
options:
  definitions:
    description:
      - The objects. Documents that are empty are left out, and lists (C(kind) V(List)) are opened.
      - P(quorum.kubeadm.manifest_documents#lookup) reads them from files, directories and URLs.
    type: list
    elements: dict
    required: true
  field_manager:
    description: The name under which the API server notes which fields were set here.
    type: str
    default: quorum.kubeadm
  timeout:
    description: Seconds for everything together.
    type: float
    default: 120
"""

EXAMPLES = r"""
- name: Apply two manifests of the controller
  quorum.kubeadm.apply_manifests:
    definitions: "{{ lookup('quorum.kubeadm.manifest_documents', 'files/network.yaml', 'https://manifests.example.org/storage.yaml') }}"

- name: Make a namespace
  quorum.kubeadm.apply_manifests:
    definitions:
      - apiVersion: v1
        kind: Namespace
        metadata:
          name: observability
"""

RETURN = r"""
objects:
  description: What became of each object, in the order they were applied.
  returned: success
  type: list
  elements: dict
  contains:
    kind:
      description: The object's kind.
      type: str
      sample: DaemonSet
    namespace:
      description: The object's namespace; empty for objects of the whole cluster.
      type: str
      sample: kube-system
    name:
      description: The object's name.
      type: str
      sample: calico-node
    result:
      description: V(created), V(changed) or V(unchanged).
      type: str
      sample: created
workloads:
  description: The DaemonSets and Deployments among the objects, as M(quorum.kubeadm.wait_for_cluster) takes them.
  returned: success
  type: list
  elements: dict
  sample: [{"kind": "DaemonSet", "namespace": "kube-system", "name": "calico-node"}]
"""

import os

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.quorum.kubeadm.plugins.module_utils.kubectl import Deadline, Kubectl, KubectlError
from ansible_collections.quorum.kubeadm.plugins.module_utils.manifests import ManifestError, absent, apply, difference, flatten, workloads


def main() -> None:
    """Read the options, apply, report."""
    module = AnsibleModule(
        argument_spec={
            "definitions": {"type": "list", "elements": "dict", "required": True},
            "kubeconfig": {"type": "path", "default": "/etc/kubernetes/admin.conf"},
            "field_manager": {"type": "str", "default": "quorum.kubeadm"},
            "timeout": {"type": "float", "default": 120},
        },
        supports_check_mode=True,
        # Objects can be Secrets, and a manifest of 10,000 lines is of no use in the system's log.
        no_log=True,
    )
    parameters = module.params
    invocation = {"module_args": {**parameters, "definitions": f"{len(parameters['definitions'])} objects"}}
    kubectl = Kubectl(parameters["kubeconfig"], Deadline(parameters["timeout"]))
    try:
        documents = flatten(parameters["definitions"], "definitions")
        if module.check_mode and not os.path.exists(parameters["kubeconfig"]):
            changes = absent(documents)
        else:
            changes = apply(kubectl, documents, parameters["field_manager"], dry_run=module.check_mode)
    except (KubectlError, ManifestError) as error:
        module.fail_json(msg=str(error), invocation=invocation)
    module.exit_json(
        invocation=invocation,
        changed=any(change.result != "unchanged" for change in changes),
        objects=[{"kind": name.kind, "namespace": name.namespace, "name": name.name, "result": result} for name, result, _before, _after in changes],
        workloads=workloads(documents),
        **({"diff": difference(changes)} if module._diff else {}),  # pylint: disable=protected-access
    )


if __name__ == "__main__":
    main()
