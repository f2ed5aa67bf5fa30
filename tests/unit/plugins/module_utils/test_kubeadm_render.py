# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What kubeadm is asked to write beside the real files, and how its answer is compared with them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.quorum.kubeadm.plugins.module_utils import kubeadm_render
from ansible_collections.quorum.kubeadm.plugins.module_utils.command import Result, Runner
from ansible_collections.quorum.kubeadm.plugins.module_utils.kubeadm_render import Described
from ansible_collections.quorum.kubeadm.plugins.module_utils.kubeadm_run import KubeadmError

TAINT = {"key": "example.org/gpu", "value": "a100", "effect": "NoSchedule"}
NODE = {
    "nodeRegistration": {"name": "w1", "taints": [TAINT], "kubeletExtraArgs": [{"name": "node-ip", "value": "198.18.64.21"}]},
    "skipPhases": ["preflight"],
    "patches": {"directory": "/etc/kubernetes/quorum.kubeadm/patches"},
}
PKI = "/etc/kubernetes/pki"
WORKER = Described({"kubernetesVersion": "v1.36.5", "certificatesDir": PKI}, NODE, {"maxPods": 50}, {"mode": "nftables"}, [], False)
MIGRATED = "apiVersion: kubeadm.k8s.io/v1beta4\nkind: InitConfiguration\n---\napiVersion: kubeadm.k8s.io/v1beta4\nclusterName: a\nkind: ClusterConfiguration\n"


class Kubeadm:
    """Writes a file for each phase into the directory that it is given, and remembers what it was asked."""

    def __init__(self, refuses: str = "") -> None:
        self.asked: dict[str, list[dict[str, Any]]] = {}
        self.refuses = refuses

    def run_in(self, directory: str) -> Runner:
        def run(argv: Sequence[str], stdin: str | None = None) -> Result:
            words = " ".join(argv)
            self.asked[words] = [json.loads(document) for document in (stdin or "").split("---\n") if document]
            if self.refuses and self.refuses in words:
                return Result(1, "", "error: unknown field \"maxPodz\"\nTo see the stack trace of this error execute with --v=5 or higher")
            if "migrate" in argv:
                return Result(0, MIGRATED, "")
            places = [document["certificatesDir"] for document in self.asked[words] if document["kind"] == "ClusterConfiguration"]
            for name in {"kubelet-start": ("config.yaml", "kubeadm-flags.env"), "etcd": ("etcd.yaml",)}.get(argv[3], ()):
                (Path(directory) / name).write_text(f"{name} {places[0]}/ca.crt\n", encoding="utf-8")
            return Result(0, f"---\n# {argv[4]}\n", "")

        return run


def test_documents_of_a_worker() -> None:
    init, cluster, kubelet, proxy = kubeadm_render.documents(WORKER, "1.37.2", None)
    assert (init["kind"], "skipPhases" in init, "patches" in init) == ("InitConfiguration", False, False)
    # kubeadm join has the kubelet of a worker register its taints.
    assert init["nodeRegistration"]["kubeletExtraArgs"] == [
        {"name": "node-ip", "value": "198.18.64.21"},
        {"name": "register-with-taints", "value": "example.org/gpu=a100:NoSchedule"},
    ]
    assert init["nodeRegistration"]["criSocket"] == "unix:///run/containerd/containerd.sock"
    assert (cluster["kind"], cluster["kubernetesVersion"]) == ("ClusterConfiguration", "v1.37.2")
    assert (kubelet["kind"], kubelet["maxPods"], proxy["kind"], proxy["mode"]) == ("KubeletConfiguration", 50, "KubeProxyConfiguration", "nftables")


def test_taints_of_a_control_plane_are_no_flag() -> None:
    init = kubeadm_render.documents(WORKER._replace(control_plane=True), "1.37.2", "/run/patches")[0]
    assert [flag["name"] for flag in init["nodeRegistration"]["kubeletExtraArgs"]] == ["node-ip"]
    assert init["patches"] == {"directory": "/run/patches"}


def test_a_flag_of_the_users_is_left() -> None:
    flag = {"name": "register-with-taints", "value": "a=b:NoSchedule"}
    fields = {"nodeRegistration": {**NODE["nodeRegistration"], "kubeletExtraArgs": [flag]}}  # type: ignore[dict-item]
    assert kubeadm_render.documents(WORKER._replace(init=fields), "1.37.2", None)[0]["nodeRegistration"]["kubeletExtraArgs"] == [flag]


