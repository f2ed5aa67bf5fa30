"""A bundle's programs and images, compiled from Go modules."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from . import debian
from .assembly import place
from .oci import Directory, File, Link, Tree, write_image
from .progress import BundleError, Progress, clock, run_long
from .toolchain import Go, find_go, needed_version
from .versions import AGNHOST, Release

SOURCES = Path(__file__).parent / "sources"
PODNET_MANIFEST = Path(__file__).parent / "manifests/podnet.yaml"
BUILD_DATE = "2026-01-01T00:00:00Z"
RUNC_PACKAGES = ("gcc", "libc6-dev", "libseccomp-dev", "pkg-config")


@dataclass(frozen=True)
class Product:
    """Programs that are compiled together, from the `tool` lines (or the main package) of one go.mod."""

    name: str
    directory: str
    programs: tuple[str, ...]
    minutes: float  # on two cores with an empty cache
    target: str = "tool"
    tags: tuple[str, ...] = ()
    variables: Mapping[str, str] = field(default_factory=dict)
    linker: str = "-s -w"
    cgo: bool = False

    @property
    def source(self) -> Path:
        return SOURCES / self.directory

    def key(self, go_version: str = "") -> str:
        """Changes when what is built would change."""
        state = hashlib.sha256(json.dumps([asdict(self), go_version], sort_keys=True).encode())
        for file in sorted(self.source.iterdir()):
            if file.name.endswith("_test.go"):
                continue
            state.update(f"{file.name}\0".encode() + hashlib.sha256(file.read_bytes()).digest())
        return state.hexdigest()[:16]


def products(release: Release) -> tuple[Product, ...]:
    """What to compile, the longest first."""
    major, minor, _ = release.kubernetes.split(".")
    kubernetes_version = {
        "gitVersion": f"v{release.kubernetes}",
        "gitMajor": major,
        "gitMinor": minor,
        "gitTreeState": "clean",
        "gitCommit": "0" * 40,
        "buildDate": BUILD_DATE,
    }
    packages = ("k8s.io/component-base/version", "k8s.io/client-go/pkg/version")
    containerd = "github.com/containerd/containerd/v2/version"

    def directory(name: str) -> str:
        return release.sources.get(name, name)

    return (
        Product(
            "kubernetes",
            directory("kubernetes"),
            ("kube-apiserver", "kube-controller-manager", "kube-proxy", "kube-scheduler", "kubeadm", "kubectl", "kubelet"),
            minutes=8,
            variables={f"{package}.{name}": value for package in packages for name, value in kubernetes_version.items()},
        ),
        Product("coredns", directory("coredns"), ("coredns",), minutes=2.5),
        Product(
            "containerd",
            directory("containerd"),
            ("containerd", "containerd-shim-runc-v2", "ctr"),
            minutes=2,
            tags=("no_btrfs", "no_zfs", "no_devmapper"),
            variables={f"{containerd}.Version": release.containerd, f"{containerd}.Revision": "go-module"},
        ),
        Product("agnhost", directory("agnhost"), ("agnhost",), minutes=0.5, variables={"main.Version": AGNHOST}),
        *(Product(name, directory(name), ("etcdctl", "etcdutl", "server"), minutes=1) for name in release.etcds()),
        Product(
            "runc",
            directory("runc"),
            ("runc",),
            minutes=0.5,
            tags=("seccomp", "netgo", "osusergo"),
            variables={"main.version": release.runc},
            linker="-s -w -linkmode external -extldflags -static",
            cgo=True,
        ),
        Product("cni-plugins", directory("cni-plugins"), ("bridge", "host-local", "loopback", "portmap", "ptp"), minutes=0.5),
        Product("podnet", directory("podnet"), ("podnet",), minutes=1, target="."),
        Product("pause", directory("pause"), ("pause",), minutes=0.1, target=".", variables={"main.version": release.pause}),
    )


def fingerprint(release: Release) -> list[str]:
    """What decides a compiled bundle, Go's version aside: a finished bundle is not made again for a newer compiler."""
    return [product.key() for product in products(release)] + [PODNET_MANIFEST.read_text()]


def steps(release: Release) -> int:
    return len(products(release)) + 1


def build(release: Release, cache: Path, staging: Path, progress: Progress) -> dict[str, str]:
    """Fill bin/, images/ and manifests/ of the staging directory; return the versions of the tools that took part."""
    distribution = debian.release_name()
    wanted = products(release)
    go = find_go(needed_version(product.source / "go.mod" for product in wanted), cache, progress)
    progress.say(f"Go {go.version} ({go.command}), {os.cpu_count()} cores, packages of {distribution}")
    built = {product.name: compile_product(product, go, cache, progress) for product in wanted}

    progress.begin("writing images")
    install_programs(built, staging / "bin")
    release.check_images(built["kubernetes"] / "kubeadm")
    for name, (reference, tree, entrypoint) in images(release, built, debian.proxy_tree(cache)).items():
        write_image(staging / "images" / f"{name}.tar", reference, tree, entrypoint, go.architecture)
    shutil.copy(PODNET_MANIFEST, staging / "manifests")
    return {"go": go.version, "distribution": distribution}


