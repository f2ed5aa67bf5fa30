# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is there beside what is described: each difference between a living cluster and its inventory, and the procedure that brings it about.

What kubeadm makes of the description is asked of kubeadm itself, on each node (module kubeadm_files); here the two are compared as structure. What the next
run of `site` applies by itself is no difference, and what can never change is refused before (check_changes in cluster_checks.py).
"""

from __future__ import annotations

import ipaddress
import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal, NamedTuple

import yaml

from ansible_collections.quorum.kubeadm.plugins.module_utils.kubeadm_render import taint_text
from ansible_collections.quorum.kubeadm.plugins.module_utils.node_state import MEMBER_STATES
from ansible_collections.quorum.kubeadm.plugins.plugin_utils import kubeadm_patches
from ansible_collections.quorum.kubeadm.plugins.plugin_utils.cluster_summary import aligned

Brings = Literal["upgrade", "reconfigure"]
# In the order in which a person runs them: an upgrade writes the cluster's own documents anew on each node, so what differs goes last.
PROCEDURES: tuple[Brings, ...] = ("upgrade", "reconfigure")
ByHost = Mapping[str, Mapping[str, Any]]

LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
# kubeadm writes the path of systemd-resolved's file where it finds that service (cmd/kubeadm/app/componentconfigs/kubelet.go), on the node where it runs.
SYSTEMD_RESOLVED = "/run/systemd/resolve/resolv.conf"
# A control plane mounts those of them that were there when kubeadm wrote its manifest (caCertsExtraVolumePaths in phases/controlplane/volumes.go).
CA_VOLUMES = frozenset({"etc-pki-ca-trust", "etc-pki-tls-certs", "etc-ca-certificates", "usr-share-ca-certificates", "usr-local-share-ca-certificates"})
CONTROL_PLANE_TAINT = {"key": "node-role.kubernetes.io/control-plane", "effect": "NoSchedule"}
SERVED_NAME = "a name in the API server's certificate"
MANIFESTS = "/etc/kubernetes/manifests/"
PATCH_OF_THIS_NODE = kubeadm_patches.of_kubelet({})["path"]
# The ConfigMaps of kube-system that kubeadm writes its documents to.
DOCUMENTS = ("kubeadm-config", "kubelet-config")


class Difference(NamedTuple):
    """One thing that is not as it is described."""

    subject: str
    """What differs: a component and its flag or field, a label, a taint, a name in a certificate."""
    host: str
    """The host of the inventory; empty for what the cluster keeps for all nodes."""
    there: str
    """What is there, empty for nothing."""
    wanted: str
    """What is described, empty for nothing."""
    procedure: Brings
    """The procedure that brings it about."""

    def __str__(self) -> str:
        is_there = f"is {self.there}" if self.there else "is not there"
        return f"{self.subject} {is_there}; described: {self.wanted or 'nothing'}"


class Seen(NamedTuple):
    """What a living cluster is compared by. A host that is missing in a mapping was not asked."""

    plan: Mapping[str, Any]
    cluster: Mapping[str, Any]
    """What `cluster_info` returned as `cluster`."""
    found: ByHost
    """What `node_info` returned as `node`, by host."""
    files: ByHost
    """What `kubeadm_files` returned, by host."""

    @property
    def members(self) -> dict[str, Mapping[str, Any]]:
        """The planned nodes that belong to the cluster, by host."""
        return {host: node for host, node in self.plan["nodes"].items() if host in self.found and self.found[host]["state"] in MEMBER_STATES}

    @property
    def nodes(self) -> dict[str, Mapping[str, Any]]:
        """The nodes as the cluster knows them, by name."""
        return {node["name"]: node for node in self.cluster.get("nodes", [])}


class Drift(NamedTuple):
    """What a comparison came to."""

    differences: list[Difference]
    """Those of a procedure and of a subject together, in the inventory's order of hosts."""
    not_compared: dict[str, str]
    """Why hosts that belong to the cluster could not be compared, by host."""

    @property
    def hosts(self) -> dict[str, list[str]]:
        """The hosts that have differences, by the procedure that works on them; what the cluster keeps for all has none."""
        return {procedure: list(dict.fromkeys(one.host for one in self.differences if one.procedure == procedure and one.host)) for procedure in PROCEDURES}

    @property
    def rows(self) -> list[str]:
        """The differences as they are printed, below the command that brings them about; those of several hosts in one row."""
        told = []
        for procedure in PROCEDURES:
            found = [one for one in self.differences if one.procedure == procedure]
            if found:
                told.append(f"ansible-playbook quorum.kubeadm.{procedure} brings this about:")
                told += aligned((having, text) for text, having in _together(found).items())
        return told + [f"{host} could not be compared: {why}" for host, why in self.not_compared.items()]

    @property
    def lines(self) -> list[str]:
        """The rows with a heading; nothing where there is no difference."""
        return ["Drift: the cluster is not what the inventory describes.", *(f"  {row}" for row in self.rows)] if self.rows else []


