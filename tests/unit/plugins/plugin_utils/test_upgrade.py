# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which versions an upgrade passes through, and what is left to do after it was killed anywhere."""

from __future__ import annotations

import re
from typing import Any

import pytest

from ansible_collections.quorum.kubeadm.plugins.plugin_utils import upgrade
from ansible_collections.quorum.kubeadm.plugins.plugin_utils.upgrade import NodeVersions, next_upgrade, path_problems

OLD, NEW = "1.36.5", "1.37.2"


def control_plane(host: str, components: str = OLD, kubelet: str = OLD, running: str | None = None, etcd: str = "3.6.14-0") -> NodeVersions:
    return NodeVersions(host, True, kubelet, running or kubelet, {**dict.fromkeys(upgrade.COMPONENTS, components), "etcd": etcd})


def worker(host: str, kubelet: str = OLD, running: str | None = None) -> NodeVersions:
    return NodeVersions(host, False, kubelet, running or kubelet, {})


CLUSTER = [control_plane("cp1"), control_plane("cp2"), control_plane("cp3"), worker("w1"), worker("w2")]
DONE = [control_plane(host, NEW, NEW) for host in ("cp1", "cp2", "cp3")] + [worker("w1", NEW), worker("w2", NEW)]


def modes(planned: upgrade.Upgrade) -> dict[str, str]:
    return {host: visit["mode"] for host, visit in planned["nodes"].items()}


def test_the_first_control_plane_applies_and_the_others_follow() -> None:
    planned = next_upgrade(CLUSTER, OLD, NEW, [])
    assert (planned["there"], planned["version"], planned["further"]) == (OLD, NEW, [])
    assert modes(planned) == {"cp1": "apply", "cp2": "node", "cp3": "node", "w1": "node", "w2": "node"}
    assert all(visit["drain"] for visit in planned["nodes"].values())


def test_a_patch_release_drains_nobody() -> None:
    assert not any(visit["drain"] for visit in next_upgrade(CLUSTER, OLD, "1.36.9", [])["nodes"].values())


def test_a_cluster_that_has_the_version_has_nothing_to_do() -> None:
    assert next_upgrade(DONE, NEW, NEW, [])["nodes"] == {}


@pytest.mark.parametrize(
    ("there", "configured", "left"),
    [
        # Killed while `upgrade apply` changed manifests: the API server is new, kubeadm-config is not.
        ([control_plane("cp1", NEW), *CLUSTER[1:]], OLD, {"cp1": "apply", "cp2": "node", "cp3": "node", "w1": "node", "w2": "node"}),
        # Killed between kubeadm and the kubelet; nobody knows whether `upgrade apply` came to its end, so it is done again, and there.
        ([control_plane("cp2", NEW), CLUSTER[0], *CLUSTER[2:]], NEW, {"cp2": "apply", "cp1": "node", "cp3": "node", "w1": "node", "w2": "node"}),
        # Killed between the kubelet's program and its restart.
        ([control_plane("cp1", NEW, NEW, running=OLD), *CLUSTER[1:]], NEW, {"cp1": "apply", "cp2": "node", "cp3": "node", "w1": "node", "w2": "node"}),
        ([DONE[0], *CLUSTER[1:]], NEW, {"cp2": "node", "cp3": "node", "w1": "node", "w2": "node"}),
        ([*DONE[:3], worker("w1", NEW, running=OLD), CLUSTER[4]], NEW, {"w1": "node", "w2": "node"}),
        ([*DONE[:4], CLUSTER[4]], NEW, {"w2": "node"}),
    ],
)
def test_a_killed_run_is_taken_up_by_what_is_there(there: list[NodeVersions], configured: str, left: dict[str, str]) -> None:
    planned = next_upgrade(there, configured, NEW, [])
    assert planned["version"] == NEW and modes(planned) == left
    assert upgrade.is_mixed(there, configured)


def test_versions_are_passed_through_one_after_the_other() -> None:
    cluster = [control_plane("cp1", "1.35.8", "1.35.8"), worker("w1", "1.35.8")]
    listed = [OLD, NEW]
    planned = next_upgrade(cluster, "1.35.8", NEW, listed)
    assert (planned["version"], planned["further"]) == (OLD, [NEW])
    # The workers of the first version come before anything of the second.
    planned = next_upgrade([control_plane("cp1"), worker("w1", "1.35.8")], OLD, NEW, listed)
    assert (planned["version"], planned["further"], modes(planned)) == (OLD, [NEW], {"w1": "node"})
    planned = next_upgrade([control_plane("cp1"), worker("w1")], OLD, NEW, listed)
    assert (planned["there"], planned["version"], planned["further"]) == (OLD, NEW, [])


