# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""etcd's JSON gateway: members, their health, and the removal of one."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, Mapping, Sequence

import pytest

from ansible_collections.quorum.kubeadm.plugins.module_utils import etcd
from ansible_collections.quorum.kubeadm.plugins.module_utils.command import Result
from ansible_collections.quorum.kubeadm.plugins.module_utils.kubectl import Deadline, Kubectl

FIXTURES = Path(__file__).parents[2] / "fixtures"
MEMBERS = json.loads((FIXTURES / "cluster" / "etcd_members.json").read_text())
CP1, CP2 = "https://198.18.79.11:2379", "https://198.18.79.12:2379"


class Gateway:
    """An etcd that answers from a table; a URL that is not in it does not answer."""

    def __init__(self, answers: Mapping[str, Any]) -> None:
        self.answers = answers
        self.asked: list[tuple[str, Any]] = []

    def __call__(self, url: str, body: Mapping[str, Any] | None) -> Any:
        self.asked.append((url, body))
        if url not in self.answers:
            raise etcd.EtcdError(f"{url}: refused")
        return self.answers[url]


def test_members_with_a_learner_that_never_started() -> None:
    assert etcd.parse_members(MEMBERS) == [
        {
            "name": "",
            "id": "c310162780e4bb6b",
            "peer_urls": ["https://198.18.79.12:2380"],
            "client_urls": [],
            "learner": True,
            "healthy": False,
            "alarms": [],
            **etcd.NO_STATUS,
        },
        {
            "name": "cp1",
            "id": "5cd4c160eda9fbf3",
            "peer_urls": ["https://198.18.79.11:2380"],
            "client_urls": [CP1],
            "learner": False,
            "healthy": False,
            "alarms": [],
            **etcd.NO_STATUS,
        },
    ]


def test_the_next_endpoint_is_asked_when_one_does_not_answer() -> None:
    gateway = Gateway({f"{CP2}/v3/cluster/member/list": MEMBERS})
    assert len(etcd.list_members(gateway, [f"{CP1}/", CP2])) == 2
    assert [url for url, _body in gateway.asked] == [f"{CP1}/v3/cluster/member/list", f"{CP2}/v3/cluster/member/list"]


@pytest.mark.parametrize(("endpoints", "why"), [([], "no etcd member is known"), ([CP1, CP2], f"{CP1}.*refused; {CP2}.*refused")])
def test_no_endpoint_answers(endpoints: list[str], why: str) -> None:
    with pytest.raises(etcd.EtcdError, match=why):
        etcd.list_members(Gateway({}), endpoints)


@pytest.mark.parametrize(
    ("answer", "healthy"),
    [({"health": "true", "reason": ""}, True), ({"health": "false", "reason": "RAFT NO LEADER"}, False), ({}, False), ([], False)],
)
def test_health(answer: Any, healthy: bool) -> None:
    found = etcd.with_health(Gateway({f"{CP1}/health": answer}), etcd.parse_members(MEMBERS))
    assert [member["healthy"] for member in found] == [False, healthy]


def test_health_of_a_member_that_does_not_answer() -> None:
    assert not any(member["healthy"] for member in etcd.with_health(Gateway({}), etcd.parse_members(MEMBERS)))


UPKEEP = json.loads((FIXTURES / "cluster" / "etcd_upkeep.json").read_text())
LAB = [f"https://198.18.64.1{number}:2379" for number in (1, 2, 3)]


def upkeep(*silent: str, **differs: Any) -> list[etcd.Member]:
    """What the members of the lab tell, but for those that do not answer."""
    answers = {url: answer for url, answer in UPKEEP.items() if not url.startswith(tuple(silent) or ("no",))}
    gateway = Gateway({**answers, **{f"{url}/health": {"health": "true", "reason": ""} for url in LAB}, **differs})
    members = etcd.parse_members(UPKEEP["/v3/cluster/member/list"])

    def ask(url: str, body: Mapping[str, Any] | None) -> Any:
        path = url.removeprefix(LAB[0])
        return gateway(path if path == "/v3/maintenance/alarm" else url, body)

    return etcd.with_status(ask, LAB[:1], members)


def test_the_state_of_databases() -> None:
    told = upkeep()
    assert [(one["name"], one["version"], one["leader"], one["healthy"]) for one in told] == [
        ("cp1", "3.7.0", True, True),
        ("cp2", "3.7.0", False, True),
        ("cp3", "3.7.0", False, True),
    ]
    assert [(one["db_size"], one["db_in_use"], one["quota"], one["alarms"]) for one in told] == [
        (3624960, 1634304, 2147483648, []),
        (3608576, 1626112, 2147483648, []),
        (3616768, 1630208, 2147483648, []),
    ]


