# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The static pods of a control plane: their processes, whether they have read their files, whether they serve, and what they said last.

All of it without the API server and without the container runtime's tools, which a node need not have.
"""

from __future__ import annotations

import http.client
import os
import re
import signal
import socket
import ssl
import time
from pathlib import Path
from typing import Callable, NamedTuple, Sequence

from ansible_collections.quorum.kubeadm.plugins.module_utils.api_server import client_context, why_not_ready
from ansible_collections.quorum.kubeadm.plugins.module_utils.certificates import CertificateError, der_certificate
from ansible_collections.quorum.kubeadm.plugins.module_utils.kubeadm_output import redact
from ansible_collections.quorum.kubeadm.plugins.module_utils.node_state import KUBERNETES, PKI, ApiServer, flag, read_api_server
from ansible_collections.quorum.kubeadm.plugins.module_utils.ports import ETCD_CLIENTS, ETCD_PEERS, PORTS

ETCD, KUBE_APISERVER, CONTROLLER_MANAGER, SCHEDULER = "etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler"
# In the order in which they need each other.
COMPONENTS = (ETCD, KUBE_APISERVER, CONTROLLER_MANAGER, SCHEDULER)
MANIFESTS = f"{KUBERNETES}/manifests"
ETCD_CLIENT = f"{PKI}/etcd/healthcheck-client"
# Flags whose value is a file that is read at the start. Not --audit-log-path, which the API server writes.
_FILE_FLAG = re.compile(r"^--[a-z-]*(?:file|kubeconfig|certificate|key|config)=(/.+)$")
_LOG_LINE = re.compile(r"^\S+ (?:stdout|stderr) [FP] (.*)$")
PAUSE = 0.2
ENDED_TOO_OFTEN = 3


class Process(NamedTuple):
    """A component that runs."""

    pid: int
    started: float
    """Seconds since the epoch."""
    command: list[str]


def manifest_of(component: str) -> str:
    """Return the path of a component's manifest, relative to the root directory."""
    return f"{MANIFESTS}/{component}.yaml"


def has(component: str, root: Path) -> bool:
    """Tell whether a component is to run on this node."""
    return (root / manifest_of(component)).exists()


