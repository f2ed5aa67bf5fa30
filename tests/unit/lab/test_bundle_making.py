# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""When a bundle is made, from what, and when not."""

from __future__ import annotations

import hashlib
import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from ansible_collections.quorum.kubeadm.lab.bundle import assembly, cli, compiled, debian, progress, toolchain, upstream
from ansible_collections.quorum.kubeadm.lab.bundle.progress import BundleError, Progress
from ansible_collections.quorum.kubeadm.lab.bundle.versions import GO_PACKAGE, RELEASES, UPSTREAM, Release

RELEASE = RELEASES["1.37.2"]
PRODUCTS = {product.name: product for product in compiled.products(RELEASE)}


@pytest.mark.parametrize("release", RELEASES.values(), ids=lambda release: release.kubernetes)
@pytest.mark.parametrize(
    ("product", "module", "version"),
    [
        ("kubernetes", "k8s.io/kubernetes", "kubernetes"),
        ("etcd", "go.etcd.io/etcd/server/v3", "etcd"),
        ("coredns", "github.com/coredns/coredns", "coredns"),
        ("containerd", "github.com/containerd/containerd/v2", "containerd"),
        ("runc", "github.com/opencontainers/runc", "runc"),
        ("cni-plugins", "github.com/containernetworking/plugins", "cni_plugins"),
    ],
)
def test_the_sources_are_of_the_versions_in_the_table(release: Release, product: str, module: str, version: str) -> None:
    text = ({item.name: item for item in compiled.products(release)}[product].source / "go.mod").read_text()
    assert re.search(rf"^\t{re.escape(module)} v{re.escape(getattr(release, version))}\b", text, re.MULTILINE)


def test_a_later_etcd_is_compiled_and_has_an_image_beside_kubeadms_own() -> None:
    release = RELEASES["1.36.5"]
    source = {item.name: item for item in compiled.products(release)}["etcd-later"].source
    assert f"\tgo.etcd.io/etcd/server/v3 v{release.later_etcd} " in (source / "go.mod").read_text()
    assert release.etcds() == {"etcd": "registry.k8s.io/etcd:3.6.8-0", "etcd-later": "registry.k8s.io/etcd:3.6.14-0"}
    assert "etcd-later" not in release.control_plane_images(), "kubeadm does not list it"
    assert "etcd-later" in upstream.images(release)
    assert "etcd-later" not in PRODUCTS


def test_test_pods_are_the_same_in_every_version() -> None:
    playbook = Path(__file__).resolve().parents[3] / "playbooks/verify.yml"
    named = re.search(r"registry[^']*/agnhost:[\d.]+", playbook.read_text())
    assert named and {release.agnhost_image for release in RELEASES.values()} == {named.group(0)}


@pytest.mark.parametrize("release", RELEASES.values(), ids=lambda release: release.kubernetes)
def test_the_pod_network_runs_the_image_of_the_bundle(release: Release) -> None:
    assert f"image: {release.podnet_image}\n" in compiled.PODNET_MANIFEST.read_text()


def test_kubernetes_knows_its_version() -> None:
    variables = PRODUCTS["kubernetes"].variables
    for package in ("k8s.io/component-base/version", "k8s.io/client-go/pkg/version"):
        assert [variables[f"{package}.{name}"] for name in ("gitVersion", "gitMajor", "gitMinor")] == ["v1.37.2", "1", "37"]


def test_pause_tells_its_version() -> None:
    """The Job by which kubeadm tests a cluster before an upgrade runs `pause -v`, and waits a minute for its end."""
    assert PRODUCTS["pause"].variables == {"main.version": RELEASE.pause}
    assert '"-v"' in (PRODUCTS["pause"].source / "main.go").read_text()


