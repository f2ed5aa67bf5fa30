"""What comes from the distribution's packages: the root file system of kube-proxy's image, and the compiler that runc needs."""

from __future__ import annotations

import io
import os
import re
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from .oci import Directory, File, Link, write_layer
from .progress import BundleError, run

ROOT_PACKAGES = ("iptables", "nftables", "ipset", "conntrack", "kmod")
PROGRAMS = ("xtables-nft-multi", "nft", "ipset", "conntrack", "kmod")
# Names under which kube-proxy and the kernel call the multi-call programs.
CALLED = {
    "usr/sbin/modprobe": "/usr/bin/kmod",
    **{
        f"usr/sbin/{family}{suffix}": "xtables-nft-multi" for family in ("iptables", "ip6tables") for suffix in ("", "-save", "-restore")
    },
}
# `statistic` needs a library (libm) that no program names: without it the rules of a Service with two endpoints are refused.
SELF_CHECK = """\
*nat
:PODS - [0:0]
:ENDPOINT - [0:0]
-A PODS -m comment --comment check -m conntrack --ctstate NEW -m addrtype --dst-type LOCAL -j RETURN
-A PODS -p tcp -m tcp --dport 443 -m mark --mark 0x4000/0x4000 -j MASQUERADE --random-fully
-A PODS -m statistic --mode random --probability 0.50000000000 -j ENDPOINT
-A ENDPOINT -p tcp -m recent --name ENDPOINT --set -m tcp -j DNAT --to-destination 192.0.2.1:6443
COMMIT
"""


def release_name() -> str:
    """The distribution that packages come from; part of the key of what is made of them."""
    try:
        lines = Path("/etc/os-release").read_text().splitlines()
    except OSError:
        lines = []
    values = dict(line.split("=", 1) for line in lines if "=" in line)
    if shutil.which("apt-get") is None or shutil.which("dpkg-deb") is None:
        raise BundleError("compiling a bundle needs Debian's or Ubuntu's packages (apt-get, dpkg-deb): make it there, or use --source download")
    return f"{values.get('ID', 'debian')}-{values.get('VERSION_ID', '')}".replace('"', "")


def as_root(*command: str) -> list[str]:
    return list(command) if os.geteuid() == 0 else ["sudo", "-n", *command]


def ensure_installed(packages: Iterable[str]) -> None:
    """Install those packages that are missing on this machine."""
    missing = [name for name in packages if subprocess.run(["dpkg", "-s", name], capture_output=True, check=False).returncode]
    if missing:
        environment = ("env", "DEBIAN_FRONTEND=noninteractive")
        _apt(as_root(*environment, "apt-get", "install", "--yes", "--quiet", "--no-install-recommends", *missing))


def _apt(command: list[str], cwd: Path | None = None) -> None:
    """Run apt-get; where that fails, its lists may be older than the archive, or missing on a new machine."""
    try:
        run(command, cwd=cwd)
    except BundleError:
        run(as_root("apt-get", "update", "--quiet"))
        run(command, cwd=cwd)


def proxy_tree(cache: Path) -> dict[str, File | Link | Directory]:
    """The programs that kube-proxy calls, with every library and extension that they load."""
    tree: dict[str, File | Link | Directory] = {}
    for package in sorted(downloaded(cache / "packages" / release_name()).iterdir()):
        tree.update(wanted_files(package))
    tree.update({path: Link(target) for path, target in CALLED.items()})
    tree.update({name: Link(f"usr/{name}") for name in ("bin", "sbin", "lib", "lib64")})
    tree.update({"run": Directory(), "tmp": Directory(0o1777), "var/lib": Directory()})
    check_tree(tree)
    return tree


def downloaded(kept: Path) -> Path:
    """The directory with the packages, fetched unless that was done before."""
    if not kept.is_dir():
        partial = kept.with_name(f"{kept.name}.partial")
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        _apt(["apt-get", "download", "--quiet", *ROOT_PACKAGES], cwd=partial)
        _apt(["apt-get", "download", "--quiet", *libraries(ROOT_PACKAGES)], cwd=partial)
        partial.rename(kept)
    return kept


def libraries(packages: Iterable[str]) -> list[str]:
    """The library packages that these depend on, directly or not."""
    flags = ["--recurse", *(f"--no-{kind}" for kind in ("recommends", "suggests", "conflicts", "breaks", "replaces", "enhances"))]
    listed = run(["apt-cache", "depends", *flags, *packages]).splitlines()
    names = {line for line in listed if re.fullmatch(r"lib[a-z0-9+.-]*", line)}  # not indented, not <virtual>, not of another architecture
    return sorted(name for name in names if not name.endswith(("-perl", "-dev", "-data")))


def wanted_files(package: Path) -> dict[str, File | Link | Directory]:
    """Of a package: our programs, shared libraries, the dynamic loader; at the places of a merged /usr."""
    content = subprocess.run(["dpkg-deb", "--fsys-tarfile", str(package)], capture_output=True, check=True).stdout
    found: dict[str, File | Link | Directory] = {}
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        for member in archive:
            path = PurePosixPath(member.name.removeprefix("./"))
            if path.parts and path.parts[0] in ("bin", "sbin", "lib", "lib64"):
                path = "usr" / path
            program = path.name in PROGRAMS and path.parent.name in ("bin", "sbin")
            library = ".so" in path.name and path.parent.name not in ("gconv", "audit", "engines-3", "ossl-modules")
            if not (program or library):
                continue
            if member.issym():
                found[str(path)] = Link(member.linkname)
            elif member.isreg() and (source := archive.extractfile(member)):
                found[str(path)] = File(source.read(), member.mode & 0o777)
    return found


def check_tree(tree: dict[str, File | Link | Directory]) -> None:
    """Run the programs in the tree, one of them on rules as kube-proxy writes them, in a network namespace of their own."""
    with tempfile.TemporaryDirectory() as directory:
        root, layer = Path(directory, "root"), Path(directory, "layer.tar")
        with layer.open("wb") as output:
            write_layer(tree, output)
        root.mkdir()
        run(["tar", "--extract", "--file", layer, "--directory", root])
        inside = as_root("unshare", "--net", "chroot", str(root))
        for command in (["iptables-restore", "--test"], ["ip6tables-save"], ["nft", "--version"], ["conntrack", "--version"], ["ipset", "--version"]):
            done = subprocess.run([*inside, f"/usr/sbin/{command[0]}", *command[1:]], input=SELF_CHECK, capture_output=True, text=True, check=False)
            if done.returncode:
                raise BundleError(f"kube-proxy's image would not work: {' '.join(command)} says: {done.stderr.strip()}")
