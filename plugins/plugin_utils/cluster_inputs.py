# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The user's inputs: every `cluster_*` variable with its default, its type and what each value must look like.

The fields of ClusterInputs and HostInputs are the one table of them; docs/inputs.md is printed from it by

    PYTHONPATH=collections python -m ansible_collections.quorum.kubeadm.plugins.plugin_utils.cluster_inputs > docs/inputs.md
"""

from __future__ import annotations

import difflib
import ipaddress
import json
import math
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import Field, dataclass, field, fields
from typing import Any, Callable, NamedTuple, Union

from ansible_collections.quorum.kubeadm.plugins.plugin_utils.calico_manifest import BACKENDS, ENCAPSULATIONS
from ansible_collections.quorum.kubeadm.plugins.plugin_utils.cluster_endpoint import ENDPOINT_TYPES
from ansible_collections.quorum.kubeadm.plugins.plugin_utils.input_kinds import KINDS, Fault, shown
from ansible_collections.quorum.kubeadm.plugins.plugin_utils.kubeadm_fields import CLUSTER_CONFIGURATION, NODE_CONFIGURATION, Shape
from ansible_collections.quorum.kubeadm.plugins.plugin_utils.kubeadm_fields import faults as field_faults

PREFIX = "cluster_"
KUBERNETES_MINORS = (35, 36, 37)
DEFAULT_KUBERNETES_VERSION = "1.37.2"

Address = Union[ipaddress.IPv4Address, ipaddress.IPv6Address]
Network = Union[ipaddress.IPv4Network, ipaddress.IPv6Network]


class Problem(NamedTuple):
    """One thing that is wrong: the variable or host, what is wrong with it, and what to write or do."""

    subject: str
    wrong: str
    write: str

    def __str__(self) -> str:
        return f"{self.subject}: {self.wrong}; {self.write}"


class Untemplated(NamedTuple):
    """Stands for a value whose template could not be resolved."""

    error: str


Check = Callable[[Any], Iterable[Fault]]

_LABEL = r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?"
_DNS_NAME = re.compile(rf"{_LABEL}(\.{_LABEL})*")
_RELEASE = re.compile(r"(\d+)\.(\d+)\.(\d+)")


def as_address(text: str) -> Address | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


def is_dns_name(text: str) -> bool:
    """Whether the text is a DNS-1123 subdomain, which names of nodes and endpoints must be."""
    return len(text) <= 253 and _DNS_NAME.fullmatch(text) is not None


def release(text: str) -> tuple[int, ...] | None:
    """`1.37.2` as (1, 37, 2); None when it is not three numbers."""
    match = _RELEASE.fullmatch(text)
    return tuple(int(part) for part in match.groups()) if match else None


# What single values must look like.


def _address(value: str) -> Iterator[Fault]:
    if as_address(value) is None:
        yield f"{value!r} is not an IP address", "write one without prefix length, such as 192.0.2.10"


def _endpoint_name(value: str) -> Iterator[Fault]:
    if as_address(value) is not None or not is_dns_name(value):
        yield f"{value!r} is not a DNS name", "write one in lower case, such as api.example.org (the address goes into cluster_endpoint_address)"


def _dns_domain(value: str) -> Iterator[Fault]:
    if not is_dns_name(value):
        yield f"{value!r} is not a DNS name", "write one in lower case, such as cluster.local"


def _port(value: int) -> Iterator[Fault]:
    if not 1 <= value <= 65535:
        yield f"{value} is not a port", "write a number from 1 to 65535"


def _positive(value: int) -> Iterator[Fault]:
    if value < 1:
        yield f"{value} is too small", "write a number above 0"


def _budget(value: float) -> Iterator[Fault]:
    if not (math.isfinite(value) and value > 0):
        yield f"{value} is no duration", "write seconds, such as 1 or 0.8"


def _check_interval(value: int) -> Iterator[Fault]:
    """A TLS handshake has as long as that, too."""
    if value < 50:
        yield f"{value} is too small for a TLS handshake, which has the same limit", "write 50 or more"


def _advert(value: int) -> Iterator[Fault]:
    if value not in range(10, 40960, 10):
        yield f"{value} is not an interval of VRRP", "write milliseconds from 10 to 40950, in steps of ten"


def _election(value: int) -> Iterator[Fault]:
    """The limits of etcd: five heartbeats of 100 ms, and maxElectionMs (server/embed/config.go)."""
    if not 500 <= value <= 50000:
        yield f"{value} is not a timeout that etcd accepts", "write milliseconds from 500 to 50000"


def _certificate_and_key(value: str) -> Iterator[Fault]:
    """The message does not show the value, which is a secret."""
    if "-----BEGIN CERTIFICATE-----" not in value or not re.search("-----BEGIN [A-Z ]*PRIVATE KEY-----", value):
        yield "is not a certificate with its key", "write both, PEM, one after the other"


def _router_id(value: int) -> Iterator[Fault]:
    if not 1 <= value <= 255:
        yield f"{value} is not a VRRP router id", "write a number from 1 to 255, or delete it"


def _kubernetes_version(value: str) -> Iterator[Fault]:
    known = ", ".join(f"1.{minor}" for minor in KUBERNETES_MINORS)
    parts = release(value)
    if parts is None:
        yield f"{value!r} is not an exact Kubernetes version", f"write major.minor.patch, such as {DEFAULT_KUBERNETES_VERSION}"
    elif parts[0] != 1 or parts[1] not in KUBERNETES_MINORS:
        yield f"Kubernetes {value} is not supported", f"write a version of {known}"


def _kubernetes_versions(value: list[str]) -> Iterator[Fault]:
    for version in value:
        yield from _kubernetes_version(version)


def _containerd_version(value: str) -> Iterator[Fault]:
    if release(value) is None:
        yield f"{value!r} is not an exact containerd version", "write major.minor.patch, such as 2.3.7"


def _calico_version(value: str) -> Iterator[Fault]:
    if release(value) is None:
        yield f"{value!r} is not an exact Calico release", "write major.minor.patch, such as 3.33.0"


def _subnets(smallest: Mapping[int, int], largest: Mapping[int, int]) -> Check:
    """One network, or one of each family; `smallest` and `largest` are prefix lengths by IP version."""

    def check(value: list[str]) -> Iterator[Fault]:
        networks: list[Network] = []
        for text in value:
            try:
                networks.append(ipaddress.ip_network(text))
            except ValueError as error:
                yield f"{text!r} is not a network in CIDR notation ({error})", "write its first address and prefix length, such as 10.244.0.0/16"
        if len(networks) > 2 or (len(networks) == 2 and networks[0].version == networks[1].version):
            yield f"{', '.join(value)} is more than one network of a family", "write one network, or one IPv4 and one IPv6 network"
        for network in networks:
            if not largest[network.version] <= network.prefixlen <= smallest[network.version]:
                yield (
                    f"{network} has a size that Kubernetes does not accept",
                    f"write an IPv{network.version} prefix length from {largest[network.version]} to {smallest[network.version]}",
                )

    return check


def _names_or_addresses(value: list[str]) -> Iterator[Fault]:
    for text in value:
        if as_address(text) is None and not is_dns_name(text.removeprefix("*.")):
            yield f"{text!r} is neither a DNS name nor an IP address", "write names in lower case, such as api.example.org"


def _url(value: str) -> Iterator[Fault]:
    if not re.fullmatch(r"https?://[^/\s]+\S*", value):
        yield f"{value!r} is not a URL", "begin it with https://, without spaces"


def _registry(value: str) -> Iterator[Fault]:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9.:-]*(/[A-Za-z0-9._-]+)*", value):
        yield f"{value!r} is not a registry", "write host, port and path without https:// and without a / at its end, such as registry.example.org/k8s"


def _controller_path(value: str) -> Iterator[Fault]:
    if not value.startswith(("/", "~")):
        yield f"{value!r} is not an absolute path on the controller", f'write one, such as "{{{{ inventory_dir }}}}/{value}"'


def _controller_paths_or_urls(value: list[str]) -> Iterator[Fault]:
    for text in value:
        yield from (_url if re.match("https?://", text) else _controller_path)(text)


def _controller_path_or_url(value: str) -> Iterator[Fault]:
    yield from _controller_paths_or_urls([value])


def _one_line(value: str) -> Iterator[Fault]:
    """The message does not show the value, which may be a secret."""
    if any(not character.isprintable() for character in value):
        yield "has a line break or another control character in it", "write one line of printable characters"


def _word(value: str) -> Iterator[Fault]:
    if not re.fullmatch(r"[A-Za-z0-9._-]+", value):
        yield f"{value!r} is not a plain name", "write letters, digits, dots, dashes and underscores"


def _workers_at_once(value: int | str) -> Iterator[Fault]:
    if not re.fullmatch(r"[1-9]\d*|([1-9]\d?|100)%", str(value)):
        yield f"{value!r} is neither a number above 0 nor a percentage", "write one, such as 2 or 20%"


def _kubeadm_fields(shape: Mapping[str, Shape]) -> Check:
    return lambda value: field_faults(value, shape)


# kubeadm makes pods of whatever lies in the first, and empties the second when it takes a node back.
KUBEADMS_OWN = ("/etc/kubernetes/manifests", "/etc/kubernetes/pki")


def _mirrors(value: list[dict[str, Any]]) -> Iterator[Fault]:
    for number, mirror in enumerate(value, 1):
        registry = mirror.get("registry")
        if not isinstance(registry, str) or "/" in registry:
            yield f"its entry {number} has no registry", "write its name as in images, with a port if there is one, such as registry: docker.io"
            continue
        endpoints = mirror.get("endpoints")
        if not isinstance(endpoints, list) or not endpoints or not all(isinstance(one, dict) for one in endpoints):
            yield f"{registry} has no endpoints", "write a list, such as endpoints: [{url: https://mirror.example.org}]"
            continue
        unknown = sorted(
            (set(mirror) - {"registry", "endpoints", "server"}).union(*(set(one) - {"url", "override_path", "skip_verify", "ca"} for one in endpoints))
        )
        if unknown:
            yield f"{registry} has {', '.join(unknown)}", "write registry, endpoints and server; and of an endpoint url, override_path, skip_verify and ca"
        for url in [one.get("url", "") for one in endpoints] + ([mirror["server"]] if "server" in mirror else []):
            yield from _url(str(url))
    registries = [mirror.get("registry") for mirror in value]
    for registry in dict.fromkeys(one for one in registries if registries.count(one) > 1):
        yield f"{registry} is listed more than once", "write all its endpoints in one entry"


def _files(value: list[dict[str, Any]]) -> Iterator[Fault]:
    """No message shows a content, which may be a secret."""
    for number, file in enumerate(value, 1):
        path = file.get("path")
        if not isinstance(path, str) or not path.startswith("/") or os.path.normpath(path) != path:
            yield f"its file {number} has no path", "write an absolute one, such as path: /etc/kubernetes/audit/policy.yaml"
            continue
        if path.startswith(tuple(f"{directory}/" for directory in KUBEADMS_OWN)):
            yield f"{path} is in a directory that kubeadm manages", "use another directory, such as /etc/kubernetes/audit"
        unknown = sorted(set(file) - {"path", "content", "source", "mode", "secret"})
        if unknown:
            yield f"{path} has {', '.join(unknown)}", "write path, content or source, mode and secret"
        if ("content" in file) == ("source" in file):
            yield f"{path} has {'both content and source' if 'content' in file else 'neither content nor source'}", "write one of them"
        elif not isinstance(file.get("content", ""), str):
            yield f"the content of {path} is not a text", "write it as a block, after content: |"
        elif "source" in file and not str(file["source"]).startswith(("/", "~")):
            yield f"{file['source']!r} is not an absolute path on the controller", f'write one, such as "{{{{ inventory_dir }}}}/{file["source"]}"'
        if not isinstance(file.get("mode", "0600"), str) or not re.fullmatch("0?[0-7]{3}", file.get("mode", "0600")):
            yield f"{path} has the mode {file['mode']!r}", 'write three octal digits in quotes, such as "0600"'
        if not isinstance(file.get("secret", False), bool):
            yield f"{path} has the secret {file['secret']!r}", "write true or false without quotes"
    paths = [file.get("path") for file in value]
    for path in dict.fromkeys(path for path in paths if path and paths.count(path) > 1):
        yield f"{path} is listed more than once", "write it once"


def _workloads(value: list[dict[str, Any]]) -> Iterator[Fault]:
    for workload in value:
        if not {"kind", "name"} <= set(workload) <= {"kind", "namespace", "name"} or workload["kind"] not in ("DaemonSet", "Deployment"):
            yield f"{json.dumps(workload)} names no workload", "write kind (DaemonSet or Deployment), namespace and name"


# When inputs take effect that the next run of `site` does not apply to what is there.
ONCE = "when the cluster is created, and cannot be changed later"
RECONFIGURED = "when the cluster is created; on an existing one, by `reconfigure`"
RECONFIGURED_NODE = "when a node joins; on one that has joined, by `reconfigure`"
UPGRADED = "when the cluster is created; on an existing one, by `upgrade`"
JOINED = "when a node joins, and cannot be changed while it is in the cluster"
RUN = "whenever kubeadm runs"


def option(
    default: Any,
    meaning: str,
    *,
    choices: Sequence[str] = (),
    check: Check | None = None,
    required: bool = False,
    convert: Callable[[Any], Any] | None = None,
    effective: str = "",
) -> Any:
    """One input: what it is when not set, what it means, and what its values must look like.

    `convert` makes of a value what is used. `effective` says when an input takes effect, for those that the next run does not apply.
    """
    metadata = {"default": default, "meaning": meaning, "choices": choices, "check": check, "required": required, "convert": convert, "effective": effective}
    # A dataclass's field all the same: only its metadata is written once.
    return field(default_factory=lambda: default, metadata=metadata)  # pylint: disable=invalid-field-call


def _expanded(value: Any) -> Any:
    """A path on the controller, or each path of a list, with `~` resolved; URLs have none at their beginning."""
    return [os.path.expanduser(text) for text in value] if isinstance(value, list) else os.path.expanduser(value)


# What is switched on the command line, where `-e name=false` is a text.
SWITCHES = ("measure",)

# No message shows their values, and no plan holds them.
SECRETS = ("statistics_password", "proxy_check_certificate", "files")


@dataclass(frozen=True)
class ClusterInputs:
    """The inputs that are one for the whole cluster; `cluster_` stands before every name."""

    endpoint_type: str = option(
        "vip",
        "What forwards connections of the endpoint to the API servers: " + "; ".join(f"`{name}`, {row.meaning}" for name, row in ENDPOINT_TYPES.items()) + ".",
        choices=tuple(ENDPOINT_TYPES),
    )
    endpoint_name: str = option(
        "",
        "DNS name of the endpoint, written to `/etc/hosts` of every node and into the certificates.",
        check=_endpoint_name,
        required=True,
        effective=ONCE,
    )
    endpoint_address: str = option(
        "",
        "Address of the endpoint. With `vip`, an unused address in the network of the proxies; with `load_balancer`, the load balancer's, "
        "or empty if `cluster_endpoint_name` is its DNS name; with the others, empty.",
        check=_address,
    )
    endpoint_port: int | None = option(
        None,
        "Port of the endpoint. Not set: " + ", ".join(f"{row.port} for `{name}`" for name, row in ENDPOINT_TYPES.items()) + ".",
        check=_port,
        effective=ONCE,
    )
    balancer_test: str = option(
        "fail",
        "If the load balancer does not reach every control plane, before anything changes: `fail` stops the run, "
        "`warn` reports it and continues; `skip` omits the test.",
        choices=("fail", "warn", "skip"),
    )
    balancer_wait: int = option(180, "Seconds that the load balancer may take to mark a control plane healthy.", check=_positive)
    failover_budget: float = option(
        1.0,
        "Seconds that any single fault of a `vip` may cost. Timings that could exceed it by the model of `docs/failover.md` are refused.",
        check=_budget,
    )

    name: str = option("kubernetes", "Name of the cluster in kubeconfigs.", check=_word, effective=ONCE)
    kubernetes_version: str = option(
        DEFAULT_KUBERNETES_VERSION, "Exact version of Kubernetes, without `v`.", check=_kubernetes_version, effective=UPGRADED
    )
    upgrade_path: list[str] = option(
        [],
        "The versions that an upgrade brings the cluster to one after the other, `cluster_kubernetes_version` as the last: for more than one minor version, "
        "of which none can be skipped.",
        check=_kubernetes_versions,
    )
    pod_subnets: list[str] = option(
        ["10.244.0.0/16"],
        "Network of the pods; a second one of the other family makes the cluster dual-stack.",
        check=_subnets({4: 24, 6: 64}, {4: 8, 6: 48}),
        effective=ONCE,
    )
    service_subnets: list[str] = option(
        ["10.96.0.0/12"],
        "Network of the Services; for dual-stack a second one, as for the pods.",
        check=_subnets({4: 28, 6: 124}, {4: 12, 6: 108}),
        effective=ONCE,
    )
    dns_domain: str = option("cluster.local", "DNS domain of the Services.", check=_dns_domain, effective=ONCE)
    extra_sans: list[str] = option([], "More names and addresses for the API servers' certificates.", check=_names_or_addresses, effective=RECONFIGURED)

    install_source: str = option(
        "packages",
        "Where kubelet, kubeadm and kubectl come from: `packages`, upstream's repository or a mirror of it; `bundle`, a directory on the controller.",
        choices=("packages", "bundle"),
    )
    bundle_path: str = option(
        "",
        "Directory of the bundle on the controller; `{version}` in it stands for the version of Kubernetes, for which upgrades take a bundle each.",
        check=_controller_path,
        convert=_expanded,
    )
    repository_url: str = option(
        "https://pkgs.k8s.io/core:/stable:/v{minor}",
        "Upstream's repository or a mirror of it, without the `deb` or `rpm` at its end; `{minor}` stands for the version's first two numbers.",
        check=_url,
    )
    repository_key_url: str = option("", "The key of that repository. Not set: where upstream's layout has it.", check=_url)
    image_repository: str = option(
        "registry.k8s.io",
        "Registry, and path in it, of Kubernetes' own images. On an existing cluster, containerd's sandbox image follows at once.",
        check=_registry,
        effective=RECONFIGURED,
    )

    containerd_source: str = option(
        "",
        "Where containerd comes from: `bundle`, `repository` (Docker's `containerd.io`) or `distribution`. Not set: `bundle` with a bundle, else `repository`.",
        choices=("bundle", "repository", "distribution"),
    )
    containerd_version: str = option(
        "", "Exact version of containerd, to install and hold. Not set: the newest that the source has at the first installation.", check=_containerd_version
    )
    containerd_repository_url: str = option(
        "https://download.docker.com/linux", "Docker's repository or a mirror of it, up to the directory that contains the distributions.", check=_url
    )
    containerd_repository_key_url: str = option("", "The key of that repository. Not set: where Docker's layout has it.", check=_url)
    containerd_registry_mirrors: list[dict[str, Any]] = option(
        [],
        "Mirrors of registries for containerd, a list of `registry`, `endpoints` (each with `url`, and where needed `override_path`, `skip_verify`, `ca`) "
        "and `server`: what to ask when no mirror answers. Counts at the next pull.",
        check=_mirrors,
    )
    allow_old_containerd: bool = option(False, "Accept a containerd older than 2.0 for Kubernetes 1.36 and later, which upstream does not support.")
    restrict_oom_score_adj: bool = option(False, "Keep containerd from lowering OOM scores below its own; only for nodes that are containers.")
    cgroup_driver: str = option("systemd", "The cgroup driver of the kubelet and containerd.", choices=("systemd", "cgroupfs"), effective=ONCE)

    pod_network: str = option(
        "calico",
        "The pod network: `calico`; `manifests`, those of `cluster_pod_network_manifests`; `none`, you install one, and nodes are NotReady until then.",
        choices=("calico", "manifests", "none"),
    )
    pod_network_manifests: list[str] = option(
        [], "Manifests of another pod network: paths on the controller or URLs.", check=_controller_paths_or_urls, convert=_expanded
    )
    pod_network_workloads: list[dict[str, str]] = option(
        [], "Workloads to wait for, a list of `kind`, `namespace` and `name`. Not set: every DaemonSet and Deployment in the manifests.", check=_workloads
    )
    calico_version: str = option("3.33.0", "Release of upstream's manifest, if `cluster_calico_manifest` is not set.", check=_calico_version)
    calico_manifest: str = option(
        "",
        "Calico's manifest, a path on the controller or a URL. Not set: the bundle's `manifests/calico.yaml`, else upstream's.",
        check=_controller_path_or_url,
        convert=_expanded,
    )
    calico_encapsulation: str = option("vxlan", "How Calico encapsulates packets between nodes.", choices=tuple(ENCAPSULATIONS))
    calico_backend: str = option("auto", "What creates the routes. `auto`: `vxlan` with the VXLAN encapsulations, `bird` with the others.", choices=BACKENDS)
    calico_image_registry: str = option("", "Registry of Calico's images. Not set: the manifest's own.", check=_registry)

    statistics_user: str = option("admin", "User of HAProxy's statistics page.", check=_word)
    statistics_password: str = option("", "Password of HAProxy's statistics page, needed where HAProxy runs. A secret: keep it in a vault.", check=_one_line)
    proxy_maxconn: int = option(20000, "Maximum number of connections of HAProxy.", check=_positive)
    proxy_check_interval: int | None = option(
        None,
        "Milliseconds between two checks of an API server by HAProxy. Not set: "
        + ", ".join(f"{row.check_interval} for `{name}`" for name, row in ENDPOINT_TYPES.items() if row.check_interval)
        + ". Connection and TLS handshake of a check have the same limit.",
        check=_check_interval,
    )
    proxy_check_timeout: int = option(
        120, "Milliseconds within which an API server must answer such a check; otherwise it gets no new connections until it does.", check=_positive
    )
    proxy_dead_interval: int | None = option(
        None, "Milliseconds between two checks whether an API server is usable. Not set: three times `cluster_proxy_check_interval`.", check=_check_interval
    )
    proxy_dead_timeout: int = option(250, "Milliseconds within which it must answer such a check.", check=_positive)
    proxy_dead_fall: int = option(
        2, "Number of such checks in a row that it may miss before its connections are shut, if another API server is usable.", check=_positive
    )
    proxy_connect_timeout: int = option(
        200, "Milliseconds within which an API server must accept a connection before HAProxy tries another one.", check=_positive
    )
    proxy_check_certificate: str = option(
        "",
        "Client certificate and key, PEM, for the checks of API servers that do not let anonymous users read `/readyz`. A secret: keep it in a vault.",
        check=_certificate_and_key,
    )
    vrrp_advert_interval: int = option(
        100, "Milliseconds between two advertisements of keepalived; a lost active router is replaced after slightly more than three.", check=_advert
    )
    vrrp_router_id: int | None = option(
        None,
        "VRRP router ID, 1 to 255, unique on the network segment. Not set: the endpoint's address as a number, modulo 255, plus 1, "
        "so addresses less than 255 apart never have the same ID.",
        check=_router_id,
    )

    etcd_election_timeout: int | None = option(
        None,
        "Milliseconds without a heartbeat from the leader after which an etcd member calls an election; writes wait for up to twice as long. Not set: "
        "etcd's own, 1000.",
        check=_election,
        effective=RECONFIGURED,
    )
    kubeadm_config: dict[str, Any] = option(
        {},
        "Fields of kubeadm's ClusterConfiguration (v1beta4), such as `apiServer.extraArgs`. Flags merge by name with those that the collection sets, "
        "other lists are united. A field that another input determines is refused, with the name of that input.",
        check=_kubeadm_fields(CLUSTER_CONFIGURATION),
        effective=RECONFIGURED,
    )
    kube_proxy_config: dict[str, Any] = option({}, "Fields of the KubeProxyConfiguration.", effective=RECONFIGURED)
    kubeadm_patches: str = option(
        "",
        "Directory on the controller with patches for kubeadm, named as kubeadm requires (`kube-apiserver+merge.yaml`). Every node gets them in "
        "`/etc/kubernetes/quorum.kubeadm/patches`, workers only those for the kubelet.",
        check=_controller_path,
        convert=_expanded,
        effective=RECONFIGURED_NODE,
    )
    files: list[dict[str, Any]] = option(
        [],
        "Files for every control plane, such as an audit policy: `path`, `content` or `source` (a path on the controller, also of a file that "
        '`ansible-vault` has encrypted), `mode` (`"0600"` when not set), and `secret: true` to keep the content out of all output. They are written before '
        "kubeadm runs, and again when they change; components whose flags name them read them when `reconfigure` restarts them.",
        check=_files,
    )
    ignore_preflight_errors: list[str] = option([], "Preflight checks of kubeadm whose errors become warnings.", effective=RUN)
    drain_timeout: int = option(
        600,
        "Seconds that moving the pods of a node away may take in a procedure that works on one node after the other. A PodDisruptionBudget that does not "
        "let them go by then stops the procedure; it is never overridden.",
        check=_positive,
    )
    workers_at_once: int | str = option(
        1,
        "How many workers such a procedure works on at the same time: a number, or a percentage of all workers, such as `20%`. Control planes: always one.",
        check=_workers_at_once,
    )
    measure: bool = option(True, "Whether such a procedure measures, from two of the nodes, what it costs those who use the cluster.")
    fetch_kubeconfig_to: str = option(
        "", "File on the controller for a copy of the administrator's kubeconfig, mode 0600.", check=_controller_path, convert=_expanded
    )


@dataclass(frozen=True)
class HostInputs:
    """The inputs that each host may have its own value of; `cluster_` stands before every name."""

    node_address: str = option("", "Address of the host in the cluster. Not set: the one its default route uses.", check=_address, effective=JOINED)
    vrrp_interface: str = option("", "Interface of the virtual IP. Not set: the one whose network contains the address.")
    statistics_address: str = option("", "Address on which HAProxy's statistics page listens. Not set: the host's address in the cluster.", check=_address)
    swap: str = option("off", "`off` turns swap off for good; `keep` leaves it on and configures the kubelet to accept it.", choices=("off", "keep"))
    kernel_modules: list[str] = option(["overlay", "br_netfilter"], "Kernel modules to load; empty for containers and for kernels that have them built in.")
    sysctls: dict[str, Any] = option({}, "Additional kernel parameters.")
    kubelet_config: dict[str, Any] = option(
        {},
        "Fields of the KubeletConfiguration. Those that are equal on all nodes become the cluster's; the others become a patch for kubeadm on each node, "
        "which upgrades apply again.",
        effective=RECONFIGURED_NODE,
    )
    kubeadm_node_config: dict[str, Any] = option(
        {},
        "Fields that kubeadm's InitConfiguration and JoinConfiguration (v1beta4) share: `nodeRegistration`, such as its `taints` and "
        "`kubeletExtraArgs`, `timeouts`, and `skipPhases`. They merge like those of `cluster_kubeadm_config`.",
        check=_kubeadm_fields(NODE_CONFIGURATION),
        effective=RECONFIGURED_NODE,
    )


def _faults(definition: Field[Any], value: Any) -> Iterator[Fault]:
    kind = KINDS[str(definition.type)]
    choices: Sequence[str] = definition.metadata["choices"]
    check: Check | None = definition.metadata["check"]
    if not kind.accepts(value):
        seen = f"is not a {kind.name}" if definition.name in SECRETS else f"is {shown(value)}"
        on_the_command_line = "" if kind.name in ("text", "mapping") else "; on the command line, -e takes types only as JSON"
        yield seen, kind.wording + (on_the_command_line if isinstance(value, str) else "")
    elif value == definition.metadata["default"]:
        return
    elif choices and value not in choices:
        yield f"{value!r} is unknown", "write " + " or ".join([", ".join(choices[:-1]), choices[-1]] if len(choices) > 1 else choices)
    elif check is not None:
        yield from check(value)


def read(definition: Field[Any], value: Any) -> tuple[Any, list[Fault]]:
    """The value of an input as it is used, or its default where the value is refused."""
    if value is None:
        return definition.metadata["default"], []
    if isinstance(value, Untemplated):
        return definition.metadata["default"], [(f"cannot be resolved: {value.error}", "define what it refers to")]
    if definition.name in SWITCHES and value in ("true", "false"):
        value = value == "true"
    faults = list(_faults(definition, value))
    if faults:
        return definition.metadata["default"], faults
    convert: Callable[[Any], Any] | None = definition.metadata["convert"]
    return (convert(value) if convert else value), []


class Inputs(NamedTuple):
    """All inputs, and which of them were refused and stand at their default."""

    cluster: ClusterInputs
    hosts: dict[str, HostInputs]
    problems: list[Problem]
    refused: frozenset[str]


def without_secrets(inputs: ClusterInputs | HostInputs) -> dict[str, Any]:
    """All inputs by their names without `cluster_`, but for those that no plan may hold."""
    return {definition.name: getattr(inputs, definition.name) for definition in fields(inputs) if definition.name not in SECRETS}


def unknown_names(variables: Mapping[str, Mapping[str, Any]]) -> Iterator[Problem]:
    known = [PREFIX + definition.name for kind in (ClusterInputs, HostInputs) for definition in fields(kind)]
    for name in sorted({name for values in variables.values() for name in values if name.startswith(PREFIX)} - set(known)):
        nearest = difflib.get_close_matches(name, known, n=1, cutoff=0.75)
        advice = f"did you mean {nearest[0]}?" if nearest else f"names that begin with {PREFIX} are this collection's: see docs/inputs.md, or rename it"
        yield Problem(name, "there is no such input", advice)


def read_inputs(variables: Mapping[str, Mapping[str, Any]]) -> Inputs:
    """The inputs out of the variables of every host of the cluster, by the host's name."""
    problems = list(unknown_names(variables))
    refused: set[str] = set()
    cluster: dict[str, Any] = {}
    for definition in fields(ClusterInputs):
        name = PREFIX + definition.name
        given = {host: values[name] for host, values in variables.items() if values.get(name) is not None}
        hosts, values = list(given), list(given.values())
        other = next((index for index, value in enumerate(values) if value != values[0] or type(value) is not type(values[0])), None)
        if other is not None:
            differ = f"differs between {hosts[0]} and {hosts[other]}"
            problems.append(Problem(name, differ, "it applies to the whole cluster: set it once, for all hosts"))
            refused.add(name)
        value, faults = read(definition, values[0] if values and other is None else None)
        problems.extend(Problem(name, *fault) for fault in faults)
        refused.update(name for _fault in faults)
        cluster[definition.name] = value
    per_host: dict[str, dict[str, Any]] = {host: {} for host in variables}
    for definition in fields(HostInputs):
        name = PREFIX + definition.name
        faulty: dict[Fault, list[str]] = {}
        for host, values_of_host in variables.items():
            per_host[host][definition.name], faults = read(definition, values_of_host.get(name))
            for fault in faults:
                faulty.setdefault(fault, []).append(host)
        problems.extend(Problem(f"{name} of {', '.join(hosts)}", *fault) for fault, hosts in faulty.items())
    hosts_inputs = {host: HostInputs(**values_of_host) for host, values_of_host in per_host.items()}
    return Inputs(ClusterInputs(**cluster), hosts_inputs, problems, frozenset(refused))


