# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Running kubeadm: the mark of unfinished work, the lock, the reset, what is said of failures."""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Sequence

import pytest

from ansible_collections.quorum.kubeadm.plugins.module_utils import kubeadm_run
from ansible_collections.quorum.kubeadm.plugins.module_utils.command import Result
from ansible_collections.quorum.kubeadm.plugins.module_utils.kubeadm_run import BusyError, KubeadmError

PREFLIGHT = """\
[preflight] Some fatal errors occurred:
\t[ERROR FileAvailable--etc-kubernetes-kubelet.conf]: /etc/kubernetes/kubelet.conf already exists
\t[ERROR Port-10250]: Port 10250 is in use
[preflight] If you know what you are doing, you can make a check non-fatal with `--ignore-preflight-errors=...`
error: error execution phase preflight: preflight checks failed
To see the stack trace of this error execute with --v=5 or higher
"""


class Recorder:
    """A runner that notes what it is asked."""

    def __init__(self, result: Result = Result(0, "", "")) -> None:
        self.result = result
        self.calls: list[tuple[list[str], str | None]] = []

    def __call__(self, argv: Sequence[str], stdin: str | None = None) -> Result:
        self.calls.append((list(argv), stdin))
        return self.result


def test_mark_is_there_while_the_work_goes_on_and_gone_after_it(tmp_path: Path) -> None:
    mark = tmp_path / "etc/kubernetes/pki/quorum.kubeadm.unfinished"
    with kubeadm_run.unfinished("join", tmp_path):
        assert mark.read_text() == "join\n"
    assert not mark.exists()


def test_mark_stays_when_the_work_fails(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), kubeadm_run.unfinished("init", tmp_path):
        raise RuntimeError
    assert (tmp_path / "etc/kubernetes/pki/quorum.kubeadm.unfinished").read_text() == "init\n"


def test_configuration_goes_to_standard_input() -> None:
    recorder = Recorder(Result(0, "done", "W warned"))
    assert kubeadm_run.kubeadm(recorder, ["join"], [{"kind": "JoinConfiguration", "token": "abcdef.0123456789abcdef"}]) == Result(0, "done", "W warned")
    [(argv, stdin)] = recorder.calls
    assert argv == ["kubeadm", "join", "--config", "/dev/stdin"]
    assert stdin is not None and json.loads(stdin.replace("---\n", ""))["token"] == "abcdef.0123456789abcdef"


def test_secrets_leave_kubeadms_words_in_success_and_failure() -> None:
    said = "kubeadm join a:1 --token abcdef.0123456789abcdef --certificate-key " + "a" * 64
    assert "0123456789abcdef" not in kubeadm_run.kubeadm(Recorder(Result(0, said, said)), ["init"], []).stdout
    with pytest.raises(KubeadmError) as failure:
        kubeadm_run.kubeadm(Recorder(Result(1, said, f"error: {said}")), ["init"], [])
    for text in (str(failure.value), failure.value.result.stdout, failure.value.result.stderr):
        assert "kubeadm join a:1" in text
        assert "0123456789abcdef" not in text and "a" * 64 not in text


@pytest.mark.parametrize(
    ("result", "says"),
    [
        (
            Result(1, "[preflight] Running pre-flight checks\n", PREFLIGHT),
            "kubeadm join failed (exit status 1): [preflight] Some fatal errors occurred:\n"
            "\t[ERROR FileAvailable--etc-kubernetes-kubelet.conf]: /etc/kubernetes/kubelet.conf already exists\n"
            "\t[ERROR Port-10250]: Port 10250 is in use\n"
            "error: error execution phase preflight: preflight checks failed",
        ),
        (
            Result(1, "", 'W1123 warned\nerror: unable to read config from "/dev/stdin"\nTo see the stack trace of this error execute with --v=5 or higher\n'),
            'kubeadm join failed (exit status 1): error: unable to read config from "/dev/stdin"',
        ),
        (
            Result(-9, "[certs] Using existing ca\n[etcd] Announced new etcd member\n", "\t[WARNING Swap]: swap is on\n"),
            "kubeadm join was killed by signal 9: [certs] Using existing ca\n[etcd] Announced new etcd member\n\t[WARNING Swap]: swap is on",
        ),
        (Result(127, "", "kubeadm: command not found"), "kubeadm join failed (exit status 127): kubeadm: command not found"),
        (Result(2, "", ""), "kubeadm join failed (exit status 2): it said nothing"),
    ],
)
def test_failures_are_told_in_kubeadms_own_words(result: Result, says: str) -> None:
    assert str(KubeadmError("kubeadm join", result)) == says


def make_node(root: Path) -> None:
    for file in (
        "etc/kubernetes/pki/ca.crt",
        "etc/kubernetes/pki/ca.key",
        "etc/kubernetes/pki/apiserver.crt",
        "etc/kubernetes/pki/etcd/ca.key",
        "etc/kubernetes/pki/quorum.kubeadm.unfinished",
        "etc/kubernetes/audit-policy.yaml",
        "var/lib/etcd/member/wal/0.wal",
    ):
        path = root / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(file)