def test_a_product_is_another_one_when_anything_that_makes_it_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    product = PRODUCTS["pause"]
    shutil.copytree(product.source, tmp_path / "pause")
    monkeypatch.setattr(compiled, "SOURCES", tmp_path)
    key = product.key("1.26.8")
    assert key == product.key("1.26.8")
    others = {product.key("1.27.0"), replace(product, tags=("other",)).key("1.26.8"), replace(product, linker="-s").key("1.26.8")}
    (tmp_path / "pause/pause_test.go").write_text("package main\n")
    assert product.key("1.26.8") == key, "tests are no part of a program"
    (tmp_path / "pause/go.sum").write_text("changed\n")
    others.add(product.key("1.26.8"))
    assert len({key, *others}) == 5


class Compiler:
    """Writes the programs that a product is to have, instead of compiling them."""

    def __init__(self) -> None:
        self.commands: list[Sequence[str | Path]] = []
        self.programs: Sequence[str] = ("pause",)
        self.fails = False

    def __call__(self, command: Sequence[str | Path], log: Path, alive: object, *, cwd: Path, env: Mapping[str, str]) -> None:
        self.commands.append(command)
        for program in self.programs:
            Path(str(command[command.index("-o") + 1]), program).write_text("program")
            if self.fails:
                raise KeyboardInterrupt


@pytest.fixture
def compiler(monkeypatch: pytest.MonkeyPatch) -> Compiler:
    made = Compiler()
    monkeypatch.setattr(compiled, "run_long", made)
    return made


def go(cache: Path) -> toolchain.Go:
    return toolchain.Go(Path("go"), "1.26.8", "amd64", cache)


def test_a_product_is_compiled_once(compiler: Compiler, tmp_path: Path) -> None:
    first = compiled.compile_product(PRODUCTS["pause"], go(tmp_path), tmp_path, Progress(2))
    assert compiled.compile_product(PRODUCTS["pause"], go(tmp_path), tmp_path, Progress(2)) == first
    assert len(compiler.commands) == 1
    assert [program.name for program in first.iterdir()] == ["pause"]


def test_an_interrupted_compilation_leaves_nothing_that_looks_finished(compiler: Compiler, tmp_path: Path) -> None:
    compiler.fails = True
    with pytest.raises(KeyboardInterrupt):
        compiled.compile_product(PRODUCTS["pause"], go(tmp_path), tmp_path, Progress(1))
    compiler.fails = False
    assert (compiled.compile_product(PRODUCTS["pause"], go(tmp_path), tmp_path, Progress(1)) / "pause").exists()
    assert len(compiler.commands) == 2


def test_a_product_without_one_of_its_programs_is_refused(compiler: Compiler, tmp_path: Path) -> None:
    compiler.programs = ("etcdctl", "server")
    with pytest.raises(BundleError, match="did not build etcdutl"):
        compiled.compile_product(PRODUCTS["etcd"], go(tmp_path), tmp_path, Progress(1))


def test_containerd_is_compiled_without_the_snapshotters_that_need_libraries(compiler: Compiler, tmp_path: Path) -> None:
    compiler.programs = PRODUCTS["containerd"].programs
    compiled.compile_product(PRODUCTS["containerd"], go(tmp_path), tmp_path, Progress(1))
    (command,) = compiler.commands
    assert command[command.index("-tags") + 1] == "no_btrfs,no_zfs,no_devmapper"
    assert "-X github.com/containerd/containerd/v2/version.Version=2.3.7" in str(command[command.index("-ldflags") + 1])


