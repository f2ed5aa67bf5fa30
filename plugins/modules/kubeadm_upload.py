#!/usr/bin/python
# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Write what a living cluster keeps of kubeadm's documents."""

from __future__ import annotations

DOCUMENTATION = r"""
module: kubeadm_upload
short_description: Write what a living cluster keeps of kubeadm's documents
version_added: 0.2.0
author: Quorum contributors (@quorum)
description:
  - Lets kubeadm write the ConfigMaps kubeadm-config, kubelet-config and kube-proxy, and its addons, by C(kubeadm init phase upload-config) and
    C(kubeadm init phase addon), on a control plane that serves with these documents already. Nodes that join, and upgrades, follow them.
  - Restarts kube-proxy on one node after the other where its pods are older than its configuration, and waits for it.
  - The version of Kubernetes is that of the node's kubeadm, whatever the documents say.
  - Needs C(become), since the administrator's kubeconfig is root's.
extends_documentation_fragment:
  - quorum.kubeadm.attributes.changes
  - quorum.kubeadm.described
attributes:
  diff_mode:
    description: Shows the ConfigMaps as they were and as they are; in check mode only their names.
    support: partial
options:
  parts:
    description:
      - What to write. V(coredns) and V(kube-proxy) are the addons, whose other changes by an administrator are lost thereby.
    type: list
    elements: str
    choices: [kubeadm-config, kubelet-config, kube-proxy, coredns]
    default: []
  timeout:
    description: How many seconds all of it may take, kube-proxy on all nodes included.
    type: int
    default: 300
"""

EXAMPLES = r"""
- name: Let the cluster keep what its first control plane serves with
  quorum.kubeadm.kubeadm_upload:
    cluster_configuration: "{{ plan.kubeadm.cluster_configuration }}"
    init_configuration: "{{ plan.nodes[inventory_hostname].init_configuration }}"
    kubelet_configuration: "{{ plan.kubeadm.kubelet_configuration }}"
    kube_proxy_configuration: "{{ plan.kubeadm.kube_proxy_configuration }}"
    parts: [kubeadm-config, kubelet-config]
"""

RETURN = r"""
restarted:
  description: Whether kube-proxy was restarted on the nodes.
  returned: success
  type: bool
"""

import json
from pathlib import Path
from typing import Any, Mapping, TypedDict

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.quorum.kubeadm.plugins.module_utils.command import Runner, run
from ansible_collections.quorum.kubeadm.plugins.module_utils.control_plane import NoControlPlane, local_kubectl
from ansible_collections.quorum.kubeadm.plugins.module_utils.kubeadm_render import ARGUMENTS, described, documents, own_version
from ansible_collections.quorum.kubeadm.plugins.module_utils.kubeadm_run import KubeadmError, kubeadm
from ansible_collections.quorum.kubeadm.plugins.module_utils.kubectl import Deadline, Kubectl, KubectlError, KubernetesObject

ROOT = Path("/")
KUBE_PROXY = "kube-proxy"
PHASES = {
    "kubeadm-config": ("upload-config", "kubeadm"),
    "kubelet-config": ("upload-config", "kubelet"),
    KUBE_PROXY: ("addon", "kube-proxy"),
    "coredns": ("addon", "coredns"),
}
IN_KUBE_SYSTEM = ("--namespace", "kube-system")


class Outcome(TypedDict):
    """What the module returns."""

    changed: bool
    restarted: bool
    diff: list[dict[str, str]]


def kept(kubectl: Kubectl) -> dict[str, str]:
    """Return what the cluster keeps: the data of the ConfigMaps, and the specifications of the addons, as text by their names."""
    objects = kubectl.objects(*IN_KUBE_SYSTEM, "get", "configmaps/kubeadm-config", "configmaps/kubelet-config", "--ignore-not-found")
    objects += kubectl.objects(*IN_KUBE_SYSTEM, "get", "configmaps/kube-proxy", "daemonsets/kube-proxy", "deployments/coredns", "--ignore-not-found")
    return {
        f"{one['kind']} {one['metadata']['name']}": (
            "".join(one["data"].values()) if "data" in one else json.dumps(one.get("spec"), indent=2, sort_keys=True) + "\n"
        )
        for one in objects
    }


def is_stale(configuration: KubernetesObject, pods: list[KubernetesObject]) -> bool:
    """Tell whether a pod began before its configuration was last written."""
    # RFC 3339 in UTC, which sorts as text.
    written = max((entry.get("time", "") for entry in configuration["metadata"].get("managedFields", [])), default="")
    return any(pod.get("status", {}).get("startTime", written) < written for pod in pods)


def restart_kube_proxy(kubectl: Kubectl, check_mode: bool) -> bool:
    """Restart kube-proxy where it runs with an older configuration, and return whether it does."""
    configuration = kubectl.objects(*IN_KUBE_SYSTEM, "get", "configmap", KUBE_PROXY, "--ignore-not-found", "--show-managed-fields")
    pods = kubectl.objects(*IN_KUBE_SYSTEM, "get", "pods", "--selector", "k8s-app=kube-proxy") if configuration else []
    stale = bool(configuration) and is_stale(configuration[0], pods)
    if stale and not check_mode:
        kubectl(*IN_KUBE_SYSTEM, "rollout", "restart", f"daemonset/{KUBE_PROXY}")
        kubectl(*IN_KUBE_SYSTEM, "rollout", "status", f"daemonset/{KUBE_PROXY}", f"--timeout={max(1, int(kubectl.deadline.left))}s")
    return stale


def upload(params: Mapping[str, Any], check_mode: bool, runner: Runner, kubectl: Kubectl) -> Outcome:
    """Write what is to be written."""
    parts = [part for part in PHASES if part in params["parts"]]
    if check_mode:
        stale = restart_kube_proxy(kubectl, check_mode)
        return Outcome(changed=bool(parts) or stale, restarted=stale, diff=[{"prepared": f"{part} is written\n"} for part in parts])
    before = kept(kubectl) if parts else {}
    node = described(params)
    patches = (params["init_configuration"].get("patches") or {}).get("directory")
    given = documents(node, own_version(runner), patches) if parts else []
    for part in parts:
        kubeadm(runner, ["init", "phase", *PHASES[part]], given)
    after = kept(kubectl) if parts else {}
    stale = restart_kube_proxy(kubectl, check_mode)
    changed = [name for name, text in after.items() if text != before.get(name)]
    return Outcome(
        changed=bool(changed) or stale,
        restarted=stale,
        diff=[{"before_header": name, "after_header": name, "before": before.get(name, ""), "after": after[name]} for name in changed],
    )


def main() -> None:
    """Entry point."""
    module = AnsibleModule(
        argument_spec={
            **ARGUMENTS,
            "parts": {"type": "list", "elements": "str", "choices": list(PHASES), "default": []},
            "timeout": {"type": "int", "default": 300},
        },
        supports_check_mode=True,
    )
    try:
        module.exit_json(**upload(module.params, module.check_mode, run, local_kubectl(Deadline(module.params["timeout"]))))
    except KubeadmError as error:
        module.fail_json(msg=str(error), **error.returned)
    except (KubectlError, NoControlPlane, OSError) as error:
        module.fail_json(msg=str(error))


if __name__ == "__main__":
    main()
