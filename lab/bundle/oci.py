"""Container images without a registry: OCI image layouts in one tar, the same bytes from the same files."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Any

SEARCH_PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(frozen=True)
class File:
    """A regular file: its bytes, or the path of a file that has them."""

    content: bytes | Path
    mode: int = 0o755


@dataclass(frozen=True)
class Link:
    target: str


@dataclass(frozen=True)
class Directory:
    mode: int = 0o755


Tree = Mapping[str, File | Link | Directory]  # by path without a leading slash


def write_layer(tree: Tree, output: IO[bytes]) -> None:
    """Write a file tree as a tar in which nothing depends on when or by whom it was made."""
    parents = {str(parent): Directory() for path in tree for parent in PurePosixPath(path).parents if str(parent) != "."}
    with tarfile.open(fileobj=output, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for path, entry in sorted({**parents, **tree}.items()):
            member = tarfile.TarInfo(path)
            match entry:
                case Directory(mode):
                    member.type, member.mode = tarfile.DIRTYPE, mode
                    archive.addfile(member)
                case Link(target):
                    member.type, member.linkname, member.mode = tarfile.SYMTYPE, target, 0o777
                    archive.addfile(member)
                case File(content, mode):
                    member.mode = mode
                    with _opened(content) as source:
                        member.size = source.seek(0, io.SEEK_END)
                        source.seek(0)
                        archive.addfile(member, source)


@contextmanager
def _opened(content: bytes | Path) -> Iterator[IO[bytes]]:
    with content.open("rb") if isinstance(content, Path) else io.BytesIO(content) as source:
        yield source


def write_image(output: Path, reference: str, tree: Tree, entrypoint: Sequence[str], architecture: str) -> None:
    """Write an image of one layer, run as root."""
    with tempfile.TemporaryFile(dir=output.parent) as layer:
        write_layer(tree, layer)
        config = {
            "architecture": architecture,
            "os": "linux",
            "config": {"Entrypoint": list(entrypoint), "Env": [SEARCH_PATH], "WorkingDir": "/"},
            "rootfs": {"type": "layers", "diff_ids": [_digest(layer)]},
        }
        write_archive(output, reference, _json(config), [layer])


def write_archive(output: Path, reference: str, config: bytes, layers: Sequence[IO[bytes]]) -> None:
    """Write an image, given its configuration and its uncompressed layers, as an archive that containerd imports by its full name."""
    manifest = _json(
        {
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": _descriptor("application/vnd.oci.image.config.v1+json", io.BytesIO(config)),
            "layers": [_descriptor("application/vnd.oci.image.layer.v1.tar", layer) for layer in layers],
        }
    )
    listed = _descriptor("application/vnd.oci.image.manifest.v1+json", io.BytesIO(manifest))
    listed["annotations"] = {"io.containerd.image.name": reference, "org.opencontainers.image.ref.name": reference.rpartition(":")[2]}
    index = _json({"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": [listed]})
    with tarfile.open(output, "w", format=tarfile.PAX_FORMAT) as archive:
        _add(archive, "oci-layout", io.BytesIO(_json({"imageLayoutVersion": "1.0.0"})))
        _add(archive, "index.json", io.BytesIO(index))
        blobs = {_digest(blob): blob for blob in (io.BytesIO(manifest), io.BytesIO(config), *layers)}
        for digest, blob in blobs.items():
            _add(archive, f"blobs/{digest.replace(':', '/')}", blob)


def from_docker_save(saved: Path, output: Path, reference: str) -> None:
    """Rewrite what `docker save` made of one image; its layout differs by Docker's version, its manifest.json does not."""
    with tarfile.open(saved) as archive:

        def member(name: str) -> IO[bytes]:
            found = archive.extractfile(name)
            if found is None:
                raise ValueError(f"{saved}: {name} is not a file")
            return found

        with member("manifest.json") as manifest:
            (image,) = json.load(manifest)
        with member(image["Config"]) as config:
            write_archive(output, reference, config.read(), [member(layer) for layer in image["Layers"]])


def _json(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":"), sort_keys=True).encode()


def sha256(blob: IO[bytes]) -> str:
    """The digest of a file from its beginning, whatever its size."""
    state = hashlib.sha256()
    blob.seek(0)
    while chunk := blob.read(1 << 20):
        state.update(chunk)
    return state.hexdigest()


def _digest(blob: IO[bytes]) -> str:
    return f"sha256:{sha256(blob)}"


def _descriptor(media_type: str, blob: IO[bytes]) -> dict[str, Any]:
    return {"mediaType": media_type, "digest": _digest(blob), "size": blob.seek(0, io.SEEK_END)}


def _add(archive: tarfile.TarFile, name: str, blob: IO[bytes]) -> None:
    member = tarfile.TarInfo(name)
    member.size = blob.seek(0, io.SEEK_END)
    blob.seek(0)
    archive.addfile(member, blob)
