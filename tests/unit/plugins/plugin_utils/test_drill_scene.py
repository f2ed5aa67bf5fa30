# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who is hit, who measures, and whether a round may begin; what each fault consists of; what the cluster must say."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.quorum.kubeadm.plugins.module_utils.drill_access import objects
from ansible_collections.quorum.kubeadm.plugins.module_utils.drill_faults import FAULTS, Means, command_recipe, own_means
from ansible_collections.quorum.kubeadm.plugins.module_utils.drill_health import leader_of, look_at_etcd, member_problems, node_problems
from ansible_collections.quorum.kubeadm.plugins.plugin_utils.drill_scene import UnknownFault, proxy_problems, rounds_of, set_scene
from ansible_collections.quorum.kubeadm.plugins.module_utils.etcd import NO_STATUS, EtcdError, Member
from ansible_collections.quorum.kubeadm.plugins.plugin_utils.failover import Timings, worst_cases

NODES = {
    "cp1": {"name": "n1", "control_plane": True},
    "cp2": {"name": "n2", "control_plane": True},
    "cp3": {"name": "n3", "control_plane": True},
    "w1": {"name": "n4", "control_plane": False},
    "w2": {"name": "n5", "control_plane": False},
}
PROXIES = ["cp1", "cp2", "cp3"]


def proxy(holds: bool = False, up: int = 3, worth: int | None = 0, haproxy: bool = True, keepalived: bool = True) -> dict[str, Any]:
    backends = [{"name": f"cp{number}", "up": number <= up} for number in (1, 2, 3)]
    return {"holds_vip": holds, "worth": worth, "haproxy": {"active": haproxy, "backends": backends}, "keepalived": {"active": keepalived}}


WELL = {"cp1": proxy(), "cp2": proxy(holds=True), "cp3": proxy()}


def scene(fault: str, repeat: int = 1, found: dict[str, Any] | None = None, **more: Any) -> Any:
    given = {"nodes": NODES, "proxies": PROXIES, "probes": [], "probe_count": 1, "commands": {}, "etcd_leader": "n3", **more}
    return set_scene(fault=fault, repeat=repeat, found=WELL if found is None else found, **given)


@pytest.mark.parametrize(
    ("found", "problems"),
    [
        (WELL, []),
        # Without a state file there is no word of what a proxy is worth.
        ({**WELL, "cp1": proxy(worth=None)}, []),
        # The active router may be worth more than the others.
        ({**WELL, "cp2": proxy(holds=True, worth=1)}, []),
        ({**WELL, "cp1": proxy(holds=True)}, ["cp1 and cp2 has the address"]),
        ({**WELL, "cp2": proxy()}, ["nobody has the address"]),
        ({**WELL, "cp3": proxy(up=2)}, ["cp3 sees 2 of 3 API servers"]),
        ({**WELL, "cp3": proxy(worth=-1)}, ["the proxy on cp3 does not serve yet (-1)"]),
        ({**WELL, "cp3": proxy(haproxy=False, keepalived=False)}, ["haproxy does not run on cp3", "keepalived does not run on cp3"]),
        ({"cp1": proxy(), "cp2": proxy(holds=True)}, ["cp3 could not be asked"]),
    ],
)
def test_proxies(found: dict[str, Any], problems: list[str]) -> None:
    assert proxy_problems(found, PROXIES, 3) == problems


@pytest.mark.parametrize(
    ("fault", "repeat", "target"),
    [
        ("haproxy_killed", 1, "cp2"),
        ("active_router_frozen", 3, "cp2"),
        ("api_server_killed", 1, "cp1"),
        ("api_server_killed", 2, "cp2"),
        ("api_server_hung", 4, "cp1"),
        ("etcd_leader_killed", 1, "cp3"),
    ],
)
def test_target(fault: str, repeat: int, target: str) -> None:
    assert (scene(fault, repeat)["target"], scene(fault, repeat)["targets"]) == (target, [target])


