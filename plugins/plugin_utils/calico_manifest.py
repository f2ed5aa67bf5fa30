# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Set pod networks, encapsulation, backend and image registry in upstream's Calico manifest, as structure and not as text."""

from __future__ import annotations

import copy
import ipaddress
import json
import re
from typing import Any, Dict, List, NamedTuple, Sequence, Tuple

NAMESPACE = "kube-system"
CONFIG = ("ConfigMap", "calico-config")
NODE = ("DaemonSet", "calico-node")
CONTROLLERS = ("Deployment", "calico-kube-controllers")


class Encapsulation(NamedTuple):
    """What an encapsulation means in the manifest, and who can make routes for it (the first one by default)."""

    ipip: str
    vxlan: str
    backends: Tuple[str, ...]


ENCAPSULATIONS = {
    "vxlan": Encapsulation("Never", "Always", ("vxlan", "bird")),
    "vxlan_cross_subnet": Encapsulation("Never", "CrossSubnet", ("vxlan", "bird")),
    "ipip": Encapsulation("Always", "Never", ("bird",)),
    "ipip_cross_subnet": Encapsulation("CrossSubnet", "Never", ("bird",)),
    "none": Encapsulation("Never", "Never", ("bird", "none")),
}
BACKENDS = ("auto", "bird", "vxlan", "none")

# Upstream's published images: docker.io up to 3.30, quay.io since.
UPSTREAM_IMAGE = re.compile(r"^(?:(?:docker|quay)\.io/)?calico/(?P<image>[^/]+)$")
# `-bird-live` and `-bird-ready` up to 3.32, with two dashes since.
BIRD_CHECK = re.compile(r"^--?bird-(?:live|ready)$")
# The manifest's CNI configuration is JSON but for this unquoted placeholder.
MTU = "__CNI_MTU__"

# Kubernetes minors that upstream tests a Calico release with.
TESTED: Dict[Tuple[int, int], Tuple[int, int]] = {(3, 30): (31, 35), (3, 31): (32, 35), (3, 32): (34, 36), (3, 33): (35, 37)}


class CalicoManifestError(ValueError):
    """The manifest or the settings are not what they should be; the text names the object and field, or the setting."""


class CalicoSettings(NamedTuple):
    """What is set in the manifest. Empty: what the manifest says, stays."""

    pod_subnets: Sequence[str] = ()
    encapsulation: str = "vxlan"
    backend: str = "auto"
    image_registry: str = ""
    address_detection: str = ""


def edit_calico(documents: Sequence[Dict[str, Any]], settings: CalicoSettings) -> List[Dict[str, Any]]:
    """The manifest's objects with the settings in them; what was given is left alone."""
    encapsulation, backend, ipv4, ipv6 = _checked(settings)
    edited = copy.deepcopy(list(documents))
    config, node, _controllers = (_find(edited, *wanted) for wanted in (CONFIG, NODE, CONTROLLERS))

    config.set(backend, "data", "calico_backend")
    container = node.container("calico-node")
    container.set_variable("CALICO_IPV4POOL_IPIP", encapsulation.ipip)
    container.set_variable("CALICO_IPV4POOL_VXLAN", encapsulation.vxlan)
    if backend != "bird":
        container.remove_arguments(BIRD_CHECK, "livenessProbe", "exec", "command")
        container.remove_arguments(BIRD_CHECK, "readinessProbe", "exec", "command")
    if settings.address_detection:
        container.set_variable("IP_AUTODETECTION_METHOD", settings.address_detection, new=True)
    if ipv4:
        container.set_variable("CALICO_IPV4POOL_CIDR", ipv4, new=True)
    if ipv6:
        _use_ipv6(config, container, settings, encapsulation, ipv6, only=not ipv4)
    if settings.image_registry:
        _check_registry(edited)
        _set_registry(edited, settings.image_registry.rstrip("/"))
    return edited


def calico_version(documents: Sequence[Dict[str, Any]]) -> str:
    """The release whose manifest this is, by the tag of its node image; empty when it cannot be told."""
    image = str(_find(documents, *NODE).container("calico-node").get("image"))
    tag = image.rpartition(":")[2]
    return tag[1:] if re.match(r"v\d+\.\d+", tag) else ""


