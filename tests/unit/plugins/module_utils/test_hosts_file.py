# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names in /etc/hosts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.quorum.kubeadm.plugins.module_utils.hosts_file import Entry, HostsFileError, addresses, check, render, renewed

# Docker's own file, and Debian's.
DOCKER = "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n198.18.64.11\tquorum-cp1\n"
DEBIAN = "127.0.0.1\tlocalhost\n127.0.1.1\tcp1.example.org\tcp1\n\n# The following lines are desirable for IPv6 capable hosts\n::1     localhost\n"
API = [Entry("api.example.org", "192.0.2.10")]
OURS = "192.0.2.10 api.example.org # quorum.kubeadm endpoint\n"


@pytest.mark.parametrize(
    ("before", "entries", "absent", "after"),
    [
        pytest.param(DOCKER, API, [], DOCKER + OURS, id="a line is added"),
        pytest.param("", API, [], OURS, id="to an empty file too"),
        pytest.param("127.0.0.1 localhost", API, [], "127.0.0.1 localhost\n" + OURS, id="after a last line without an end"),
        pytest.param("127.0.0.1 localhost", [], [], "127.0.0.1 localhost", id="which is nothing to change by itself"),
        pytest.param(DOCKER + OURS, API, [], DOCKER + OURS, id="a line that is there stays"),
        pytest.param(OURS.replace("192.0.2.10", "::1") + DOCKER, API, [], OURS + DOCKER, id="an earlier stage is replaced in its place"),
        pytest.param(OURS + DOCKER + OURS, API, [], OURS + DOCKER, id="a second line of ours goes"),
        pytest.param(DOCKER + OURS, [], [], DOCKER, id="no entries, no line"),
        pytest.param("198.51.100.1 api.example.org\n", API, [], OURS, id="somebody's line for the name is replaced"),
        pytest.param("198.51.100.1\tother api.example.org more # why\n", API, [], "198.51.100.1 other more # why\n" + OURS, id="or loses the name alone"),
        pytest.param("198.51.100.1 API.Example.Org\n", API, [], OURS, id="whatever its case"),
        pytest.param("198.51.100.1 xapi.example.org\n", API, [], "198.51.100.1 xapi.example.org\n" + OURS, id="but not a longer name"),
        pytest.param("# 198.51.100.1 api.example.org\n", API, [], "# 198.51.100.1 api.example.org\n" + OURS, id="nor a comment"),
        pytest.param("198.51.100.1 api.example.org\n", [], [], "198.51.100.1 api.example.org\n", id="somebody's line stays when there is none of ours"),
        pytest.param("198.51.100.1 api.example.org a\n", [], ["api.example.org"], "198.51.100.1 a\n", id="unless the name is to have none"),
        pytest.param(
            DEBIAN, [Entry("cp1", "192.0.2.11")], [], DEBIAN.replace("127.0.1.1\tcp1.example.org\tcp1", "127.0.1.1 cp1.example.org")
            + "192.0.2.11 cp1 # quorum.kubeadm endpoint\n", id="Debian's line for the host itself",
        ),
        pytest.param(
            "192.0.2.11 cp1 # quorum.kubeadm nodes\n", API, [], "192.0.2.11 cp1 # quorum.kubeadm nodes\n" + OURS, id="another owner's lines stay",
        ),
        pytest.param(
            "", [Entry("a", "192.0.2.1"), Entry("a", "2001:db8::1")], [],
            "192.0.2.1 a # quorum.kubeadm endpoint\n2001:db8::1 a # quorum.kubeadm endpoint\n", id="one name with an address of each family",
        ),
    ],
)  # fmt: skip
def test_render(before: str, entries: list[Entry], absent: list[str], after: str) -> None:
    assert render(before, "endpoint", entries, absent) == after
    assert render(after, "endpoint", entries, absent) == after


NAMES = st.sampled_from(["api", "API", "cp1", "cp2", "localhost"])
LINES = st.lists(
    st.one_of(
        st.builds(lambda address, names: f"{address} {' '.join(names)}", st.sampled_from(["192.0.2.1", "::1"]), st.lists(NAMES, min_size=1)),
        st.builds(lambda name: f"192.0.2.9 {name} # quorum.kubeadm endpoint", NAMES),
        st.sampled_from(["", "# api", "192.0.2.1", "  ", "192.0.2.1 api#comment", "# quorum.kubeadm endpoint"]),
    )
)


@given(LINES, st.lists(st.sampled_from(["192.0.2.10", "192.0.2.11", ""]), min_size=1))
def test_any_stage_after_any_file(lines: list[str], stages: list[str]) -> None:
    """Whatever was there, the name has one line or none of ours, and nobody else's names are lost."""
    text = "".join(f"{line}\n" for line in lines)
    kept = {word for line in text.splitlines() if not line.endswith("endpoint") for word in line.split("#")[0].split()[1:] if word.lower() != "api"}
    for address in stages:
        text = render(text, "endpoint", [Entry("api", address)] if address else [])
        with_name = [line for line in text.splitlines() if "api" in line.split("#")[0].lower().split()[1:]]
        if address:
            assert with_name == [f"{address} api # quorum.kubeadm endpoint"]
        assert kept <= {word for line in text.splitlines() for word in line.split("#")[0].split()[1:]}
        assert render(text, "endpoint", [Entry("api", address)] if address else []) == text


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        (Entry("api.example.org", "192.0.2"), "api.example.org: `192.0.2` is no IP address"),
        (Entry("api.example.org", "192.0.2.1/24"), "api.example.org: `192.0.2.1/24` is no IP address"),
        (Entry("api example", "192.0.2.1"), "`api example` is no host name: letters, digits, dots and hyphens"),
        (Entry("api\n192.0.2.6 x", "192.0.2.1"), "`api\n192.0.2.6 x` is no host name: letters, digits, dots and hyphens"),
        (Entry("", "192.0.2.1"), "`` is no host name: letters, digits, dots and hyphens"),
    ],
)
def test_refused(entry: Entry, message: str) -> None:
    with pytest.raises(HostsFileError) as error:
        check([entry])
    assert str(error.value) == message


COPY = "# Kubernetes-managed hosts file (host network).\n"
ALIASES = "\n# Entries added by HostAliases.\n192.0.2.99\tregistry\n"
OLD = OURS.replace("192.0.2.10", "192.0.2.12")


@pytest.mark.parametrize(
    ("copy", "after"),
    [
        pytest.param(COPY + DOCKER + OLD, COPY + DOCKER + OURS, id="another address"),
        pytest.param(COPY + DOCKER, COPY + DOCKER + OURS, id="none yet"),
        pytest.param(COPY + DOCKER + OLD + ALIASES, COPY + DOCKER + OURS + ALIASES, id="the pod's own entries stay"),
        pytest.param(COPY + DEBIAN + OURS, COPY + DEBIAN + OURS, id="what else is different is nobody's business"),
        pytest.param("# Kubernetes-managed hosts file.\n" + DOCKER, "# Kubernetes-managed hosts file.\n" + DOCKER, id="a pod with a network of its own"),
    ],
)
def test_copies_of_pods(copy: str, after: str) -> None:
    assert renewed(copy, DOCKER + OURS, "endpoint") == after


def test_addresses_of_a_name() -> None:
    assert addresses(DOCKER + OURS + "# 192.0.2.1 api.example.org\n::1 other API.example.org # why\n", "api.example.org") == ["192.0.2.10", "::1"]
