# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Upgrading what kubeadm manages on a node, and what becomes of it when that fails or is killed."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.quorum.kubeadm.plugins.module_utils.command import Result
from ansible_collections.quorum.kubeadm.plugins.module_utils.kubeadm_run import KubeadmError
from ansible_collections.quorum.kubeadm.plugins.module_utils.kubectl import Deadline, Kubectl
from ansible_collections.quorum.kubeadm.plugins.modules import kubeadm_upgrade
from ansible_collections.quorum.kubeadm.plugins.modules.kubeadm_upgrade import OLD_MANIFESTS, Refused, Stopped

Node = Callable[[str], Path]
OLD, NEW = "1.37.2", "1.38.0"
PARAMS = {"mode": "apply", "version": NEW, "configuration": {}, "own_etcd": False, "ready_timeout": 0, "snapshot": "/s.db on cp1", "keep_etcd_copy": False}
MANIFEST = "etc/kubernetes/manifests/kube-apiserver.yaml"
WRONG_FLAG = "[upgrade/staticpods] couldn't upgrade control plane\nerror: error execution phase control-plane: timed out waiting for the condition"


class Machine:
    """A node with kubeadm, whose `kubeadm upgrade` does what the real one does to the files."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.kubelet, self.kubeadm = OLD, NEW
        self.answer = Result(0, "[upgrade] SUCCESS!\n", "")
        self.calls: list[list[str]] = []
        self.document: dict[str, Any] = {}

    def __call__(self, argv: Sequence[str], stdin: str | None = None) -> Result:
        if argv[:2] == ["kubelet", "--version"]:
            return Result(0, f"Kubernetes v{self.kubelet}\n", "")
        if argv[:2] == ["kubeadm", "version"]:
            return Result(0, f"v{self.kubeadm}\n", "") if self.kubeadm else Result(127, "", "kubeadm: command not found")
        self.calls.append(list(argv))
        self.document = json.loads((stdin or "").removeprefix("---\n"))
        for name in ("kube-apiserver", "etcd"):
            manifest = self.root / f"etc/kubernetes/manifests/{name}.yaml"
            if manifest.exists():
                manifest.write_text(manifest.read_text().replace(f":v{OLD}", f":v{NEW}").replace(":3.7.0-0", ":3.8.0-0"))
        copy = self.root / "etc/kubernetes/tmp/kubeadm-backup-etcd-2026-11-28-17-00-00/etcd"
        copy.mkdir(parents=True)
        return self.answer


@pytest.fixture(name="machine")
def control_plane(node: Node, monkeypatch: pytest.MonkeyPatch) -> Machine:
    monkeypatch.setattr(kubeadm_upgrade, "wait_ready", lambda root, server, timeout: None)
    monkeypatch.setattr(kubeadm_upgrade, "member_answers", lambda root: True)
    return Machine(node("control_plane"))


def upgrade(machine: Machine, check_mode: bool = False, **params: Any) -> kubeadm_upgrade.Outcome:
    return kubeadm_upgrade.upgrade({**PARAMS, **params}, check_mode, machine, Kubectl("/nonexistent", Deadline(1)), machine.root)


def test_a_control_plane_is_upgraded_once(machine: Machine) -> None:
    configuration = {"patches": {"directory": "/patches"}, "ignorePreflightErrors": ["Swap"], "timeouts": {"upgradeManifests": "3m0s"}}
    outcome = upgrade(machine, configuration=configuration)
    assert machine.calls == [["kubeadm", "upgrade", "apply", "--yes", "--config", "/dev/stdin"]]
    assert machine.document == {
        "apiVersion": "kubeadm.k8s.io/v1beta4",
        "kind": "UpgradeConfiguration",
        "apply": {
            "imagePullPolicy": "IfNotPresent",
            "patches": {"directory": "/patches"},
            "ignorePreflightErrors": ["Swap"],
            "kubernetesVersion": f"v{NEW}",
        },
        "timeouts": {"upgradeManifests": "3m0s"},
    }
    assert outcome["changed"] and outcome["images"]["kube-apiserver"] == f"registry.k8s.io/kube-apiserver:v{NEW}"
    assert outcome["diff"]["prepared"].startswith("kubeadm upgrade apply --yes\n---\n")
    # Each copy is the whole of etcd's data.
    assert not list((machine.root / "etc/kubernetes/tmp").iterdir())
    machine.kubelet = NEW
    assert not upgrade(machine)["changed"] and len(machine.calls) == 1


def test_a_run_that_was_killed_before_the_kubelet_is_done_again(machine: Machine) -> None:
    upgrade(machine)
    assert upgrade(machine, keep_etcd_copy=True)["changed"] and len(machine.calls) == 2
    assert list((machine.root / "etc/kubernetes/tmp").iterdir())


def test_the_others_are_told_no_version(machine: Machine) -> None:
    upgrade(machine, mode="node")
    assert machine.calls[0][:3] == ["kubeadm", "upgrade", "node"] and "--yes" not in machine.calls[0]
    assert machine.document["node"] == {"imagePullPolicy": "IfNotPresent"} and "apply" not in machine.document


def test_check_mode_shows_the_document_and_runs_nothing(machine: Machine) -> None:
    machine.kubeadm = ""
    outcome = upgrade(machine, check_mode=True)
    assert outcome["changed"] and machine.calls == [] and NEW in outcome["diff"]["prepared"]
    assert not (machine.root / OLD_MANIFESTS).exists()


def test_another_kubeadm_does_not_begin(machine: Machine) -> None:
    machine.kubeadm = OLD
    with pytest.raises(Refused, match=f"kubeadm {OLD} cannot upgrade to {NEW}: install kubeadm {NEW} first"):
        upgrade(machine)


def test_a_worker_cannot_be_the_first(node: Node) -> None:
    with pytest.raises(Refused, match="mode: node"):
        upgrade(Machine(node("worker")))


def test_a_worker_gets_its_kubelets_configuration(node: Node) -> None:
    machine = Machine(node("worker"))
    assert upgrade(machine, mode="node")["changed"] and machine.calls
    machine.kubelet = NEW
    assert not upgrade(machine, mode="node")["changed"]


def test_a_control_plane_that_does_not_come_up_gets_its_old_manifests_back(machine: Machine) -> None:
    before = (machine.root / MANIFEST).read_text()
    machine.answer = Result(1, "", WRONG_FLAG)
    logs = machine.root / "var/log/pods/kube-system_kube-apiserver-cp1_1/kube-apiserver"
    logs.mkdir(parents=True)
    logs.joinpath("0.log").write_text("2026-11-28T16:00:01.2Z stderr F Error: unknown flag: --no-such-flag\n")
    with pytest.raises(Stopped, match="timed out waiting for the condition") as stopped:
        upgrade(machine)
    assert stopped.value.back == ["kube-apiserver"] and (machine.root / MANIFEST).read_text() == before
    assert stopped.value.serves
    assert "The old manifests of kube-apiserver are back on this node, and its API server serves again." in str(stopped.value)
    assert "The last words of kube-apiserver: Error: unknown flag: --no-such-flag" in str(stopped.value)
    # etcd's member serves, and has no way back once all members have the new minor.
    assert "etcd stays as it is, upgraded" in str(stopped.value) and "/s.db" not in str(stopped.value)
    assert ":3.8.0-0" in (machine.root / "etc/kubernetes/manifests/etcd.yaml").read_text()


def test_etcd_goes_back_where_its_member_does_not_answer(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kubeadm_upgrade, "member_answers", lambda root: False)
    machine.answer = Result(1, "", WRONG_FLAG)
    with pytest.raises(Stopped) as stopped:
        upgrade(machine)
    assert stopped.value.back == ["etcd", "kube-apiserver"] and "A snapshot of etcd from before the upgrade is /s.db on cp1." in str(stopped.value)


def test_an_api_server_that_kubeadm_takes_for_well_and_that_is_not(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    """A crash loop is the phase Running to kubeadm, which then goes on."""
    ready = iter(["https://198.18.79.11:6443/readyz does not answer", None])
    monkeypatch.setattr(kubeadm_upgrade, "wait_ready", lambda root, server, timeout: next(ready))
    with pytest.raises(Stopped, match="kubeadm has upgraded this node, but after 0 seconds .* does not answer") as stopped:
        upgrade(machine)
    assert stopped.value.back == ["kube-apiserver"]


def test_a_second_run_goes_back_to_what_was_there_before_the_first(machine: Machine) -> None:
    before = (machine.root / MANIFEST).read_text()
    upgrade(machine)
    machine.answer = Result(1, "", WRONG_FLAG)
    with pytest.raises(Stopped):
        upgrade(machine)
    assert (machine.root / MANIFEST).read_text() == before


def test_a_failure_before_anything_changed_is_told_as_that(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuses(runner: Any, arguments: Any, documents: Any) -> Result:
        raise KubeadmError("kubeadm upgrade apply", Result(1, "", "error: FATAL: there are NotReady control-planes"))

    monkeypatch.setattr(kubeadm_upgrade, "kubeadm", refuses)
    with pytest.raises(Stopped, match="NotReady control-planes\nThe manifests on this node are the old ones, and its API server serves again") as stopped:
        upgrade(machine)
    assert stopped.value.back == []


CONFIGURATION = """apiServer:
  extraArgs:
  - name: shutdown-delay-duration
    value: 5s
