# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The watcher that tells keepalived what HAProxy is worth."""

from __future__ import annotations

import importlib.util
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.quorum.kubeadm.plugins.module_utils.state_file import Worth

SOURCE = Path(__file__).parents[3] / "roles" / "haproxy" / "files" / "proxy_state.py"
SPEC = importlib.util.spec_from_file_location("proxy_state_program", SOURCE)
assert SPEC is not None and SPEC.loader is not None
watcher: Any = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(watcher)

ACTIVE, SERVES, EMPTY, DEAD = Worth
ADDRESS = b"\xc0\x00\x02\x0a"


@pytest.mark.parametrize(
    ("healthy", "known", "settled", "active", "expected"),
    [
        (None, SERVES, True, False, DEAD),
        (None, None, False, False, DEAD),
        (None, ACTIVE, True, True, DEAD),
        (False, SERVES, True, False, EMPTY),
        (False, DEAD, False, False, EMPTY),
        # An active router without an API server is worth no more than the others: any that has one takes the address.
        (False, ACTIVE, True, True, EMPTY),
        (True, DEAD, False, False, EMPTY),
        (True, DEAD, True, False, SERVES),
        (True, DEAD, True, True, ACTIVE),
        (True, EMPTY, False, False, EMPTY),
        (True, EMPTY, True, False, SERVES),
        (True, SERVES, True, True, ACTIVE),
        (True, ACTIVE, True, False, SERVES),
        # A watcher that was started again goes by what it told before.
        (True, SERVES, False, False, SERVES),
        (True, ACTIVE, False, True, ACTIVE),
        (True, None, False, False, EMPTY),
    ],
)
def test_worth(healthy: bool | None, known: int | None, settled: bool, active: bool, expected: int) -> None:
    assert watcher.worth(healthy, known, settled, active) == expected


class End(Exception):
    """Ends the watcher."""


Watch = Callable[[Sequence[tuple[bool | None, int | None]]], list[int | None]]


@pytest.fixture(name="watch")
def watch_factory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Watch:
    """Return what runs the watcher over what HAProxy answers and what others write, a step every half second, and returns the file's values."""

    def run(steps: Sequence[tuple[bool | None, int | None]]) -> list[int | None]:
        path = tmp_path / "state"
        seen: list[int | None] = []
        clock = 0.0

        def write(step: int) -> None:
            if step < len(steps) and steps[step][1] is not None:
                path.write_text(f"{steps[step][1]}\n")

        def wait(_link: Any, _seconds: float) -> None:
            nonlocal clock
            seen.append(watcher.read(str(path)))
            clock += 0.5
            if len(seen) == len(steps):
                raise End
            write(len(seen))

        monkeypatch.setattr(watcher, "ask", lambda _port: steps[len(seen)][0])
        monkeypatch.setattr(watcher, "news", lambda: None)
        monkeypatch.setattr(watcher, "wait", wait)
        monkeypatch.setattr(watcher.time, "monotonic", lambda: clock)
        write(0)
        with pytest.raises(End):
            watcher.main("no-socket", 1, str(path), 2.0)
        return seen

    return run


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        pytest.param([(None, None), (False, None), *[(True, None)] * 5], [DEAD, EMPTY, EMPTY, EMPTY, EMPTY, SERVES, SERVES], id="it settles"),
        pytest.param([(True, SERVES), (True, None)], [SERVES, SERVES], id="what was told before the watcher was started stands"),
        pytest.param([(True, SERVES), (False, None), (True, None)], [SERVES, EMPTY, EMPTY], id="no API server"),
        pytest.param(
            [(True, SERVES), (True, DEAD), *[(True, None)] * 5], [SERVES, EMPTY, EMPTY, EMPTY, EMPTY, SERVES, SERVES],
            id="HAProxy died and was back before the watcher noticed",
        ),
        pytest.param(
            [(True, SERVES), (True, EMPTY), *[(True, None)] * 4], [SERVES, EMPTY, EMPTY, EMPTY, EMPTY, SERVES], id="HAProxy is about to stop",
        ),
        pytest.param([(True, None), (True, None), (False, None), *[(True, None)] * 4], [EMPTY] * 6 + [SERVES], id="a bad moment begins it anew"),
    ],
)  # fmt: skip
def test_over_time(watch: Watch, steps: list[tuple[bool | None, int | None]], expected: list[int | None]) -> None:
    assert watch(steps) == expected


