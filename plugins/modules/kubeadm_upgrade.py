#!/usr/bin/python
# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bring a node's static pods and its kubelet's configuration to another version with kubeadm."""

from __future__ import annotations

DOCUMENTATION = r"""
module: kubeadm_upgrade
short_description: Upgrade what kubeadm manages on a node
version_added: 0.2.0
author: Quorum contributors (@quorum)
description:
  - Runs C(kubeadm upgrade apply) or C(kubeadm upgrade node) with an UpgradeConfiguration of API C(kubeadm.k8s.io/v1beta4) on standard input.
  - The new kubeadm has to be installed, and the kubelet still to be the old one. It is upgraded afterwards, so a node whose static pods and kubelet
    have the version is done, and nothing is changed on it. A run that was killed anywhere before is done again, which kubeadm allows.
  - When the new static pods of a control plane do not come up, the old manifests are put back, and the API server of the old version is waited for.
    etcd's manifest is put back only where its member does not answer; a member that serves stays as it is, since etcd has no way back once all
    members are of the new minor.
extends_documentation_fragment: quorum.kubeadm.attributes.changes
attributes:
  diff_mode:
    description: Shows how kubeadm is run, with its document.
    support: partial
options:
  mode:
    description:
      - V(apply) on the first control plane, which raises the version in kubeadm-config.
      - V(node) on the others, and on workers.
    type: str
    choices: [apply, node]
    required: true
  version:
    description: The version of Kubernetes, without C(v).
    type: str
    required: true
  configuration:
    description:
      - Fields that UpgradeApplyConfiguration and UpgradeNodeConfiguration share, such as C(patches), C(ignorePreflightErrors), C(certificateRenewal)
        and C(etcdUpgrade), and C(timeouts) of the UpgradeConfiguration.
      - Where it does not say otherwise, C(imagePullPolicy) is V(IfNotPresent).
    type: dict
    default: {}
  own_etcd:
    description:
      - Whether V(apply) first takes the tag of etcd's image out of kubeadm-config, so that kubeadm brings the etcd of the version. With a tag there,
        etcd stays at it.
    type: bool
    default: false
  ready_timeout:
    description: How many seconds the new API server may take until it says that it is ready; the old one gets as long when it is put back.
    type: int
    default: 180
  snapshot:
    description: Where a snapshot of etcd from before the upgrade is, for the message of a failure.
    type: str
    default: ""
  keep_etcd_copy:
    description:
      - Whether the copy of etcd's data that kubeadm makes below C(/etc/kubernetes/tmp) stays when it has succeeded.
      - It is a copy of files that were being written. M(quorum.kubeadm.etcd_snapshot) takes a snapshot that can be restored.
    type: bool
    default: false
seealso:
  - module: quorum.kubeadm.etcd_snapshot
"""

EXAMPLES = r"""
- name: Upgrade the control plane
  quorum.kubeadm.kubeadm_upgrade:
    mode: apply
    version: 1.37.2
    configuration:
      patches: {directory: /etc/kubernetes/quorum.kubeadm/patches}
"""

RETURN = r"""
images:
  description: The images of the node's static pods afterwards, as their manifests name them; none on workers.
  returned: success
  type: dict
  sample: {etcd: "registry.k8s.io/etcd:3.7.0-0", kube-apiserver: "registry.k8s.io/kube-apiserver:v1.37.2"}
restored:
  description: Whether the node serves with its old manifests, as if nothing had been done.
  returned: when it failed
  type: bool
put_back:
  description: The components whose old manifests were put back.
  returned: when the new static pods did not come up
  type: list
  elements: str
stdout:
  description: kubeadm's own words, without secrets.
  returned: always
  type: str
stderr:
  description: kubeadm's warnings and errors, without secrets.
  returned: always
  type: str
rc:
  description: kubeadm's exit status.
  returned: when kubeadm failed
  type: int
"""

