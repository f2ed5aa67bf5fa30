# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: calico_manifest
short_description: Set pod networks, encapsulation, backend and image registry in Calico's manifest
version_added: 0.1.0
author: Quorum contributors (@quorum)
description:
  - Takes the objects of upstream's C(calico.yaml) (3.26 to 3.33) and returns them with the settings in the fields where Calico reads them.
  - An object or field that is not there is an error that names it.
positional: _input
options:
  _input:
    description: The manifest's objects, as P(quorum.kubeadm.manifest_documents#lookup) reads them.
    type: list
    elements: dict
    required: true
  pod_subnets:
    description:
      - The pod network, one of each address family. IPv6 is switched on when one of it is there.
      - Empty leaves it to Calico, which reads what kubeadm was told.
    type: list
    elements: str
    default: []
  encapsulation:
    description: How pods' packets pass between nodes. V(none) needs nodes on one segment, or routers that speak BGP with them.
    type: str
    choices: [vxlan, vxlan_cross_subnet, ipip, ipip_cross_subnet, none]
    default: vxlan
  backend:
    description:
      - Who makes the routes between nodes. V(auto) is V(vxlan) for the VXLAN encapsulations and V(bird) (BGP) for the others.
      - With another backend than V(bird), the probes do not ask for BIRD.
    type: str
    choices: [auto, bird, vxlan, none]
    default: auto
  image_registry:
    description: What stands in place of C(quay.io/calico) and C(docker.io/calico) before the images' names. Empty leaves them.
    type: str
    default: ""
  address_detection:
    description: How a node's own address is found, as Calico's C(IP_AUTODETECTION_METHOD). Empty leaves it to the manifest.
    type: str
    default: ""
  kubernetes_version:
    description: The cluster's version. When given, a pair that upstream does not test is warned of.
    type: str
    default: ""
"""

EXAMPLES = r"""
- name: Apply Calico with VXLAN from a mirror
  quorum.kubeadm.apply_manifests:
    definitions: >-
      {{ lookup('quorum.kubeadm.manifest_documents', 'https://mirror.example.org/calico/v3.32.1/calico.yaml')
         | quorum.kubeadm.calico_manifest(pod_subnets=['10.244.0.0/16'], encapsulation='vxlan', image_registry='registry.example.org/calico') }}
"""

RETURN = r"""
_value:
  description: The objects with the settings in them.
  type: list
  elements: dict
"""

from typing import Any, Callable, Sequence

from ansible.errors import AnsibleFilterError
from ansible.utils.display import Display
from ansible_collections.quorum.kubeadm.plugins.plugin_utils.calico_manifest import (
    CalicoManifestError,
    CalicoSettings,
    calico_version,
    edit_calico,
    untested,
)


def calico_manifest(documents: Sequence[dict[str, Any]], kubernetes_version: str = "", **settings: Any) -> list[dict[str, Any]]:
    """Edit, and warn of an untested pair."""
    try:
        edited = edit_calico(documents, CalicoSettings(**settings))
        warning = untested(calico_version(documents), kubernetes_version)
    except (CalicoManifestError, TypeError) as error:
        raise AnsibleFilterError(f"quorum.kubeadm.calico_manifest: {error}") from error
    if warning:
        Display().warning(warning)
    return edited


class FilterModule:
    """The filter."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """By name."""
        return {"calico_manifest": calico_manifest}