def untested(calico: str, kubernetes: str) -> str:
    """A warning when upstream does not test this Calico with this Kubernetes; nothing when it does, or when neither can be known."""
    found = [re.match(r"v?(\d+)\.(\d+)", version) for version in (calico, kubernetes)]
    if not found[0] or not found[1]:
        return ""
    release = (int(found[0][1]), int(found[0][2]))
    minor = int(found[1][2])
    if release > max(TESTED):
        return ""
    low, high = TESTED.get(release, (0, TESTED[min(TESTED)][0] - 1))
    if low <= minor <= high:
        return ""
    fitting = [f"{major}.{number}" for (major, number), (first, last) in TESTED.items() if first <= minor <= last]
    advice = f"; {' and '.join(fitting)} {'is' if len(fitting) == 1 else 'are'}" if fitting else ""
    return f"Calico {calico} is not tested by its makers with Kubernetes 1.{minor}{advice}"


NODE_IMAGE = re.compile(r"\bnode:v(\d+)\.(\d+)\.(\d+)\b")
# Releases that Calico's guide upgrades from, before the one to which: "Upgrade Calico on Kubernetes" of docs.tigera.io, 3.30 to 3.33.
RELEASES_BACK = 2


def node_release(text: str) -> str:
    """The release of the node image that a text names, an image or a whole manifest; empty where there is none."""
    found = NODE_IMAGE.search(text)
    return ".".join(found.groups()) if found else ""


def unreachable(there: str, wanted: str) -> Tuple[str, str] | None:
    """Why a cluster with one release of Calico cannot be given another, and what to write; None where it can.

    Another patch release of the same minor always can.
    """
    (major, minor), (new_major, new_minor) = ([int(part) for part in version.split(".")[:2]] for version in (there, wanted))
    if (new_major, new_minor) < (major, minor):
        return f"Calico {wanted} is older than the cluster's {there}, and there is no way back", f"take {there} or a later release"
    if new_major == major and new_minor <= minor + RELEASES_BACK:
        return None
    return (
        f"Calico {wanted} cannot take the place of the cluster's {there}: upstream upgrades from the two releases before alone",
        f"take the newest {major}.{minor + RELEASES_BACK} first, run `ansible-playbook quorum.kubeadm.site`, and raise it again",
    )


class _Field:
    """A place in an object that knows how to name itself when something is missing below it."""

    def __init__(self, owner: str, path: str, value: Any) -> None:
        self._owner = owner
        self._path = path
        self._value = value

    def missing(self, path: str) -> CalicoManifestError:
        """The error that names the object and the field."""
        where = ".".join(part for part in (self._path, path) if part)
        return CalicoManifestError(
            f"{self._owner} has no {where}: this is not a Calico manifest of a shape that is known (3.26 to 3.33 are); " "use a manifest of such a release"
        )

    def get(self, *path: str) -> Any:
        """What is there."""
        value = self._value
        for key in path:
            if not isinstance(value, dict) or value.get(key) is None:
                raise self.missing(".".join(path))
            value = value[key]
        return value

    def set(self, value: Any, *path: str) -> None:
        """Replace what is there."""
        self.get(*path)
        self.get(*path[:-1])[path[-1]] = value

    def container(self, name: str) -> _Field:
        """A container of the workload's pods."""
        containers = self.get("spec", "template", "spec", "containers")
        path = f"spec.template.spec.containers[{name}]"
        found = next((entry for entry in containers if entry.get("name") == name), None)
        if found is None:
            raise self.missing(path)
        return _Field(self._owner, path, found)

    def set_variable(self, name: str, value: str, new: bool = False) -> None:
        """Set an environment variable; one that is not there is added only when it may be new."""
        variables = self.get("env")
        wanted = {"name": name, "value": value}
        position = next((number for number, entry in enumerate(variables) if entry.get("name") == name), None)
        if position is not None:
            variables[position] = wanted
        elif new:
            variables.append(wanted)
        else:
            raise self.missing(f"env[{name}]")

    def remove_arguments(self, pattern: re.Pattern[str], *path: str) -> None:
        """Take arguments out of a command."""
        kept = [argument for argument in self.get(*path) if not pattern.match(argument)]
        if any("bird" in argument for argument in kept):
            raise CalicoManifestError(
                f"{self._owner}: {self._path}.{'.'.join(path)} checks BIRD in a way that is not known ({' '.join(kept)}), "
                "and BIRD does not run with this backend; use the manifest of a release from 3.26 to 3.33"
            )
        self.set(kept, *path)


