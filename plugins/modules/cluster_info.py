#!/usr/bin/python
# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tell what a cluster is, asked of one of its control planes."""

from __future__ import annotations

DOCUMENTATION = r"""
module: cluster_info
short_description: Tell what a cluster is, asked of one of its control planes
version_added: 0.1.0
author: Quorum contributors (@quorum)
description:
  - Asks the API server of the control plane it runs on, and etcd, for what a single node cannot know - the nodes, etcd's members and
    learners, the bootstrap tokens, and the settings the cluster was made with.
  - Never returns a secret. Of a bootstrap token it tells the public half.
  - Needs C(become), since the administrator's kubeconfig and etcd's keys are root's.
extends_documentation_fragment: quorum.kubeadm.attributes.reads
options:
  must_answer:
    description: Whether a cluster that does not answer is an error. When it is not, C(reachable) is false and C(reason) says why.
    type: bool
    default: true
  timeout:
    description: How many seconds the API server may take.
    type: int
    default: 15
"""

EXAMPLES = r"""
- name: Read what the cluster is
  quorum.kubeadm.cluster_info:
  delegate_to: cp1
  run_once: true
  register: cluster_info

- name: Require three voting members of etcd
  ansible.builtin.assert:
    that: cluster_info.cluster.etcd_members | rejectattr('learner') | length == 3
"""

RETURN = r"""
cluster:
  description: What the cluster is.
  returned: success
  type: dict
  contains:
    reachable:
      description: Whether the API server answered. Everything else is empty when it did not.
      type: bool
    reason:
      description: Why it did not, or None.
      type: str
    endpoint:
      description: The endpoint, host and port.
      type: str
      sample: api.example.com:16443
    name:
      description: The name of the cluster.
      type: str
      sample: kubernetes
    version:
      description: The version of Kubernetes that kubeadm keeps for the cluster.
      type: str
      sample: 1.37.2
    dns_domain:
      description: The domain of Services.
      type: str
      sample: cluster.local
    pod_subnets:
      description: The networks of pods.
      type: list
      elements: str
    service_subnets:
      description: The networks of Services.
      type: list
      elements: str
    documents:
      description:
        - The documents that kubeadm keeps in ConfigMaps of kube-system, YAML as it stands there - C(cluster), the ClusterConfiguration, C(kubelet), the
          KubeletConfiguration that all nodes have in common, and C(kube_proxy), the KubeProxyConfiguration. None where there is none.
      type: dict
    addons:
      description: The images of C(kube-proxy), C(coredns) and C(calico-node), where they are there.
      type: dict
      sample: {kube-proxy: "registry.k8s.io/kube-proxy:v1.37.2", coredns: "registry.k8s.io/coredns/coredns:v1.14.6"}
    calico_pools:
      description: >-
        Calico's pools of addresses, with the network and how packets between nodes are encapsulated, C(ipip) and C(vxlan), V(Always), V(CrossSubnet) or
        V(Never). None where Calico is not there.
      type: list
      elements: dict
      sample: [{name: default-ipv4-ippool, cidr: 10.244.0.0/16, ipip: Never, vxlan: Always}]
    nodes:
      description:
        - The nodes in order of their names. C(version) is the kubelet's, C(runtime) the container runtime's with its name, C(addresses) are the
          internal ones. Of the annotations those are returned that begin with C(quorum.kubeadm/).
      type: list
      elements: dict
      sample:
        - name: cp1
          ready: true
          unschedulable: false
          control_plane: true
          version: 1.37.2
          runtime: containerd://2.3.7
          addresses: [192.0.2.11]
          pod_cidrs: [10.244.0.0/24]
          labels: {kubernetes.io/hostname: cp1, node-role.kubernetes.io/control-plane: ""}
          annotations: {}
          taints: [{key: node-role.kubernetes.io/control-plane, value: null, effect: NoSchedule}]
    etcd_members:
      description: >-
        The members of etcd. One that was added but has not started yet has no name. C(db_size) is what the database takes on the disk, C(db_in_use) what
        of that holds data, C(quota) the size from which on it takes no more writes, all in bytes, C(alarms) are V(NOSPACE) and V(CORRUPT).
      type: list
      elements: dict
      sample:
        - name: cp1
          id: 8e9e05c52164694d
          peer_urls: ["https://192.0.2.11:2380"]
          client_urls: ["https://192.0.2.11:2379"]
          learner: false
          healthy: true
          version: 3.7.0
          db_size: 3624960
          db_in_use: 1634304
          quota: 2147483648
          leader: true
          alarms: []
    etcd_problem:
      description: Why etcd could not be asked, or None.
      type: str
    lease:
      description:
        - The Lease of the procedures, None when none is at work - its C(procedure), the C(run) that holds it, C(since) when, and the C(steps) that it has
          begun. Where a run ended before its procedure was done, C(run) is empty, and C(failed) says why.
      type: dict
      sample:
        procedure: reboot
        run: controller.example.org/6b1e0c4e-2f6d-4a53-9d0e-4f3c5a1f7a52/4026531836/4711/812345
        since: "2026-11-28T16:40:02.000000Z"
        steps: [2026-11-28T16:40:31Z enters cp2]
        failed: ""
    strict_budgets:
      description:
        - The PodDisruptionBudgets that let none of their pods go now - C(namespace), C(name), how many C(pods) there are, how many of them are
          C(healthy), and how many are C(required) to be.
      type: list
      elements: dict
      sample: [{namespace: shop, name: web, pods: 2, healthy: 2, required: 2}]
    bootstrap_tokens:
      description: The bootstrap tokens. C(ours) are those of M(quorum.kubeadm.join_credentials) and M(quorum.kubeadm.kubeadm_init).
      type: list
      elements: dict
      sample: [{id: abcdef, description: "quorum.kubeadm: join, revoked afterwards", expires: "2026-11-23T16:00:00Z", ours: true}]
    certificates_uploaded:
      description: Whether the control planes' certificates are stored in the cluster.
      type: bool
"""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Callable

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.quorum.kubeadm.plugins.module_utils import etcd
from ansible_collections.quorum.kubeadm.plugins.module_utils.cluster_state import Cluster, Pool, parse_cluster, parse_pools, strict_budgets, unreachable
from ansible_collections.quorum.kubeadm.plugins.module_utils.control_plane import NoControlPlane, local_kubectl
from ansible_collections.quorum.kubeadm.plugins.module_utils.kubectl import Deadline, Kubectl, KubectlError, parse_objects
from ansible_collections.quorum.kubeadm.plugins.module_utils.node_state import ETCD_MANIFEST, flag