def _together(found: Sequence[Difference]) -> dict[str, list[str]]:
    """Who has each difference. Of the documents that the cluster keeps, the fields alone where nodes differ too: theirs say what has changed."""
    having: dict[str, list[str]] = {}
    fields: dict[str, list[str]] = {}
    of_nodes = any(one.host for one in found)
    for one in found:
        document, _space, path = one.subject.partition(" ")
        if of_nodes and document in DOCUMENTS:
            fields.setdefault(document, []).append(path)
        else:
            having.setdefault(str(one), []).append(one.host or "the cluster")
    return {**having, **{f"{document} differs in {', '.join(paths)}": ["the cluster"] for document, paths in fields.items()}}


def compare(seen: Seen) -> Drift:
    """Find all differences."""
    found = [*_versions(seen), *_shared(seen)]
    for host in seen.members:
        found += [*_files(host, seen), *_processes(host, seen), *_names(host, seen), *_labels(host, seen), *_taints(host, seen)]
    return Drift(
        differences=sorted(found, key=lambda one: (PROCEDURES.index(one.procedure), one.subject)),
        not_compared={host: str(seen.files[host]["problem"]) for host in seen.members if host in seen.files and seen.files[host]["problem"]},
    )


# Versions.


def _control_plane_version(answer: Mapping[str, Any]) -> str | None:
    """The version of the API server in its manifest, which is kubeadm's unless the manifest differs."""
    manifest = next((file["there"] for file in answer["files"] if file["path"] == f"{MANIFESTS}kube-apiserver.yaml"), None)
    tag = re.search(r"^\s+image: \S+:v(\d+\.\d+\.\d+)\S*$", manifest or "", re.MULTILINE)
    version: str | None = tag.group(1) if tag else answer["kubeadm"]
    return version


def _versions(seen: Seen) -> Iterator[Difference]:
    inputs = seen.plan["inputs"]
    wanted, containerd = inputs["kubernetes_version"], seen.plan["containerd"]["version"]
    kept = seen.cluster.get("version")
    if kept and kept != wanted:
        yield Difference("Kubernetes", "", kept, wanted, "upgrade")
    for host, planned in seen.members.items():
        kubelet = seen.nodes.get(planned["name"], {}).get("version") or seen.found[host]["kubelet"]["version"]
        if kubelet and kubelet != wanted:
            yield Difference("kubelet version", host, kubelet, wanted, "upgrade")
        control_plane = _control_plane_version(seen.files[host]) if planned["control_plane"] and host in seen.files else None
        if control_plane and control_plane != wanted:
            yield Difference("control plane version", host, control_plane, wanted, "upgrade")
        runtime = seen.found[host]["containerd"]["version"]
        if containerd and runtime and runtime != containerd:
            yield Difference("containerd", host, runtime, containerd, "upgrade")


# The files that kubeadm wrote on each node.


