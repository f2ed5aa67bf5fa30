# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ask an API server as a node does: whether it is ready, and what it knows of the node."""

from __future__ import annotations

import http.client
import json
import socket
import ssl
import time
from pathlib import Path
from typing import Any

from ansible_collections.quorum.kubeadm.plugins.module_utils.node_state import CA_CERTIFICATE, KUBELET_CERTIFICATE, PKI, ApiServer
from ansible_collections.quorum.kubeadm.plugins.module_utils.tls_answer import subject_alt_names

CLIENT = f"{PKI}/apiserver-kubelet-client"


def client_context(ca: Path, certificate: Path | None = None, key: Path | None = None) -> ssl.SSLContext:
    """Trust one CA alone. Not create_default_context: its strict X.509 rules refuse CAs made by other tools."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(cafile=str(ca))
    if certificate and certificate.exists():
        context.load_cert_chain(str(certificate), str(key) if key else None)
    return context


def _get(server: ApiServer, path: str, context: ssl.SSLContext, timeout: float) -> tuple[int, str]:
    connection = http.client.HTTPSConnection(server.address, server.port, timeout=timeout, context=context)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read().decode("utf-8", "replace")
    finally:
        connection.close()


def why_not_ready(root: Path, server: ApiServer, timeout: float = 2.0) -> str | None:
    """Return None when ``/readyz`` says ok, or else why it is not: one sentence."""
    where = f"{server.url}/readyz"
    try:
        # Not anonymously: that may be switched off.
        context = client_context(root / CA_CERTIFICATE, root / f"{CLIENT}.crt", root / f"{CLIENT}.key")
        status, body = _get(server, "/readyz", context, timeout)
    except (OSError, http.client.HTTPException) as error:
        return f"{where} does not answer: {error}"
    if status == 200:
        return None
    failing = [line[3:] for line in body.splitlines() if line.startswith("[-]")]
    return f"{where} answers {status}: {', '.join(failing) or body.strip()[:200]}"


def read_own_node(root: Path, server: ApiServer, name: str, timeout: float = 2.0) -> dict[str, Any] | None:
    """Return this node's own Node object, asked for as its kubelet, or None when there is none or nobody says so."""
    try:
        context = client_context(root / CA_CERTIFICATE, root / KUBELET_CERTIFICATE)
        status, body = _get(server, f"/api/v1/nodes/{name}", context, timeout)
        node: dict[str, Any] | None = json.loads(body) if status == 200 else None
    except (OSError, ValueError, http.client.HTTPException):
        return None
    return node


def wait_ready(root: Path, server: ApiServer, timeout: float) -> str | None:
    """Wait until the API server is ready, at most ``timeout`` seconds; return why it is not, or None."""
    deadline = time.monotonic() + timeout
    while True:
        reason = why_not_ready(root, server)
        if reason is None or time.monotonic() >= deadline:
            return reason
        time.sleep(0.2)


def served_names(root: Path, server: ApiServer, timeout: float = 2.0) -> list[str]:
    """Return the names and addresses of the certificate that an API server shows, in its order; raise OSError when it shows none of the cluster's CA."""
    context = client_context(root / CA_CERTIFICATE)
    # Whatever it is for.
    context.check_hostname = False
    with socket.create_connection((server.address, server.port), timeout) as connection, context.wrap_socket(connection) as tls:
        return subject_alt_names(tls.getpeercert() or {})