def test_a_list_that_is_behind_the_cluster_does_not_matter() -> None:
    assert path_problems(NEW, NEW, [OLD, NEW]) == [] and next_upgrade(DONE, NEW, NEW, [OLD, NEW])["nodes"] == {}


@pytest.mark.parametrize(
    ("there", "wanted", "listed", "subject", "text"),
    [
        (NEW, OLD, [], "cluster_kubernetes_version", "is 1.36.5, but the cluster has 1.37.2, and Kubernetes has no way back to an older version; write 1.37.2"),
        ("1.37.3", NEW, [], "cluster_kubernetes_version", "no way back"),
        ("1.35.8", NEW, [], "cluster_kubernetes_version", "would be skipped, .*write cluster_upgrade_path: \\[1.36.N, 1.37.2\\]"),
        ("1.34.2", NEW, ["1.35.8", NEW], "cluster_upgrade_path", "from 1.35.8 to 1.37.2.*\\[1.35.8, 1.36.N, 1.37.2\\]"),
        ("1.35.8", NEW, [OLD], "cluster_upgrade_path", "ends in 1.36.5, and cluster_kubernetes_version is 1.37.2"),
        ("1.35.8", NEW, [OLD, "1.36.4", NEW], "cluster_upgrade_path", "1.36.4 follows 1.36.5"),
    ],
)
def test_a_way_that_cannot_be_is_refused(there: str, wanted: str, listed: list[str], subject: str, text: str) -> None:
    problems = path_problems(there, wanted, listed)
    assert [problem.subject for problem in problems] == [subject]
    assert re.search(text, str(problems[0]))


@pytest.mark.parametrize(("there", "wanted", "listed"), [(OLD, NEW, []), (OLD, OLD, []), (OLD, "1.36.6", []), ("1.35.8", NEW, [OLD, NEW])])
def test_a_way_that_can_be(there: str, wanted: str, listed: list[str]) -> None:
    assert path_problems(there, wanted, listed) == []


@pytest.mark.parametrize(
    ("etcd", "versions", "refused"),
    [
        ("3.6.8-0", [NEW], True),
        ("3.6.11-0", [NEW], False),
        ("3.6.14-0", [NEW], False),
        ("3.7.0-0", [NEW], False),
        ("3.6.8-0", ["1.36.9"], False),
        ("3.5.21-0", [OLD], True),
        ("3.5.26-0", [OLD], False),
        # kubeadm 1.36 brings an etcd itself that is too old for the next version.
        ("3.6.6-0", [OLD, NEW], True),
        ("3.6.14-0", [OLD, NEW], False),
        ("own-build", [NEW], False),
    ],
)
def test_an_etcd_that_stands_in_the_way(etcd: str, versions: list[str], refused: bool) -> None:
    problems = upgrade.etcd_problems({"cp1": etcd, "cp2": etcd}, versions)
    assert bool(problems) is refused
    if refused:
        assert problems[0].subject == "cp1, cp2" and "imageTag" in problems[0].write


def test_one_member_that_was_raised_already_is_not_named() -> None:
    assert [problem.subject for problem in upgrade.etcd_problems({"cp1": "3.6.8-0", "cp2": "3.7.0-0"}, [NEW])] == ["cp1"]


@pytest.mark.parametrize(
    ("control_plane_joins", "there", "configured", "version"),
    [
        # A kubelet is never newer than an API server that it may meet behind the endpoint.
        (False, [DONE[0], *CLUSTER[1:]], NEW, OLD),
        (True, [DONE[0], *CLUSTER[1:]], NEW, NEW),
        (False, [*DONE[:3], *CLUSTER[3:]], NEW, NEW),
        (False, [control_plane("cp1", NEW), *CLUSTER[1:]], OLD, OLD),
        (True, [control_plane("cp1", NEW), *CLUSTER[1:]], OLD, OLD),
        (False, [], OLD, OLD),
    ],
)
def test_who_joins_meanwhile_gets_what_the_control_plane_has(control_plane_joins: bool, there: list[Any], configured: str, version: str) -> None:
    assert upgrade.joining_version(control_plane_joins, there, configured) == version


def test_a_cluster_of_one_version_is_not_mixed() -> None:
    assert not upgrade.is_mixed(DONE, NEW) and not upgrade.is_mixed(CLUSTER, OLD)
