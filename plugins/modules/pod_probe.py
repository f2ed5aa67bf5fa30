#!/usr/bin/python
# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Try a cluster's pod network and DNS with pods of its own."""

from __future__ import annotations

DOCUMENTATION = r"""
module: pod_probe
short_description: Try a cluster's pod network and DNS with pods of its own
version_added: 0.1.0
author: Quorum contributors (@quorum)
description:
  - Makes a namespace C(quorum-verify-...) with one small pod on each node, by the node's name and whatever its taints,
    lets the pods connect to each other, look up a Service by the cluster's DNS and connect to it, and removes the namespace again.
  - In a cluster of up to six nodes every pod tries every other one; in a larger one each tries the next five.
  - What does not work is a result and no failure, also when no pod can be made. Connections are tried again for O(settle) seconds first.
  - Namespaces of probes that were killed are removed when they are older than 15 minutes.
  - Runs on a control plane and asks its own API server, so that what is tried is the pod network and not the endpoint.
  - Nothing is left behind, so the result is never C(changed).
extends_documentation_fragment:
  - quorum.kubeadm.attributes
attributes:
  check_mode:
    support: none
    details: No pods are made, and the module is skipped.
  diff_mode:
    support: none
    details: Nothing is left that would differ.
  idempotent:
    support: full
    details: The namespace that is made is removed again.
options:
  nodes:
    description: The nodes, by their names in the cluster. Empty means all.
    type: list
    elements: str
    default: []
  image:
    description: The image of the pods, Kubernetes' C(agnhost). The nodes have it or can pull it.
    type: str
    default: registry.k8s.io/e2e-test-images/agnhost:2.66.1
  dns_domain:
    description: The cluster's DNS domain.
    type: str
    default: cluster.local
  start:
    description: Seconds for the pods to run; pulling the image is part of it.
    type: float
    default: 60
  settle:
    description: Seconds during which connections that fail are tried again, since DNS and Services need a moment after a cluster was made.
    type: float
    default: 30
"""

EXAMPLES = r"""
- name: Try the pod network of all nodes
  quorum.kubeadm.pod_probe:
  register: pod_probe

- name: Try it between two nodes
  quorum.kubeadm.pod_probe:
    nodes: [w1, w2]
    image: registry.example.org/e2e-test-images/agnhost:2.66.1
"""

RETURN = r"""
pods:
  description: The pod on each node.
  returned: success
  type: list
  elements: dict
  contains:
    node:
      description: The node.
      type: str
      sample: w1
    name:
      description: The pod.
      type: str
      sample: probe-3
    address:
      description: The pod's first address; empty when it does not run.
      type: str
      sample: 10.244.3.17
    addresses:
      description: Its addresses of all families.
      type: list
      elements: str
    error:
      description: Why it does not run; empty when it does.
      type: str
connections:
  description: The connections from pod to pod.
  returned: success
  type: list
  elements: dict
  contains:
    from_node:
      description: The node of the pod that connects.
      type: str
    to_node:
      description: The node of the pod that is connected to.
      type: str
    address:
      description: The address and port that is connected to.
      type: str
      sample: 10.244.3.17:8080
    ok:
      description: Whether it worked.
      type: bool
    error:
      description: What went wrong. V(TIMEOUT) and V(REFUSED) are agnhost's words.
      type: str
dns:
  description: For each node, whether a pod finds the API server's Service by name and can connect to it.
  returned: success
  type: list
  elements: dict
  contains:
    node:
      description: The node.
      type: str
    ok:
      description: Whether it worked.
      type: bool
    error:
      description: What went wrong; it begins with V(DNS) when the name was not found.
      type: str
error:
  description: Why the pods could not be made, or not be removed; empty when all went well.
  returned: success
  type: str
namespace:
  description: The namespace that was made and removed.
  returned: success
  type: str
  sample: quorum-verify-4f1c9a
"""

import secrets
import signal
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.quorum.kubeadm.plugins.module_utils.control_plane import NoControlPlane, read_control_plane
from ansible_collections.quorum.kubeadm.plugins.module_utils.kubectl import Deadline, Kubectl, KubectlError
from ansible_collections.quorum.kubeadm.plugins.module_utils.node_state import ADMIN_KUBECONFIG
from ansible_collections.quorum.kubeadm.plugins.module_utils.pod_probe import PREFIX, LeftBehind, probe


def stop(*_arguments: Any) -> None:
    """Let a signal end the module through its `finally`, so that the namespace goes."""
    raise SystemExit("stopped by a signal")


def main() -> None:
    """Read the options, probe, report."""
    module = AnsibleModule(
        argument_spec={
            "nodes": {"type": "list", "elements": "str", "default": []},
            "image": {"type": "str", "default": "registry.k8s.io/e2e-test-images/agnhost:2.66.1"},
            "dns_domain": {"type": "str", "default": "cluster.local"},
            "start": {"type": "float", "default": 60},
            "settle": {"type": "float", "default": 30},
        },
        supports_check_mode=False,
    )
    parameters = module.params
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, stop)
    # Beside starting and settling there is what the calls themselves take.
    deadline = Deadline(parameters["start"] + parameters["settle"] + 60)
    namespace = f"{PREFIX}{secrets.token_hex(3)}"
    result: dict[str, Any] = {"pods": [], "connections": [], "dns": [], "error": ""}
    try:
        # The node's own API server: what comes through the endpoint is another check.
        kubectl = Kubectl(f"/{ADMIN_KUBECONFIG}", deadline, server=read_control_plane().api_server.url)
        nodes = parameters["nodes"] or [node["metadata"]["name"] for node in kubectl.objects("get", "nodes")]
        result.update(probe(kubectl, namespace, nodes, parameters["image"], parameters["dns_domain"], parameters["start"], parameters["settle"]))
    except (KubectlError, LeftBehind, NoControlPlane) as error:
        result["error"] = str(error)
    module.exit_json(changed=False, namespace=namespace, **result)


if __name__ == "__main__":
    main()