def _table(kind: type) -> Iterator[str]:
    yield "| Variable | Type | Default | Meaning |"
    yield "|---|---|---|---|"
    for definition in fields(kind):
        default = definition.metadata["default"]
        text = default if isinstance(default, str) else json.dumps(default)
        written = "**required**" if definition.metadata["required"] else "" if default in ("", None) else f"`{text}`"
        choices: Sequence[str] = definition.metadata["choices"]
        meaning = definition.metadata["meaning"] + (f" One of {', '.join(f'`{choice}`' for choice in choices)}." if choices else "")
        meaning += f" Takes effect {definition.metadata['effective']}." if definition.metadata["effective"] else ""
        yield f"| `{PREFIX}{definition.name}` | {KINDS[str(definition.type)].name} | {written} | {meaning} |"


def markdown() -> str:
    """The text of docs/inputs.md."""
    return "\n".join(
        [
            "# Inputs",
            "",
            "Set them in the inventory, as variables of all hosts of the cluster; any other name that begins with `cluster_` is refused.",
            "Values are checked for all hosts, before anything on any of them changes.",
            "",
            "## One for the whole cluster",
            "",
            *_table(ClusterInputs),
            "",
            "## One for each host",
            "",
            *_table(HostInputs),
            "",
        ]
    )


if __name__ == "__main__":
    print(markdown(), end="")