def test_alarms_are_those_of_the_member_that_raised_them() -> None:
    while_full = {
        "/v3/maintenance/alarm": UPKEEP["/v3/maintenance/alarm with NOSPACE"],
        f"{LAB[1]}/v3/maintenance/status": UPKEEP[f"{LAB[1]}/v3/maintenance/status with NOSPACE"],
        f"{LAB[1]}/health": UPKEEP[f"{LAB[1]}/health with NOSPACE"],
    }
    assert [(one["name"], one["healthy"], one["alarms"]) for one in upkeep(**while_full)] == [
        ("cp1", True, []),
        ("cp2", False, ["NOSPACE"]),
        ("cp3", True, []),
    ]


def test_a_member_that_does_not_answer_has_no_state() -> None:
    told = upkeep(LAB[1])
    assert [(one["name"], one["db_size"]) for one in told] == [("cp1", 3624960), ("cp2", None), ("cp3", 3616768)]
    assert etcd.parse_status({"header": {"member_id": "1"}, "version": "3.5.26", "dbSize": "20480", "leader": "2"}) == {
        "version": "3.5.26",
        "db_size": 20480,
        "db_in_use": 0,
        "quota": None,
        "leader": False,
    }


def test_removal_names_the_member_in_decimal() -> None:
    gateway = Gateway({f"{CP1}/v3/cluster/member/list": MEMBERS, f"{CP1}/v3/cluster/member/remove": {}})
    assert etcd.remove_member(gateway, [CP1], "https://198.18.79.12:2380") == "c310162780e4bb6b"
    assert gateway.asked[-1] == (f"{CP1}/v3/cluster/member/remove", {"ID": "14055758795945327467"})


def test_nothing_to_remove() -> None:
    gateway = Gateway({f"{CP1}/v3/cluster/member/list": MEMBERS})
    assert etcd.remove_member(gateway, [CP1], "https://198.18.79.13:2380") is None
    assert len(gateway.asked) == 1


def test_the_last_member_is_never_removed() -> None:
    alone = {"members": [member for member in MEMBERS["members"] if member.get("name") == "cp1"]}
    with pytest.raises(etcd.EtcdError, match="only member"):
        etcd.remove_member(Gateway({f"{CP1}/v3/cluster/member/list": alone}), [CP1], "https://198.18.79.11:2380")


def pod(name: str, urls: str | None) -> dict[str, Any]:
    return {"kind": "Pod", "metadata": {"name": name, **({"annotations": {etcd.CLIENT_URLS_ANNOTATION: urls}} if urls else {})}}


def test_client_urls_of_pods() -> None:
    assert etcd.client_urls([pod("etcd-cp1", CP1), pod("etcd-cp2", f"{CP2},https://[2001:db8::2]:2379"), pod("other", None)]) == [
        CP1,
        CP2,
        "https://[2001:db8::2]:2379",
    ]


def half_joined(root: Path, *, certificates: bool = True, kubeconfig: bool = True, manifest: bool = True) -> Path:
    for wanted, path, content in (
        (certificates, root / etcd.CLIENT_CERTIFICATE, "crt"),
        (kubeconfig, root / "etc/kubernetes/admin.conf", "conf"),
        (manifest, root / "etc/kubernetes/manifests/kube-apiserver.yaml", "    - --advertise-address=198.18.79.12\n"),
    ):
        if wanted:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content)
    return root


def kubectl_with_pods(*pods: Mapping[str, Any]) -> Kubectl:
    def runner(argv: Sequence[str], stdin: str | None, seconds: float) -> Result:
        assert [word for word in argv if re.fullmatch("get|pods|component=etcd,tier=control-plane", word)] == [
            "get",
            "pods",
            "component=etcd,tier=control-plane",
        ]
        return Result(0, json.dumps({"kind": "List", "items": list(pods)}), "")

    return Kubectl("/etc/kubernetes/admin.conf", Deadline(1), runner)


# The second is an address that was corrected since: the join that was cut short took the manifest's.
@pytest.mark.parametrize("advertise_address", ["198.18.79.12", "198.18.79.99", None, ""])
def test_own_member_is_forgotten_by_the_others(advertise_address: str | None, tmp_path: Path) -> None:
    gateway = Gateway({f"{CP1}/v3/cluster/member/list": MEMBERS, f"{CP1}/v3/cluster/member/remove": {}})
    kubectl = kubectl_with_pods(pod("etcd-cp2", CP2), pod("etcd-cp1", CP1))
    assert etcd.forget_own_member(half_joined(tmp_path), advertise_address, kubectl, lambda root: gateway) == "c310162780e4bb6b"
    assert CP2 not in "".join(url for url, _body in gateway.asked), "the member that goes is not asked"


THREE = {
    "members": [
        {"ID": str(number), "name": f"cp{number}", "peerURLs": [f"https://198.18.79.1{number}:2380"], "clientURLs": [f"https://198.18.79.1{number}:2379"]}
        for number in (1, 2, 3)
    ]
}


