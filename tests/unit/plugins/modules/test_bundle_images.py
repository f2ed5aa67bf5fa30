# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the node does with image archives."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.quorum.kubeadm.plugins.module_utils.command import Result
from ansible_collections.quorum.kubeadm.plugins.modules import bundle_images

from .conftest import RunModule

PAUSE, PROXY = "registry.k8s.io/pause:3.10.2", "registry.k8s.io/kube-proxy:v1.37.2"
ONE, TWO = "sha256:" + "1" * 64, "sha256:" + "2" * 64
ARCHIVES = {"pause.tar": [[PAUSE, ONE]], "kube-proxy.tar": [[PROXY, TWO]]}
HELP = {"2.3.7": "--local   Run import locally rather than through transfer API", "1.6.20": "--base-name value"}


class Containerd:
    """What ctr says of a containerd that has some images and can import more."""

    def __init__(self, images: dict[str, str], version: str = "2.3.7") -> None:
        self.images = dict(images)
        self.version = version
        self.imports: list[str] = []
        self.refused = ""

    def __call__(self, argv: Sequence[str]) -> Result:
        words = list(argv[argv.index("images") + 1 :])
        if words == ["ls"]:
            rows = "".join(f"{name} type {digest} 1 MiB linux/amd64 -\n" for name, digest in self.images.items())
            return Result(0, f"REF TYPE DIGEST SIZE PLATFORMS LABELS\n{rows}", "a warning that is none of our business")
        if words == ["import", "--help"]:
            return Result(0, HELP[self.version], "")
        self.imports.append(" ".join(words))
        if self.refused in words[-1] and self.refused:
            return Result(1, "", "ctr: unexpected EOF")
        self.images |= dict(ARCHIVES.get(Path(words[-1]).name, []))
        return Result(0, "", "")


@pytest.fixture(name="address")
def listen(tmp_path: Path) -> Any:
    """Return a socket that something listens on."""
    address = str(tmp_path / "containerd.sock")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(address)
        server.listen()
        yield address


@pytest.fixture(name="staging")
def stage(tmp_path: Path) -> str:
    """Return a directory with the archives as they arrive."""
    for name in ARCHIVES:
        (tmp_path / name).write_text("archive")
    return str(tmp_path)


def connect(monkeypatch: pytest.MonkeyPatch, images: dict[str, str], version: str = "2.3.7") -> Containerd:
    containerd = Containerd(images, version)
    monkeypatch.setattr(bundle_images, "run", containerd)
    return containerd


@pytest.mark.parametrize(
    ("images", "missing", "loaded"),
    [
        ({}, ["pause.tar", "kube-proxy.tar"], [PAUSE, PROXY]),
        ({PAUSE: ONE}, ["kube-proxy.tar"], [PROXY]),
        ({PAUSE: TWO, PROXY: TWO}, ["pause.tar"], [PAUSE]),
        ({PAUSE: ONE, PROXY: TWO}, [], []),
    ],
)
@pytest.mark.parametrize("check_mode", [False, True])
def test_asking(
    run_module: RunModule, monkeypatch: pytest.MonkeyPatch, address: str, images: dict[str, str], missing: list[str], loaded: list[str], check_mode: bool
) -> None:
    containerd = connect(monkeypatch, images)
    answer = run_module("bundle_images", check_mode, path="/bundle", address=address, _archives=ARCHIVES)
    assert (answer["_missing"], answer["loaded"], answer["changed"]) == (missing, loaded, bool(missing))
    assert answer["diff"] == ({"prepared": f"images of the bundle: {', '.join(loaded)}\n"} if loaded else {})
    assert not containerd.imports


@pytest.mark.parametrize(("version", "options"), [("2.3.7", " --local"), ("1.6.20", "")])
def test_importing(run_module: RunModule, monkeypatch: pytest.MonkeyPatch, address: str, staging: str, version: str, options: str) -> None:
    containerd = connect(monkeypatch, {PAUSE: ONE}, version)
    answer = run_module("bundle_images", path="/bundle", address=address, _archives=ARCHIVES, _staging=staging)
    assert (answer["changed"], answer["loaded"]) == (True, [PROXY])
    assert containerd.imports == [f"import{options} {staging}/kube-proxy.tar"]
    assert not Path(staging, "kube-proxy.tar").exists()


def test_refused_archive(run_module: RunModule, monkeypatch: pytest.MonkeyPatch, address: str, staging: str) -> None:
    connect(monkeypatch, {}).refused = "pause.tar"
    answer = run_module("bundle_images", path="/bundle", address=address, _archives=ARCHIVES, _staging=staging)
    assert answer["failed"]
    assert answer["msg"] == "Bundle /bundle: `ctr images import` failed: pause.tar: ctr: unexpected EOF"


def test_archive_with_something_else(run_module: RunModule, monkeypatch: pytest.MonkeyPatch, address: str, staging: str) -> None:
    connect(monkeypatch, {})
    answer = run_module("bundle_images", path="/bundle", address=address, _archives={"pause.tar": [[PAUSE, TWO]]}, _staging=staging)
    assert f"still has no {PAUSE}" in answer["msg"]


def test_no_containerd(run_module: RunModule, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    connect(monkeypatch, {})
    address = str(tmp_path / "none.sock")
    answer = run_module("bundle_images", path="/bundle", address=address, timeout=0, _archives=ARCHIVES)
    assert answer["msg"].startswith(f"containerd does not accept connections on {address} within 0 s")
    # Check mode comes before containerd is installed, and waits for nothing.
    monkeypatch.setattr(time, "sleep", lambda _seconds: pytest.fail("it waits"))
    assert run_module("bundle_images", True, path="/bundle", address=address, _archives=ARCHIVES)["loaded"] == [PAUSE, PROXY]


def test_containerd_that_starts_late(tmp_path: Path) -> None:
    address = str(tmp_path / "late.sock")
    server = socket.socket(socket.AF_UNIX)

    def start() -> None:
        server.bind(address)
        server.listen()

    timer = threading.Timer(0.3, start)
    timer.start()
    assert bundle_images.wait_for(address, 10)
    timer.join()
    server.close()


def test_without_the_action(run_module: RunModule) -> None:
    assert "works through its action plugin" in run_module("bundle_images", path="/bundle")["msg"]