def _files(host: str, seen: Seen) -> Iterator[Difference]:
    """While versions on a node are mixed, its files are the upgrade's."""
    answer = seen.files.get(host)
    if answer is None or answer["problem"]:
        return
    is_mixed = {True: _control_plane_version(answer) != answer["kubeadm"], False: seen.found[host]["kubelet"]["version"] != answer["kubeadm"]}
    for file in answer["files"]:
        component = os.path.splitext(os.path.basename(file["path"]))[0]
        is_manifest = file["path"].startswith(MANIFESTS)
        if is_mixed[is_manifest]:
            continue
        if file["there"] is None:
            yield Difference(file["path"], host, "", "a file of kubeadm's", "reconfigure")
        elif is_manifest:
            yield from _each(component, host, _changes(_pod(file["there"], component), _pod(file["wanted"], component)))
        elif component == "kubeadm-flags":
            yield from _each("kubelet", host, _changes(_flags(_kubelet_words(file["there"])), _flags(_kubelet_words(file["wanted"]))))
        else:
            yield from _each("kubelet", host, _kubelet_changes(file["there"], file["wanted"]))


def _each(component: str, host: str, changes: Iterable[Change]) -> Iterator[Difference]:
    for path, there, wanted in changes:
        yield Difference(f"{component} {path}".strip(), host, there, wanted, "reconfigure")


class Change(NamedTuple):
    """A field by its path, with what two documents have there as a person reads it."""

    path: str
    there: str
    wanted: str


def _document(text: str | None) -> Any:
    """What is no YAML, somebody wrote who is not kubeadm: then the whole of it differs."""
    try:
        return yaml.load(text or "", LOADER)
    except yaml.YAMLError:
        return text


def _is_empty(value: Any) -> bool:
    """Whether a field is as if it were not there: versions of kubeadm write different ones of these."""
    return value is None or value in ("", "0s") or (isinstance(value, (Mapping, list)) and not value)


def _by_name(value: Any) -> Any:
    """A document with lists of what has a name as mappings, and without what is empty."""
    if isinstance(value, Mapping):
        fields = {str(name): _by_name(field) for name, field in value.items()}
        return {name: field for name, field in fields.items() if not _is_empty(field)}
    if isinstance(value, list) and value and all(isinstance(item, Mapping) and "name" in item for item in value):
        named: dict[str, list[Any]] = {}
        for item in value:
            named.setdefault(str(item["name"]), []).append(_without_name(item))
        # What may be said several times, a flag, is the same in another order of the others.
        return {name: items[0] if len(items) == 1 else items for name, items in named.items()}
    return value


def _without_name(item: Mapping[str, Any]) -> Any:
    """An item of a list by name; of a flag or a variable the value alone."""
    fields = {field: given for field, given in item.items() if field != "name"}
    return _by_name(fields) if set(fields) != {"value"} else str(fields["value"]) or '""'


def _changes(there: Any, wanted: Any, path: str = "") -> Iterator[Change]:
    """Where two documents differ: the topmost fields that only one of them has, and the values that are not the same; no path where one is none."""
    if isinstance(there, Mapping) and isinstance(wanted, Mapping):
        for name in dict.fromkeys([*wanted, *there]):
            yield from _changes(there.get(name), wanted.get(name), f"{path}.{name}" if path else name)
    elif there != wanted and not (_is_empty(there) and _is_empty(wanted)):
        # No document is said in whole.
        yield Change(path, _said(there), _said(wanted)) if path else Change(path, "something else", "a document of kubeadm's")


