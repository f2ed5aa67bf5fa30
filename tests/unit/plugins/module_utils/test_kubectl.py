# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""kubectl is called with a bound, and called again only for lost connections."""

from __future__ import annotations

import json
from collections.abc import Sequence

import pytest
from ansible_collections.quorum.kubeadm.plugins.module_utils.command import Result
from ansible_collections.quorum.kubeadm.plugins.module_utils.kubectl import ANSWER, Deadline, Kubectl, KubectlError, as_list, parse_objects

REFUSED = 'error validating data: Get "https://127.0.0.1:9/openapi/v2?timeout=32s": dial tcp 127.0.0.1:9: connect: connection refused'
UNKNOWN_KIND = 'error: unable to recognize no matches for kind "Bar" in version "foo.example/v1"'
INVALID = 'error: error validating "STDIN": error validating data: ValidationError(Service.spec.ports): invalid type for io.k8s.api.core.v1.ServiceSpec.ports'


class Clock:
    """Time that passes when somebody sleeps."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


class Kube:
    """Answers one after the other, the last one again and again, and keeps what it was asked."""

    def __init__(self, *answers: Result, seconds: float = 10) -> None:
        self.answers = list(answers)
        self.asked: list[tuple[list[str], str | None, float]] = []
        self.clock = Clock()
        self.kubectl = Kubectl("/admin.conf", Deadline(seconds, self.clock), self.run, self.clock.sleep)

    def run(self, argv: Sequence[str], stdin: str | None, seconds: float) -> Result:
        self.asked.append((list(argv), stdin, seconds))
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


def test_a_call_names_the_kubeconfig_and_passes_the_text() -> None:
    kube = Kube(Result(0, "done", ""))
    assert kube.kubectl("get", "nodes", stdin="text") == "done"
    assert kube.asked == [(["kubectl", "--kubeconfig", "/admin.conf", "get", "nodes"], "text", 10.0)]


def test_a_server_stands_before_what_is_asked() -> None:
    asked: list[Sequence[str]] = []

    def run(argv: Sequence[str], _stdin: str | None, _seconds: float) -> Result:
        asked.append(argv)
        return Result(0, "", "")

    Kubectl("/admin.conf", Deadline(1), run, server="https://192.0.2.11:6443").attempt("exec", "pod", "--", "command")
    assert asked == [["kubectl", "--kubeconfig", "/admin.conf", "--server=https://192.0.2.11:6443", "exec", "pod", "--", "command"]]


@pytest.mark.parametrize(
    "words",
    [
        REFUSED,
        "The connection to the server 198.18.64.10:16443 was refused - did you specify the right host or port?",
        "Unable to connect to the server: net/http: TLS handshake timeout",
        "Unable to connect to the server: EOF",
        "Error from server (Timeout): etcdserver: request timed out",
        "Error from server: etcdserver: leader changed",
        "Unable to connect to the server: dial tcp 198.18.64.10:16443: connect: no route to host",
        "error: the server is currently unable to handle the request",
    ],
)
def test_a_lost_connection_is_tried_again(words: str) -> None:
    kube = Kube(Result(1, "", words), Result(1, "", words), Result(0, "done", ""))
    assert kube.kubectl("get", "nodes") == "done"
    assert len(kube.asked) == 3


def test_trying_again_ends_at_the_deadline() -> None:
    kube = Kube(Result(1, "", REFUSED), seconds=2)
    with pytest.raises(KubectlError, match="connection refused"):
        kube.kubectl("get", "nodes")
    assert kube.clock.now <= 2
    assert all(seconds <= 2 for _argv, _stdin, seconds in kube.asked)


@pytest.mark.parametrize("words", [UNKNOWN_KIND, INVALID, 'Error from server (Forbidden): nodes is forbidden: User "x" cannot list resource'])
def test_any_other_failure_is_told_at_once(words: str) -> None:
    kube = Kube(Result(1, "", words))
    with pytest.raises(KubectlError) as error:
        kube.kubectl("apply", "-f", "-", "--output=json")
    assert str(error.value) == f"`kubectl apply -f -` failed: {words}"
    assert len(kube.asked) == 1


def test_objects_are_asked_for_with_a_bound_of_their_own() -> None:
    kube = Kube(Result(0, '{"kind": "List", "items": [{"kind": "Node"}]}', ""))
    assert kube.kubectl.objects("get", "nodes") == [{"kind": "Node"}]
    assert kube.asked[0][0][-2:] == ["--output=json", f"--request-timeout={ANSWER}s"]


def test_a_last_question_may_come_late() -> None:
    kube = Kube(Result(0, "", ""), seconds=3)
    kube.clock.now = 100
    kube.kubectl.attempt("get", "pods", seconds=6)
    kube.kubectl.attempt("get", "pods", seconds=6, late=True)
    assert [seconds for _argv, _stdin, seconds in kube.asked] == [1.0, 6.0]


@pytest.mark.parametrize(
    ("text", "objects"),
    [
        ("", []),
        ("\n", []),
        ('{"kind": "Node"}', [{"kind": "Node"}]),
        ('{"kind": "List", "items": []}', []),
        ('{"kind": "NodeList", "items": [{"kind": "Node"}]}', [{"kind": "Node"}]),
        # An object whose kind ends in List and yet is none.
        ('{"kind": "AllowList", "spec": {}}', [{"kind": "AllowList", "spec": {}}]),
    ],
)
def test_parse_objects(text: str, objects: list[dict[str, str]]) -> None:
    assert parse_objects(text) == objects


def test_as_list() -> None:
    assert json.loads(as_list([{"kind": "Node"}])) == {"apiVersion": "v1", "kind": "List", "items": [{"kind": "Node"}]}
