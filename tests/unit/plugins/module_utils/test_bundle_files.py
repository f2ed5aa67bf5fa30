# Copyright: Quorum contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What of a bundle a node wants, and how it gets there whole."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from ansible_collections.quorum.kubeadm.plugins.module_utils import bundle_files
from ansible_collections.quorum.kubeadm.plugins.module_utils.bundle_files import BundleError, Wanted

A, B, C = "a" * 64, "b" * 64, "c" * 64
FILES = {"bin/kubelet": b"kubelet", "bin/cni/bridge": b"bridge", "bin/cni/sub/ptp": b"ptp", "binary": b"no"}


def sha(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@pytest.fixture(name="bundle")
def make_bundle(tmp_path: Path) -> Path:
    """Return a bundle of some small files."""
    root = tmp_path / "bundle"
    for path, content in FILES.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(content)
    (root / "SHA256SUMS").write_text("".join(f"{sha(content)}  {path}\n" for path, content in FILES.items()))
    return root


@pytest.mark.parametrize(
    ("text", "sums"),
    [
        ("", {}),
        (f"{A}  bin/kubelet\n", {"bin/kubelet": A}),
        (f"{A}  ./bin/kubelet\n{B} *images/x y.tar\n\n", {"bin/kubelet": A, "images/x y.tar": B}),
    ],
)
def test_sums(text: str, sums: dict[str, str]) -> None:
    assert bundle_files.parse_sums(text) == sums


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("<html>\n", "line 1: '<html>' is not what"),
        (f"{A}  bin/a\n{A[:-1]}  bin/b\n", "line 2"),
        (f"{A}  ../etc/shadow\n", "lies outside the bundle"),
        (f"{A}  bin/../../shadow\n", "lies outside the bundle"),
        (f"{A}  /etc/shadow\n", "lies outside the bundle"),
    ],
)
def test_bad_sums(text: str, said: str) -> None:
    with pytest.raises(BundleError, match=said):
        bundle_files.parse_sums(text)


@pytest.mark.parametrize(
    ("src", "dest", "dests"),
    [
        ("bin/kubelet", "/usr/bin/kubelet", ["/usr/bin/kubelet"]),
        ("bin/kubelet", "/usr/bin/node-agent", ["/usr/bin/node-agent"]),
        ("bin/kubelet", "/usr/bin/", ["/usr/bin/kubelet"]),
        ("bin/cni", "/opt/cni/bin", ["/opt/cni/bin/bridge", "/opt/cni/bin/sub/ptp"]),
        ("bin/cni/", "/opt/cni/bin/", ["/opt/cni/bin/bridge", "/opt/cni/bin/sub/ptp"]),
        ("bin/", "/opt/bin", ["/opt/bin/cni/bridge", "/opt/bin/cni/sub/ptp", "/opt/bin/kubelet"]),
    ],
)
def test_select(bundle: Path, src: str, dest: str, dests: list[str]) -> None:
    wanted = bundle_files.select(str(bundle), bundle_files.read_sums(str(bundle)), [{"src": src, "dest": dest}])
    assert [file.dest for file in wanted] == dests
    assert all(file.sha256 == sha(FILES[file.src]) for file in wanted)


def test_select_what_is_not_there(bundle: Path) -> None:
    sums = bundle_files.read_sums(str(bundle))
    with pytest.raises(BundleError, match=f"Bundle {bundle} has no bin/kubectl"):
        bundle_files.select(str(bundle), sums, [{"src": "bin/kubectl", "dest": "/usr/bin/"}])
    (bundle / "bin/kubelet").unlink()
    with pytest.raises(BundleError, match=f"Bundle {bundle} lacks bin/kubelet"):
        bundle_files.select(str(bundle), sums, [{"src": "bin", "dest": "/usr/bin/"}])


def test_no_bundle(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=f"{tmp_path} is not a bundle.*Give the directory that contains SHA256SUMS"):
        bundle_files.read_sums(str(tmp_path))
    (tmp_path / "SHA256SUMS").write_text("nonsense\n")
    with pytest.raises(BundleError, match=f"Bundle {tmp_path}: SHA256SUMS, line 1"):
        bundle_files.read_sums(str(tmp_path))


def test_differing(tmp_path: Path) -> None:
    (tmp_path / "same").write_bytes(b"same")
    (tmp_path / "other").write_bytes(b"something else")
    files = [Wanted(name, str(tmp_path / name), sha(name.encode())) for name in ("same", "other", "missing", "same/below")]
    assert [file.src for file in bundle_files.differing(files)] == ["other", "missing", "same/below"]


@pytest.fixture(name="owned")
def record_owners(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """Record who files are given to, which only root can do."""
    owners: list[tuple[int, int]] = []
    monkeypatch.setattr(os, "fchown", lambda _descriptor, user, group: owners.append((user, group)))
    return owners


def test_install(tmp_path: Path, owned: list[tuple[int, int]]) -> None:
    staged, dest = tmp_path / "staged", tmp_path / "new/directory/kubelet"
    staged.write_bytes(b"kubelet")
    bundle_files.install(str(staged), Wanted("bin/kubelet", str(dest), sha(b"kubelet")), 0o755)
    assert dest.read_bytes() == b"kubelet"
    assert dest.stat().st_mode & 0o7777 == 0o755
    assert owned == [(0, 0)]
    assert not staged.exists()
    assert os.listdir(dest.parent) == ["kubelet"]


@pytest.mark.usefixtures("owned")
def test_install_damaged(tmp_path: Path) -> None:
    staged, dest = tmp_path / "staged", tmp_path / "kubelet"
    staged.write_bytes(b"kubelex")
    dest.write_bytes(b"old")
    with pytest.raises(BundleError, match="bin/kubelet has SHA-256"):
        bundle_files.install(str(staged), Wanted("bin/kubelet", str(dest), sha(b"kubelet")), 0o755)
    assert dest.read_bytes() == b"old"
    assert sorted(os.listdir(tmp_path)) == ["kubelet", "staged"]
