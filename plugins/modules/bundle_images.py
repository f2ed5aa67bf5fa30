#!/usr/bin/python
# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Load the images of a bundle into containerd."""

from __future__ import annotations

DOCUMENTATION = r"""
module: bundle_images
short_description: Load the images of a bundle into a node's containerd
version_added: 0.1.0
author: Quorum contributors (@quorum)
description:
  - Loads the image archives in C(images/) of a bundle, a directory on the controller, into containerd on a node.
  - Only archives with an image that the node lacks, or has with another digest under the same name, travel.
    So a node that has everything costs one question.
  - An archive is an OCI layout whose index names its images in the annotation C(io.containerd.image.name), or what C(docker save) writes.
    The latter does not tell the digest, so an image that is there under its name counts as loaded.
  - Waits for containerd's socket, within a bound.
extends_documentation_fragment:
  - quorum.kubeadm.attributes
  - quorum.kubeadm.bundle
attributes:
  check_mode:
    support: full
    details: Says what would be loaded, and transfers nothing.
  diff_mode:
    support: partial
    details: Names the images.
  idempotent:
    support: full
    details: Run again it finds every image there and changes nothing.
options:
  exclude:
    description:
      - Images that the node does not need, by the last part of their path, such as V(kube-apiserver).
      - An archive is left out when all its images are excluded.
    type: list
    elements: str
    default: []
  repository:
    description:
      - Where the node will look for Kubernetes' own images. A warning follows when the bundle has none below it.
    type: str
  address:
    description:
      - The socket of containerd.
    type: path
    default: /run/containerd/containerd.sock
  namespace:
    description:
      - The namespace of containerd to load into; the kubelet uses V(k8s.io).
    type: str
    default: k8s.io
  timeout:
    description:
      - How many seconds containerd may take to answer.
    type: int
    default: 60
  _archives:
    description: The images in each archive of the bundle, from its list. The action plugin of this name sets it; a task does not.
    type: dict
"""

EXAMPLES = r"""
- name: Load the images of a worker
  quorum.kubeadm.bundle_images:
    path: /srv/bundle-1.37
    exclude: [kube-apiserver, kube-controller-manager, kube-scheduler, etcd]
  become: true
"""

RETURN = r"""
loaded:
  description: The images that were loaded, or would be in check mode.
  returned: success
  type: list
  elements: str
  sample: [registry.k8s.io/pause:3.10.2]
"""

import os
import socket
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.quorum.kubeadm.plugins.module_utils.bundle_images import OPTIONS, Image, absent, parse_list
from ansible_collections.quorum.kubeadm.plugins.module_utils.command import Result, run

# Measured on two cores with 540 MB in eight archives: one at a time 6.9 s, two 4.4 s, four 4.4 s.
SIDE_BY_SIDE = 2


def answers(address: str) -> bool:
    """Tell whether something accepts connections on this socket."""
    with socket.socket(socket.AF_UNIX) as client:
        try:
            client.connect(address)
        except OSError:
            return False
    return True


def wait_for(address: str, timeout: float) -> bool:
    """Wait until containerd accepts connections, for so many seconds at most."""
    end = time.monotonic() + timeout
    while not answers(address):
        if time.monotonic() >= end:
            return False
        time.sleep(0.2)
    return True


def images_there(ctr: Sequence[str]) -> dict[str, str]:
    """Ask containerd for its images."""
    result = run([*ctr, "images", "ls"])
    if result.rc:
        raise ValueError(f"`ctr images ls` failed: {result.stderr.strip()}")
    return parse_list(result.stdout)


def load(ctr: Sequence[str], staging: str, archives: Sequence[str]) -> None:
    """Import transferred archives side by side; each goes away as soon as it is in."""
    importer = [*ctr, "images", "import"]
    # Where ctr has the choice, importing by itself takes half the CPU time of containerd's transfer service, and comes to the same.
    if "--local" in run([*importer, "--help"]).stdout:
        importer.append("--local")

    def import_one(archive: str) -> Result:
        path = os.path.join(staging, archive)
        result = run([*importer, path])
        os.unlink(path)
        return result

    with ThreadPoolExecutor(max_workers=SIDE_BY_SIDE) as pool:
        results = list(pool.map(import_one, archives))
    failed = [f"{archive}: {result.stderr.strip()}" for archive, result in zip(archives, results) if result.rc]
    if failed:
        raise ValueError("`ctr images import` failed: " + "; ".join(failed))


def main() -> None:
    """Answer which archives have something the node lacks; with a staging directory, import those in it."""
    module = AnsibleModule(
        argument_spec={**OPTIONS, "_archives": {"type": "dict"}, "_staging": {"type": "path"}},
        supports_check_mode=True,
    )
    params = module.params
    if params["_archives"] is None:
        module.fail_json(msg="bundle_images works through its action plugin, which reads the bundle on the controller; call it by its full name as a task.")
    archives = {name: [Image(*image) for image in images] for name, images in params["_archives"].items()}
    ctr = ["ctr", "--address", params["address"], "--namespace", params["namespace"]]

    try:
        # In check mode containerd may not even be installed yet.
        if wait_for(params["address"], 0 if module.check_mode else params["timeout"]):
            there = images_there(ctr)
        elif module.check_mode:
            there = {}
        else:
            module.fail_json(
                msg=f"containerd does not accept connections on {params['address']} within {params['timeout']} s: "
                "look at `systemctl status containerd` and `journalctl -u containerd`."
            )
        lacking = {name: absent(images, there) for name, images in archives.items()}
        missing = [name for name, images in lacking.items() if images]
        if params["_staging"] and missing:
            load(ctr, params["_staging"], missing)
            there = images_there(ctr)
            still = [image.name for name in missing for image in absent(archives[name], there)]
            if still:
                raise ValueError(f"after the import containerd still has no {', '.join(still)}; the archives' contents are not what their index says")
    except ValueError as error:
        module.fail_json(msg=f"Bundle {params['path']}: {error}")
    loaded = [image.name for name in missing for image in lacking[name]]
    module.exit_json(
        changed=bool(loaded), loaded=loaded, diff={"prepared": f"images of the bundle: {', '.join(loaded)}\n"} if loaded else {}, _missing=missing
    )


if __name__ == "__main__":
    main()