@pytest.mark.parametrize("control_plane", [True, False])
def test_render(tmp_path: Path, control_plane: bool) -> None:
    kubeadm = Kubeadm()
    patch = {"path": "/etc/kubernetes/quorum.kubeadm/patches/etcd+merge.yaml", "content": "metadata: {}\n"}
    described = WORKER._replace(control_plane=control_plane, patches=[patch])  # type: ignore[list-item]
    files = kubeadm_render.render(described, "1.37.2", tmp_path, kubeadm.run_in)
    of_kubelet = {f"var/lib/kubelet/{name}": f"{name} {PKI}/ca.crt\n" for name in ("config.yaml", "kubeadm-flags.env")}
    assert files == {**of_kubelet, **({"etc/kubernetes/manifests/etcd.yaml": f"etcd.yaml {PKI}/ca.crt\n"} if control_plane else {})}
    # Beside a CA without its key, as workers have it, kubeadm would miss the certificates of an API server.
    told = {asked[1]["certificatesDir"] for asked in kubeadm.asked.values()}
    assert told == {PKI if control_plane else str(tmp_path / "pki")} and not (tmp_path / "pki").exists()
    phases = ["kubelet-start", *(["control-plane all", "etcd local"] if control_plane else [])]
    assert sorted(kubeadm.asked) == sorted(f"kubeadm init phase {phase} --dry-run --config /dev/stdin" for phase in phases)
    assert {asked[0]["patches"]["directory"] for asked in kubeadm.asked.values()} == {str(tmp_path / "patches")}
    assert (tmp_path / "patches/etcd+merge.yaml").read_text() == "metadata: {}\n"


def test_documents_that_kubeadm_refuses(tmp_path: Path) -> None:
    with pytest.raises(KubeadmError, match=r"kubeadm init phase kubelet-start --dry-run failed \(exit status 1\): error: unknown field \"maxPodz\"$"):
        kubeadm_render.render(WORKER, "1.37.2", tmp_path, Kubeadm("kubelet-start").run_in)


def test_shared(tmp_path: Path) -> None:
    kubeadm = Kubeadm()
    shared = kubeadm_render.render_shared(WORKER, "1.37.2", tmp_path, kubeadm.run_in)
    assert shared == {
        "cluster": "apiVersion: kubeadm.k8s.io/v1beta4\nclusterName: a\nkind: ClusterConfiguration\n",
        "kubelet": f"config.yaml {PKI}/ca.crt\n",
        "addons": "---\n# kube-proxy\n---\n# coredns\n",
    }
    assert [document["kind"] for document in kubeadm.asked["kubeadm config migrate --old-config /dev/stdin"]] == ["InitConfiguration", "ClusterConfiguration"]


def test_an_addon_that_is_switched_off_is_not_asked_for(tmp_path: Path) -> None:
    off = WORKER._replace(cluster={"certificatesDir": PKI, "proxy": {"disabled": True}})
    assert kubeadm_render.render_shared(off, "1.37.2", tmp_path, Kubeadm().run_in)["addons"] == "---\n# coredns\n"


def test_shared_that_kubeadm_refuses(tmp_path: Path) -> None:
    with pytest.raises(KubeadmError, match="kubeadm config migrate failed"):
        kubeadm_render.render_shared(WORKER, "1.37.2", tmp_path, Kubeadm("migrate").run_in)


FIRST = "    - etcd\n    - --initial-advertise-peer-urls=https://a\n    - --initial-cluster=cp1=https://a\n    - --key-file=k\n"
JOINED = (
    "    - etcd\n    - --initial-advertise-peer-urls=https://a\n    - --initial-cluster=cp1=https://a,cp2=https://b\n    - --initial-cluster-state=existing\n"
    "    - --key-file=k\n"
)


@pytest.mark.parametrize(("there", "kept"), [(FIRST, FIRST), (JOINED, JOINED), (None, FIRST), ("", FIRST)])
def test_a_members_birth_is_kept(there: str | None, kept: str) -> None:
    assert kubeadm_render.keeping_birth(FIRST, there) == kept


def test_compare(tmp_path: Path) -> None:
    (tmp_path / "etc/kubernetes/manifests").mkdir(parents=True)
    (tmp_path / "etc/kubernetes/manifests/etcd.yaml").write_text(JOINED)
    (tmp_path / "etc/kubernetes/manifests/kube-scheduler.yaml").write_text("old\n")
    rendered = {name: "new\n" for name in ("etc/kubernetes/manifests/kube-scheduler.yaml", "var/lib/kubelet/config.yaml")}
    assert kubeadm_render.compare({**rendered, "etc/kubernetes/manifests/etcd.yaml": FIRST}, tmp_path) == [
        {"path": "/etc/kubernetes/manifests/kube-scheduler.yaml", "there": "old\n", "wanted": "new\n"},
        {"path": "/var/lib/kubelet/config.yaml", "there": None, "wanted": "new\n"},
    ]


@pytest.mark.parametrize(("answer", "version"), [(Result(0, "v1.37.2\n", ""), "1.37.2"), (Result(127, "", "kubeadm: command not found"), None)])
def test_own_version(answer: Result, version: str | None) -> None:
    def run(argv: Sequence[str], stdin: str | None = None) -> Result:
        return answer

    if version:
        assert kubeadm_render.own_version(run) == version
    else:
        with pytest.raises(KubeadmError, match=r"kubeadm version failed \(exit status 127\): kubeadm: command not found"):
            kubeadm_render.own_version(run)
