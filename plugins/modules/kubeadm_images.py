#!/usr/bin/python
# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pull the images of a version of Kubernetes before they are needed."""

from __future__ import annotations

DOCUMENTATION = r"""
module: kubeadm_images
short_description: Pull the images of a version of Kubernetes before they are needed
version_added: 0.2.0
author: Quorum contributors (@quorum)
description:
  - Pulls what C(kubeadm config images list) names into containerd, from where the node's configuration says, as far as it is not there.
  - Before an upgrade no node then waits for a registry while it is out of service, and a registry that cannot be reached is noticed in time.
extends_documentation_fragment: quorum.kubeadm.attributes.changes
options:
  version:
    description: The version of Kubernetes, without C(v). kubeadm has to be of the same minor version.
    type: str
    required: true
  repository:
    description: Where kubeadm looks for its images.
    type: str
    default: registry.k8s.io
  exclude:
    description: Components whose images are not pulled, such as V(etcd) on workers.
    type: list
    elements: str
    default: []
  address:
    description: containerd's socket.
    type: path
    default: /run/containerd/containerd.sock
  mirrors:
    description: The directory with containerd's configuration of registries.
    type: path
    default: /etc/containerd/certs.d
"""

EXAMPLES = r"""
- name: Pull the images of the next version
  quorum.kubeadm.kubeadm_images:
    version: 1.37.2
    exclude: [etcd, kube-apiserver, kube-controller-manager, kube-scheduler]
"""

RETURN = r"""
pulled:
  description: The images that were pulled, or would be in check mode.
  returned: success
  type: list
  elements: str
  sample: ["registry.k8s.io/kube-proxy:v1.37.2"]
"""

from typing import Any, Mapping

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.quorum.kubeadm.plugins.module_utils.bundle_images import component
from ansible_collections.quorum.kubeadm.plugins.module_utils.command import Runner, run


class PullError(RuntimeError):
    """An image could not be pulled, or it is not known which there are."""


def ask(runner: Runner, *argv: str) -> str:
    """Return what a command prints; raise PullError with its own words when it fails."""
    result = runner(list(argv))
    if result.rc != 0:
        raise PullError(f"`{' '.join(argv)}` failed: {result.stderr.strip() or result.stdout.strip()}")
    return result.stdout


def lacking(params: Mapping[str, Any], runner: Runner) -> list[str]:
    """Return the images that the node is to have and has not."""
    ctr = ["ctr", "--address", params["address"], "--namespace", "k8s.io"]
    listed = ask(runner, "kubeadm", "config", "images", "list", "--kubernetes-version", f"v{params['version']}", "--image-repository", params["repository"])
    there = set(ask(runner, *ctr, "images", "ls", "--quiet").split())
    return [image for image in listed.split() if image not in there and component(image) not in params["exclude"]]


def pull(params: Mapping[str, Any], image: str, runner: Runner) -> None:
    """Pull one image."""
    ask(runner, "ctr", "--address", params["address"], "--namespace", "k8s.io", "images", "pull", "--hosts-dir", params["mirrors"], image)


def main() -> None:
    """Entry point."""
    module = AnsibleModule(
        argument_spec={
            "version": {"type": "str", "required": True},
            "repository": {"type": "str", "default": "registry.k8s.io"},
            "exclude": {"type": "list", "elements": "str", "default": []},
            "address": {"type": "path", "default": "/run/containerd/containerd.sock"},
            "mirrors": {"type": "path", "default": "/etc/containerd/certs.d"},
        },
        supports_check_mode=True,
    )
    try:
        images = lacking(module.params, run)
        for image in () if module.check_mode else images:
            pull(module.params, image, run)
    except PullError as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=bool(images), pulled=images)


if __name__ == "__main__":
    main()