READY, USABLE, LIVING = "api_servers", "usable_api_servers", "living_api_servers"
DEAD_CHECK, SAYS_NO, LATE = "* L4TOUT", "L7STS", "* L6TOUT"


def rows(ready: Sequence[str] = (), usable: Sequence[str] = (), living: Sequence[str] = (), check: str = DEAD_CHECK) -> str:
    """What HAProxy shows of cp1, cp2, ...: their statuses in each backend, among the columns that others read; `check` is said of those that are down."""
    lines = ["# pxname,svname,qcur,status,lastchg,check_status"]
    for backend, statuses in ((READY, ready), (USABLE, usable), (LIVING, living)):
        for number, status in enumerate(statuses, 1):
            lines.append(f"{backend},cp{number},0,{status},60,{check if status.startswith('DOWN') else 'L7OK'}")
    return "\n".join(lines) + "\n\n"


def watched(
    path: Path, monkeypatch: pytest.MonkeyPatch, shown: Sequence[str], has_it: Sequence[bool], known: int = 0, step: float = 0.5, healthy: Sequence[bool] = ()
) -> tuple[list[int | None], list[tuple[str, ...]]]:
    """What the watcher told of steps in which HAProxy showed its servers and this host had the address or not, and the commands that it gave."""
    path.write_text(f"{known}\n")
    told: list[int | None] = []
    given: list[tuple[str, ...]] = []
    clock = 100.0

    def wait(_link: Any, _seconds: float) -> None:
        nonlocal clock
        told.append(watcher.read(str(path)))
        clock += step
        if len(told) == len(shown):
            raise End

    def command(path: str, *words: str) -> str:
        assert path == "the-socket"
        if words[0].startswith("show"):
            return shown[len(told)]
        given.append(words)
        return ""

    def holds(address: bytes) -> bool:
        assert address == ADDRESS
        return has_it[len(told)]

    monkeypatch.setattr(watcher, "ask", lambda _port: healthy[len(told)] if healthy else True)
    monkeypatch.setattr(watcher, "command", command)
    monkeypatch.setattr(watcher, "holds", holds)
    monkeypatch.setattr(watcher, "news", lambda: None)
    monkeypatch.setattr(watcher, "wait", wait)
    monkeypatch.setattr(watcher.time, "monotonic", lambda: clock)
    with pytest.raises(End):
        watcher.main("the-socket", 1, str(path), 2.0, ADDRESS)
    return told, given


ALL, MOST, HALF, ONE = ("UP", "UP", "UP"), ("UP", "DOWN", "UP"), ("UP", "DOWN"), ("UP", "DOWN", "DOWN")


def lives(*statuses: str) -> str:
    return rows(usable=statuses, living=statuses)


