"""One .zip of an export, written in the one way that can be checked to the last byte.

Knows nothing about manifests. Files are stored, not packed: film and pictures are packed already,
and what is not packed can't swell. No times, no attributes, nothing between or behind the parts, so
that each byte of the archive is one that its files determine. Format: PKWARE APPNOTE 6.3.10, 4.3.
"""

import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from control_room.incident.error import IncidentError
from control_room.incident.names import MOST_FILES, is_plain

PIECE = 1_048_576
_LOCAL, _CENTRAL, _END = 0x04034B50, 0x02014B50, 0x06054B50
_LOCAL_BYTES = 30
_VERSION, _DATE = 20, 0x21
"""PKZIP 2.0; 1980-01-01, the first day that a .zip can say."""
_MOST = 2**32 - 1
OTHER = (
    "is no .zip as `lamproom export` writes it: damaged, or packed by another program; if it came "
    "so, unpack it into a folder of its own and verify that"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A file in the archive."""

    name: str
    offset: int
    """Where its header begins."""
    bytes: int
    crc: int

    @property
    def begins(self) -> int:
        """Where its content begins."""
        return self.offset + _LOCAL_BYTES + len(self.name)


def pack(
    folder: Path, names: list[str], archive: Path, tell: Callable[[], None] = lambda: None
) -> None:
    """Write a new archive of a folder's files; `tell` is called before each piece.

    Raises `IncidentError`, `OSError`, and what `tell` raises.
    """
    members = list[Member]()
    with archive.open("xb") as out:
        for name in names:
            with (folder / name).open("rb") as file:
                size, crc = 0, 0
                for piece in pieces(file):
                    size, crc = size + len(piece), zlib.crc32(piece, crc)
                if out.tell() + size > _MOST - 1_000_000:
                    raise IncidentError(
                        f"{archive}: an export of more than 4 GB fits no .zip; take the folder, or "
                        "a shorter time"
                    )
                members.append(Member(name=name, offset=out.tell(), bytes=size, crc=crc))
                out.write(_local(members[-1]))
                file.seek(0)
                for piece in pieces(file):
                    tell()
                    out.write(piece)
        out.write(_directory(members, out.tell()))


def members_of(archive: Path, file: IO[bytes]) -> list[Member]:
    """List what is in an archive; raises `IncidentError` unless it is just as `pack` writes it.

    Contents are not looked at.
    """
    size = file.seek(0, 2)
    members, at = list[Member](), 0
    while (found := _member_at(file, at)) is not None:
        if len(members) >= MOST_FILES or found.begins + found.bytes > size:
            raise IncidentError(f"{archive}: {OTHER}")
        members.append(found)
        at = found.begins + found.bytes
    file.seek(at)
    expected = _directory(members, at)
    names = {one.name for one in members}
    if file.read(len(expected) + 1) != expected or len(names) != len(members) or not members:
        raise IncidentError(f"{archive}: {OTHER}")
    return members


def pieces(file: IO[bytes], most: int | None = None) -> Iterator[bytes]:
    """Read a file on, up to `most` bytes, piece by piece."""
    left = most
    while piece := file.read(PIECE if left is None else min(PIECE, left)):
        yield piece
        left = None if left is None else left - len(piece)


def _member_at(file: IO[bytes], at: int) -> Member | None:
    """Read the header at a place; none where there is no such header as `pack` writes."""
    file.seek(at)
    head = file.read(_LOCAL_BYTES)
    if len(head) < _LOCAL_BYTES or struct.unpack_from("<I", head)[0] != _LOCAL:
        return None
    crc, _, size, length = struct.unpack_from("<IIIH", head, 14)
    name = file.read(min(length, 256)).decode("ascii", "replace")
    member = Member(name=name, offset=at, bytes=size, crc=crc)
    return member if is_plain(name) and head + name.encode() == _local(member) else None


def _local(one: Member) -> bytes:
    head = struct.pack("<IHHHHH", _LOCAL, _VERSION, 0, 0, 0, _DATE)
    return head + _sizes(one) + struct.pack("<HH", len(one.name), 0) + one.name.encode()


def _sizes(one: Member) -> bytes:
    return struct.pack("<III", one.crc, one.bytes, one.bytes)


def _directory(members: list[Member], at: int) -> bytes:
    """Write the list of all files that ends an archive; it begins at `at`."""
    rows = b"".join(
        struct.pack("<IHHHHHH", _CENTRAL, _VERSION, _VERSION, 0, 0, 0, _DATE)
        + _sizes(one)
        + struct.pack("<HHHHHII", len(one.name), 0, 0, 0, 0, 0, one.offset)
        + one.name.encode()
        for one in members
    )
    many = len(members)
    return rows + struct.pack("<IHHHHIIH", _END, 0, 0, many, many, len(rows), at, 0)