def _manifest(component: str, root: Path) -> str:
    try:
        return (root / manifest_of(component)).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def processes(component: str, root: Path = Path("/")) -> list[Process]:
    """Return the processes of a component that the kubelet's containers run; the kernel's count of time since boot gives their age."""
    found = []
    for entry in (root / "proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            command = (entry / "cmdline").read_bytes().decode("utf-8", "replace").rstrip("\0").split("\0")
            if os.path.basename(command[0]) != component or "kubepods" not in (entry / "cgroup").read_text(encoding="utf-8"):
                continue
            # After the name in parentheses, which may hold anything: proc_pid_stat(5), field 22.
            ticks = int((entry / "stat").read_text(encoding="utf-8").rpartition(")")[2].split()[19])
        except (OSError, ValueError, IndexError):  # it has ended meanwhile
            continue
        age = time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf("SC_CLK_TCK")
        found.append(Process(int(entry.name), time.time() - age, command))
    return found


def files_read(command: Sequence[str], root: Path = Path("/")) -> list[Path]:
    """Return the files that the flags of a component name, as far as they are on the node by the same path."""
    named = (_FILE_FLAG.match(argument) for argument in command)
    paths = [root / found.group(1).lstrip("/") for found in named if found]
    return [path for path in paths if path.is_file()]


def is_outdated(process: Process, root: Path = Path("/")) -> bool:
    """Tell whether a process began before a file that it reads at its start was last written."""
    return any(path.stat().st_mtime > process.started for path in files_read(process.command, root))


def outdated(root: Path = Path("/")) -> list[str]:
    """Return the components that run with older files than there are."""
    return [component for component in COMPONENTS if has(component, root) and any(is_outdated(one, root) for one in processes(component, root))]


def _healthz(url_scheme: str, address: str, port: int, path: str) -> str | None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    # They sign their certificates themselves, at each start.
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    connection = (
        http.client.HTTPSConnection(address, port, timeout=2, context=context)
        if url_scheme == "https"
        else http.client.HTTPConnection(address, port, timeout=2)
    )
    where = f"{url_scheme}://{address}:{port}{path}"
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        body = answer.read().decode("utf-8", "replace")
    except (OSError, http.client.HTTPException) as error:
        return f"{where} does not answer: {error}"
    finally:
        connection.close()
    failing = [line for line in body.splitlines() if line.startswith("[-]")]
    return None if answer.status == 200 else f"{where} answers {answer.status}: {', '.join(failing) or body.strip()[:200]}"


def why_unhealthy(component: str, root: Path = Path("/")) -> str | None:
    """Return None where a component says that it is well, or else why it is not: one sentence."""
    manifest = _manifest(component, root)
    if component == KUBE_APISERVER:
        server = read_api_server(root)
        return why_not_ready(root, server) if server else "there is no manifest of it"
    if component == ETCD:
        found = re.match(r"(https?)://(.+):(\d+)$", (flag(manifest, "listen-metrics-urls") or "").split(",")[0])
        return _healthz(found.group(1), found.group(2).strip("[]"), int(found.group(3)), "/readyz") if found else None
    port = int(flag(manifest, "secure-port") or next(port.number for port in PORTS if port.process == component))
    address = flag(manifest, "bind-address") or "127.0.0.1"
    own = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(address, address)
    return _healthz("https", own, port, "/healthz") if port else None


def shown_certificate(address: str, port: int, context: ssl.SSLContext, timeout: float = 5.0) -> bytes:
    """Return the certificate that a TLS server shows, DER; raise OSError when it shows none."""
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with socket.create_connection((address, port), timeout) as connection, context.wrap_socket(connection) as tls:
        return tls.getpeercert(binary_form=True) or b""


def served_files(component: str, root: Path = Path("/")) -> list[tuple[ApiServer, str]]:
    """Return where a component serves by which certificate file, relative to the root directory."""
    manifest = _manifest(component, root)
    if component == KUBE_APISERVER:
        server = read_api_server(root)
        return [(server, (flag(manifest, "tls-cert-file") or f"/{PKI}/apiserver.crt").lstrip("/"))] if server else []
    if component == ETCD:
        clients, peers = ((flag(manifest, f"listen-{side}-urls") or "").split(",")[-1] for side in ("client", "peer"))
        own = re.match(r"https://(.+):\d+$", peers or clients)
        address = own.group(1).strip("[]") if own else "127.0.0.1"
        return [(ApiServer(address, ETCD_CLIENTS), f"{PKI}/etcd/server.crt"), (ApiServer(address, ETCD_PEERS), f"{PKI}/etcd/peer.crt")]
    return []


def why_not_served(component: str, root: Path = Path("/")) -> str | None:
    """Return None where a component shows the certificates that its files hold, or else which it does not: one sentence."""
    for server, path in served_files(component, root):
        try:
            context = client_context(root / (f"{PKI}/etcd/ca.crt" if component == ETCD else f"{PKI}/ca.crt"), *(_client(root) if component == ETCD else ()))
            shown = shown_certificate(server.address, server.port, context)
            wanted = der_certificate((root / path).read_text(encoding="utf-8"))
        except (OSError, CertificateError) as error:
            return f"{server.url} shows no certificate: {error}"
        if shown != wanted:
            return f"{server.url} shows another certificate than that of {root / path}"
    return None


def _client(root: Path) -> tuple[Path, Path]:
    return root / f"{ETCD_CLIENT}.crt", root / f"{ETCD_CLIENT}.key"


def last_words(component: str, root: Path = Path("/"), lines: int = 6) -> str:
    """Return the end of a component's newest log that says something, without secrets; the kubelet keeps one for each start of a container."""
    logs = sorted((root / "var/log/pods").glob(f"kube-system_{component}-*/{component}/*.log"), key=lambda path: path.stat().st_mtime, reverse=True)
    for log in logs[:2]:
        with open(log, "rb") as file:
            file.seek(max(0, log.stat().st_size - 16384))
            text = file.read().decode("utf-8", "replace")
        said = [found.group(1).rstrip() for found in map(_LOG_LINE.match, text.splitlines()) if found]
        # Of what fails: the errors of klog, and what a program prints when it does not start.
        errors = [line for line in said if re.match(r"[EF]\d{4} |Error:|error:|panic:|\{\"level\":\"(?:error|fatal)", line)]
        if errors or said:
            return redact("\n".join((errors or said)[-lines:]))
    return f"it has no log below {root / 'var/log/pods'}"


class NotUp(Exception):
    """A component did not come up."""


def wait_up(component: str, gone: Sequence[int], timeout: float, root: Path = Path("/"), sleep: Callable[[float], None] = time.sleep) -> None:
    """Wait until a component runs in a process that is none of these, and is well; raise NotUp with what it said last."""
    deadline = time.monotonic() + timeout
    begun: set[int] = set()
    while True:
        running = processes(component, root)
        begun.update(one.pid for one in running if one.pid not in gone)
        # One that waits for another may end once or twice.
        if len(begun - {one.pid for one in running}) >= ENDED_TOO_OFTEN:
            raise NotUp(f"{component} ends again and again. Its last words: {last_words(component, root)}")
        if not running:
            reason: str | None = "it does not run"
        elif any(one.pid in gone for one in running):
            reason = "the process of before has not ended"
        else:
            reason = why_unhealthy(component, root)
        if reason is None:
            return
        if time.monotonic() >= deadline:
            raise NotUp(f"{component} is not up after {timeout:g} seconds: {reason}. Its last words: {last_words(component, root)}")
        sleep(PAUSE)


def start_anew(component: str, timeout: float, root: Path = Path("/")) -> None:
    """End a component in order, and wait until the kubelet has started it anew and it is well.

    Its container is started anew in the same pod: deleting the mirror pod would do nothing (kubernetes#103575), and the manifest stays where it is,
    because kubeadm wants it there.
    """
    before = processes(component, root)
    for process in before:
        try:
            os.kill(process.pid, signal.SIGTERM)
        except ProcessLookupError:
            continue
    wait_up(component, [process.pid for process in before], timeout, root)
