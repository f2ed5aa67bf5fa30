# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The timing model: what each fault can cost."""

from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.quorum.kubeadm.plugins.module_utils import drill_faults
from ansible_collections.quorum.kubeadm.plugins.plugin_utils import cluster_checks, failover
from ansible_collections.quorum.kubeadm.plugins.plugin_utils.cluster_inputs import PREFIX, ClusterInputs
from ansible_collections.quorum.kubeadm.plugins.plugin_utils.cluster_model import ProxyTimings
from ansible_collections.quorum.kubeadm.plugins.plugin_utils.failover import Timings, over_budget, worst_cases
from hypothesis import given
from hypothesis import strategies as st

SOUND = Timings()
# The guide's: VRRP of whole seconds, a script that takes 30 s to notice, weights that let nobody go, HAProxy's own timings.
GUIDE = Timings(
    advertisement=1000, priorities=(100, 100, 100), vrrp_version=2, check_interval=2000, check_fast_interval=2000, check_timeout=2000,
    check_fall=3, dead_interval=2000, dead_timeout=2000, shuts_sessions=False, etcd_asked=False, connect_timeout=5000, told_late=30_000, lets_go=False,
    watched=False, reads_answers=False, settling=0,
)  # fmt: skip

FAULTS = [
    "haproxy_killed",
    "haproxy_hung",
    "keepalived_killed",
    "api_server_killed",
    "api_server_hung",
    "api_server_hung_watches",
    "active_router_powered_off",
    "active_router_frozen",
    "active_router_cut_off",
    "cable_pulled",
    "vrrp_blocked",
    "active_router_rebooted",
    "active_router_drained",
    "etcd_leader_killed",
    "etcd_leader_frozen",
]


def costs(timings: Timings) -> dict[str, float]:
    return {case.fault: case.milliseconds for case in worst_cases(timings)}


def test_every_fault_has_one_row() -> None:
    assert [case.fault for case in worst_cases(Timings())] == FAULTS


def test_rows_are_of_faults_that_the_drill_knows() -> None:
    """All but the planned moves and what nobody may notice; one fault has two rows, since watches on its server wait longer than new requests."""
    bounded = {fault.name for fault in drill_faults.FAULTS.values() if not (fault.planned or fault.undisturbed)}
    assert {*FAULTS} - {"api_server_hung_watches"} == bounded | {"active_router_drained"}


def test_the_inputs_table_names_timings_and_inputs() -> None:
    assert set(cluster_checks.TIMING_INPUTS) == {"advertisement", *ProxyTimings.__annotations__}
    assert set(cluster_checks.TIMING_INPUTS) <= set(failover.SET_BY)
    assert set(cluster_checks.TIMING_INPUTS.values()) <= {f"{PREFIX}{one.name}" for one in dataclasses.fields(ClusterInputs)}