def test_etcd_loses_its_quorum_on_as_many_hosts_as_it_takes() -> None:
    # cp3 leads; it is frozen only where its followers are not enough.
    found = scene("etcd_without_quorum")
    assert (found["targets"], found["target"], found["hold"], found["readyz"]) == (["cp1", "cp2"], "cp1", 12, "/readyz?exclude=etcd&exclude=etcd-readiness")
    one = {"cp3": {"name": "n3", "control_plane": True}, "w1": {"name": "w1", "control_plane": False}}
    assert scene("etcd_without_quorum", nodes=one)["targets"] == ["cp3"]
    # Without workers those that are hit can still ask, but who has the address.
    alone = {host: node for host, node in NODES.items() if node["control_plane"]}
    assert scene("etcd_without_quorum", nodes=alone)["probes"] in (["cp1"], ["cp3"])
    assert scene("etcd_without_quorum", etcd_leader="")["problems"] == ["etcd has no leader on a control plane"]


@pytest.mark.parametrize(
    ("options", "probes"),
    [
        ({}, ["w1"]),
        ({"probe_count": 2}, ["w1", "w2"]),
        ({"probe_count": 9}, ["w1", "w2", "cp1"]),
        # Given ones stay as they are, but those that are hit or have the address.
        ({"probes": ["w2", "cp1", "cp2", "cp3"]}, ["w2", "cp1"]),
        # No workers.
        ({"nodes": {host: node for host, node in NODES.items() if node["control_plane"]}}, ["cp1"]),
    ],
)
def test_probes_are_outside_the_fault(options: dict[str, Any], probes: list[str]) -> None:
    assert scene("etcd_leader_frozen", **options)["probes"] == probes


def test_nobody_is_left_to_measure() -> None:
    assert scene("haproxy_killed", probes=["cp2"])["problems"] == ["nobody outside cp2 is left to measure"]


def test_etcd_without_a_leader() -> None:
    assert scene("etcd_leader_killed", etcd_leader="")["problems"] == ["etcd has no leader on a control plane"]


def test_commands_are_the_users() -> None:
    commands = {"power_off": ["ipmitool", "-H", "bmc-{host}", "power", "off"], "power_on": ["ipmitool", "-H", "bmc-{host}", "power", "on"], "thaw": ["thaw"]}
    found = scene("active_router_powered_off", commands=commands)
    assert found["break_command"] == ["ipmitool", "-H", "bmc-cp2", "power", "off"]
    assert found["mend_command"][-1] == "on"
    # What only mends is of no use.
    assert (scene("active_router_frozen", commands=commands)["break_command"], scene("active_router_frozen", commands=commands)["mend_command"]) == ([], [])
    assert scene("haproxy_killed", commands=commands)["break_command"] == []


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("packet_filter", ["nft", "iptables", "tc"])
def test_every_fault_has_means(fault: str, packet_filter: str) -> None:
    recipe = own_means(fault, Means("ens3", packet_filter))
    assert recipe.breaks
    steps = [*recipe.breaks, *recipe.mends]
    assert all({"argv", "signal", "write", "append", "restore", "spin"} & set(step) for step in steps)
    # What stays broken until it is mended has something that mends it; machines that boot again need nothing.
    assert recipe.mends or fault in ("active_router_powered_off", "active_router_rebooted", "etcd_leader_killed")
    assert [step["append"] for step in recipe.breaks if "append" in step] == [step["restore"] for step in recipe.mends if "restore" in step]


def test_vrrp_is_blocked_by_what_there_is() -> None:
    def programs(packet_filter: str) -> set[str]:
        return {step["argv"][0] for step in own_means("vrrp_blocked", Means("eth0", packet_filter)).breaks}

    assert (programs("nft"), programs("iptables"), programs("tc")) == ({"nft"}, {"iptables", "ip6tables"}, {"tc"})
    breaks = own_means("active_router_cut_off", Means("eth7")).breaks
    assert breaks and all("eth7" in step["argv"] for step in breaks)


def test_a_cable_brings_its_routes_back() -> None:
    recipe = own_means("cable_pulled", Means("eth0"))
    kept = {step["keep"] for step in recipe.breaks if "keep" in step}
    assert kept == {step["give"] for step in recipe.mends if "give" in step}
    assert recipe.breaks[-1]["argv"][-1] == "down"
    assert recipe.mends[0]["argv"][-1] == "up"


