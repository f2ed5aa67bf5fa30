# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a reconfiguration writes: labels and taints, what the cluster keeps, and the files of a node."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.quorum.kubeadm.plugins.module_utils import kept_files, static_pods
from ansible_collections.quorum.kubeadm.plugins.module_utils.command import Result, run
from ansible_collections.quorum.kubeadm.plugins.module_utils.kubeadm_render import Difference
from ansible_collections.quorum.kubeadm.plugins.module_utils.kubeadm_run import KubeadmError
from ansible_collections.quorum.kubeadm.plugins.module_utils.kubectl import Deadline, Kubectl
from ansible_collections.quorum.kubeadm.plugins.module_utils.reconfiguration import Change
from ansible_collections.quorum.kubeadm.plugins.modules import kubeadm_reconfigure, kubeadm_upload, node_marks

NODE = {
    "kind": "Node",
    "metadata": {"name": "w1", "labels": {"kubernetes.io/hostname": "w1", "example.org/old": "x", "example.org/kept": "y"}},
    "spec": {"taints": [{"key": "example.org/gpu", "value": "a", "effect": "NoSchedule"}, {"key": "example.org/old", "effect": "NoExecute"}]},
}


class Cluster:
    """A kubectl that answers from a table, and a kubeadm; both remember what they were asked."""

    def __init__(self, **objects: Any) -> None:
        self.objects, self.asked, self.given = objects, [], []  # type: dict[str, Any], list[str], list[str]

    def kubectl(self) -> Kubectl:
        return Kubectl("admin.conf", Deadline(60), runner=self.ask)

    def ask(self, argv: Sequence[str], _stdin: str | None, _seconds: float) -> Result:
        words = [word for word in argv[3:] if not word.startswith(("--output", "--request-timeout", "--namespace", "--timeout")) and word != "kube-system"]
        self.asked.append(" ".join(words))
        if words[0] != "get":
            return Result(0, "", "")
        names = [word for word in words[1:] if not word.startswith("--")]
        found = [self.objects[name] for name in names if name in self.objects]
        return Result(0, json.dumps({"kind": "List", "items": [one for part in found for one in (part if isinstance(part, list) else [part])]}), "")

    def run(self, argv: Sequence[str], stdin: str | None = None) -> Result:
        self.asked.append(" ".join(argv).replace(" --config /dev/stdin", ""))
        self.given.append(stdin or "")
        if argv[1] == "version":
            return Result(0, "v1.37.2\n", "")
        if argv[-3:-2] == ["kubeadm"]:
            self.objects["configmaps/kubeadm-config"] = configmap("kubeadm-config", "certSANs: [new]\n")
        return Result(0, "", "")


# Labels and taints.


def marks(**given: Any) -> node_marks.Marks:
    return node_marks.missing({"labels": {}, "taints": [], "absent_taints": [], **given}, NODE)


def test_only_what_is_not_there_yet() -> None:
    assert marks(labels={"example.org/kept": "y", "example.org/gone": None}, taints=["example.org/gpu=a:NoSchedule"], absent_taints=["x:NoSchedule"]) == (
        [],
        [],
        [],
        [],
    )
    assert marks(labels={"example.org/kept": "", "example.org/old": None, "example.org/new": "1"}) == (
        ["example.org/kept=", "example.org/new=1"],
        ["example.org/old"],
        [],
        [],
    )


def test_kubectls_words() -> None:
    cluster = Cluster()
    node_marks.apply(
        "w1",
        marks(labels={"example.org/old": None, "example.org/new": "1"}, taints=["new:NoSchedule"], absent_taints=["example.org/old:NoExecute"]),
        cluster.kubectl(),
    )
    assert cluster.asked == [
        "label node w1 --overwrite example.org/new=1 example.org/old-",
        "taint node w1 --overwrite new:NoSchedule example.org/old:NoExecute-",
    ]