def _said(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    return str(yaml.safe_dump(value, default_flow_style=True, width=10**6)).removesuffix("\n").removesuffix("\n...")


def _flags(words: Iterable[str]) -> dict[str, str]:
    """A command's flags, each with its value, or with all of them where it is repeated."""
    flags: dict[str, list[str]] = {}
    for word in words:
        name, _equals, value = word.partition("=")
        flags.setdefault(name, []).append(value)
    return {name: ", ".join(value or '""' for value in values) for name, values in flags.items()}


def _pod(manifest: str, component: str) -> Any:
    """A static pod as structure: its own container at the top, flags by their names."""
    pod = _by_name(_document(manifest))
    try:
        specification = pod["spec"]
        container = specification.pop("containers").pop(component)
        command = container.pop("command")
    except (TypeError, KeyError, AttributeError):
        return pod
    for part in (specification, container):
        for list_of in ("volumes", "volumeMounts"):
            if list_of in part:
                part[list_of] = {name: item for name, item in part[list_of].items() if name not in CA_VOLUMES}
    pod.pop("spec")
    return {**pod, **specification, **container, **_flags(command[1:])}


def _kubelet_words(environment: str) -> list[str]:
    """The flags in kubeadm-flags.env, which Go has quoted (writeKubeletFlagBytesToDisk in phases/kubelet/flags.go)."""
    quoted = environment.strip().partition("=")[2]
    try:
        return str(json.loads(quoted)).split()
    except ValueError:
        return quoted.strip("\"'").split()


def _kubelet_changes(there: str | None, wanted: str | None) -> Iterator[Change]:
    """Where two KubeletConfigurations differ; the file of resolv.conf that kubeadm chose is the machine's own."""
    for change in _changes(_by_name(_document(there)), _by_name(_document(wanted))):
        if change.path != "resolvConf" or {change.there, change.wanted} != {"", SYSTEMD_RESOLVED}:
            yield change


def _processes(host: str, seen: Seen) -> Iterator[Difference]:
    """What runs with older files than there are; a certificate that was renewed is one."""
    for component in seen.found[host].get("outdated_components", []):
        yield Difference(f"{component} process", host, "older than the files that it reads", "started anew", "reconfigure")


# What the cluster keeps for all nodes.


def _shared(seen: Seen) -> Iterator[Difference]:
    answer = next((one for one in seen.files.values() if one.get("shared")), None)
    # kubeadm's defaults are those of its own version.
    if answer is None or not seen.cluster.get("reachable") or answer["kubeadm"] != seen.cluster.get("version"):
        return
    shared, documents = answer["shared"], seen.cluster["documents"]
    for change in _changes(_configuration(documents["cluster"]), _configuration(shared["cluster"])):
        yield Difference(f"kubeadm-config {change.path}", "", change.there, change.wanted, "reconfigure")
    # What one node has otherwise, each node has as a patch, whatever the cluster's document says. Of the runtime's socket, each has instance-config.yaml.
    of_nodes = _patched_everywhere(seen) | {"containerRuntimeEndpoint"}
    for change in _kubelet_changes(documents["kubelet"], shared["kubelet"]):
        if change.path.partition(".")[0] not in of_nodes:
            yield Difference(f"kubelet-config {change.path}", "", change.there, change.wanted, "reconfigure")
    for name, there, wanted in _addons(shared["addons"], documents, seen.cluster["addons"]):
        yield Difference(name, "", there, wanted, "reconfigure")


def _patched_everywhere(seen: Seen) -> set[str]:
    """The fields of the KubeletConfiguration that are set apart on every node of the plan."""
    patches = [json.loads(patch["content"]) for node in seen.plan["nodes"].values() for patch in node["patches"] if patch["path"] == PATCH_OF_THIS_NODE]
    return set.intersection(*map(set, patches)) if len(patches) == len(seen.plan["nodes"]) else set()


def _configuration(text: str | None) -> Any:
    """A ClusterConfiguration, in which names in certificates have no order."""
    document = _by_name(_document(text))
    if isinstance(document, dict):
        server = document.get("apiServer", {})
        if "certSANs" in server:
            server["certSANs"] = sorted(server["certSANs"])
    return document


def _addons(manifests: str, documents: Mapping[str, Any], images: Mapping[str, str]) -> Iterator[Change]:
    """kube-proxy's configuration, and the images; all else of an addon is its administrator's."""
    for document in yaml.load_all(manifests, LOADER):
        if not document:
            continue
        kind, name = document["kind"], document["metadata"]["name"]
        if (kind, name) == ("ConfigMap", "kube-proxy"):
            there, wanted = documents["kube_proxy"], document["data"]["config.conf"]
            for change in _changes(_by_name(_document(there)), _by_name(_document(wanted))):
                yield change._replace(path=f"kube-proxy {change.path}")
        elif kind in ("DaemonSet", "Deployment") and name in images:
            wanted = document["spec"]["template"]["spec"]["containers"][0]["image"]
            if images[name] != wanted:
                yield Change(f"{name} image", images[name], wanted)


# What API server and cluster say of each node.


def api_server_names(planned: Mapping[str, Any], configuration: Mapping[str, Any]) -> list[str]:
    """The names and addresses in the certificate that kubeadm makes for an API server (GetAPIServerAltNames in util/pkiutil/pki_helpers.go).

    planned: a control plane of the plan. configuration: the ClusterConfiguration.
    """
    networking = configuration["networking"]
    endpoint = str(configuration["controlPlaneEndpoint"]).rpartition(":")[0].strip("[]")
    service = ipaddress.ip_network(networking["serviceSubnet"].partition(",")[0])
    names = [
        planned["name"],
        *("kubernetes", "kubernetes.default", "kubernetes.default.svc", f"kubernetes.default.svc.{networking['dnsDomain']}"),
        str(service[1]),
        planned["address"],
        endpoint,
        *configuration.get("apiServer", {}).get("certSANs", []),
    ]
    return list(dict.fromkeys(map(_canonical, names)))


def _canonical(name: str) -> str:
    try:
        return str(ipaddress.ip_address(name))
    except ValueError:
        return name.lower()


def _names(host: str, seen: Seen) -> Iterator[Difference]:
    served = seen.files.get(host, {}).get("served_names")
    if served is None:
        return
    wanted = api_server_names(seen.members[host], seen.plan["kubeadm"]["cluster_configuration"])
    yield from (Difference(SERVED_NAME, host, "", name, "reconfigure") for name in wanted if name not in served)
    yield from (Difference(SERVED_NAME, host, name, "", "reconfigure") for name in served if name not in wanted)


def _registration(host: str, seen: Seen) -> Mapping[str, Any]:
    registration: Mapping[str, Any] = seen.members[host]["init_configuration"]["nodeRegistration"]
    return registration


def _recorded(host: str, flag: str, seen: Seen) -> list[str]:
    """The values of a list that the kubelet of a host was given when it joined, where its flags are to be others now."""
    for file in seen.files.get(host, {}).get("files", []):
        if file["path"].endswith("/kubeadm-flags.env"):
            return [value for value in _flags(_kubelet_words(file["there"] or "")).get(flag, "").split(",") if value]
    return []


def _labels(host: str, seen: Seen) -> Iterator[Difference]:
    node = seen.nodes.get(seen.members[host]["name"])
    if node is None:
        return
    flags = [flag["value"] for flag in _registration(host, seen).get("kubeletExtraArgs", []) if flag["name"] == "node-labels"]
    wanted = dict(_label(text) for value in flags for text in value.split(",") if text)
    for name, value in wanted.items():
        if node["labels"].get(name) != value:
            yield Difference(f"label {name}", host, _quoted(node["labels"].get(name)), _quoted(value), "reconfigure")
    for name, value in map(_label, _recorded(host, "--node-labels", seen)):
        if name not in wanted and name in node["labels"]:
            yield Difference(f"label {name}", host, _quoted(node["labels"][name]), "", "reconfigure")


def _label(text: str) -> tuple[str, str]:
    name, _equals, value = text.partition("=")
    return name, value


def _quoted(value: str | None) -> str:
    return "" if value is None else value or '""'


def _taints(host: str, seen: Seen) -> Iterator[Difference]:
    planned = seen.members[host]
    node = seen.nodes.get(planned["name"])
    if node is None:
        return
    described = _registration(host, seen).get("taints")
    default = [CONTROL_PLANE_TAINT] if planned["control_plane"] else []
    wanted = dict(map(_taint, map(taint_text, default if described is None else described)))
    there = dict(map(_taint, map(taint_text, node["taints"])))
    # An administrator's own taints, and those that controllers set, are none of the inventory's business.
    ours = dict(map(_taint, [taint_text(CONTROL_PLANE_TAINT), *_recorded(host, "--register-with-taints", seen)]))
    for name in dict.fromkeys([*wanted, *ours]):
        if there.get(name) != wanted.get(name):
            yield Difference(f"taint {name}", host, there.get(name, ""), wanted.get(name, ""), "reconfigure")


def _taint(text: str) -> tuple[str, str]:
    """What a taint is known by, `key:effect`, and the whole of it."""
    name, _colon, effect = text.rpartition(":")
    return f"{name.partition('=')[0]}:{effect}", text
