# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A snapshot of etcd through its JSON gateway, so that a node needs no etcdctl, and whether it is whole."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any, BinaryIO, Iterable, Iterator, NamedTuple

from ansible_collections.quorum.kubeadm.plugins.module_utils.api_server import client_context
from ansible_collections.quorum.kubeadm.plugins.module_utils.etcd import CLIENT_CERTIFICATE, CLIENT_KEY, ETCD_PKI, EtcdError

PATH = "/v3/maintenance/snapshot"
# etcd pads its database to whole pages of at least this, and appends the SHA-256 of all of it (server/etcdserver/api/v3rpc/maintenance.go).
PAGE = 512
HASH = hashlib.sha256().digest_size
# The page with the first magic number of bbolt (internal/common/types.go), four bytes in the byte order of the machine, behind the page's header.
MAGIC, MAGIC_AT = 0xED0CDAED, 16


class Written(NamedTuple):
    """What was written: bytes of the database, without the hash behind it, and that hash in hexadecimal digits."""

    size: int
    sha256: str


def blobs(lines: Iterable[bytes]) -> Iterator[bytes]:
    """Return the parts of the database out of the gateway's answer, one JSON document a line; raise EtcdError for what etcd says in place of one."""
    for line in lines:
        if not line.strip():
            continue
        try:
            message: dict[str, Any] = json.loads(line)
            result = message.get("result") or {}
            if "error" in message:
                raise EtcdError(f"etcd gave no whole snapshot: {message['error'].get('message', message['error'])}")
            yield base64.b64decode(result.get("blob", ""), validate=True)
        except (ValueError, AttributeError) as error:
            raise EtcdError(f"etcd's answer is not a snapshot: {error}") from None


def write(parts: Iterable[bytes], target: BinaryIO) -> None:
    """Write the parts one after the other."""
    for part in parts:
        target.write(part)


def verify(path: Path) -> Written:
    """Check a snapshot by the hash that etcd has appended and by the database's magic number; raise EtcdError when it is not whole.

    The check of `etcdutl snapshot restore` (etcdutl/snapshot/v3_snapshot.go).
    """
    length = path.stat().st_size
    if length < PAGE + HASH or length % PAGE != HASH:
        raise EtcdError(f"{path} has {length} bytes: a snapshot is whole pages of {PAGE} and a hash of {HASH}, so this one is cut off")
    digest = hashlib.sha256()
    left = length - HASH
    with path.open("rb") as file:
        head = file.read(MAGIC_AT + 4)
        file.seek(0)
        while left:
            chunk = file.read(min(left, 1 << 20))
            digest.update(chunk)
            left -= len(chunk)
        told = file.read(HASH)
    if digest.digest() != told:
        raise EtcdError(f"{path} does not match the hash that etcd has appended: it is damaged")
    if MAGIC not in (int.from_bytes(head[MAGIC_AT:], order) for order in ("little", "big")):
        raise EtcdError(f"{path} is no database of etcd")
    return Written(length - HASH, digest.hexdigest())


def fetch(endpoint: str, path: Path, root: Path = Path("/"), timeout: float = 60.0) -> Written:
    """Fetch a snapshot of a member into a file, mode 0600, that is there only when it is whole.

    timeout: seconds that etcd may be silent. Raises EtcdError when it does not answer, or not with a snapshot.
    """
    context = client_context(root / ETCD_PKI / "ca.crt", root / CLIENT_CERTIFICATE, root / CLIENT_KEY)
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context))
    url = endpoint.rstrip("/") + PATH
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.partial")
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as target:
            try:
                with opener.open(urllib.request.Request(url, b"{}", {"Content-Type": "application/json"}), timeout=timeout) as answer:
                    write(blobs(answer), target)
            except urllib.error.HTTPError as error:
                raise EtcdError(f"{url} answers {error.code}: {error.read(500).decode('utf-8', 'replace').strip()}") from None
            except OSError as error:
                raise EtcdError(f"{url}: {error}") from None
            target.flush()
            os.fsync(target.fileno())
        written = verify(partial)
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)
    return written


def surplus(directory: Path, prefix: str, keep: int) -> list[Path]:
    """Return the snapshots of a directory beyond the newest ones."""
    snapshots = sorted(directory.glob(f"{prefix}*.db"), key=lambda path: path.stat().st_mtime, reverse=True)
    return snapshots[keep:]
