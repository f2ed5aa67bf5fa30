"""A bundle's programs and images as upstream publishes them."""

from __future__ import annotations

import platform
import tarfile
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from .assembly import place
from .oci import from_docker_save, sha256
from .progress import HEARTBEAT_SECONDS, BundleError, Progress, run, run_long
from .versions import Release

ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
PROBE_SECONDS = 5.0
STALL_SECONDS = 60.0


@dataclass(frozen=True)
class Download:
    """A published file, and what of it goes where in the bundle."""

    url: str
    target: str = ""  # the file itself
    members: Mapping[str, str] = field(default_factory=dict)  # of an archive, by their place in the bundle
    checksum: str = ""  # URL of the published SHA-256, where there is one

    @property
    def name(self) -> str:
        return self.url.rpartition("/")[2]


def architecture() -> str:
    machine = platform.machine()
    if machine not in ARCHITECTURES:
        raise BundleError(f"{machine}: only {', '.join(ARCHITECTURES)} can be had")
    return ARCHITECTURES[machine]


def downloads(release: Release, arch: str, base: Mapping[str, str]) -> tuple[Download, ...]:
    kubernetes = f"{base['kubernetes']}/v{release.kubernetes}/bin/linux/{arch}"
    containerd = f"{base['github']}/containerd/containerd/releases/download/v{release.containerd}/containerd-static-{release.containerd}-linux-{arch}.tar.gz"
    runc = f"{base['github']}/opencontainers/runc/releases/download/v{release.runc}"
    plugins = f"{base['github']}/containernetworking/plugins/releases/download/v{release.cni_plugins}/cni-plugins-linux-{arch}-v{release.cni_plugins}.tgz"
    return (
        *(Download(f"{kubernetes}/{name}", f"bin/{name}", checksum=f"{kubernetes}/{name}.sha256") for name in ("kubeadm", "kubelet", "kubectl")),
        Download(
            containerd,
            members={f"bin/{name}": f"bin/{name}" for name in ("containerd", "containerd-shim-runc-v2", "ctr")},
            checksum=f"{containerd}.sha256sum",
        ),
        Download(f"{runc}/runc.{arch}", "bin/runc", checksum=f"{runc}/runc.sha256sum"),
        Download(
            plugins,
            members={f"bin/cni/{name}": name for name in ("bridge", "host-local", "loopback", "portmap", "ptp")},
            checksum=f"{plugins}.sha256",
        ),
        Download(f"{base['calico']}/v{release.calico}/manifests/calico.yaml", "manifests/calico.yaml"),
    )


def images(release: Release) -> dict[str, str]:
    """References by archive name."""
    return {**release.control_plane_images(), **release.etcds(), "agnhost": release.agnhost_image, **release.calico_images()}


def reachable(release: Release, base: Mapping[str, str]) -> bool:
    """Ask once, and wait no longer than the bound, whatever hangs (name resolution has no time limit of its own)."""
    request = urllib.request.Request(f"{base['kubernetes']}/v{release.kubernetes}/bin/linux/{architecture()}/kubeadm.sha256", method="HEAD")
    answers: list[int] = []

    def ask() -> None:
        try:
            with urllib.request.urlopen(request, timeout=PROBE_SECONDS) as response:
                answers.append(response.status)
        except (OSError, ValueError):
            return

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(PROBE_SECONDS)
    return answers == [200]


def steps(release: Release, base: Mapping[str, str]) -> int:
    return len(downloads(release, architecture(), base)) + len(images(release))


def fetch(release: Release, base: Mapping[str, str], cache: Path, staging: Path, progress: Progress) -> dict[str, str]:
    """Fill bin/, images/ and manifests/ of the staging directory."""
    kept = cache / "downloads" / release.kubernetes
    kept.mkdir(parents=True, exist_ok=True)
    fetch_files(downloads(release, architecture(), base), kept, staging, progress)
    release.check_images(staging / "bin/kubeadm")
    for name, reference in images(release).items():
        archive = kept / f"{name}.tar"
        progress.begin(f"{reference}: {'fetched before' if archive.exists() else 'pulling'}")
        if not archive.exists():
            pull(reference, archive, cache / "logs" / f"{name}.log", progress)
        place(archive, staging / "images" / archive.name)
    return {}


def fetch_files(wanted: tuple[Download, ...], kept: Path, staging: Path, progress: Progress) -> None:
    for download in wanted:
        file = kept / download.name
        progress.begin(f"{download.url}: {'fetched before' if file.exists() else 'fetching'}")
        if not file.exists():
            fetch_file(download, file, progress)
        if download.target:
            place(file, staging / download.target)
        if download.members:
            extract(file, {member: staging / target for target, member in download.members.items()})


def fetch_file(download: Download, file: Path, progress: Progress) -> None:
    """Fetch a file and compare it with its published checksum; only then it gets its name."""
    partial = file.with_name(f"{file.name}.partial")
    try:
        expected = ""
        if download.checksum:
            with urllib.request.urlopen(download.checksum, timeout=STALL_SECONDS) as response:
                expected = published_checksum(response.read().decode(), download.name)
        with urllib.request.urlopen(download.url, timeout=STALL_SECONDS) as response, partial.open("w+b") as output:
            last = time.monotonic()
            while chunk := response.read(1 << 20):
                output.write(chunk)
                if time.monotonic() - last > HEARTBEAT_SECONDS:
                    last = time.monotonic()
                    progress.say(f"      {output.tell() >> 20} of {int(response.headers.get('Content-Length') or 0) >> 20} MB")
            found = sha256(output)
    except (OSError, ValueError) as error:
        raise BundleError(f"{download.url}: {error}") from error
    if expected not in ("", found):
        raise BundleError(f"{download.url} has SHA-256 {found}, published is {expected}: fetch it again, or mistrust the mirror")
    partial.chmod(0o755 if download.target.startswith("bin/") else 0o644)
    partial.rename(file)


def published_checksum(text: str, name: str) -> str:
    """Of a checksum file: a bare digest, or lines of `sha256sum` for one or more files."""
    for line in text.splitlines():
        words = line.split()
        if words and (len(words) == 1 or words[-1].lstrip("*").rpartition("/")[2] == name):
            return words[0].lower()
    raise ValueError(f"no checksum of {name} is published")


def extract(archive: Path, wanted: Mapping[str, Path]) -> None:
    """Take the wanted members (by name) out of an archive of programs."""
    missing = set(wanted)
    with tarfile.open(archive) as content:
        for member in content:
            name = member.name.removeprefix("./")
            if name in missing and (source := content.extractfile(member)):
                wanted[name].write_bytes(source.read())
                wanted[name].chmod(0o755)
                missing.remove(name)
    if missing:
        raise BundleError(f"{archive.name} lacks {', '.join(sorted(missing))}")


def pull(reference: str, archive: Path, log: Path, progress: Progress) -> None:
    """Docker fetches the image; the archive of it is ours, since Docker's own differs by its version."""
    run_long(["docker", "pull", reference], log, lambda seconds: progress.say(f"      {seconds:.0f} s"))
    with tempfile.TemporaryDirectory(dir=archive.parent) as directory:
        saved, partial = Path(directory, "saved.tar"), Path(directory, "image.tar")
        run(["docker", "save", "--output", saved, reference])
        from_docker_save(saved, partial, reference)
        partial.rename(archive)
