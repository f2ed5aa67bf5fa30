# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Patches that kubeadm applies to what it writes: the user's, and what sets one node's kubelet apart from the others'.

Names and meaning are those of cmd/kubeadm/app/util/patches/patches.go of k8s.io/kubernetes v1.37.2.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Sequence
from typing import Any, TypedDict

from ansible_collections.quorum.kubeadm.plugins.module_utils.node_state import PATCHES
from ansible_collections.quorum.kubeadm.plugins.plugin_utils.input_kinds import Fault

Document = dict[str, Any]

KUBELET = "kubeletconfiguration"
TARGETS = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", KUBELET, "corednsdeployment", "kubeproxydaemonset")
_NAME = re.compile(rf"({'|'.join(TARGETS)})[^.+\n]*(\+(strategic|merge|json))?\.(json|yaml)")
DIRECTORY = f"/{PATCHES}"
OF_THIS_NODE = f"{KUBELET}-of-this-node+merge.json"


class Patch(TypedDict):
    """A patch as a file in kubeadm's directory of patches."""

    path: str
    content: str


def _names(directory: str) -> list[str]:
    return sorted(name for name in os.listdir(directory) if not name.startswith("."))


def faults(directory: str) -> Iterator[Fault]:
    """What kubeadm would pass over without a word, or fail at half-way."""
    if not os.path.isdir(directory):
        yield f"there is no directory {directory} on the controller", "write the path of one that is there"
        return
    for name in _names(directory):
        if not _NAME.fullmatch(name) or name == OF_THIS_NODE or not os.path.isfile(os.path.join(directory, name)):
            yield (
                f"{name} in {directory} is no name of a patch",
                f"name it target[suffix][+strategic|+merge|+json].yaml or .json, with one of the targets {', '.join(TARGETS)}",
            )


def read(directory: str) -> list[Patch]:
    """The patches in a directory of the controller, in the order of their names; none where a run that writes none has no such directory."""
    patches = []
    for name in _names(directory) if os.path.isdir(directory) else []:
        with open(os.path.join(directory, name), encoding="utf-8") as file:
            patches.append(Patch(path=f"{DIRECTORY}/{name}", content=file.read()))
    return patches


def shared(documents: Sequence[Document]) -> Document:
    """The fields that all documents have alike, nested ones too."""
    fields = {}
    for name, value in documents[0].items():
        values = [document.get(name) for document in documents]
        if all(other == value for other in values):
            fields[name] = value
        elif all(isinstance(other, dict) for other in values):
            nested = shared([other for other in values if isinstance(other, dict)])
            fields.update({name: nested} if nested else {})
    return fields


def deviation(own: Document, documents: Sequence[Document]) -> Document:
    """The merge patch (RFC 7386) that makes one of the documents out of what they share.

    It makes the same of any other of them: the cluster may have been made when one of them was what all shared.
    """
    patch: Document = {}
    for name in dict.fromkeys(name for document in documents for name in document):
        values, wanted = [document.get(name) for document in documents], own.get(name)
        if all(value == wanted for value in values):
            continue
        # Null removes a field; one that is not there is like an empty mapping.
        patch[name] = deviation(wanted, [value if isinstance(value, dict) else {} for value in values]) if isinstance(wanted, dict) else wanted
    return patch


def is_of_kubelet(patch: Patch) -> bool:
    """Whether a patch is for what every node has."""
    return os.path.basename(patch["path"]).startswith(KUBELET)


def of_kubelet(patch: Document) -> Patch:
    """The file that sets a node's kubelet apart."""
    return Patch(path=f"{DIRECTORY}/{OF_THIS_NODE}", content=json.dumps(patch, indent=2) + "\n")
