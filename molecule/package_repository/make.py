"""Make package repositories of a bundle's binaries, laid out and signed as upstream's are.

Usage: make.py kubernetes|containerd BUNDLE OUTPUT. Needs dpkg-deb and gpg. The key is made for the occasion and thrown away.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping
from email.utils import formatdate
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
UNITS = ROOT / "roles/kubernetes/templates"
START = "#!/bin/sh\nset -e\nsystemctl daemon-reload\nsystemctl enable --now {unit}\n"


def run(*command: str | Path) -> str:
    """Run a command that has to succeed, and return what it says."""
    done = subprocess.run([str(word) for word in command], capture_output=True, check=False, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(map(str, command))}: {done.stderr}")
    return done.stdout.strip()


ARCHITECTURE = run("dpkg", "--print-architecture")


class Package(NamedTuple):
    """A Debian package: files of the bundle, texts, and the unit that it starts when it is installed."""

    name: str
    version: str
    files: Mapping[str, str] = {}
    texts: Mapping[str, str] = {}
    depends: str = ""
    unit: str = ""

    @property
    def filename(self) -> str:
        """What the package's file is called."""
        return f"{self.name}_{self.version}_{ARCHITECTURE}.deb"

    @property
    def control(self) -> str:
        """What the package says of itself."""
        fields = {"Package": self.name, "Version": self.version, "Architecture": ARCHITECTURE, "Maintainer": "Lab <lab@example.com>"}
        fields |= {"Depends": self.depends} if self.depends else {}
        return "".join(f"{key}: {value}\n" for key, value in {**fields, "Description": "made of a bundle for the lab"}.items())


def build(package: Package, bundle: Path, directory: Path) -> None:
    """Build the package into a directory."""
    with tempfile.TemporaryDirectory() as work:
        root = Path(work)
        root.chmod(0o755)
        for source, target in package.files.items():
            (root / target).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(bundle / source, root / target)
        for target, text in package.texts.items():
            (root / target).parent.mkdir(parents=True, exist_ok=True)
            (root / target).write_text(text)
        control = root / "DEBIAN"
        control.mkdir()
        (control / "control").write_text(package.control)
        (control / "conffiles").write_text("".join(f"/{target}\n" for target in package.texts if target.startswith("etc/")))
        if package.unit:
            (control / "postinst").write_text(START.format(unit=package.unit))
            (control / "postinst").chmod(0o755)
        directory.mkdir(parents=True, exist_ok=True)
        run("dpkg-deb", "-Znone", "--root-owner-group", "--build", work, directory / package.filename)


def index(packages: Iterable[Package], root: Path, pool: str) -> str:
    """Return the list that apt reads; file names are relative to the repository's root."""
    entries = []
    for package in packages:
        file = root / pool / package.filename
        digest = hashlib.sha256(file.read_bytes()).hexdigest()
        entries.append(f"{package.control}Filename: {pool}/{package.filename}\nSize: {file.stat().st_size}\nSHA256: {digest}\n")
    return "\n".join(entries)


def release(directory: Path, lists: Mapping[str, str], fields: Mapping[str, str], key: Path) -> None:
    """Write the lists below a directory, with a signed Release."""
    lines = [f"{name}: {value}" for name, value in {**fields, "Architectures": ARCHITECTURE, "Date": formatdate(usegmt=True)}.items()]
    for name, text in lists.items():
        (directory / name).parent.mkdir(parents=True, exist_ok=True)
        (directory / name).write_text(text)
    sums = [f" {hashlib.sha256(text.encode()).hexdigest()} {len(text.encode())} {name}" for name, text in lists.items()]
    (directory / "Release").write_text("\n".join([*lines, "SHA256:", *sums, ""]))
    run("gpg", "--homedir", key, "--batch", "--clearsign", "--output", directory / "InRelease", directory / "Release")
    run("gpg", "--homedir", key, "--batch", "--armor", "--detach-sign", "--output", directory / "Release.gpg", directory / "Release")