import json
import shutil
from pathlib import Path
from typing import Any, Callable, Mapping, NoReturn, Sequence, TypedDict

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.quorum.kubeadm.plugins.module_utils import etcd, old_manifests
from ansible_collections.quorum.kubeadm.plugins.module_utils import kubeadm_config as config
from ansible_collections.quorum.kubeadm.plugins.module_utils.api_server import wait_ready
from ansible_collections.quorum.kubeadm.plugins.module_utils.command import Result, Runner
from ansible_collections.quorum.kubeadm.plugins.module_utils.kubeadm_run import BusyError, KubeadmError, command, exclusively, kubeadm
from ansible_collections.quorum.kubeadm.plugins.module_utils.kubectl import Deadline, Kubectl, KubectlError
from ansible_collections.quorum.kubeadm.plugins.module_utils.machine import parse_version
from ansible_collections.quorum.kubeadm.plugins.module_utils.node_state import ADMIN_KUBECONFIG, KUBERNETES, image, read_api_server, read_images
from ansible_collections.quorum.kubeadm.plugins.module_utils.static_pods import last_words

ROOT = Path("/")
# The components whose images have Kubernetes' own version.
COMPONENTS = ("kube-apiserver", "kube-controller-manager", "kube-scheduler")
OLD_MANIFESTS = f"{KUBERNETES}/quorum.kubeadm/manifests-before-upgrade"
# What kubeadm leaves on success (phases/upgrade/staticpods.go): every upgrade another copy of the whole of etcd's data.
ETCD_COPIES = "tmp/kubeadm-backup-etcd-*"


class Refused(Exception):
    """The node cannot be upgraded as it is."""


class Stopped(Exception):
    """The upgrade of the node failed; the node is as the text says."""

    def __init__(self, message: str, result: Result, back: Sequence[str] = (), serves: bool = False) -> None:
        super().__init__(message)
        self.result, self.back, self.serves = result, list(back), serves


class Outcome(TypedDict):
    """What the module returns."""

    changed: bool
    images: dict[str, str]
    stdout: str
    stderr: str
    diff: dict[str, str]


def tag(name: str) -> str:
    """Return the version in an image's tag."""
    return name.rpartition(":")[2].lstrip("v")


def is_done(images: Mapping[str, str], kubelet: str | None, version: str) -> bool:
    """Tell whether the node has the version: the kubelet is what an upgrade changes last."""
    return kubelet == version and all(tag(images[name]) == version for name in COMPONENTS if name in images)


def installed(runner: Runner, *argv: str) -> str | None:
    """Return the version of an installed program, or None when it is not there."""
    result = runner(list(argv))
    return parse_version(result.stdout) if result.rc == 0 else None


def keep_old_manifests(root: Path, version: str) -> dict[str, str]:
    """Return the manifests from before the upgrade: those that there are, or those that an earlier run kept before it changed some of them."""
    directory = root / OLD_MANIFESTS
    there = old_manifests.read_manifests(root)
    begun = any(tag(image(there[name]) or "") == version for name in COMPONENTS if name in there)
    if begun:
        return old_manifests.kept(directory)
    old_manifests.keep(directory, there)
    return there


def member_answers(root: Path, make_asker: Callable[[Path], etcd.Ask] = etcd.asker) -> bool:
    """Tell whether the etcd member on this node serves."""
    try:
        return any(str(make_asker(root)(f"{url.rstrip('/')}/health", None).get("health")).lower() == "true" for url in etcd.local_endpoints(root))
    except (etcd.EtcdError, OSError, AttributeError):
        return False


def stop(problem: str, result: Result, root: Path, old: Mapping[str, str], params: Mapping[str, Any]) -> NoReturn:
    """Put the old manifests back, and raise Stopped with what the node is now and what its new components said last."""
    changed = [name for name, text in old_manifests.read_manifests(root).items() if old.get(name) != text]
    words = "".join(f"\nThe last words of {name}: {last_words(name, root)}" for name in changed)
    stays = member_answers(root)
    back = old_manifests.put_back(root, old, [name for name in old if name != "etcd" or not stays])
    server = read_api_server(root)
    reason = wait_ready(root, server, params["ready_timeout"]) if server else None
    manifests = f"The old manifests of {', '.join(back)} are back on this node" if back else "The manifests on this node are the old ones"
    said = [f"{manifests}, and {'its API server serves again' if reason is None else f'its API server is still not ready: {reason}'}."]
    if stays and old_manifests.read_manifests(root).get("etcd") != old.get("etcd"):
        said.append("etcd stays as it is, upgraded, since it serves, and has no way back once all of its members have another minor version.")
    if params["snapshot"] and (reason or not stays):
        said.append(f"A snapshot of etcd from before the upgrade is {params['snapshot']}.")
    raise Stopped(f"{problem}\n{' '.join(said)}{words}", result, back, serves=reason is None)


