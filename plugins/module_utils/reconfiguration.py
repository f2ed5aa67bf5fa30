# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bring the components of a node to other settings: what does not come up gets the old ones back."""

from __future__ import annotations

import http.client
import re
import time
from pathlib import Path
from typing import Callable, Iterable, NamedTuple, Sequence

from ansible_collections.quorum.kubeadm.plugins.module_utils import kept_files, static_pods
from ansible_collections.quorum.kubeadm.plugins.module_utils.command import Runner
from ansible_collections.quorum.kubeadm.plugins.module_utils.kubeadm_config import Document
from ansible_collections.quorum.kubeadm.plugins.module_utils.kubeadm_output import redact
from ansible_collections.quorum.kubeadm.plugins.module_utils.kubeadm_render import KUBELET_FILES, Difference
from ansible_collections.quorum.kubeadm.plugins.module_utils.kubeadm_run import KubeadmError, kubeadm
from ansible_collections.quorum.kubeadm.plugins.module_utils.node_state import PKI
from ansible_collections.quorum.kubeadm.plugins.module_utils.static_pods import COMPONENTS, KUBE_APISERVER, NotUp

KUBELET = "kubelet"
API_SERVER_CERTIFICATE = (f"{PKI}/apiserver.crt", f"{PKI}/apiserver.key")
KUBELET_CONFIGURATION = KUBELET_FILES["config.yaml"]
PAUSE = 0.5
BACK = "The old settings are back on this node, and it serves with them."
# What kubeadm gives files that are new: it writes manifests and the kubelet's files so.
MANIFEST_MODE, KUBELET_MODE = 0o600, 0o644


def component_of(path: str) -> str:
    """Return the component that reads a file of kubeadm's."""
    return KUBELET if path.lstrip("/") in KUBELET_FILES.values() else Path(path).stem


class Change(NamedTuple):
    """What is to be changed on a node."""

    files: Sequence[Difference]
    """kubeadm's files that are to be written."""
    certificate: Sequence[Document]
    """The documents by which kubeadm makes the API server's certificate anew; none where it stays."""

    @property
    def components(self) -> list[str]:
        """The components that are changed, in the order in which they are."""
        changed = {component_of(file["path"]) for file in self.files} | ({KUBE_APISERVER} if self.certificate else set())
        return [component for component in (*COMPONENTS, KUBELET) if component in changed]


def kept_by(change: Change, others: Iterable[str]) -> list[str]:
    """Return the files to keep before the change, relative to the root directory, with others that whoever changes them names."""
    return [*(file["path"].lstrip("/") for file in change.files), *API_SERVER_CERTIFICATE, *(path.lstrip("/") for path in others)]


class Failed(Exception):
    """The node did not come up with what is new; the text is for the operator."""

    def __init__(self, why: str, restored: bool) -> None:
        """Say why, and whether the node serves with its old settings again."""
        super().__init__(why)
        self.restored = restored


def wait_kubelet(timeout: float, runner: Runner, root: Path, sleep: Callable[[float], None] = time.sleep) -> None:
    """Wait until the kubelet is well; raise NotUp with what it said last."""
    configuration = (root / KUBELET_CONFIGURATION).read_text(encoding="utf-8")
    port = re.search(r"^healthzPort: (\d+)$", configuration, re.MULTILINE)
    if port and port.group(1) == "0":
        return
    address = re.search(r"^healthzBindAddress: \"?([0-9a-fA-F.:]+)\"?$", configuration, re.MULTILINE)
    own = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(address.group(1), address.group(1)) if address else "127.0.0.1"
    deadline = time.monotonic() + timeout
    while True:
        connection = http.client.HTTPConnection(own, int(port.group(1)) if port else 10248, timeout=2)
        try:
            connection.request("GET", "/healthz")
            answer = connection.getresponse()
            reason = "" if answer.status == 200 else f"its /healthz answers {answer.status}"
        except (OSError, http.client.HTTPException) as error:
            reason = f"its /healthz does not answer: {error}"
        finally:
            connection.close()
        if not reason:
            return
        if time.monotonic() >= deadline:
            said = runner(["journalctl", "--unit", "kubelet.service", "--lines", "40", "--output", "cat", "--no-pager"]).stdout.splitlines()
            errors = [line for line in said if re.match(r"[EF]\d{4} |Error:", line)] or said
            raise NotUp(f"the kubelet is not up after {timeout:g} seconds: {reason}. Its last words: {redact(chr(10).join(errors[-4:]))}")
        sleep(PAUSE)


