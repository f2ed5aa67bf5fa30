# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The timings of the model (see failover), read from what HAProxy, keepalived and etcd are configured to do, whoever configured them."""

from __future__ import annotations

import re
from typing import Any, Iterable, Mapping

SECTIONS = ("global", "defaults", "frontend", "backend", "listen", "peers", "userlist", "resolvers", "program", "cache")
UNITS = {"us": 0.001, "ms": 1.0, "s": 1000.0, "m": 60_000.0, "h": 3_600_000.0, "d": 86_400_000.0}
# The backend of the role haproxy by which its watcher finds servers from which it takes all connections.
USABLE = "usable_api_servers"
# The one by which it learns whether the etcd of its host lives, and tells the others.
ETCD = "etcd"
# HAProxy's own, where its configuration says nothing.
CHECK_INTERVAL, CHECK_FALL = 2000, 3
SYSTEMD_UNITS = {"us": 0.001, "ms": 1.0, "s": 1000.0, "min": 60_000.0, "h": 3_600_000.0}


def milliseconds(text: str) -> int:
    """A time as HAProxy writes it; a bare number is milliseconds."""
    found = re.fullmatch(r"(\d+)(us|ms|s|m|h|d)?", text)
    if not found:
        raise ValueError(f"{text} is no time")
    return round(int(found.group(1)) * UNITS[found.group(2) or "ms"])


def systemd_milliseconds(text: str) -> int:
    """A span as `systemctl show` writes it, for instance C(1min 30s)."""
    return round(sum(float(number) * SYSTEMD_UNITS[unit] for number, unit in re.findall(r"([\d.]+)(us|ms|min|s|h)\b", text)))


def _words(text: str, comment: str = "#") -> Iterable[list[str]]:
    for line in text.splitlines():
        words = re.split(rf"(?:^|\s)[{comment}]", line, maxsplit=1)[0].split()
        if words:
            yield words


def of_haproxy(text: str) -> dict[str, Any]:
    """What HAProxy does with servers that do not answer: those that get connections, and those that it finds dead (see failover)."""
    defaults: dict[str, Any] = {}
    section: dict[str, Any] = {}
    found: list[dict[str, Any]] = []
    for words in _words(text):
        if words[0] in SECTIONS:
            section = defaults if words[0] == "defaults" else {**defaults, "name": (words[1:2] or [""])[0]}
        elif words[0] == "timeout" and words[1] in ("connect", "check"):
            section[words[1]] = milliseconds(words[2])
        elif words[:2] == ["option", "redispatch"]:
            section["redispatch"] = True
        elif words[:2] in (["option", "httpchk"], ["option", "ssl-hello-chk"], ["tcp-check", "expect"]):
            section["reads"] = True
        elif words[0] in ("default-server", "server"):
            for name, value in zip(words, words[1:]):
                if name in ("inter", "fastinter", "fall"):
                    section[name] = milliseconds(value)
            section["checked"] = section.get("checked") or "check" in words
            section["reads"] = section.get("reads") or "check-ssl" in words
            section["shuts"] = section.get("shuts") or "shutdown-sessions" in words
            if words[0] == "server" and section["checked"] and section not in found:
                found.append(section)
    if not found:
        return {}
    first = found[0]
    usable = next((one for one in found if one["name"] == USABLE), None)
    checks = _checks("check", first)
    return {
        **checks,
        **_checks("dead", usable or first),
        "check_fast_interval": first.get("fastinter", checks["check_interval"]),
        "connect_timeout": first.get("connect", checks["check_interval"]),
        "redispatch": bool(first.get("redispatch")),
        "reads_answers": bool(first["reads"]),
        "etcd_asked": any(one["name"] == ETCD for one in found),
        "shuts_sessions": usable is not None or bool(first["shuts"]),
    }


def _checks(kind: str, section: Mapping[str, Any]) -> dict[str, int]:
    interval: int = section.get("inter", CHECK_INTERVAL)
    # Without a time-out of its own a check has until the next one.
    return {f"{kind}_interval": interval, f"{kind}_timeout": section.get("check", interval), f"{kind}_fall": section.get("fall", CHECK_FALL)}


def of_keepalived(text: str) -> dict[str, Any]:
    """What keepalived does; `priority` is this host's alone."""
    values = {words[0]: words[1] for words in _words(text, "#!") if len(words) > 1}
    timings: dict[str, Any] = {"vrrp_version": int(values.get("vrrp_version", 2)), "advertisement": round(float(values.get("advert_int", 1)) * 1000)}
    if "priority" in values:
        timings["priority"] = int(values["priority"])
    refresh = values.get("garp_master_refresh", values.get("vrrp_garp_master_refresh", "0"))
    timings["announce_again"] = 1000 * int(refresh)
    if "track_file" not in {words[0] for words in _words(text, "#!")}:
        # A script that keepalived runs: the defaults are those of keepalived.conf(5). A host that comes back asks nobody whether it serves.
        timings["told_late"] = round(float(values.get("interval", 1)) * 1000) * int(values.get("fall", 1))
        timings.update(watched=False, lets_go=int(values.get("weight", 0)) == 0, settling=0)
    return timings


def of_etcd(text: str) -> dict[str, Any]:
    """What etcd does, by the flags in the manifest of its static pod; etcd's own where there are none (server/embed/config.go)."""
    flags = dict(re.findall(r"--(heartbeat-interval|election-timeout)=(\d+)", text))
    return {"etcd_heartbeat": int(flags.get("heartbeat-interval", 100)), "etcd_election": int(flags.get("election-timeout", 1000))}


def together(hosts: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """The timings of all hosts as one: of each the longest, since any of them may be the one that is hit."""
    merged: dict[str, Any] = {}
    priorities = []
    for host in hosts:
        for name, value in host.items():
            if name == "priority":
                priorities.append(value)
            elif name in ("redispatch", "vrrp_version", "reads_answers", "watched", "lets_go", "shuts_sessions", "etcd_asked", "settling"):
                merged[name] = min(merged.get(name, value), value)
            else:
                merged[name] = max(merged.get(name, value), value)
    return {**merged, **({"priorities": sorted(priorities, reverse=True)} if priorities else {})}