def compile_product(product: Product, go: Go, cache: Path, progress: Progress) -> Path:
    """The directory with the product's programs, compiled unless that was done before."""
    finished = cache / "products" / f"{product.name}-{product.key(go.version)}"
    if finished.is_dir():
        progress.begin(f"{product.name}: compiled before")
        return finished
    progress.begin(f"{product.name}: compiling {', '.join(product.programs)} (about {clock(product.minutes * 60)} min)")
    if product.cgo:
        debian.ensure_installed(RUNC_PACKAGES)
    partial = finished.with_suffix(".partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    log = cache / "logs" / f"{product.name}.log"

    def alive(seconds: float) -> None:
        lines = log.read_text(errors="replace").splitlines()
        fetched = sum(line.startswith("go: downloading") for line in lines)
        done = f"{fetched} modules fetched, {len(lines) - fetched} packages compiled, {len(list(partial.iterdir()))} of {len(product.programs)} programs linked"
        progress.say(f"      {product.name}: {clock(seconds)} of about {clock(product.minutes * 60)} min: {done}")

    variables = " ".join(f"-X {name}={value}" for name, value in product.variables.items())
    flags = ["-v", "-trimpath", "-tags", ",".join(product.tags), "-ldflags", f"{product.linker} {variables}"]
    command: list[str | Path] = [go.command, "build", *flags, "-o", f"{partial}/", product.target]
    run_long(command, log, alive, cwd=product.source, env=go.environment(product.cgo))
    missing = sorted(set(product.programs) - {program.name for program in partial.iterdir()})
    if missing:
        raise BundleError(f"{product.source}/go.mod did not build {', '.join(missing)}")
    partial.rename(finished)
    return finished


def install_programs(built: Mapping[str, Path], output: Path) -> None:
    for product, programs in (
        ("kubernetes", ("kubeadm", "kubelet", "kubectl")),
        ("containerd", ("containerd", "containerd-shim-runc-v2", "ctr")),
        ("runc", ("runc",)),
    ):
        for program in programs:
            place(built[product] / program, output / program)
    for plugin in built["cni-plugins"].iterdir():
        place(plugin, output / "cni" / plugin.name)


def images(release: Release, built: Mapping[str, Path], proxy: Tree) -> dict[str, tuple[str, Tree, list[str]]]:
    """Reference, files and entrypoint by archive name. kubeadm calls its programs by their names, which are found in PATH."""
    references = release.control_plane_images()
    kubernetes = built["kubernetes"]
    base: dict[str, File | Link | Directory] = {
        "etc/passwd": File(b"root:x:0:0:root:/:/sbin/nologin\n", 0o644),
        "etc/group": File(b"root:x:0:\n", 0o644),
        "etc/nsswitch.conf": File(b"hosts: files dns\n", 0o644),
        "tmp": Directory(0o1777),
    }

    def of(reference: str, entrypoint: str, files: Tree) -> tuple[str, Tree, list[str]]:
        return reference, {**base, **files}, [entrypoint]

    def control_plane(program: str, files: Tree | None = None) -> tuple[str, Tree, list[str]]:
        path = f"usr/local/bin/{program}"
        return of(references[program], f"/{path}", {path: File(kubernetes / program), **(files or {})})

    etcd_programs = {"usr/local/bin/etcd": "server", "usr/local/bin/etcdctl": "etcdctl", "usr/local/bin/etcdutl": "etcdutl"}
    return {
        "kube-apiserver": control_plane("kube-apiserver"),
        "kube-controller-manager": control_plane("kube-controller-manager"),
        "kube-scheduler": control_plane("kube-scheduler"),
        "kube-proxy": control_plane("kube-proxy", proxy),
        **{
            name: of(reference, "/usr/local/bin/etcd", {path: File(built[name] / program) for path, program in etcd_programs.items()})
            for name, reference in release.etcds().items()
        },
        "coredns": of(references["coredns"], "/coredns", {"coredns": File(built["coredns"] / "coredns")}),
        "pause": (references["pause"], {"pause": File(built["pause"] / "pause")}, ["/pause"]),
        "agnhost": of(release.agnhost_image, "/agnhost", {"agnhost": File(built["agnhost"] / "agnhost")}),
        "podnet": of(release.podnet_image, "/podnet", {"podnet": File(built["podnet"] / "podnet")}),
    }
