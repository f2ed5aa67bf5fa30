# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pulling images before they are needed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from ansible_collections.quorum.kubeadm.plugins.module_utils.command import Result
from ansible_collections.quorum.kubeadm.plugins.modules import kubeadm_images

# Of kubeadm 1.37.2.
LISTED = "\n".join(
    f"registry.example.org/k8s/{name}"
    for name in (
        "kube-apiserver:v1.37.2",
        "kube-controller-manager:v1.37.2",
        "kube-scheduler:v1.37.2",
        "kube-proxy:v1.37.2",
        "coredns:v1.14.6",
        "pause:3.10.2",
        "etcd:3.7.0-0",
    )
)
THERE = "registry.example.org/k8s/pause:3.10.2\nsha256:0d96\n"
ARGUMENTS = {"version": "1.37.2", "repository": "registry.example.org/k8s", "exclude": ["etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler"]}


@pytest.fixture(name="pulls")
def node(monkeypatch: pytest.MonkeyPatch) -> list[Sequence[str]]:
    pulls: list[Sequence[str]] = []

    def run(argv: Sequence[str], stdin: str | None = None) -> Result:
        if argv[0] == "kubeadm":
            assert argv[-4:] == ["--kubernetes-version", "v1.37.2", "--image-repository", "registry.example.org/k8s"]
            return Result(0, LISTED, "")
        if "ls" in argv:
            return Result(0, THERE, "")
        pulls.append(argv[-3:])
        return Result(1, "", "ctr: failed to resolve image: not found") if "coredns" in argv[-1] and len(pulls) > 2 else Result(0, "", "")

    monkeypatch.setattr(kubeadm_images, "run", run)
    return pulls


def test_what_a_worker_lacks_is_pulled(pulls: list[Sequence[str]], run_module: Callable[..., dict[str, Any]]) -> None:
    result = run_module("kubeadm_images", **ARGUMENTS)
    assert result["changed"] and result["pulled"] == [f"registry.example.org/k8s/{name}" for name in ("kube-proxy:v1.37.2", "coredns:v1.14.6")]
    assert pulls == [["--hosts-dir", "/etc/containerd/certs.d", image] for image in result["pulled"]]


def test_check_mode_pulls_nothing(pulls: list[Sequence[str]], run_module: Callable[..., dict[str, Any]]) -> None:
    assert len(run_module("kubeadm_images", check_mode=True, **ARGUMENTS)["pulled"]) == 2 and pulls == []


def test_a_registry_that_does_not_have_it_is_told(pulls: list[Sequence[str]], run_module: Callable[..., dict[str, Any]]) -> None:
    pulls += [[], []]
    result = run_module("kubeadm_images", **{**ARGUMENTS, "exclude": []})
    assert result["failed"] and "coredns:v1.14.6` failed: ctr: failed to resolve image: not found" in result["msg"]