def test_the_users_environment_does_not_change_what_is_built(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("GOFLAGS", "-mod=vendor")
    monkeypatch.setenv("CGO_ENABLED", "1")
    monkeypatch.setenv("GOPROXY", "https://proxy.test")
    monkeypatch.delenv("GOCACHE", raising=False)
    environment = go(tmp_path).environment()
    assert "vendor" not in environment["GOFLAGS"]
    assert environment["CGO_ENABLED"] == "0"
    assert go(tmp_path).environment(cgo=True)["CGO_ENABLED"] == "1"
    assert environment["GOPROXY"] == "https://proxy.test"
    assert environment["GOCACHE"].startswith(str(tmp_path))


def fake_go(directory: Path, version: str) -> Path:
    directory.mkdir(parents=True)
    command = directory / "go"
    command.write_text(f"#!/bin/sh\nprintf '%s\\n' {version} amd64\n")
    command.chmod(0o755)
    return command


@pytest.mark.parametrize(("version", "chosen"), [("go1.26.8", True), ("go1.27.0-custom", True), ("go1.26.7", False), ("devel", False)])
def test_the_machines_go_is_taken_when_it_is_new_enough(version: str, chosen: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    machine = fake_go(tmp_path / "bin", version)
    installed = fake_go(tmp_path / "cache" / GO_PACKAGE.replace("==", "-") / "lib/python3.11/site-packages/go/bin", "go1.27.3")
    monkeypatch.setenv("PATH", f"{machine.parent}:/usr/bin:/bin")
    found = toolchain.find_go((1, 26, 8), tmp_path / "cache", Progress(1))
    assert found.command == (machine if chosen else installed)
    assert found.architecture == "amd64"


def test_the_sources_say_which_go_they_need(tmp_path: Path) -> None:
    for name, version in (("a", "1.26.8"), ("b", "1.26.0"), ("c", "1.9")):
        (tmp_path / name).write_text(f"module {name}\n\ngo {version}\n\ntool example.test/{name}\n")
    assert toolchain.needed_version(tmp_path / name for name in "abc") == (1, 26, 8)


APT_CACHE_DEPENDS = """\
iptables
  Depends: libip4tc2
  Depends: libxtables12
  Depends: netbase
libip4tc2
  Depends: libc6
libxtables12
  Depends: libc6
netbase
libc6
  Depends: libgcc-s1
libgcc-s1
<libdb-perl>
libdebconfclient0:i386
libfile-find-rule-perl
"""


def test_of_what_packages_depend_on_the_libraries_are_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(debian, "run", lambda command: APT_CACHE_DEPENDS)
    assert debian.libraries(["iptables"]) == ["libc6", "libgcc-s1", "libip4tc2", "libxtables12"]


def test_packages_are_fetched_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    commands: list[Sequence[str | Path]] = []

    def run(command: Sequence[str | Path], cwd: Path | None = None) -> str:
        if command[0] == "apt-get":
            commands.append(command)
            Path(cwd or tmp_path, f"{command[-1]}.deb").touch()
        return APT_CACHE_DEPENDS

    monkeypatch.setattr(debian, "run", run)
    for _time in range(2):
        assert sorted(file.name for file in debian.downloaded(tmp_path / "debian-12").iterdir()) == ["kmod.deb", "libxtables12.deb"]
    assert len(commands) == 2


def fill(staging: Path) -> dict[str, str]:
    (staging / "bin/kubeadm").write_bytes(b"program")
    (staging / "images/pause.tar").write_bytes(b"image")
    return {"go": "1.26.8"}


def test_a_bundle_has_a_checksum_of_every_file(tmp_path: Path) -> None:
    output = tmp_path / "1.37.2"
    assembly.assemble(output, "compile", "f1", fill, Progress(1))
    sums = [line.split("  ") for line in (output / "SHA256SUMS").read_text().splitlines()]
    assert [path for _digest, path in sums] == ["bin/kubeadm", "bundle.json", "images/pause.tar"]
    assert sums[0][0] == hashlib.sha256(b"program").hexdigest()
    assert [path.name for path in tmp_path.iterdir()] == ["1.37.2"]


def test_a_bundle_is_there_only_when_it_is_complete(tmp_path: Path) -> None:
    output = tmp_path / "1.37.2"

    def interrupted(staging: Path) -> dict[str, str]:
        fill(staging)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        assembly.assemble(output, "compile", "f1", interrupted, Progress(1))
    assert not output.exists()
    assembly.assemble(output, "compile", "f1", fill, Progress(1))
    with pytest.raises(KeyboardInterrupt):
        assembly.assemble(output, "compile", "f2", interrupted, Progress(1))
    assert assembly.finished(output, {"compile": "f1"}), "the earlier bundle stays until the new one is complete"
    assembly.assemble(output, "compile", "f2", fill, Progress(1))
    assert assembly.finished(output, {"compile": "f2"})
    assert [path.name for path in tmp_path.iterdir()] == ["1.37.2"]


def test_a_finished_bundle_is_recognised_by_what_would_make_it(tmp_path: Path) -> None:
    output = tmp_path / "1.37.2"
    assert not assembly.finished(output, {"compile": "f1"})
    assembly.assemble(output, "compile", "f1", fill, Progress(1))
    assert assembly.finished(output, {"compile": "f1", "download": "f9"})
    assert not assembly.finished(output, {"compile": "f2", "download": "f1"})
    (output / "images/pause.tar").unlink()
    assert not assembly.finished(output, {"compile": "f1"})


@pytest.mark.parametrize("present", ["compile", "download"])
def test_with_auto_a_finished_bundle_of_either_kind_is_enough(present: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upstream, "reachable", lambda *_: pytest.fail("asked the network"))
    assembly.assemble(tmp_path / "b", present, cli.fingerprints(RELEASE)[present], fill, Progress(1))
    assert cli.main(["--output", str(tmp_path / "b")]) == 0


@pytest.mark.parametrize(
    ("asked", "reachable", "made"),
    [("auto", True, "download"), ("auto", False, "compile"), ("compile", True, "compile"), ("download", False, "download")],
)
def test_the_way_is_the_users_or_what_can_be_reached(asked: str, reachable: bool, made: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upstream, "reachable", lambda *_: reachable)
    monkeypatch.setattr(upstream, "fetch", lambda release, base, cache, staging, progress: fill(staging))
    monkeypatch.setattr(compiled, "build", lambda release, cache, staging, progress: fill(staging))
    assert cli.main(["--output", str(tmp_path / "b"), "--source", asked]) == 0
    assert assembly.finished(tmp_path / "b", {made: cli.fingerprints(RELEASE)[made]})


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["--output", str(cli.CHECKOUT / "lab/bundle/out")], "is inside the checkout: name a directory outside of it"),
        (["--output", "/nowhere/b", "--base", "kubernets=https://mirror.test"], "write NAME=URL with one of kubernetes, github, calico"),
        (["--output", "/nowhere/b", "--base", "github"], "write NAME=URL"),
        (["--output", "/nowhere/b", "--version", "1.12.0"], "invalid choice"),
        ([], "--output"),
    ],
)
def test_what_cannot_be_made_is_refused(words: list[str], complaint: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        cli.main(words)
    assert stopped.value.code == 2
    assert complaint in capsys.readouterr().err


def test_a_mirror_replaces_upstream(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Mapping[str, str]] = []

    def fetch(_release: Release, base: Mapping[str, str], _cache: Path, staging: Path, _progress: Progress) -> dict[str, str]:
        seen.append(base)
        return fill(staging)

    monkeypatch.setattr(upstream, "fetch", fetch)
    assert cli.main(["--output", str(tmp_path / "b"), "--source", "download", "--base", "github=https://mirror.test"]) == 0
    assert seen == [{**UPSTREAM, "github": "https://mirror.test"}]


def test_a_failed_command_shows_the_end_of_its_log(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="(?s)failed \\(3\\).*line 39"):
        progress.run_long(["sh", "-c", "for i in $(seq 0 39); do echo line $i; done; exit 3"], tmp_path / "log", lambda _: None)


def test_a_long_command_shows_that_it_lives(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "HEARTBEAT_SECONDS", 0.05)
    beats: list[float] = []
    progress.run_long(["sleep", "0.3"], tmp_path / "log", beats.append)
    assert len(beats) >= 2


def test_an_error_is_one_line_and_a_status(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def fail(*_: object) -> dict[str, str]:
        raise BundleError("no Go here")

    monkeypatch.setattr(compiled, "build", fail)
    assert cli.main(["--output", str(tmp_path / "b"), "--source", "compile"]) == 1
    assert capsys.readouterr().err.endswith("error: no Go here\n")
