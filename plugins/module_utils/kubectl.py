# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""kubectl with a deadline: what it says is kept, and only lost connections are tried again."""

from __future__ import annotations

import json
import re
import time
from typing import Any, Callable, Dict, List, Optional, Sequence

from ansible_collections.quorum.kubeadm.plugins.module_utils.command import Result, run

KubernetesObject = Dict[str, Any]


BoundedRunner = Callable[[Sequence[str], Optional[str], float], Result]

# The API server is restarting, the address is moving, or etcd elects a leader: the same request succeeds a moment later.
PASSING = re.compile(
    r"connection refused|was refused|connection reset|connection lost|i/o timeout|TLS handshake timeout|no route to host"
    r"|network is unreachable|unexpected EOF|: EOF\b|context deadline exceeded|Client\.Timeout exceeded"
    r"|currently unable to handle the request|etcdserver: (?:request timed out|leader changed|no leader)|apiserver not ready"
    r"|Too Many Requests|unable to load root certificates: empty",
    re.IGNORECASE,
)
PAUSE = 0.3
# A request to an address that has just moved away is better asked again than waited for.
ANSWER = 15


class KubectlError(Exception):
    """kubectl did not do what it was asked; the text is for the operator."""


class Deadline:
    """One bound for everything a module does."""

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self.seconds = seconds
        self._clock = clock
        self._end = clock() + seconds

    @property
    def left(self) -> float:
        """Seconds left, never less than nothing."""
        return max(0.0, self._end - self._clock())


def bounded(argv: Sequence[str], stdin: str | None, seconds: float) -> Result:
    """Run a command to its end or for that many seconds."""
    return run(argv, stdin, timeout=seconds)


class Kubectl:
    """Calls of one kubectl with one kubeconfig before one deadline."""

    def __init__(
        self, kubeconfig: str, deadline: Deadline, runner: BoundedRunner = bounded, sleep: Callable[[float], None] = time.sleep, server: str = ""
    ) -> None:
        """A server is asked in place of the kubeconfig's."""
        self.deadline = deadline
        self._base = ["kubectl", "--kubeconfig", kubeconfig, *([f"--server={server}"] if server else [])]
        self._runner = runner
        self._sleep = sleep

    def attempt(self, *arguments: str, stdin: str | None = None, seconds: float | None = None, late: bool = False) -> Result:
        """One call, whatever comes of it, for at most the seconds given; past the deadline only when `late`, for a last question."""
        left = self.deadline.left
        bound = left if seconds is None else seconds if late else min(seconds, left)
        return self._runner([*self._base, *arguments], stdin, max(bound, 1.0))

    def __call__(self, *arguments: str, stdin: str | None = None, passing: re.Pattern[str] = PASSING) -> str:
        """What kubectl prints; a lost connection is tried again until the deadline, anything else is an error at once."""
        while True:
            result = self.attempt(*arguments, stdin=stdin)
            if result.rc == 0:
                return result.stdout
            if self.deadline.left <= PAUSE or not passing.search(result.stderr):
                shown = " ".join(argument for argument in arguments if not argument.startswith(("--output", "--request-timeout")))
                raise KubectlError(f"`kubectl {shown}` failed: {(result.stderr or result.stdout).strip()}")
            self._sleep(PAUSE)

    def objects(self, *arguments: str, stdin: str | None = None, passing: re.Pattern[str] = PASSING) -> list[KubernetesObject]:
        """The objects kubectl prints, one or many or none."""
        return parse_objects(self(*arguments, "--output=json", f"--request-timeout={ANSWER}s", stdin=stdin, passing=passing))


def parse_objects(text: str) -> List[KubernetesObject]:
    """The objects in kubectl's JSON: a list, a single one, or nothing at all."""
    if not text.strip():
        return []
    document: KubernetesObject = json.loads(text)
    if document.get("kind", "").endswith("List") and "items" in document:
        items: List[KubernetesObject] = document["items"]
        return items
    return [document]


def as_list(objects: Sequence[KubernetesObject]) -> str:
    """The text kubectl reads from standard input."""
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": list(objects)})
