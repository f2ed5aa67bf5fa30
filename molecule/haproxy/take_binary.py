"""Take one program out of an OCI image archive: take_binary.py ARCHIVE PROGRAM."""

from __future__ import annotations

import json
import shutil
import sys
import tarfile
from pathlib import Path


def take(archive: Path, program: Path) -> None:
    """Write the file of that name, from whichever layer has it."""
    with tarfile.open(archive) as image:

        def blob(digest: str) -> str:
            return f"blobs/{digest.replace(':', '/')}"

        def document(name: str) -> dict[str, list[dict[str, str]]]:
            file = image.extractfile(name)
            assert file is not None
            loaded: dict[str, list[dict[str, str]]] = json.load(file)
            return loaded

        manifest = document(blob(document("index.json")["manifests"][0]["digest"]))
        for layer in manifest["layers"]:
            with tarfile.open(fileobj=image.extractfile(blob(layer["digest"]))) as tree:
                for member in tree:
                    if member.isfile() and Path(member.name).name == program.name:
                        source = tree.extractfile(member)
                        assert source is not None
                        with program.open("wb") as target:
                            shutil.copyfileobj(source, target)
                        program.chmod(0o755)
                        return
    raise SystemExit(f"{archive} has no {program.name}")


if __name__ == "__main__":
    take(Path(sys.argv[1]), Path(sys.argv[2]))
