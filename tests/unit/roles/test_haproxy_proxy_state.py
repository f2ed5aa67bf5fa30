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

SOURCE = Path(__file__).parents[3] / "roles" / "haproxy" / "files" / "proxy_state.py"
SPEC = importlib.util.spec_from_file_location("proxy_state_program", SOURCE)
assert SPEC is not None and SPEC.loader is not None
watcher: Any = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(watcher)

HOLDS, SERVES, EMPTY, DEAD = 1, 0, -1, -254
ADDRESS = b"\xc0\x00\x02\x0a"


@pytest.mark.parametrize(
    ("healthy", "known", "settled", "holder", "expected"),
    [
        (None, SERVES, True, False, DEAD),
        (None, None, False, False, DEAD),
        (None, HOLDS, True, True, DEAD),
        (False, SERVES, True, False, EMPTY),
        (False, DEAD, False, False, EMPTY),
        # A holder without an API server is worth no more than the others: any that has one takes the address.
        (False, HOLDS, True, True, EMPTY),
        (True, DEAD, False, False, EMPTY),
        (True, DEAD, True, False, SERVES),
        (True, DEAD, True, True, HOLDS),
        (True, EMPTY, False, False, EMPTY),
        (True, EMPTY, True, False, SERVES),
        (True, SERVES, True, True, HOLDS),
        (True, HOLDS, True, False, SERVES),
        # A watcher that was started again goes by what it told before.
        (True, SERVES, False, False, SERVES),
        (True, HOLDS, False, True, HOLDS),
        (True, None, False, False, EMPTY),
    ],
)
def test_worth(healthy: bool | None, known: int | None, settled: bool, holder: bool, expected: int) -> None:
    assert watcher.worth(healthy, known, settled, holder) == expected


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


def rows(*servers: tuple[str, str, str, int]) -> str:
    """What HAProxy shows of servers: backend, name, status, seconds since its last change, among the columns that others read."""
    header = "# pxname,svname,qcur,status,lastchg,check_status\n"
    return header + "".join(f"{backend},{name},0,{status},{since},L7OK\n" for backend, name, status, since in servers)


READY, PATIENT = "api_servers", "patient_api_servers"
UP = [(backend, name, "UP", 60) for backend in (READY, PATIENT) for name in ("cp1", "cp2")]
DEAD_CP1 = [*UP[:2], (PATIENT, "cp1", "DOWN", 0), *UP[3:]]


@pytest.mark.parametrize(
    ("servers", "expected"),
    [
        (["UP", "UP", "UP"], [SERVES, HOLDS, HOLDS, SERVES]),
        (["UP", "UP", "DOWN"], [SERVES, HOLDS, HOLDS, SERVES]),
        # Cut off, it finds its own server only.
        (["UP", "DOWN", "DOWN"], [SERVES, SERVES, SERVES, SERVES]),
        (["UP", "DOWN"], [SERVES, SERVES, SERVES, SERVES]),
        (["UP"], [SERVES, HOLDS, HOLDS, SERVES]),
    ],
)
def test_the_holder_says_so_while_it_has_the_address(servers: list[str], expected: list[int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "state"
    path.write_text("0\n")
    has_it = iter([False, True, True, False])
    seen: list[int | None] = []

    def wait(_link: Any, _seconds: float) -> None:
        seen.append(watcher.read(str(path)))
        if len(seen) == 4:
            raise End

    monkeypatch.setattr(watcher, "ask", lambda _port: True)
    shown = rows(*((PATIENT, f"cp{number}", status, 9) for number, status in enumerate(servers)))
    monkeypatch.setattr(watcher, "command", lambda _path, *words: shown if words[0].startswith("show") else "")
    monkeypatch.setattr(watcher, "holds", lambda address: next(has_it) if address == ADDRESS else pytest.fail(f"{address!r}"))
    monkeypatch.setattr(watcher, "news", lambda: None)
    monkeypatch.setattr(watcher, "wait", wait)
    with pytest.raises(End):
        watcher.main("no-socket", 1, str(path), 2.0, ADDRESS)
    assert seen == expected


@pytest.mark.parametrize(
    ("servers", "expected"),
    [
        pytest.param(UP, {"cp1": True, "cp2": True}, id="all is well"),
        pytest.param([(READY, "cp1", "DOWN", 3), *UP[1:]], {"cp1": True, "cp2": True}, id="late, or about to stop"),
        pytest.param(DEAD_CP1, {"cp1": False, "cp2": True}, id="of no use"),
        pytest.param([(PATIENT, "cp1", "DOWN 1/2", 0)], {"cp1": False}, id="about to be"),
        pytest.param([(PATIENT, "cp1", "UP 1/2", 0)], {"cp1": True}, id="about not to be"),
        pytest.param([], {}, id="nothing"),
    ],
)
def test_of_use(servers: Sequence[tuple[str, str, str, int]], expected: dict[str, bool]) -> None:
    assert watcher.of_use(rows(*servers)) == expected


def test_of_use_reads_what_haproxy_shows() -> None:
    shown = (Path(__file__).parents[1] / "fixtures" / "proxy" / "show_stat_haproxy_2_6.csv").read_text()
    assert watcher.of_use(shown.replace("\napi_servers,", "\npatient_api_servers,")) == {"api": True, "closed": False, "nobody": False}
    assert watcher.of_use(shown) == watcher.of_use("") == {}


def test_connections_of_a_dead_server_are_shut_once(monkeypatch: pytest.MonkeyPatch) -> None:
    none = [(PATIENT, name, "DOWN", 9) for name in ("cp1", "cp2")]
    shown = iter([UP, DEAD_CP1, DEAD_CP1, UP, none, DEAD_CP1])
    given: list[tuple[str, ...]] = []
    steps = 0

    def command(path: str, *words: str) -> str:
        assert path == "the-socket"
        if words[0].startswith("show"):
            return rows(*next(shown))
        given.append(words)
        return ""

    def wait(_link: Any, _seconds: float) -> None:
        nonlocal steps
        steps += 1
        if steps == 6:
            raise End

    monkeypatch.setattr(watcher, "ask", lambda _port: True)
    monkeypatch.setattr(watcher, "command", command)
    monkeypatch.setattr(watcher, "news", lambda: None)
    monkeypatch.setattr(watcher, "wait", wait)
    with pytest.raises(End):
        watcher.main("the-socket", 1)
    assert given == [("shutdown sessions server", "api_servers/cp1")] * 2


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
END = bytes.fromhex("140000000300020001000000f24e000000000000")
LOOPBACK = b"\x7f\x00\x00\x01"


@pytest.mark.parametrize(("address", "expected"), [("127.0.0.1", True), ("127.0.0.2", False), ("::1", True), ("2001:db8::1", False)])
def test_holds_asks_the_kernel(address: str, expected: bool) -> None:
    assert watcher.holds(watcher.packed(address)) is expected


@pytest.mark.parametrize(
    ("dump", "expected"),
    [
        (MESSAGE + END, [LOOPBACK] * 2),
        (MESSAGE + MESSAGE, [LOOPBACK] * 4),
        (MESSAGE[:20], []),
        (END, []),
        (b"", []),
    ],
)
def test_addresses(dump: bytes, expected: list[bytes]) -> None:
    assert list(watcher.addresses(dump)) == expected


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