def test_a_taint_with_another_value_is_written_over() -> None:
    cluster = Cluster()
    node_marks.apply("w1", marks(taints=["example.org/gpu=b:NoSchedule"], absent_taints=["example.org/gpu=a:NoSchedule"]), cluster.kubectl())
    assert cluster.asked == ["taint node w1 --overwrite example.org/gpu=b:NoSchedule"]


# What the cluster keeps.


def configmap(name: str, text: str, written: str = "2026-11-28T16:00:00Z") -> dict[str, Any]:
    fields = [{"manager": "kubeadm", "time": "2026-11-28T15:00:00Z"}, {"manager": "kubeadm", "time": written}]
    return {"kind": "ConfigMap", "metadata": {"name": name, "managedFields": fields}, "data": {"config.conf": text}}


def pods(*started: str) -> list[dict[str, Any]]:
    return [{"kind": "Pod", "metadata": {"name": f"kube-proxy-{time}"}, "status": {"startTime": time}} for time in started]


PARAMETERS: dict[str, Any] = {
    "cluster_configuration": {"clusterName": "kubernetes", "kubernetesVersion": "v1.38.0"},
    "init_configuration": {"nodeRegistration": {"name": "cp1"}, "patches": {"directory": "/etc/kubernetes/quorum.kubeadm/patches"}},
    "kubelet_configuration": {"maxPods": 50},
    "kube_proxy_configuration": {},
}


def test_the_cluster_keeps_what_is_described() -> None:
    cluster = Cluster(**{"configmaps/kubeadm-config": configmap("kubeadm-config", "certSANs: [old]\n")})
    outcome = kubeadm_upload.upload({**PARAMETERS, "parts": ["kubelet-config", "kubeadm-config"]}, False, cluster.run, cluster.kubectl())
    assert [words for words in cluster.asked if words.startswith("kubeadm")] == [
        "kubeadm version --output short",
        "kubeadm init phase upload-config kubeadm",
        "kubeadm init phase upload-config kubelet",
    ]
    assert '"kubernetesVersion": "v1.37.2"' in cluster.given[1] and '"directory": "/etc/kubernetes/quorum.kubeadm/patches"' in cluster.given[1]
    header = "ConfigMap kubeadm-config"
    shown = {"before_header": header, "after_header": header, "before": "certSANs: [old]\n", "after": "certSANs: [new]\n"}
    assert outcome == {"changed": True, "restarted": False, "diff": [shown]}
    # The next control plane does so too, and changes nothing.
    assert not kubeadm_upload.upload({**PARAMETERS, "parts": ["kubeadm-config"]}, False, cluster.run, cluster.kubectl())["changed"]


def test_kube_proxy_is_restarted_where_it_is_older_than_its_configuration() -> None:
    cluster = Cluster(configmap=configmap("kube-proxy", "mode: nftables\n"), pods=pods("2026-11-28T16:00:01Z", "2026-11-28T15:59:59Z"))
    outcome = kubeadm_upload.upload({**PARAMETERS, "parts": []}, False, cluster.run, cluster.kubectl())
    assert (outcome["changed"], outcome["restarted"]) == (True, True)
    assert cluster.asked[-2:] == ["rollout restart daemonset/kube-proxy", "rollout status daemonset/kube-proxy"]
    cluster.objects["pods"] = pods("2026-11-28T16:00:01Z", "2026-11-28T16:00:02Z")
    assert not kubeadm_upload.upload({**PARAMETERS, "parts": []}, False, cluster.run, cluster.kubectl())["changed"]
    # A cluster whose kube-proxy is somebody else's.
    assert not kubeadm_upload.upload({**PARAMETERS, "parts": []}, False, cluster.run, Cluster().kubectl())["changed"]