class Trial:
    """A change on one node, until it is judged."""

    def __init__(self, runner: Runner, timeout: float, root: Path = Path("/")) -> None:
        """`timeout`: the seconds for each component."""
        self.runner, self.timeout, self.root = runner, timeout, root

    def run(self, change: Change) -> list[str]:
        """Make the change, one component after the other, and return those that were started anew. Raise Failed when the old settings are back."""
        try:
            started = self._make(change)
        except (KubeadmError, NotUp) as error:
            trouble = self._put_back()
            came_of_it = f"The old settings are back in its files, but it does not come up with them either: {trouble}" if trouble else BACK
            raise Failed(f"{error}\n{came_of_it}", restored=not trouble) from None
        kept_files.forget(self.root)
        return started

    def _make(self, change: Change) -> list[str]:
        started = []
        if change.certificate:
            self._make_certificate(change.certificate)
        for component in (one for one in COMPONENTS if static_pods.has(one, self.root)):
            files = [file for file in change.files if component_of(file["path"]) == component]
            before = [process.pid for process in static_pods.processes(component, self.root)]
            self._write(files)
            if files:
                # The kubelet sees the manifest and makes the pod anew.
                static_pods.wait_up(component, before, self.timeout, self.root)
            elif component in static_pods.outdated(self.root):
                static_pods.start_anew(component, self.timeout, self.root)
            else:
                # It may be an earlier run that has written its file, and was killed.
                static_pods.wait_up(component, [], self.timeout, self.root)
                continue
            started.append(component)
            problem = static_pods.why_not_served(component, self.root)
            if problem:
                raise NotUp(f"{component} runs, but {problem}")
        files = [file for file in change.files if component_of(file["path"]) == KUBELET]
        self._write(files)
        if files:
            self._restart_kubelet()
            started.append(KUBELET)
        wait_kubelet(self.timeout, self.runner, self.root)
        return started

    def _make_certificate(self, documents: Sequence[Document]) -> None:
        """Let kubeadm make the API server's certificate, which it does only where there is none."""
        for path in API_SERVER_CERTIFICATE:
            (self.root / path).unlink(missing_ok=True)
        kubeadm(self.runner, ["init", "phase", "certs", "apiserver"], documents)

    def _write(self, files: Sequence[Difference]) -> None:
        for file in files:
            target = self.root / file["path"].lstrip("/")
            new = KUBELET_MODE if component_of(file["path"]) == KUBELET else MANIFEST_MODE
            kept_files.write(target, file["wanted"].encode(), target.stat().st_mode & 0o777 if target.exists() else new)

    def _restart_kubelet(self) -> None:
        done = self.runner(["systemctl", "restart", "kubelet.service"])
        if done.rc != 0:
            raise NotUp(f"the kubelet cannot be restarted: {done.stderr.strip()}")

    def _put_back(self) -> str:
        """Give the node its old settings back, and return why it does not come up with them; nothing where it does."""
        before = {component: [process.pid for process in static_pods.processes(component, self.root)] for component in COMPONENTS}
        back = kept_files.put_back(self.root)
        changed = {component_of(path) for path in back}
        try:
            if KUBELET in changed:
                self._restart_kubelet()
            for component in (one for one in COMPONENTS if static_pods.has(one, self.root)):
                if component in changed:
                    static_pods.wait_up(component, before[component], self.timeout, self.root)
                elif component in static_pods.outdated(self.root):
                    static_pods.start_anew(component, self.timeout, self.root)
            if KUBELET in changed:
                wait_kubelet(self.timeout, self.runner, self.root)
        except NotUp as error:
            return str(error)
        kept_files.forget(self.root)
        return ""
