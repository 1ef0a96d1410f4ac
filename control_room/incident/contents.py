"""What lies in an export, in a folder or a .zip, read without ever leaving it.

Knows nothing about what should lie there. No link is followed, nothing but plain files is opened,
and no file is unpacked.
"""

import contextlib
import hashlib
import os
import stat
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Protocol

from control_room.incident.archive import OTHER, members_of, pieces
from control_room.incident.error import IncidentError
from control_room.incident.names import MOST_FILES
from scene.errors import printable


class Contents(Protocol):
    """Files by name, e.g. `pictures/first.png`."""

    @property
    def sizes(self) -> dict[str, int]:
        """How many bytes each file has; what is a folder without files ends in `/`."""

    def read(self, name: str, most: int) -> bytes:
        """Read a small file; raises `IncidentError`."""

    def digest(self, name: str) -> str:
        """Give the SHA-256 of a file; raises `IncidentError`."""


@contextlib.contextmanager
def open_contents(path: Path) -> Iterator[Contents]:
    """Open a folder or a .zip; raises `IncidentError` for anything else and for what is unsafe."""
    try:
        if path.is_dir():
            handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
            try:
                yield _Folder(path, handle)
            finally:
                os.close(handle)
        elif path.is_file():
            with path.open("rb") as file:
                yield _Archive(path, file)
        else:
            raise IncidentError(f"{path}: there is no such export; give its folder or its .zip")
    except OSError as error:
        raise IncidentError(f"{path}: can't be read: {error.strerror or error}") from None


class _Folder:
    """A folder, held open: whoever swaps it meanwhile changes nothing."""

    def __init__(self, path: Path, handle: int) -> None:
        self._path, self._handle = path, handle
        self.sizes = dict[str, int]()
        self._list(handle, "")

    def _list(self, handle: int, inside: str) -> None:
        for entry in sorted(os.listdir(handle)):
            name = f"{inside}{entry}"
            if len(self.sizes) > MOST_FILES:
                raise IncidentError(f"{self._path}: has more files than any export")
            found = os.stat(entry, dir_fd=handle, follow_symlinks=False)
            if stat.S_ISDIR(found.st_mode):
                self._list_folder(handle, entry, name)
            elif stat.S_ISREG(found.st_mode):
                self.sizes[name] = found.st_size
            else:
                raise IncidentError(
                    f"{self._path}: {printable(name)}: ADDED: is a link or no plain file; no "
                    "export has such, and it is not opened"
                )

    def _list_folder(self, handle: int, entry: str, name: str) -> None:
        before = len(self.sizes)
        if name.count("/") < 3:
            inner = os.open(entry, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=handle)
            try:
                self._list(inner, f"{name}/")
            finally:
                os.close(inner)
        if len(self.sizes) == before:
            self.sizes[f"{name}/"] = 0

    def read(self, name: str, most: int) -> bytes:
        with self._opened(name) as file:
            return _at_most(file.read(most + 1), most, self._path, name)

    def digest(self, name: str) -> str:
        whole = hashlib.sha256()
        with self._opened(name) as file:
            for piece in pieces(file, self.sizes[name] + 1):
                whole.update(piece)
        return whole.hexdigest()

    @contextlib.contextmanager
    def _opened(self, name: str) -> Iterator[IO[bytes]]:
        """Open a file step by step from the folder down, following no link."""
        *folders, last = name.split("/")
        handle = os.dup(self._handle)
        try:
            for folder in folders:
                inner = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=handle)
                os.close(handle)
                handle = inner
            plain = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK
            with os.fdopen(os.open(last, plain, dir_fd=handle), "rb") as file:
                if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                    raise IncidentError(f"{self._path}: {printable(name)}: is no plain file")
                yield file
        finally:
            os.close(handle)


class _Archive:
    """A .zip as `lamproom export` writes it."""

    def __init__(self, path: Path, file: IO[bytes]) -> None:
        self._path, self._file = path, file
        self._members = {one.name: one for one in members_of(path, file)}
        self.sizes = {name: one.bytes for name, one in self._members.items()}

    def read(self, name: str, most: int) -> bytes:
        return _at_most(b"".join(self._pieces(name, most + 1)), most, self._path, name)

    def digest(self, name: str) -> str:
        whole, crc = hashlib.sha256(), 0
        for piece in self._pieces(name, self.sizes[name]):
            whole.update(piece)
            crc = zlib.crc32(piece, crc)
        if crc != self._members[name].crc:
            raise IncidentError(f"{self._path}: {name}: CHANGED, or its check sum was; {OTHER}")
        return whole.hexdigest()

    def _pieces(self, name: str, most: int) -> Iterator[bytes]:
        one = self._members[name]
        self._file.seek(one.begins)
        yield from pieces(self._file, min(one.bytes, most))


def _at_most(data: bytes, most: int, path: Path, name: str) -> bytes:
    if len(data) > most:
        raise IncidentError(f"{path}: {name}: is larger than any export's")
    return data
