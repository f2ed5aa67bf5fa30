# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Upstream's files, fetched from a local server with upstream's layout."""

from __future__ import annotations

import hashlib
import http.server
import io
import socket
import tarfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.quorum.kubeadm.lab.bundle import upstream
from ansible_collections.quorum.kubeadm.lab.bundle.progress import BundleError, Progress
from ansible_collections.quorum.kubeadm.lab.bundle.versions import RELEASES

RELEASE = RELEASES["1.37.2"]
ARCH = upstream.architecture()
KUBERNETES = f"/dl/v1.37.2/bin/linux/{ARCH}"
CONTAINERD = f"/github/containerd/containerd/releases/download/v{RELEASE.containerd}/containerd-static-{RELEASE.containerd}-linux-{ARCH}.tar.gz"
RUNC = f"/github/opencontainers/runc/releases/download/v{RELEASE.runc}"
PLUGINS = f"/github/containernetworking/plugins/releases/download/v{RELEASE.cni_plugins}/cni-plugins-linux-{ARCH}-v{RELEASE.cni_plugins}.tgz"
CALICO = f"/calico/v{RELEASE.calico}/manifests/calico.yaml"


class Server:
    """Answers with the files it holds, and remembers what it was asked."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.asked: list[str] = []
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.asked.append(self.path)
                content = outer.files.get(self.path)
                self.send_response(404 if content is None else 200)
                self.send_header("Content-Length", str(len(content or b"")))
                self.end_headers()
                if self.command == "GET":
                    self.wfile.write(content or b"")

            do_HEAD = do_GET

            def log_message(self, format: str, *args: object) -> None:
                pass

        self.http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_address[1]}"
        self.base = {"kubernetes": f"{self.url}/dl", "github": f"{self.url}/github", "calico": f"{self.url}/calico"}


def gzipped(*names: str) -> bytes:
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w:gz") as archive:
        for name in names:
            member = tarfile.TarInfo(name)
            member.size = len(name)
            archive.addfile(member, io.BytesIO(name.encode()))
    return content.getvalue()


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server()
    for name in ("kubeadm", "kubelet", "kubectl"):
        content = f"program {name}".encode()
        made.files[f"{KUBERNETES}/{name}"] = content
        made.files[f"{KUBERNETES}/{name}.sha256"] = digest(content).encode()  # a bare digest
    containerd = gzipped("bin/containerd", "bin/containerd-shim-runc-v2", "bin/containerd-stress", "bin/ctr")
    made.files[CONTAINERD] = containerd
    made.files[f"{CONTAINERD}.sha256sum"] = f"{digest(containerd)}  {CONTAINERD.rpartition('/')[2]}\n".encode()
    made.files[f"{RUNC}/runc.{ARCH}"] = b"program runc"
    made.files[f"{RUNC}/runc.sha256sum"] = f"-----BEGIN PGP SIGNED MESSAGE-----\n\n{'0' * 64}  runc.other\n{digest(b'program runc')} *runc.{ARCH}\n".encode()
    plugins = gzipped("./", "./bridge", "./host-local", "./loopback", "./portmap", "./ptp", "./vlan")
    made.files[PLUGINS] = plugins
    made.files[f"{PLUGINS}.sha256"] = f"{digest(plugins)}  {PLUGINS.rpartition('/')[2]}\n".encode()
    made.files[CALICO] = b"kind: List\n"
    thread = threading.Thread(target=made.http.serve_forever, args=(0.01,))
    thread.start()
    yield made
    made.http.shutdown()
    made.http.server_close()
    thread.join()


@pytest.fixture
def staging(tmp_path: Path) -> Path:
    for directory in ("bin/cni", "manifests"):
        (tmp_path / "staging" / directory).mkdir(parents=True)
    return tmp_path / "staging"


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    (tmp_path / "kept").mkdir()
    return tmp_path / "kept"


def fetch(server: Server, kept: Path, staging: Path) -> None:
    wanted = upstream.downloads(RELEASE, ARCH, server.base)
    upstream.fetch_files(wanted, kept, staging, Progress(len(wanted)))


def test_every_program_and_manifest_is_put_in_its_place(server: Server, kept: Path, staging: Path) -> None:
    fetch(server, kept, staging)
    found = {str(path.relative_to(staging)): path.stat().st_mode & 0o777 for path in staging.rglob("*") if path.is_file()}
    programs = ["kubeadm", "kubelet", "kubectl", "containerd", "containerd-shim-runc-v2", "ctr", "runc"]
    plugins = ["bridge", "host-local", "loopback", "portmap", "ptp"]
    assert found == {**{f"bin/{name}": 0o755 for name in programs}, **{f"bin/cni/{name}": 0o755 for name in plugins}, "manifests/calico.yaml": 0o644}
    assert (staging / "bin/runc").read_bytes() == b"program runc"
    assert (staging / "bin/cni/ptp").read_bytes() == b"./ptp"


def test_what_was_fetched_is_not_fetched_again(server: Server, kept: Path, staging: Path) -> None:
    fetch(server, kept, staging)
    for file in [path for path in staging.rglob("*") if path.is_file()]:
        file.unlink()
    server.asked.clear()
    fetch(server, kept, staging)
    assert server.asked == []
    assert (staging / "bin/kubeadm").read_bytes() == b"program kubeadm"


def test_an_interrupted_run_goes_on_with_what_is_missing(server: Server, kept: Path, staging: Path) -> None:
    del server.files[f"{RUNC}/runc.{ARCH}"]
    with pytest.raises(BundleError, match="runc.*404"):
        fetch(server, kept, staging)
    server.files[f"{RUNC}/runc.{ARCH}"] = b"program runc"
    (kept / f"runc.{ARCH}.partial").write_bytes(b"the first half of something else")
    for file in [path for path in staging.rglob("*") if path.is_file()]:
        file.unlink()
    server.asked.clear()
    fetch(server, kept, staging)
    assert server.asked[0] == f"{RUNC}/runc.sha256sum"
    assert (staging / "bin/runc").read_bytes() == b"program runc"


def test_a_file_that_is_not_what_was_published_is_refused_and_not_kept(server: Server, kept: Path, staging: Path) -> None:
    server.files[f"{KUBERNETES}/kubelet"] = b"something else"
    with pytest.raises(BundleError, match=f"kubelet has SHA-256 {digest(b'something else')}, published is {digest(b'program kubelet')}"):
        fetch(server, kept, staging)
    assert not (kept / "kubelet").exists()
    assert (kept / "kubeadm").exists()


def test_a_checksum_file_without_the_file_is_an_error(server: Server, kept: Path, staging: Path) -> None:
    server.files[f"{RUNC}/runc.sha256sum"] = f"{'0' * 64}  runc.other\n{'1' * 64}  runc.another\n".encode()
    with pytest.raises(BundleError, match=f"no checksum of runc.{ARCH} is published"):
        fetch(server, kept, staging)


def test_an_archive_that_lacks_a_program_is_an_error(server: Server, kept: Path, staging: Path) -> None:
    plugins = gzipped("./bridge", "./ptp")
    server.files[PLUGINS] = plugins
    server.files[f"{PLUGINS}.sha256"] = digest(plugins).encode()
    with pytest.raises(BundleError, match="lacks host-local, loopback, portmap"):
        fetch(server, kept, staging)


def test_upstream_is_reachable_when_it_has_this_version(server: Server) -> None:
    assert upstream.reachable(RELEASE, server.base)
    assert server.asked == [f"{KUBERNETES}/kubeadm.sha256"]
    server.files.clear()
    assert not upstream.reachable(RELEASE, server.base)


def test_a_server_that_says_nothing_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upstream, "PROBE_SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        started = time.monotonic()
        assert not upstream.reachable(RELEASE, {"kubernetes": f"http://127.0.0.1:{silent.getsockname()[1]}"})
        assert time.monotonic() - started < 1


def test_every_image_of_kubeadm_and_of_the_pod_network_is_wanted() -> None:
    assert upstream.images(RELEASE) == {
        "kube-apiserver": "registry.k8s.io/kube-apiserver:v1.37.2",
        "kube-controller-manager": "registry.k8s.io/kube-controller-manager:v1.37.2",
        "kube-scheduler": "registry.k8s.io/kube-scheduler:v1.37.2",
        "kube-proxy": "registry.k8s.io/kube-proxy:v1.37.2",
        "etcd": "registry.k8s.io/etcd:3.7.0-0",
        "coredns": "registry.k8s.io/coredns/coredns:v1.14.6",
        "pause": "registry.k8s.io/pause:3.10.2",
        "agnhost": "registry.k8s.io/e2e-test-images/agnhost:2.66.1",
        "calico-cni": f"quay.io/calico/cni:v{RELEASE.calico}",
        "calico-node": f"quay.io/calico/node:v{RELEASE.calico}",
        "calico-kube-controllers": f"quay.io/calico/kube-controllers:v{RELEASE.calico}",
    }