def left(root: Path) -> list[str]:
    return sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file())


@pytest.mark.parametrize(
    ("keep_authority", "remains"),
    [
        (
            True,
            [
                "etc/kubernetes/audit-policy.yaml",
                "etc/kubernetes/pki/ca.crt",
                "etc/kubernetes/pki/ca.key",
                "etc/kubernetes/pki/quorum.kubeadm.unfinished",
            ],
        ),
        (False, ["etc/kubernetes/audit-policy.yaml", "etc/kubernetes/pki/quorum.kubeadm.unfinished"]),
    ],
)
def test_reset(keep_authority: bool, remains: list[str], tmp_path: Path) -> None:
    make_node(tmp_path)
    recorder = Recorder()
    kubeadm_run.reset(recorder, "unix:///run/containerd/containerd.sock", keep_authority, tmp_path)
    [(argv, stdin)] = recorder.calls
    assert argv == ["kubeadm", "reset", "--config", "/dev/stdin"]
    assert stdin is not None
    document = json.loads(stdin.replace("---\n", ""))
    assert (document["force"], document["criSocket"]) == (True, "unix:///run/containerd/containerd.sock")
    assert document["certificatesDir"] == str(tmp_path / "etc/kubernetes/quorum.kubeadm.nowhere"), "kubeadm itself would delete the CA"
    assert left(tmp_path) == remains
    assert (tmp_path / "var/lib/etcd").is_dir(), "it may be a mount point"


def test_failed_reset_takes_nothing_away(tmp_path: Path) -> None:
    make_node(tmp_path)
    before = left(tmp_path)
    with pytest.raises(KubeadmError):
        kubeadm_run.reset(Recorder(Result(1, "", "error: no")), "unix:///run/containerd/containerd.sock", False, tmp_path)
    assert left(tmp_path) == before


def test_reset_of_a_machine_that_has_nothing(tmp_path: Path) -> None:
    recorder = Recorder()
    kubeadm_run.reset(recorder, "unix:///run/containerd/containerd.sock", False, tmp_path)
    assert [argv[:2] for argv, _stdin in recorder.calls] == [["kubeadm", "reset"]]


def test_lock_is_held_and_given_back(tmp_path: Path) -> None:
    with kubeadm_run.exclusively(tmp_path):
        with pytest.raises(BusyError, match="still at work after 0 seconds"), kubeadm_run.exclusively(tmp_path, patience=0):
            pass
    with kubeadm_run.exclusively(tmp_path, patience=0):
        pass


def test_orphaned_kubeadm_keeps_the_lock_and_is_waited_for(tmp_path: Path) -> None:
    # The module is killed, what it started goes on: the child must have inherited the lock.
    module = f"""
import os, sys
sys.path.insert(0, {str(Path(__file__).parents[4] / "collections")!r})
from pathlib import Path
from ansible_collections.quorum.kubeadm.plugins.module_utils.kubeadm_run import exclusively
with exclusively(Path({str(tmp_path)!r})) as run:
    run(["sh", "-c", "(sleep 1.5) >/dev/null 2>&1 & kill -9 $PPID"])
"""
    assert subprocess.run([sys.executable, "-c", module], check=False).returncode == -9
    with pytest.raises(BusyError), kubeadm_run.exclusively(tmp_path, patience=0):
        pass
    start = time.monotonic()
    with kubeadm_run.exclusively(tmp_path, patience=20):
        assert time.monotonic() - start > 0.3


def test_commands_see_the_lock_alone(tmp_path: Path) -> None:
    with kubeadm_run.exclusively(tmp_path) as runner:
        descriptor = os.open(tmp_path / kubeadm_run.LOCK, os.O_RDWR)
        with pytest.raises(BlockingIOError):
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.close(descriptor)
        assert runner(["cat"], "words").stdout == "words"


def test_kubeconfig_is_copied_once_with_its_mode(tmp_path: Path) -> None:
    admin, target = tmp_path / "etc/kubernetes/admin.conf", tmp_path / "root/.kube/config"
    assert kubeadm_run.install_kubeconfig(target, tmp_path, check_mode=True), "it will be there when the node is initialised"
    admin.parent.mkdir(parents=True)
    admin.write_text("one")
    assert kubeadm_run.install_kubeconfig(target, tmp_path, check_mode=True)
    assert not target.exists()
    assert kubeadm_run.install_kubeconfig(target, tmp_path)
    assert (target.read_text(), target.stat().st_mode & 0o777, target.parent.stat().st_mode & 0o777) == ("one", 0o600, 0o700)
    assert not kubeadm_run.install_kubeconfig(target, tmp_path)
    target.chmod(0o644)
    assert kubeadm_run.install_kubeconfig(target, tmp_path)
    assert target.stat().st_mode & 0o777 == 0o600
    admin.write_text("two")
    assert kubeadm_run.install_kubeconfig(target, tmp_path)
    assert target.read_text() == "two"
    assert [path.name for path in target.parent.iterdir()] == ["config"]
