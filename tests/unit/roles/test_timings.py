# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The model computes with what the roles configure: their defaults and templates are read as the drill reads a host's files."""

from __future__ import annotations

import importlib.util
import re
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template
from ansible_collections.quorum.kubeadm.plugins.module_utils import drill_timings, state_file
from ansible_collections.quorum.kubeadm.plugins.plugin_utils.cluster_inputs import ClusterInputs
from ansible_collections.quorum.kubeadm.plugins.plugin_utils.failover import SET_BY, Timings

ROLES = Path(__file__).parents[3] / "roles"
MODEL = asdict(Timings())


def configured(role: str, template: str, **given: Any) -> str:
    """A template of a role, by its defaults."""
    loader = DataLoader()
    variables = {
        **loader.load_from_file(str(ROLES / role / "defaults" / "main.yml"), trusted_as_template=True),
        **loader.load_from_file(str(ROLES / role / "vars" / "main.yml"), trusted_as_template=True),
        "haproxy_backends": [{"name": "cp1", "address": "192.0.2.11"}],
        **given,
    }
    text = (ROLES / role / "templates" / template).read_text(encoding="utf-8")
    return str(Templar(loader=loader, variables=variables).template(trust_as_template(text)))


def watcher() -> Any:
    spec = importlib.util.spec_from_file_location("proxy_state_timings", ROLES / "haproxy" / "files" / "proxy_state.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_haproxy() -> None:
    found = drill_timings.of_haproxy(configured("haproxy", "haproxy.cfg.j2", haproxy_etcd_address="192.0.2.11"))
    assert found == {name: MODEL[name] for name in found} and len(found) == 12


def test_keepalived() -> None:
    given = {"keepalived_vip": "192.0.2.10/24", "keepalived_interface": "eth0", "keepalived_address": "192.0.2.11", "keepalived_router_id": 10}
    text = configured("keepalived", "keepalived.conf.j2", **given, keepalived_priority=200, keepalived_state_file=state_file.PATH)
    found = drill_timings.of_keepalived(text)
    assert found.pop("priority") == MODEL["priorities"][0]
    assert found == {name: MODEL[name] for name in found} and set(found) == {"vrrp_version", "advertisement", "announce_again"}
    (restart,) = re.findall(r"^RestartSec=(\S+)$", configured("keepalived", "keepalived.service.conf.j2", keepalived_state_file=""), re.MULTILINE)
    assert drill_timings.systemd_milliseconds(restart) == MODEL["keepalived_restart"]


def test_the_watcher() -> None:
    program = watcher()
    seconds = {"watch_pause": program.PAUSE, "watch_timeout": program.TIMEOUT, "watch_command": program.COMMAND_TIMEOUT, "watch_silent": program.SILENT}
    assert {name: round(1000 * value) for name, value in seconds.items()} == {name: MODEL[name] for name in seconds}
    (settling,) = re.findall(rf"{re.escape(state_file.PATH)} (\S+)", configured("haproxy", "proxy-state.service.j2", haproxy_state_file=state_file.PATH))
    assert 1000 * float(settling) == MODEL["settling"]


def test_variables_that_set_them_are_of_the_roles() -> None:
    known = {
        name: value
        for role in ("haproxy", "keepalived")
        for name, value in DataLoader().load_from_file(str(ROLES / role / "defaults" / "main.yml")).items()
    }
    defaults = {name: known[variable] for name, variable in SET_BY.items() if variable in known and variable != "haproxy_etcd_address"}
    assert defaults == {name: MODEL[name] for name in defaults} and len(defaults) == 7


def test_inputs_of_the_cluster_have_the_same_defaults() -> None:
    inputs = ClusterInputs()
    assert inputs.vrrp_advert_interval == MODEL["advertisement"]
    for name in ("check_timeout", "dead_timeout", "dead_fall", "connect_timeout"):
        assert getattr(inputs, f"proxy_{name}") == MODEL[name]
