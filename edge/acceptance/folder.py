"""Write an acceptance test as a folder, whole and signed, or not at all.

Knows nothing about what is in it. The manifest and its signature are those of incident exports:
`lamproom verify` finds any byte that was changed.
"""

import contextlib
import hashlib
import os
import secrets
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from control_room.incident.manifest import Listed, seal, written
from control_room.incident.names import MANIFEST
from scene.errors import LamproomError

REPORT, DATA = "report.html", "acceptance.json"


class FolderError(LamproomError):
    """The report can't be written there; names the folder."""


def refuse_to_overwrite(folder: Path) -> None:
    """Raise `FolderError` where there is something already: before anybody walks an hour."""
    if os.path.lexists(folder):
        raise FolderError(f"{folder}: is there already, and is never written over; give -o FOLDER")
    if not folder.parent.is_dir():
        raise FolderError(f"{folder}: there is no folder {folder.parent}; make it, or give another")


def write_folder(
    folder: Path,
    files: Mapping[str, bytes],
    about: dict[str, Any],
    key: Ed25519PrivateKey | None,
) -> None:
    """Write files, their manifest and what vouches for it; raises `FolderError`."""
    refuse_to_overwrite(folder)
    manifest = written(about, [_listed(name, content) for name, content in sorted(files.items())])
    sealed_by, signature = seal(manifest, key)
    part = folder.with_name(f".{folder.name}.{secrets.token_hex(4)}")
    try:
        part.mkdir()
        for name, content in {**files, MANIFEST: manifest, sealed_by: signature}.items():
            _write(part / name, content)
        part.rename(folder)
    except OSError as error:
        raise FolderError(f"{folder}: can't be written: {error.strerror or error}") from None
    finally:
        with contextlib.suppress(OSError):
            shutil.rmtree(part, ignore_errors=True)


def _write(path: Path, content: bytes) -> None:
    with path.open("xb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _listed(name: str, content: bytes) -> Listed:
    return Listed(path=name, bytes=len(content), sha256=hashlib.sha256(content).hexdigest())