def kubernetes(version: str) -> list[Package]:
    """Return the packages of pkgs.k8s.io, and newer ones that nobody must install."""
    unit, dropin = (UNITS / "kubelet.service.j2").read_text(), (UNITS / "10-kubeadm.conf.j2").read_text()
    plugins = ["bridge", "host-local", "loopback", "portmap", "ptp"]
    current = [
        Package("kubernetes-cni", "1.9.1-1.1", {f"bin/cni/{name}": f"opt/cni/bin/{name}" for name in plugins}),
        Package(
            "kubelet",
            f"{version}-1.1",
            {"bin/kubelet": "usr/bin/kubelet"},
            {"usr/lib/systemd/system/kubelet.service": unit, "etc/default/kubelet": "KUBELET_EXTRA_ARGS=\n"},
            "kubernetes-cni",
            "kubelet.service",
        ),
        Package("kubectl", f"{version}-1.1", {"bin/kubectl": "usr/bin/kubectl"}),
        Package(
            "kubeadm", f"{version}-1.1", {"bin/kubeadm": "usr/bin/kubeadm"}, {"usr/lib/systemd/system/kubelet.service.d/10-kubeadm.conf": dropin}, "kubelet"
        ),
    ]
    return current + [Package(name, f"{version}9-1.1") for name in ("kubelet", "kubectl", "kubeadm")]


def containerd(name: str, version: str) -> list[Package]:
    """Return a package of containerd, with the configuration that Docker ships: without the part that the kubelet needs."""
    programs = ["containerd", "containerd-shim-runc-v2", "ctr", "runc"]
    unit = (ROOT / "roles/containerd/templates/containerd.service.j2").read_text().replace("/usr/local/bin", "/usr/bin")
    return [
        Package(
            name,
            version,
            {f"bin/{program}": f"usr/bin/{program}" for program in programs},
            {"etc/containerd/config.toml": 'disabled_plugins = ["cri"]\n', "usr/lib/systemd/system/containerd.service": unit},
            unit="containerd.service",
        )
    ]


def flat(root: Path, packages: list[Package], bundle: Path, key: Path) -> None:
    """Make a repository of one directory, as pkgs.k8s.io is."""
    for package in packages:
        build(package, bundle, root / ARCHITECTURE)
    release(root, {"Packages": index(packages, root, ARCHITECTURE)}, {"Origin": "lab"}, key)


def suite(root: Path, name: str, packages: list[Package], bundle: Path, key: Path) -> None:
    """Make a repository with a directory for each release of the distribution, as download.docker.com is."""
    pool = f"dists/{name}/pool/stable"
    for package in packages:
        build(package, bundle, root / pool)
    lists = {f"stable/binary-{ARCHITECTURE}/Packages": index(packages, root, pool)}
    release(root / "dists" / name, lists, {"Origin": "lab", "Suite": name, "Codename": name, "Components": "stable"}, key)


def main(what: str, bundle: Path, output: Path) -> None:
    """Make the repositories, with the key beside each."""
    with tempfile.TemporaryDirectory() as home:
        key = Path(home)
        run("gpg", "--homedir", key, "--batch", "--passphrase", "", "--quick-generate-key", "lab@example.com", "ed25519", "sign", "1d")
        if what == "kubernetes":
            version = run(bundle / "bin/kubeadm", "version", "--output", "short").removeprefix("v")
            root = output / f"core:/stable:/v{version.rpartition('.')[0]}/deb"
            flat(root, kubernetes(version), bundle, key)
            keys = [root / "Release.key"]
        else:
            version = run(bundle / "bin/containerd", "--version").split()[2].partition("+")[0]
            flat(output / "distribution", containerd("containerd", f"{version}~ds1-1"), bundle, key)
            suite(output / "docker/debian", "bookworm", containerd("containerd.io", f"{version}-1~debian.12~bookworm"), bundle, key)
            keys = [output / "distribution/Release.key", output / "docker/debian/gpg"]
        for path in keys:
            run("gpg", "--homedir", key, "--armor", "--output", path, "--export")
        run("gpgconf", "--homedir", key, "--kill", "all")


if __name__ == "__main__":
    os.umask(0o022)
    main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]))