@pytest.mark.parametrize(
    ("timings", "fault", "expected"),
    [
        # skew of the second: 119 * 100 / 256 = 46.5
        (SOUND, "haproxy_killed", 47 + 50),
        (SOUND, "haproxy_hung", 100 + 600 + 100 + 47 + 50),
        (SOUND, "keepalived_killed", 300 + 47 + 50),
        (dataclasses.replace(SOUND, keepalived_restart=1000), "keepalived_killed", 1050),
        (SOUND, "api_server_killed", 50),
        (SOUND, "api_server_hung", 100 + 120 + 50),
        (dataclasses.replace(SOUND, check_fall=3), "api_server_hung", 100 + 3 * 120 + 2 * 25 + 50),
        (dataclasses.replace(SOUND, check_timeout=50), "api_server_hung", 100 + 100 + 50),
        (dataclasses.replace(GUIDE, reads_answers=True), "api_server_hung", 2000 + 3 * 2000 + 2 * 2000 + 50),
        (GUIDE, "api_server_hung", math.inf),
        (GUIDE, "active_router_frozen", math.inf),
        (SOUND, "api_server_hung_watches", 300 + 2 * 250 + 25 + 50 + 2000 + 100),
        (GUIDE, "api_server_hung_watches", math.inf),
        (SOUND, "active_router_powered_off", 300 + 47 + 50),
        (dataclasses.replace(SOUND, redispatch=False, check_fall=3), "active_router_powered_off", 100 + 3 * 100 + 2 * 25 + 50),
        (SOUND, "active_router_frozen", 300 + 47 + 50),
        (dataclasses.replace(SOUND, check_fall=3), "active_router_frozen", 100 + 3 * 100 + 2 * 25 + 50),
        (dataclasses.replace(SOUND, advertisement=1000), "active_router_frozen", 3000 + 465 + 50),
        (SOUND, "active_router_cut_off", 300 + 47 + 50),
        (SOUND, "cable_pulled", 300 + 47 + 50),
        (SOUND, "vrrp_blocked", 50),
        (Timings(announce_again=1000), "vrrp_blocked", math.inf),
        (GUIDE, "haproxy_killed", 30_000 + 3000 + 610 + 50),
        (dataclasses.replace(GUIDE, lets_go=True), "haproxy_killed", 30_000 + 610 + 50),
        (GUIDE, "haproxy_hung", math.inf),
        (SOUND, "active_router_rebooted", 300 + 47 + 50),
        # Back 100 ms after its start, it would still send to servers that its checks take 270 ms to find out about.
        (dataclasses.replace(SOUND, settling=100), "active_router_rebooted", 397 + 170),
        (SOUND, "active_router_drained", 50),
        (dataclasses.replace(SOUND, etcd_asked=False), "etcd_leader_killed", 1000 + 2000 + 100 + 50),
        (dataclasses.replace(SOUND, etcd_asked=False), "etcd_leader_frozen", 1000 + 2000 + 100 + 50),
        (SOUND, "etcd_leader_killed", 2 * 1000 + 100 + 50),
        (dataclasses.replace(SOUND, etcd_election=100), "etcd_leader_frozen", 100 + 120 + 100 + 50),
        (dataclasses.replace(SOUND, etcd_election=2000), "etcd_leader_killed", 2 * 2000 + 100 + 50),
        (GUIDE, "etcd_leader_killed", math.inf),
        # VRRP version 2: whole seconds, and a skew that no advertisement shortens.
        (dataclasses.replace(SOUND, vrrp_version=2, advertisement=1000, priorities=(250, 250, 250)), "active_router_cut_off", 3000 + 24 + 50),
        # Nobody takes over from the only one; with two there is one successor.
        (dataclasses.replace(SOUND, priorities=(200,)), "haproxy_killed", 100 + 50),
        (dataclasses.replace(SOUND, priorities=(100, 254)), "haproxy_killed", 61 + 50),
    ],
)
def test_costs(timings: Timings, fault: str, expected: float) -> None:
    assert costs(timings)[fault] == expected


def test_the_sum_is_told_in_words() -> None:
    rows = {case.fault: case for case in worst_cases(SOUND)}
    assert rows["active_router_cut_off"].computed_from == "3 advertisements 300 + skew 46 + reaction 50"
    assert rows["active_router_cut_off"].timings[:2] == ("advertisement", "priorities")
    assert {case.computed_from for case in worst_cases(Timings(announce_again=1000)) if case.fault == "vrrp_blocked"} == {
        "reaction 50 + both active routers announce the address again and again ∞"
    }


@pytest.mark.parametrize(
    ("timings", "refused"),
    [
        (SOUND, {}),
        (dataclasses.replace(SOUND, check_timeout=900), {"api_server_hung": "haproxy_check_timeout"}),
        (dataclasses.replace(SOUND, dead_fall=3), {"api_server_hung_watches": "haproxy_dead_timeout"}),
        # What the watcher waits on purpose is on top.
        (dataclasses.replace(SOUND, watch_silent=5000), {}),
        (dataclasses.replace(SOUND, announce_again=1000), {"vrrp_blocked": "vrrp_garp_master_refresh in keepalived.conf"}),
        (dataclasses.replace(SOUND, watch_timeout=1000), {"haproxy_hung": "TIMEOUT of proxy-state"}),
        (
            dataclasses.replace(SOUND, advertisement=300),
            {
                one: "keepalived_advert_interval"
                for one in (
                    "keepalived_killed",
                    "active_router_powered_off",
                    "active_router_frozen",
                    "active_router_cut_off",
                    "cable_pulled",
                    "active_router_rebooted",
                )
            },
        ),
        # The election is not the endpoint's.
        (dataclasses.replace(SOUND, etcd_election=5000), {}),
    ],
)
def test_over_budget(timings: Timings, refused: dict[str, str]) -> None:
    assert {refusal.fault: failover.SET_BY[refusal.timings[0]] for refusal in over_budget(timings, 1000)} == refused


@pytest.mark.parametrize(
    ("fault", "cost"),
    [
        ("haproxy_killed", 97),
        ("haproxy_hung", 897),
        ("keepalived_killed", 397),
        ("api_server_killed", 50),
        ("api_server_hung", 270),
        # 2975 ms, 2000 of which the watcher waits on purpose.
        ("api_server_hung_watches", 975),
    ],
)
def test_a_budget_holds_what_costs_as_much_and_not_a_millisecond_more(fault: str, cost: int) -> None:
    assert fault not in {refusal.fault for refusal in over_budget(SOUND, cost)}
    assert fault in {refusal.fault for refusal in over_budget(SOUND, cost - 1)}


