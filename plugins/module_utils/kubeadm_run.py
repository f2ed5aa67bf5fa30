# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run kubeadm so that a run killed anywhere is recognised and can be taken up again."""

from __future__ import annotations

import contextlib
import fcntl
import functools
import os
import shutil
import time
from pathlib import Path
from typing import Any, Iterator, Sequence

from ansible_collections.quorum.kubeadm.plugins.module_utils.command import Result, Runner, run
from ansible_collections.quorum.kubeadm.plugins.module_utils.kubeadm_config import Document, render, reset_configuration
from ansible_collections.quorum.kubeadm.plugins.module_utils.kubeadm_output import redact
from ansible_collections.quorum.kubeadm.plugins.module_utils.node_state import (
    ADMIN_KUBECONFIG,
    CA_CERTIFICATE,
    CA_KEY,
    ETCD_DATA,
    KUBERNETES,
    PKI,
    UNFINISHED_MARK,
    Work,
)

LOCK = "run/quorum.kubeadm.lock"
_ERRORS = ("error", "Error", "[preflight] Some fatal errors")
_NOISE = ("To see the stack trace of this error", "[preflight] If you know what you are doing")


class KubeadmError(RuntimeError):
    """kubeadm failed; its words are in ``result``, free of secrets."""

    def __init__(self, what: str, result: Result) -> None:
        """Say what failed in kubeadm's own last words."""
        how = f"was killed by signal {-result.rc}" if result.rc < 0 else f"failed (exit status {result.rc})"
        super().__init__(f"{what} {how}: {last_words(result)}")
        self.result = Result(result.rc, redact(result.stdout), redact(result.stderr))

    @property
    def returned(self) -> dict[str, Any]:
        """What a module returns of kubeadm beside its message: exit status and output."""
        return self.result._asdict()


class BusyError(RuntimeError):
    """A kubeadm of an earlier run is still at work."""


def last_words(result: Result, lines: int = 12) -> str:
    """Return what explains a failure, without secrets: kubeadm's error, or the end of what it said when it could not say one."""
    said = [line.rstrip() for line in result.stderr.splitlines() if line.strip() and not line.strip().startswith(_NOISE)]
    errors = [number for number, line in enumerate(said) if line.startswith(_ERRORS)]
    if errors:
        return redact("\n".join(said[errors[0] :]))
    steps = [line.rstrip() for line in result.stdout.splitlines() if line.strip()]
    return redact("\n".join(steps[-lines // 2 :] + said[-lines // 2 :])) or "it said nothing"


@contextlib.contextmanager
def exclusively(root: Path = Path("/"), patience: float = 300.0) -> Iterator[Runner]:
    """Yield a runner, with the lock held that one kubeadm at a time may hold.

    When a connection breaks, kubeadm goes on alone: it inherits the lock, and the next run waits for its end
    instead of resetting a node under it.
    """
    path = root / LOCK
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        deadline = time.monotonic() + patience
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    raise BusyError(
                        f"a kubeadm that an earlier run started is still at work after {patience:g} seconds: "
                        f"look at `fuser -v {path}`, wait for it or end it, and run again"
                    ) from None
                time.sleep(0.5)
        yield functools.partial(run, pass_fds=(descriptor,))
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def unfinished(work: Work, root: Path = Path("/")) -> Iterator[None]:
    """Mark the node as being worked on; the mark stays when the work fails or is killed."""
    mark = root / UNFINISHED_MARK
    mark.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    mark.write_text(f"{work}\n", encoding="utf-8")
    yield
    mark.unlink()


def command(arguments: Sequence[str], must_reset: bool) -> str:
    """Return what is run on a node, for a person to read."""
    return ("kubeadm reset && " if must_reset else "") + " ".join(["kubeadm", *arguments])


def kubeadm(runner: Runner, arguments: Sequence[str], documents: Sequence[Document]) -> Result:
    """Run kubeadm with its configuration on standard input, and raise its own words when it fails."""
    result = runner(["kubeadm", *arguments, "--config", "/dev/stdin"], render(documents))
    if result.rc != 0:
        raise KubeadmError("kubeadm " + " ".join(arguments), result)
    return Result(result.rc, redact(result.stdout), redact(result.stderr))


def _empty(directory: Path, keep: Sequence[Path] = ()) -> None:
    """Remove what is in a directory, but not the directory: it may be a mount point."""
    if not directory.is_dir():
        return
    for entry in directory.iterdir():
        if entry in keep:
            continue
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        else:
            entry.unlink()


def reset(runner: Runner, cri_socket: str, keep_authority: bool, root: Path = Path("/")) -> Result:
    """Take a node back to where kubeadm had not yet been, the cluster's CA aside when it is to be kept.

    The CA that was made beforehand is trusted by proxies on other machines already. kubeadm is pointed at a
    directory that does not exist instead of the certificates, so that a kill in between never loses the CA.
    Its etcd phase is skipped: it wants an API server that answers, and leaves the data when there is none.
    """
    nowhere = root / KUBERNETES / "quorum.kubeadm.nowhere"
    result = kubeadm(runner, ["reset"], [reset_configuration(cri_socket, str(nowhere), ["remove-etcd-member"])])
    _empty(root / ETCD_DATA)
    _empty(root / PKI, keep=(root / UNFINISHED_MARK, *([root / CA_CERTIFICATE, root / CA_KEY] if keep_authority else [])))
    return result


def install_kubeconfig(target: Path, root: Path = Path("/"), check_mode: bool = False) -> bool:
    """Copy admin.conf for a user who has none or an old one, mode 0600; return whether that changed anything."""
    source = root / ADMIN_KUBECONFIG
    if not source.exists():  # check mode on a node that is still to be initialised or joined
        return True
    content = source.read_bytes()
    if target.exists() and target.read_bytes() == content and target.stat().st_mode & 0o777 == 0o600:
        return False
    if not check_mode:
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        temporary = target.with_name(f".{target.name}.quorum")
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        os.replace(temporary, target)
    return True