etcd:
  local:
    dataDir: /var/lib/etcd
    extraArgs:
    - name: election-timeout
      value: "500"
    imageTag: 3.6.14-0
imageRepository: registry.k8s.io
"""


@pytest.mark.parametrize(("document", "patched"), [(CONFIGURATION, True), (CONFIGURATION.replace("    imageTag: 3.6.14-0\n", ""), False)])
def test_the_tag_of_etcd_is_taken_out_for_the_versions_own(machine: Machine, document: str, patched: bool) -> None:
    asked: list[Sequence[str]] = []

    def runner(argv: Sequence[str], stdin: str | None, seconds: float) -> Result:
        asked.append(argv)
        return Result(0, json.dumps({"kind": "ConfigMap", "metadata": {"name": "kubeadm-config"}, "data": {"ClusterConfiguration": document}}), "")

    kubectl = Kubectl("/nonexistent", Deadline(1), runner)
    kubeadm_upgrade.upgrade({**PARAMS, "own_etcd": True}, False, machine, kubectl, machine.root)
    patches = [argument for argv in asked for argument in argv if argument.startswith("--patch=")]
    assert len(patches) == patched
    if patched:
        written = json.loads(patches[0].removeprefix("--patch="))["data"]["ClusterConfiguration"]
        assert written == CONFIGURATION.replace("    imageTag: 3.6.14-0\n", "")