def _checked(settings: CalicoSettings) -> Tuple[Encapsulation, str, str, str]:
    """The encapsulation, the backend, and one pod network of each family or an empty text."""
    encapsulation = ENCAPSULATIONS.get(settings.encapsulation)
    if encapsulation is None:
        raise CalicoManifestError(f"encapsulation is {settings.encapsulation!r}: write one of {', '.join(ENCAPSULATIONS)}")
    if settings.backend not in BACKENDS:
        raise CalicoManifestError(f"backend is {settings.backend!r}: write one of {', '.join(BACKENDS)}")
    backend = encapsulation.backends[0] if settings.backend == "auto" else settings.backend
    if backend not in encapsulation.backends:
        raise CalicoManifestError(
            f"backend {backend} makes no routes for encapsulation {settings.encapsulation}: write auto or {' or '.join(encapsulation.backends)}"
        )
    subnets: Dict[int, str] = {}
    for subnet in settings.pod_subnets:
        if "/" not in subnet:
            raise CalicoManifestError(f"pod subnet {subnet!r} has no prefix length: write it like 10.244.0.0/16")
        try:
            network = ipaddress.ip_network(subnet)
        except ValueError as error:
            raise CalicoManifestError(f"pod subnet {subnet!r} is no network: {error}") from error
        if network.version in subnets:
            raise CalicoManifestError(
                f"pod subnets {subnets[network.version]} and {subnet} are both IPv{network.version}: Calico's manifest makes one pool of a family; "
                "write one, and add further IPPools to the cluster afterwards"
            )
        subnets[network.version] = str(network)
    return encapsulation, backend, subnets.get(4, ""), subnets.get(6, "")


def _find(documents: Sequence[Dict[str, Any]], kind: str, name: str) -> _Field:
    for document in documents:
        metadata = document.get("metadata", {})
        if (document.get("kind"), metadata.get("namespace"), metadata.get("name")) == (kind, NAMESPACE, name):
            return _Field(f"{kind} {NAMESPACE}/{name}", "", document)
    raise CalicoManifestError(
        f"The manifest has no {kind} {NAMESPACE}/{name}: it is not Calico's calico.yaml (3.26 to 3.33), "
        "which alone is edited here; the operator's manifests are applied as they are by the role manifests"
    )


def _use_ipv6(config: _Field, container: _Field, settings: CalicoSettings, encapsulation: Encapsulation, subnet: str, only: bool) -> None:
    """IPv6 beside IPv4, or in its place: the pool, the nodes' addresses, and an address of each family for every pod."""
    container.set_variable("CALICO_IPV6POOL_CIDR", subnet, new=True)
    container.set_variable("CALICO_IPV6POOL_VXLAN", encapsulation.vxlan)
    container.set_variable("CALICO_IPV6POOL_NAT_OUTGOING", "true", new=True)
    container.set_variable("FELIX_IPV6SUPPORT", "true")
    container.set_variable("IP6", "autodetect", new=True)
    if settings.address_detection:
        container.set_variable("IP6_AUTODETECTION_METHOD", settings.address_detection, new=True)
    if only:
        container.set_variable("IP", "none")
        container.set_variable("CALICO_IPV4POOL_CIDR", "none", new=True)
        # BIRD's router id is an IPv4 address, which these nodes have not.
        container.set_variable("CALICO_ROUTER_ID", "hash", new=True)
    text = config.get("data", "cni_network_config")
    try:
        network = json.loads(text.replace(MTU, f'"{MTU}"'))
        plugin = next(entry for entry in network["plugins"] if entry["type"] == "calico")
        plugin["ipam"].update(assign_ipv4="false" if only else "true", assign_ipv6="true")
    except (ValueError, LookupError, StopIteration, AttributeError) as error:
        raise config.missing("data.cni_network_config with a plugin of type calico and its ipam") from error
    config.set(json.dumps(network, indent=2).replace(f'"{MTU}"', MTU), "data", "cni_network_config")


def _set_registry(documents: Sequence[Dict[str, Any]], registry: str) -> None:
    for document in documents:
        if document.get("kind") in ("DaemonSet", "Deployment"):
            for container in _containers(document):
                container["image"] = UPSTREAM_IMAGE.sub(rf"{registry}/\g<image>", container.get("image") or "")


def _check_registry(documents: Sequence[Dict[str, Any]]) -> None:
    """Images that are pulled from somewhere else already would not be found in the registry that was asked for."""
    for wanted in (NODE, CONTROLLERS):
        workload = _find(documents, *wanted)
        if not any(UPSTREAM_IMAGE.match(container.get("image") or "") for container in _containers(workload.get())):
            raise workload.missing("spec.template.spec.containers[].image of quay.io/calico or docker.io/calico")


def _containers(workload: Dict[str, Any]) -> List[Dict[str, Any]]:
    pod = workload["spec"]["template"]["spec"]
    return [*pod.get("initContainers", []), *pod["containers"]]