@pytest.mark.parametrize(
    ("shown", "has_it", "known", "expected"),
    [
        pytest.param(
            [lives(*ALL)] * 7, [False] * 5 + [True, False], SERVES, [SERVES] * 5 + [ACTIVE, SERVES], id="from when it has the address, as long as it has",
        ),
        pytest.param([lives(*MOST)] * 6, [True] * 6, SERVES, [SERVES] * 4 + [ACTIVE] * 2, id="with most servers, for a while"),
        pytest.param([lives(*HALF)] * 6, [True] * 6, SERVES, [SERVES] * 6, id="half of them are not most"),
        pytest.param([lives("UP")] * 6, [True] * 6, SERVES, [SERVES] * 4 + [ACTIVE] * 2, id="one of one is"),
        pytest.param([lives(*ALL)] * 2, [True] * 2, ACTIVE, [ACTIVE] * 2, id="a watcher that was started again"),
        pytest.param(
            [lives(*ALL), *[lives(*ONE)] * 2, *[lives(*ALL)] * 5], [True] * 8, ACTIVE, [ACTIVE, *[SERVES] * 5, *[ACTIVE] * 2],
            id="cut off, and back: not at once",
        ),
        pytest.param([rows(usable=ONE, living=ONE, check=LATE)] * 3, [True] * 3, ACTIVE, [ACTIVE] * 3, id="the others are late, and there"),
        pytest.param([lives(*ALL), "", "# pxname,svn", lives(*ALL)], [True] * 4, ACTIVE, [ACTIVE] * 4, id="HAProxy does not say, or not all"),
        pytest.param(
            [rows(usable=("DOWN",) * 3, living=ALL, check=SAYS_NO)] * 3, [True] * 3, ACTIVE, [ACTIVE] * 3, id="etcd without quorum: all of them live",
        ),
    ],
)  # fmt: skip
def test_the_holder_says_so(
    shown: list[str], has_it: list[bool], known: int, expected: list[int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert watched(tmp_path / "state", monkeypatch, shown, has_it, known)[0] == expected


NONE = ("DOWN", "DOWN", "DOWN")


@pytest.mark.parametrize(
    ("check", "healthy", "expected"),
    [
        pytest.param(LATE, [True, False, False, False, True], [ACTIVE] * 5, id="all of them late, for a moment"),
        pytest.param(LATE, [True, *[False] * 5], [*[ACTIVE] * 4, *[EMPTY] * 2], id="and for two seconds"),
        pytest.param(LATE, [*[True, False, False, False] * 3], [ACTIVE] * 12, id="each time anew"),
        pytest.param(DEAD_CHECK, [True, False, False], [SERVES, EMPTY, EMPTY], id="cut off: nothing to wait for"),
    ],
)
def test_late_checks_move_nothing(check: str, healthy: list[bool], expected: list[int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shown = [rows(usable=NONE, living=NONE, check=check)] * len(healthy)
    assert watched(tmp_path / "state", monkeypatch, shown, [True] * len(healthy), ACTIVE, healthy=healthy)[0] == expected


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        (rows(ALL, ALL, ALL), {"cp1": (True, True, False), "cp2": (True, True, False), "cp3": (True, True, False)}),
        # Late, or about to stop: of use.
        (rows(("DOWN",), ("UP",), ("UP",)), {"cp1": (True, True, False)}),
        (rows(("DOWN",), ("DOWN 1/2",), ("UP",), SAYS_NO), {"cp1": (True, False, True)}),
        (rows(("DOWN",), ("UP 1/2",), ("DOWN",)), {"cp1": (False, True, False)}),
        # Its host answers and it does not.
        (rows(("DOWN",), ("DOWN",), ("DOWN",), LATE), {"cp1": (True, False, False)}),
        (rows(("DOWN",), ("DOWN",)), {"cp1": (False, False, False)}),
        # Not all of the answer.
        (rows(ALL, ALL, ALL).rstrip("\n")[:-3], {}),
        ("", {}),
    ],
)
def test_servers(shown: str, expected: dict[str, tuple[bool, bool, bool]]) -> None:
    assert watcher.servers(shown) == expected


def test_servers_are_read_from_what_haproxy_shows() -> None:
    shown = (Path(__file__).parents[1] / "fixtures" / "proxy" / "show_stat_haproxy_2_6.csv").read_text()
    found = watcher.servers(shown.replace("\napi_servers,", "\nusable_api_servers,"))
    assert {name: server.useful for name, server in found.items()} == {"api": True, "closed": False, "nobody": False}
    assert watcher.servers(shown) == {}


SHUT_CP2 = [("shutdown sessions server", f"{backend}/cp2") for backend in (READY, USABLE, LIVING, "unchecked_api_servers")]


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        pytest.param([lives(*MOST)] * 4, [], id="a silent one: not yet"),
        pytest.param([lives(*MOST)] * 7, SHUT_CP2, id="one that is silent for two seconds, and once"),
        pytest.param([*[lives(*MOST)] * 4, lives(*ALL)] * 2, [], id="one that is only busy"),
        pytest.param([*[lives(*MOST)] * 5, lives(*ALL), *[lives(*MOST)] * 5], SHUT_CP2 * 2, id="each time"),
        pytest.param([rows(usable=MOST, living=ALL, check=SAYS_NO)] * 6, [], id="one that says it is not ready: not yet"),
        pytest.param([rows(usable=MOST, living=ALL, check=SAYS_NO)] * 7, SHUT_CP2, id="one that goes on saying so"),
        pytest.param([lives("DOWN", "DOWN", "DOWN")] * 3, [], id="where none is of use, connections are well where they are"),
        pytest.param(
            # Servers notice one after the other that etcd has no quorum, and that it has one again.
            [rows(usable=usable, living=ALL, check=SAYS_NO) for usable in [ALL, MOST, *[("DOWN",) * 3] * 9, ONE, MOST, ALL]], [],
            id="no quorum of etcd, for a while",
        ),
        pytest.param([lives(*MOST), "", "", "", lives(*MOST)], SHUT_CP2, id="HAProxy does not say"),
    ],
)  # fmt: skip
def test_connections_of_useless_servers_are_shut(
    shown: list[str], expected: list[tuple[str, str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert watched(tmp_path / "state", monkeypatch, shown, [False] * len(shown))[1] == expected


def test_command(tmp_path: Path) -> None:
    path = str(tmp_path / "socket")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()

        def reply() -> None:
            connection, _peer = listener.accept()
            with connection:
                connection.sendall(connection.recv(100).upper())

        threading.Thread(target=reply, daemon=True).start()
        assert watcher.command(path, "show stat", "1") == "SHOW STAT 1\n"
    assert watcher.command(str(tmp_path / "none"), "show stat") == ""


# What Linux 6.18 answered to RTM_GETADDR on a host with 127.0.0.1/8 on lo: the first message, and the end of the dump.
MESSAGE = bytes.fromhex(
    "4c0000001400020001000000f24e0000020880fe01000000080001007f000001080002007f000001070003006c6f0000"
    "080008008000000014000600ffffffffffffffff1600000016000000"
)
END_OF_DUMP = bytes.fromhex("140000000300020001000000f24e000000000000")
LOOPBACK = b"\x7f\x00\x00\x01"


@pytest.mark.parametrize(("address", "expected"), [("127.0.0.1", True), ("127.0.0.2", False), ("::1", True), ("2001:db8::1", False)])
def test_holds_asks_the_kernel(address: str, expected: bool) -> None:
    assert watcher.holds(watcher.packed(address)) is expected


@pytest.mark.parametrize(
    ("dump", "expected"),
    [
        (MESSAGE + END_OF_DUMP, [(20, [LOOPBACK] * 2), (3, [])]),
        (MESSAGE + MESSAGE, [(20, [LOOPBACK] * 2)] * 2),
        (MESSAGE[:8] + bytes(8), []),
        (b"", []),
    ],
)
def test_messages_and_addresses(dump: bytes, expected: list[tuple[int, list[bytes]]]) -> None:
    cut = [(kind, list(watcher.addresses(message)) if kind == 20 else []) for kind, message in watcher.messages(dump)]
    assert cut == ([(20, [])] if dump == MESSAGE[:8] + bytes(8) else expected)


def test_news_of_an_address_ends_the_wait() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.setblocking(False)
        began = time.monotonic()
        theirs.sendall(b"news")
        watcher.wait(ours, 30)
        assert time.monotonic() - began < 10
        # And it was taken in: the next wait is one again.
        began = time.monotonic()
        watcher.wait(ours, 0.05)
        assert time.monotonic() - began >= 0.05


@pytest.mark.parametrize(("content", "expected"), [("-254\n", -254), ("0\n", 0), ("", None), ("x", None)])
def test_read(tmp_path: Path, content: str, expected: int | None) -> None:
    (tmp_path / "state").write_text(content)
    assert watcher.read(str(tmp_path / "state")) == expected


def test_read_no_file(tmp_path: Path) -> None:
    assert watcher.read(str(tmp_path / "state")) is None


@pytest.fixture(name="listener")
def a_listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        # HAProxy's own answers of monitor-uri.
        (b"HTTP/1.0 200 OK\r\nCache-Control: no-cache\r\n", True),
        (b"HTTP/1.0 503 Service Unavailable\r\nCache-Control: no-cache\r\n", False),
        (b"", None),
    ],
)
def test_ask(listener: socket.socket, answer: bytes, expected: bool | None) -> None:
    def reply() -> None:
        connection, _peer = listener.accept()
        with connection:
            connection.recv(100)
            connection.sendall(answer)

    threading.Thread(target=reply, daemon=True).start()
    assert watcher.ask(listener.getsockname()[1]) is expected


def test_ask_one_who_hangs(listener: socket.socket, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watcher, "TIMEOUT", 0.05)
    assert watcher.ask(listener.getsockname()[1]) is None


def test_ask_nobody() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        assert watcher.ask(unused.getsockname()[1]) is None