ROOT = Path("/")


def etcd_members(root: Path = ROOT, asker: Callable[[Path], etcd.Ask] = etcd.asker) -> list[etcd.Member]:
    """Return etcd's members, asked of the one on this node; none where etcd is not run by kubeadm."""
    manifest = root / ETCD_MANIFEST
    if not manifest.exists():
        return []
    urls = flag(manifest.read_text(encoding="utf-8"), "advertise-client-urls") or "https://127.0.0.1:2379"
    ask = asker(root)
    return etcd.with_status(ask, urls.split(","), etcd.list_members(ask, urls.split(",")))


def calico_pools(kubectl: Kubectl) -> list[Pool]:
    """Return Calico's pools; none where there is no Calico."""
    answer = kubectl.attempt("get", "--raw", "/apis/crd.projectcalico.org/v1/ippools")
    return parse_pools(parse_objects(answer.stdout)) if answer.rc == 0 else []


def cluster(kubectl: Kubectl, root: Path = ROOT, asker: Callable[[Path], etcd.Ask] = etcd.asker) -> Cluster:
    """Read the cluster."""
    with ThreadPoolExecutor() as side_by_side:
        nodes = side_by_side.submit(kubectl.objects, "get", "nodes")
        objects = side_by_side.submit(kubectl.objects, "--namespace", "kube-system", "get", "secrets,configmaps,daemonsets,deployments,leases")
        pools = side_by_side.submit(calico_pools, kubectl)
        members = side_by_side.submit(etcd_members, root, asker)
        budgets = side_by_side.submit(kubectl.objects, "get", "poddisruptionbudgets", "--all-namespaces")
    found = parse_cluster(nodes.result(), objects.result())
    found["strict_budgets"] = strict_budgets(budgets.result())
    found["calico_pools"] = pools.result()
    try:
        found["etcd_members"] = members.result()
    except (etcd.EtcdError, OSError) as error:
        found["etcd_problem"] = str(error)
    return found


def main() -> None:
    """Entry point."""
    module = AnsibleModule(
        argument_spec={"must_answer": {"type": "bool", "default": True}, "timeout": {"type": "int", "default": 15}},
        supports_check_mode=True,
    )
    answer: dict[str, Any] = {"changed": False}
    try:
        answer["cluster"] = cluster(local_kubectl(Deadline(module.params["timeout"])))
    except (KubectlError, NoControlPlane, OSError) as error:
        if module.params["must_answer"]:
            module.fail_json(msg=f"the cluster cannot be read: {error}")
        answer["cluster"] = unreachable(str(error))
    module.exit_json(**answer)


if __name__ == "__main__":
    main()