def test_a_refusal_names_fault_and_inputs() -> None:
    assert [str(refusal) for refusal in over_budget(Timings(announce_again=1000, check_timeout=950), 1000)] == [
        "api_server_hung costs up to 1100 ms, the budget is 1000 ms: lower haproxy_check_timeout, fall in haproxy.cfg, haproxy_check_interval",
        "vrrp_blocked costs as long as it lasts, the budget is 1000 ms: lower vrrp_garp_master_refresh in keepalived.conf",
    ]
    assert str(over_budget(SOUND, 40)[2]).startswith("keepalived_killed costs up to 397 ms, the budget is 40 ms: lower keepalived_advert_interval")
    assert {str(one) for one in over_budget(SOUND, 40) if not one.timings} == {
        f"{fault} costs up to 50 ms, the budget is 40 ms: no input makes it less" for fault in ("api_server_killed", "vrrp_blocked", "active_router_drained")
    }


def test_a_client_that_asks_now_and_then_measures_more() -> None:
    case = next(case for case in worst_cases(SOUND) if case.fault == "haproxy_killed")
    assert failover.measurable(case, 50) == 197


# What drills of the lab measured, ten rounds of each fault, 20 requests and 2 writes a second.
MEASURED = json.loads((Path(__file__).parents[2] / "fixtures" / "drill" / "measured.json").read_text())
# Milliseconds by which the client's timer is late.
LATE = 10


@pytest.mark.parametrize("row", MEASURED["faults"], ids=[row["fault"] for row in MEASURED["faults"]])
def test_what_was_measured_is_never_more_than_what_is_computed(row: dict[str, Any]) -> None:
    case = next(case for case in worst_cases(Timings.of(MEASURED["timings"])) if case.fault == row["fault"])
    assert row["rounds"] >= 10
    if case.budgeted:
        assert 1000 * row["worst"] <= failover.measurable(case, 50) + LATE
    else:
        # Of writes, of which one may just have been before.
        assert 1000 * row["writes_stalled"] <= case.milliseconds + 500 + LATE
    assert row["lost_writes"] == 0


WAITS = [
    "advertisement",
    "announce_again",
    "keepalived_restart",
    "check_interval",
    "check_fast_interval",
    "check_timeout",
    "check_fall",
    "dead_interval",
    "dead_timeout",
    "dead_fall",
    "connect_timeout",
    "told_late",
    "watch_pause",
    "watch_timeout",
    "watch_command",
    "watch_silent",
    "etcd_heartbeat",
    "etcd_election",
    "etcd_said",
    "etcd_probe",
    "reaction",
]
TIMINGS = st.builds(
    Timings,
    **{name: st.integers(0, 5000) for name in WAITS if name not in ("advertisement", "check_fall", "dead_fall")},
    advertisement=st.integers(1, 4000).map(lambda steps: 10 * steps),
    check_fall=st.integers(1, 20),
    dead_fall=st.integers(1, 20),
    shuts_sessions=st.booleans(),
    etcd_asked=st.booleans(),
    settling=st.integers(0, 5000),
    vrrp_version=st.sampled_from([2, 3]),
    redispatch=st.booleans(),
    lets_go=st.booleans(),
    reads_answers=st.booleans(),
    watched=st.booleans(),
    priorities=st.lists(st.integers(1, 254), min_size=1, max_size=5).map(tuple),
)


@given(timings=TIMINGS, name=st.sampled_from(WAITS), more=st.integers(1, 3000))
def test_waiting_longer_never_costs_less(timings: Timings, name: str, more: int) -> None:
    longer = costs(dataclasses.replace(timings, **{name: getattr(timings, name) + more}))
    assert all(longer[fault] >= cost for fault, cost in costs(timings).items())


@given(timings=TIMINGS, more=st.integers(1, 3000))
def test_settling_longer_never_costs_more(timings: Timings, more: int) -> None:
    longer = costs(dataclasses.replace(timings, settling=timings.settling + more))
    assert all(longer[fault] <= cost for fault, cost in costs(timings).items())


@given(timings=TIMINGS)
def test_version_2_is_never_quicker(timings: Timings) -> None:
    if timings.advertisement <= 1000:
        version_2 = costs(dataclasses.replace(timings, vrrp_version=2))
        assert all(version_2[fault] >= cost for fault, cost in costs(dataclasses.replace(timings, vrrp_version=3)).items())
