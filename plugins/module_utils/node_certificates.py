# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The certificates of a node: kubeadm's, those inside kubeconfig files, the kubelet's, and the CAs.

Names and paths are those of cmd/kubeadm/app/phases/certs/renewal/manager.go of k8s.io/kubernetes v1.37.2; kubeadm does not know the kubelet's.
"""

from __future__ import annotations

import base64
import binascii
import re
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Iterator, NamedTuple, Optional, TypedDict

from ansible_collections.quorum.kubeadm.plugins.module_utils.certificates import CertificateError, alternative_names, validity
from ansible_collections.quorum.kubeadm.plugins.module_utils.node_state import ADMIN_KUBECONFIG, KUBELET_CERTIFICATE, KUBERNETES, PKI, SUPER_ADMIN_KUBECONFIG


class Place(NamedTuple):
    """Where a certificate is, and who makes it."""

    name: str
    """kubeadm's, or ours for those that kubeadm does not know."""
    path: str
    authority: bool = False
    kubelets: bool = False
    """Whether the kubelet makes it, by itself or by a request to the cluster."""


KUBELET_CLIENT = "kubelet-client"
KUBELET_SERVER = "kubelet-server"
# What the kubelet signs for itself, once, where serverTLSBootstrap is off; it never makes it anew (pkg/kubelet: GenerateSelfSignedCertKey).
KUBELET_SELF_SIGNED = "var/lib/kubelet/pki/kubelet.crt"
KUBELET_SIGNED_BY_CLUSTER = "var/lib/kubelet/pki/kubelet-server-current.pem"

PLACES = (
    Place("admin.conf", ADMIN_KUBECONFIG),
    Place("apiserver", f"{PKI}/apiserver.crt"),
    Place("apiserver-etcd-client", f"{PKI}/apiserver-etcd-client.crt"),
    Place("apiserver-kubelet-client", f"{PKI}/apiserver-kubelet-client.crt"),
    Place("controller-manager.conf", f"{KUBERNETES}/controller-manager.conf"),
    Place("etcd-healthcheck-client", f"{PKI}/etcd/healthcheck-client.crt"),
    Place("etcd-peer", f"{PKI}/etcd/peer.crt"),
    Place("etcd-server", f"{PKI}/etcd/server.crt"),
    Place("front-proxy-client", f"{PKI}/front-proxy-client.crt"),
    Place("scheduler.conf", f"{KUBERNETES}/scheduler.conf"),
    Place("super-admin.conf", SUPER_ADMIN_KUBECONFIG),
    Place(KUBELET_CLIENT, KUBELET_CERTIFICATE, kubelets=True),
    Place(KUBELET_SERVER, KUBELET_SIGNED_BY_CLUSTER, kubelets=True),
    Place(KUBELET_SERVER, KUBELET_SELF_SIGNED, kubelets=True),
    Place("ca", f"{PKI}/ca.crt", authority=True),
    Place("etcd-ca", f"{PKI}/etcd/ca.crt", authority=True),
    Place("front-proxy-ca", f"{PKI}/front-proxy-ca.crt", authority=True),
)
AUTHORITIES = tuple(place.name for place in PLACES if place.authority)
RENEWED_BY_KUBEADM = tuple(place.name for place in PLACES if not (place.authority or place.kubelets))

DUE = timedelta(days=30)
URGENT = timedelta(days=7)

TIME_FORMAT = "%Y-%m-%dT%H:%M:%SZ"
_EMBEDDED = re.compile(r"^\s+client-certificate-data:\s*[\"']?([A-Za-z0-9+/=]+)", re.MULTILINE)


class Certificate(TypedDict):
    """A certificate that was found on a node."""

    name: str
    path: str
    not_before: Optional[str]
    not_after: Optional[str]
    """Both UTC, ISO 8601; None where the file holds no certificate that can be read."""
    names: list[str]
    """Its DNS names and addresses."""


def embedded_certificate(kubeconfig: str) -> str | None:
    """Return the client certificate inside a kubeconfig, PEM; None when it has none, or names a file."""
    found = _EMBEDDED.search(kubeconfig)
    if found is None:
        return None
    try:
        return base64.b64decode(found.group(1), validate=True).decode("utf-8", "replace")
    except (binascii.Error, ValueError):
        return ""


def read_certificates(root: Path) -> list[Certificate]:
    """Return the certificates that are on the node below ``root``, in the order of the table."""
    return [certificate for place in PLACES for certificate in _read(root, place)]


def _read(root: Path, place: Place) -> Iterator[Certificate]:
    try:
        text = (root / place.path).read_text(encoding="utf-8", errors="replace")
    except (FileNotFoundError, NotADirectoryError):
        return
    pem = embedded_certificate(text) if place.path.endswith(".conf") else text
    if pem is None:
        return
    try:
        since, until = (moment.strftime(TIME_FORMAT) for moment in validity(pem))
        yield Certificate(name=place.name, path=f"/{place.path}", not_before=since, not_after=until, names=alternative_names(pem))
    except CertificateError:
        yield Certificate(name=place.name, path=f"/{place.path}", not_before=None, not_after=None, names=[])


def _moment(text: str) -> datetime:
    return datetime.strptime(text, TIME_FORMAT).replace(tzinfo=timezone.utc)


def time_left(certificate: Certificate, now: datetime) -> timedelta:
    """Return how long a certificate is still valid: less than nothing of one that has expired, nothing of one that cannot be read."""
    return _moment(certificate["not_after"]) - now if certificate["not_after"] else timedelta(0)


def has_expired(certificate: Certificate, now: datetime) -> bool:
    """Tell whether a certificate is no longer valid, or cannot be read."""
    return time_left(certificate, now) <= timedelta(0)


def is_due(certificate: Certificate, now: datetime) -> bool:
    """Tell whether it is time to renew a certificate."""
    return time_left(certificate, now) < _bound(certificate, DUE, 12)


def is_urgent(certificate: Certificate, now: datetime) -> bool:
    """Tell whether a certificate should have been renewed long ago."""
    return time_left(certificate, now) < _bound(certificate, URGENT, 50)


def _bound(certificate: Certificate, usual: timedelta, part: int) -> timedelta:
    """Return the usual bound, or a part of the certificate's life where that is less: a kubelet's that lives for a day is not always due.

    The kubelet requests its next one when a tenth to three tenths of its life are left (client-go/util/certificate, nextRotationDeadline).
    """
    since, until = certificate["not_before"], certificate["not_after"]
    return min(usual, (_moment(until) - _moment(since)) / part) if since and until else usual