def test_check_mode_writes_nothing() -> None:
    cluster = Cluster(configmap=configmap("kube-proxy", "mode: nftables\n"), pods=pods("2026-11-28T15:59:59Z"))
    outcome = kubeadm_upload.upload({**PARAMETERS, "parts": ["kube-proxy"]}, True, cluster.run, cluster.kubectl())
    assert outcome == {"changed": True, "restarted": True, "diff": [{"prepared": "kube-proxy is written\n"}]}
    assert all(words.startswith("get ") for words in cluster.asked)


# A node's files.


@pytest.fixture(name="change")
def other_flags() -> Change:
    return Change([Difference(path="/etc/kubernetes/manifests/kube-apiserver.yaml", there="old\n", wanted="new\n")], [])


def test_check_mode_shows_the_manifests_as_they_would_be(tmp_path: Path, change: Change, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(static_pods, "outdated", lambda root: ["etcd"])
    outcome = kubeadm_reconfigure.reconfigure({"files": []}, change, True, lambda argv, stdin=None: Result(0, "", ""), tmp_path)
    path = "/etc/kubernetes/manifests/kube-apiserver.yaml"
    assert outcome == {
        "changed": True,
        "started": ["etcd", "kube-apiserver"],
        "files": [path],
        "diff": [{"before_header": path, "after_header": path, "before": "old\n", "after": "new\n"}],
    }
    assert list(tmp_path.iterdir()) == []


def test_only_the_components_that_differ_are_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rendered = {f"etc/kubernetes/manifests/{name}.yaml": "new" for name in ("kube-apiserver", "etcd")}
    monkeypatch.setattr(kubeadm_reconfigure, "render", lambda *_arguments: rendered)
    given = {**PARAMETERS, "patches": [], "control_plane": True, "components": ["etcd"], "certificate": False}
    cluster = Cluster()
    change = kubeadm_reconfigure.planned(given, tmp_path, cluster.run, tmp_path)
    assert [file["path"] for file in change.files] == ["/etc/kubernetes/manifests/etcd.yaml"] and change.certificate == []
    change = kubeadm_reconfigure.planned({**given, "certificate": True}, tmp_path, cluster.run, tmp_path)
    assert [document["kind"] for document in change.certificate][:2] == ["InitConfiguration", "ClusterConfiguration"]
    assert change.certificate[1]["kubernetesVersion"] == "v1.37.2"


def test_files_are_kept_before_somebody_writes_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, run_module: Any) -> None:
    (tmp_path / "etc/kubernetes").mkdir(parents=True)
    (tmp_path / "policy.yaml").write_text("old")
    monkeypatch.setattr(kubeadm_reconfigure, "ROOT", tmp_path)
    run_module("kubeadm_reconfigure", check_mode=True, state="kept", files=["/policy.yaml"])
    assert not kept_files.is_keeping(tmp_path)
    assert run_module("kubeadm_reconfigure", state="kept", files=["/policy.yaml"])["changed"] is False
    assert (tmp_path / kept_files.BEFORE / "policy.yaml").read_text() == "old"


def test_documents_that_kubeadm_refuses_change_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, run_module: Any) -> None:
    def refuse(*_arguments: object) -> Change:
        raise KubeadmError("kubeadm init phase kubelet-start", Result(1, "", "error: unknown field maxPodz"))

    (tmp_path / "etc/kubernetes").mkdir(parents=True)
    (tmp_path / "policy.yaml").write_text("old")
    monkeypatch.setattr(kubeadm_reconfigure, "ROOT", tmp_path)
    monkeypatch.setattr(kubeadm_reconfigure, "exclusively", lambda: contextlib.nullcontext(run))
    monkeypatch.setattr(kubeadm_reconfigure, "planned", refuse)
    run_module("kubeadm_reconfigure", state="kept", files=["/policy.yaml"])
    (tmp_path / "policy.yaml").write_text("new")
    result = run_module("kubeadm_reconfigure")
    assert (result["failed"], result["restored"]) == (True, True) and "unknown field maxPodz" in result["msg"]
    assert (tmp_path / "policy.yaml").read_text() == "old" and not kept_files.is_keeping(tmp_path)