def three(*healthy: int) -> list[etcd.Member]:
    ask = Gateway({f"https://198.18.79.1{number}:2379/health": {"health": "true"} for number in healthy})
    return etcd.with_health(ask, etcd.parse_members(THREE))


@pytest.mark.parametrize(("manifest", "removed"), [(True, "2"), (False, None)])
def test_a_healthy_member_is_removed_only_where_it_runs(manifest: bool, removed: str | None, tmp_path: Path) -> None:
    gateway = Gateway({f"{CP1}/v3/cluster/member/list": THREE, f"{CP1}/v3/cluster/member/remove": {}, f"{CP2}/health": {"health": "true"}})
    root = half_joined(tmp_path)
    if manifest:
        (root / "etc/kubernetes/manifests/etcd.yaml").write_text("")
        assert etcd.forget_own_member(root, None, kubectl_with_pods(pod("etcd-cp1", CP1)), lambda _root: gateway) == removed
    else:
        with pytest.raises(etcd.EtcdError, match="cp2, is healthy, and no etcd runs on this node"):
            etcd.forget_own_member(root, None, kubectl_with_pods(pod("etcd-cp1", CP1)), lambda _root: gateway)


@pytest.mark.parametrize(
    ("healthy", "name", "address", "gone"),
    [
        ((1, 2), "cp3", None, ["cp3"]),
        ((1, 2), None, "198.18.79.13", ["cp3"]),
        ((1, 2), "cp3", "198.18.79.99", ["cp3"]),
        ((1, 2), "new", "198.18.79.13", ["cp3"]),
        ((1, 2, 3), "cp4", "198.18.79.14", []),
        ((), "cp4", "198.18.79.14", []),
        ((1, 2), "", "", []),
    ],
)
def test_members_of_dead_machines(healthy: tuple[int, ...], name: str | None, address: str | None, gone: list[str]) -> None:
    assert [member["name"] for member in etcd.dead_members(three(*healthy), name, address)] == gone


@pytest.mark.parametrize(
    ("healthy", "name", "address", "why"),
    [
        ((1, 2, 3), "cp3", None, r"member cp3 \(https://198.18.79.13:2380\) is healthy"),
        ((1, 2, 3), None, "198.18.79.13", "member cp3 .* is healthy"),
        ((1, 2), "cp3", "198.18.79.12", "member cp2 .* is healthy"),
        ((1,), "cp3", None, r"1 healthy of 2 voting members, and no majority: bring back cp2 \(https://198.18.79.12:2380\) first"),
        ((), "cp3", None, "0 healthy of 2 voting members"),
    ],
)
def test_members_that_must_stay(healthy: tuple[int, ...], name: str | None, address: str | None, why: str) -> None:
    with pytest.raises(etcd.EtcdError, match=why):
        etcd.dead_members(three(*healthy), name, address)


def test_the_only_member_and_learners_do_not_vote_for_a_removal() -> None:
    with pytest.raises(etcd.EtcdError, match="0 healthy of 0 voting members, and no majority$"):
        etcd.dead_members([member for member in three() if member["name"] == "cp1"], "cp1", None)
    learner: etcd.Member = {**three(1, 2)[1], "learner": True}
    with pytest.raises(etcd.EtcdError, match="0 healthy of 0 voting members"):
        etcd.dead_members([three()[0], learner], "cp1", None)


def test_no_name_means_no_member() -> None:
    members: list[etcd.Member] = [{**member, "healthy": member["name"] == "cp1"} for member in etcd.parse_members(MEMBERS)]
    assert etcd.dead_members(members, "", None) == []


def test_a_dead_learner_goes() -> None:
    learner: etcd.Member = {**three()[1], "learner": True}
    assert etcd.dead_members([three(1)[0], learner], "cp2", None) == [learner]


def test_local_endpoints(tmp_path: Path) -> None:
    assert etcd.local_endpoints(tmp_path) == []
    manifest = tmp_path / "etc/kubernetes/manifests/etcd.yaml"
    manifest.parent.mkdir(parents=True)
    manifest.write_text((FIXTURES / "node" / "etcd.yaml").read_text())
    assert etcd.local_endpoints(tmp_path) == [CP1]
    manifest.write_text("")
    assert etcd.local_endpoints(tmp_path) == ["https://127.0.0.1:2379"]


@pytest.mark.parametrize("lacking", ["certificates", "kubeconfig", "manifest"])
def test_a_join_that_did_not_reach_etcd_left_nothing(lacking: str, tmp_path: Path) -> None:
    root = half_joined(tmp_path, **{lacking: False})
    assert etcd.forget_own_member(root, None, kubectl_with_pods(), lambda _root: Gateway({})) is None
