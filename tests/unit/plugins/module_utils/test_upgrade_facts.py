# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is asked of a node before an upgrade."""

from __future__ import annotations

from pathlib import Path

from ansible_collections.quorum.kubeadm.plugins.module_utils import upgrade_facts

FIXTURES = Path(__file__).parents[2] / "fixtures" / "upgrade"


def test_deprecated_apis_that_a_release_removes() -> None:
    metrics = (FIXTURES / "metrics.txt").read_text(encoding="utf-8")
    assert upgrade_facts.parse_deprecated_apis(metrics) == [("flowcontrol.apiserver.k8s.io", "v1beta3", "flowschemas", "1.32")]


def test_a_line_without_a_release_or_a_request_tells_nothing() -> None:
    line = 'apiserver_requested_deprecated_apis{group="",removed_release="%s",resource="componentstatuses",subresource="",version="v1"} %s'
    assert upgrade_facts.parse_deprecated_apis("\n".join([line % ("", 1), line % ("1.37", 0)])) == []


def test_room_is_told_of_the_places_that_there_are(tmp_path: Path) -> None:
    (tmp_path / "etc/kubernetes").mkdir(parents=True)
    data = tmp_path / "var/lib/etcd/member/snap"
    data.mkdir(parents=True)
    (data / "db").write_bytes(b"\1" * (3 << 20))
    facts = upgrade_facts.read_upgrade_facts(tmp_path, None)
    assert [place["path"] for place in facts["room"]] == ["/etc/kubernetes", "/var/lib/etcd"]
    assert len({place["device"] for place in facts["room"]}) == 1 and facts["room"][0]["free_mb"] > 0
    assert 3 <= facts["etcd_mb"] <= 4 and facts["deprecated_apis"] == [] and facts["metrics_problem"] is None


def test_an_api_server_that_tells_nothing_is_a_problem(tmp_path: Path) -> None:
    def silent() -> str:
        raise OSError("connection refused")

    assert upgrade_facts.read_upgrade_facts(tmp_path, silent)["metrics_problem"] == "connection refused"
