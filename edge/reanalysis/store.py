"""Results of segments as files in a folder: whole or not there at all, and found damaged if so.

Knows nothing about what is in them. Several runs may write to one folder at once: a result's name
holds a hash of all it depends on, so whoever is last writes what is there already.
"""

import contextlib
import errno
import hashlib
import json
import os
import secrets
import time
from pathlib import Path
from typing import Any

from scene.errors import LamproomError

SEGMENTS = "segments"
FULL = (errno.ENOSPC, errno.EDQUOT)
LEFT_OVER_S = 3600.0
"""What a run that was killed has left half written is taken away after so long."""


class StoreError(LamproomError):
    """The folder of results can't be used; names it."""


class Store:
    """One folder of results."""

    def __init__(self, folder: Path) -> None:
        """Make the folder where there is none; raises `StoreError`."""
        self.folder = folder
        self._segments = folder / SEGMENTS
        try:
            self._segments.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise _trouble(self._segments, error) from None
        self._take_away_left_over()

    def read(self, name: str, key: str) -> dict[str, Any] | None:
        """Give the result that was kept under a name; none where none is, or it is damaged."""
        try:
            data = (self._segments / f"{name}.json").read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise _trouble(self._segments / f"{name}.json", error) from None
        digest, _, body = data.partition(b"\n")
        if digest != _digest(body):
            return None
        found: dict[str, Any] = json.loads(body)
        return found if found.get("key") == key else None

    def has_file(self, name: str) -> bool:
        """Tell whether anything is there under a name."""
        return (self._segments / f"{name}.json").exists()

    def keep(self, name: str, body: bytes) -> None:
        """Keep a result; raises `StoreError`, and leaves nothing half written then."""
        self._write(self._segments / f"{name}.json", _digest(body) + b"\n" + body)

    def write(self, name: str, data: bytes) -> Path:
        """Write a file beside the results, whole or not at all; raises `StoreError`."""
        self._write(self.folder / name, data)
        return self.folder / name

    def _write(self, path: Path, data: bytes) -> None:
        part = path.with_name(f".{path.name}.{os.getpid()}-{secrets.token_hex(4)}.part")
        try:
            with part.open("xb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            part.replace(path)
        except OSError as error:
            raise _trouble(path, error) from None
        finally:
            with contextlib.suppress(OSError):
                part.unlink(missing_ok=True)

    def _take_away_left_over(self) -> None:
        for folder in (self.folder, self._segments):
            for part in folder.glob(".*.part"):
                with contextlib.suppress(OSError):
                    if time.time() - part.stat().st_mtime > LEFT_OVER_S:
                        part.unlink()


def _digest(body: bytes) -> bytes:
    return hashlib.sha256(body).hexdigest().encode()


def _trouble(path: Path, error: OSError) -> StoreError:
    if error.errno in FULL:
        return StoreError(
            f"{path}: can't be written: the disk is full. What is done is kept: make room and give "
            "the same command again"
        )
    return StoreError(f"{path}: can't be used: {error.strerror or error}")