def test_commands_make_a_recipe() -> None:
    assert command_recipe(["docker", "kill", "x"], []) == ([{"argv": ["docker", "kill", "x"]}], [])
    assert command_recipe(["a"], ["b"]).mends == [{"argv": ["b"]}]


def test_the_model_knows_every_fault_and_the_drill_every_row() -> None:
    moves = {"haproxy_reloaded", "keepalived_reloaded", "api_server_restarted"}
    drilled = {name for name, fault in FAULTS.items() if name not in moves and not fault.undisturbed}
    # A hung API server is one fault, and two waits.
    assert {case.fault for case in worst_cases(Timings())} == drilled | {"api_server_hung_watches"}


def test_access_is_to_configmaps_of_one_namespace() -> None:
    made = {one["kind"]: one for one in objects("drill")}
    assert set(made) == {"Namespace", "ServiceAccount", "Role", "RoleBinding"}
    assert [rule["resources"] for rule in made["Role"]["rules"]] == [["configmaps"]]
    assert made["RoleBinding"]["subjects"][0]["namespace"] == "drill"


def node(name: str, ready: str = "True") -> dict[str, Any]:
    return {"metadata": {"name": name}, "status": {"conditions": [{"type": "Ready", "status": ready}]}}


def test_nodes_must_be_ready() -> None:
    assert node_problems([node("n1"), node("n2", "Unknown"), node("other", "False")], ["n1", "n2", "n3"]) == ["n2 is not Ready", "n3 is no node"]


def member(name: str, number: int, learner: bool = False, healthy: bool = True) -> Member:
    return Member(**NO_STATUS, name=name, id=format(number, "x"), peer_urls=[], client_urls=[], learner=learner, healthy=healthy, alarms=[])


def test_members_must_be_healthy_voters() -> None:
    assert member_problems([member("n1", 1), member("n2", 2), member("n3", 3)], 3) == []
    assert member_problems([member("n1", 1), member("n2", 2, healthy=False), member("n3", 3, learner=True)], 3) == [
        "etcd has 2 voters in place of 3",
        "etcd's member n2 is not healthy",
    ]


def test_the_leader_is_told_by_number() -> None:
    members = [member("n1", 10276657743932975437), member("n2", 2)]
    assert leader_of(members, {"leader": "10276657743932975437"}) == "n1"
    assert leader_of(members, {"leader": "0"}) == leader_of(members, {}) == ""


def test_etcd_is_asked() -> None:
    members = [{"name": "n1", "ID": "1", "clientURLs": ["https://192.0.2.11:2379"]}]

    def ask(url: str, body: Any) -> Any:
        answers = {"/v3/cluster/member/list": {"members": members}, "/health": {"health": "true"}, "/v3/maintenance/status": {"leader": leader}}
        return next(answer for path, answer in answers.items() if url.endswith(path))

    leader = "1"
    assert look_at_etcd(ask, 1) == ([], "n1")
    leader = "0"
    assert look_at_etcd(ask, 1) == (["etcd has no leader"], "")

    def silent(url: str, body: Any) -> Any:
        raise EtcdError("refused")

    assert look_at_etcd(silent, 1) == (["etcd does not answer: refused"], "")


def test_rounds() -> None:
    assert rounds_of(["haproxy_hung", "cable_pulled"], 2) == [(1, "haproxy_hung"), (1, "cable_pulled"), (2, "haproxy_hung"), (2, "cable_pulled")]
    assert [fault for _repeat, fault in rounds_of([], 1)] == list(FAULTS)
    with pytest.raises(UnknownFault, match="drill_faults: there is no fault holder_frozen; there are haproxy_killed, "):
        rounds_of(["holder_frozen"], 1)


def test_the_page_about_failover_has_every_fault() -> None:
    page = (Path(__file__).parents[4] / "docs" / "failover.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (`\w+`(?:, `\w+`)*) \|", page, re.MULTILINE)
    assert {name for row in rows for name in re.findall(r"\w+", row)} == set(FAULTS)