def drop_etcd_tag(kubectl: Kubectl) -> None:
    """Take the tag of etcd's image out of kubeadm-config."""
    found = kubectl.objects("--namespace", "kube-system", "get", "configmap", "kubeadm-config")[0]
    document = found["data"]["ClusterConfiguration"]
    changed = config.without_etcd_tag(document)
    if changed != document:
        patch = json.dumps({"data": {"ClusterConfiguration": changed}})
        kubectl("--namespace", "kube-system", "patch", "configmap", "kubeadm-config", "--type=merge", f"--patch={patch}")


def upgrade(params: Mapping[str, Any], check_mode: bool, runner: Runner, kubectl: Kubectl, root: Path = ROOT) -> Outcome:
    """Upgrade the node, or raise Refused before anything is changed, or Stopped."""
    version, mode = params["version"], params["mode"]
    images, kubelet = read_images(root), installed(runner, "kubelet", "--version")
    if mode == "apply" and not images:
        raise Refused("this node has no static pods of kubeadm: upgrade apply is for control planes, use mode: node")
    if is_done(images, kubelet, version):
        return Outcome(changed=False, images=images, stdout="", stderr="", diff={})
    document = config.upgrade_configuration(mode, version, params["configuration"])
    arguments = ["upgrade", mode, *(["--yes"] if mode == "apply" else [])]
    diff = config.difference(command(arguments, False), [document])
    if check_mode:
        return Outcome(changed=True, images=images, stdout="", stderr="", diff=diff)
    program = installed(runner, "kubeadm", "version", "--output", "short")
    if program != version:
        raise Refused(f"kubeadm {program or 'is not installed'} cannot upgrade to {version}: install kubeadm {version} first")
    if mode == "apply" and params["own_etcd"]:
        drop_etcd_tag(kubectl)
    old = keep_old_manifests(root, version) if images else {}
    copies = set((root / KUBERNETES).glob(ETCD_COPIES))
    try:
        result = kubeadm(runner, arguments, [document])
    except KubeadmError as error:
        if images:
            stop(str(error), error.result, root, old, params)
        raise Stopped(str(error), error.result) from None
    server = read_api_server(root)
    reason = wait_ready(root, server, params["ready_timeout"]) if server else None
    if reason:
        stop(f"kubeadm has upgraded this node, but after {params['ready_timeout']} seconds {reason}.", result, root, old, params)
    if not params["keep_etcd_copy"]:
        for copy in set((root / KUBERNETES).glob(ETCD_COPIES)) - copies:
            shutil.rmtree(copy)
    return Outcome(changed=True, images=read_images(root), stdout=result.stdout, stderr=result.stderr, diff=diff)


def main() -> None:
    """Entry point."""
    module = AnsibleModule(
        argument_spec={
            "mode": {"type": "str", "choices": ["apply", "node"], "required": True},
            "version": {"type": "str", "required": True},
            "configuration": {"type": "dict", "default": {}},
            "own_etcd": {"type": "bool", "default": False},
            "ready_timeout": {"type": "int", "default": 180},
            "snapshot": {"type": "str", "default": ""},
            "keep_etcd_copy": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    try:
        with exclusively() as runner:
            # By the endpoint, as kubeadm itself: traffic has been led away from the API server on this node.
            kubectl = Kubectl(str(ROOT / ADMIN_KUBECONFIG), Deadline(module.params["ready_timeout"]))
            module.exit_json(**upgrade(module.params, module.check_mode, runner, kubectl))
    except Stopped as stopped:
        result = stopped.result
        module.fail_json(msg=str(stopped), restored=stopped.serves, put_back=stopped.back, rc=result.rc, stdout=result.stdout, stderr=result.stderr)
    except (BusyError, KubectlError, OSError, Refused) as error:
        module.fail_json(msg=str(error))


if __name__ == "__main__":
    main()
