"""Walk over a recording's records without unpacking them: where its chunks lie, what is missing.

Knows nothing about what is in a chunk. Whatever is damaged, the walk goes on at the next chunk.
"""

import contextlib
import os
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from io import BytesIO
from pathlib import Path

from mcap.data_stream import ReadDataStream
from mcap.opcode import Opcode
from mcap.records import Channel, Footer, Header, Metadata

from delivery.recordings.chunk import HEAD, INDEX_HEAD, RECORD, Place, channel_of
from delivery.recordings.format import FLUSH_S, PROFILE, time_text
from scene.errors import RecordingError

MAX_CHUNKS = 1_000_000
MAX_CHANNELS = 10_000
MAX_METADATA_BYTES, MAX_SUMMARY_BYTES = 20_000_000, 400_000_000
MOST_NS = 2**63
"""No clock shows a time beyond that: it is the year 2262."""
MAX_GAPS = 10_000
"""A file with more damaged places than this is given up at the next."""
MOST_TOLD = 100
END_MISSING = "the end is missing"

_MAGIC = b"\x89MCAP0\r\n"
_PACKED = struct.pack("<I", 4) + b"zstd"
"""What stands `_PACKED_AT` bytes after a chunk's beginning: looked for where the way is lost."""
_PACKED_AT = RECORD.size + HEAD.size - 4
_PIECES_BYTES = (65_536, 1_000_000)
"""The next chunk is near as a rule."""


@dataclass(kw_only=True, slots=True)
class Survey:
    """What a file has, by its records' heads."""

    path: Path
    places: list[Place] = field(default_factory=list)
    channels: dict[int, Channel] = field(default_factory=dict)
    """Those that its index lists; more may be in chunks."""
    missing: list[str] = field(default_factory=list)
    """What is not there, in words."""
    data_crc: int = 0
    """Check sum of all bytes before `data_bytes`; 0 where none was written."""
    data_bytes: int = 0


def survey(path: Path) -> Survey:
    """Walk over a file; raises `RecordingError` for one that is no recording of Lamproom's."""
    try:
        with path.open("rb", buffering=0) as file:
            return _Walk(path, file.fileno()).survey()
    except FileNotFoundError:
        raise RecordingError(f"{path}: there is no such recording") from None
    except OSError as error:
        raise RecordingError(f"{path}: can't be read: {error}") from None


def whole_crc(found: Survey) -> int:
    """Work out the check sum of all bytes that `data_crc` is of; raises `RecordingError`."""
    crc, left = 0, found.data_bytes
    try:
        with found.path.open("rb") as file:
            while left > 0 and (piece := file.read(min(left, _PIECES_BYTES[1]))):
                crc, left = zlib.crc32(piece, crc), left - len(piece)
    except OSError as error:
        raise RecordingError(f"{found.path}: can't be read on: {error}") from None
    return crc


class _Walk:
    def __init__(self, path: Path, handle: int) -> None:
        self._found = Survey(path=path)
        self._handle = handle
        self._size = os.fstat(handle).st_size

    def survey(self) -> Survey:
        path = self._found.path
        if self._bytes(0, len(_MAGIC)) != _MAGIC:
            raise RecordingError(f"{path}: is no recording (not an MCAP file)")
        head = RECORD.unpack(self._bytes(len(_MAGIC), RECORD.size).ljust(RECORD.size, b"\0"))
        at = len(_MAGIC) + RECORD.size + head[1]
        if head[0] != Opcode.HEADER or at > self._size:
            raise RecordingError(
                f"{path}: its beginning is cut off or damaged; nothing can be read"
            )
        self._check_header(self._bytes(len(_MAGIC) + RECORD.size, min(head[1], 4096)))
        end = self._data(at)
        if end is None:
            return self._found
        if not self._summary(end):
            text = f"{path}: only its index is cut off or damaged; every message is there"
            self._found.missing.append(text)
        return self._found

    def _bytes(self, at: int, count: int) -> bytes:
        return os.pread(self._handle, count, at)

    def _check_header(self, data: bytes) -> None:
        stream = ReadDataStream(BytesIO(data))
        profile, library, is_whole = "", "", False
        with contextlib.suppress(Exception):  # whatever the bytes make of it
            header = Header.read(stream)
            profile, library, is_whole = header.profile, header.library, stream.count == len(data)
        if profile != PROFILE:
            raise RecordingError(
                f"{self._found.path}: is an MCAP file, but was not recorded by Lamproom"
            )
        if not is_whole or not library.startswith("lamproom"):
            text = f"{self._found.path}: its first record is damaged; every message is there"
            self._found.missing.append(text)

    def _data(self, at: int) -> int | None:
        """Walk up to the end of the messages; gives where that is, none where it is missing."""
        gaps = 0
        while at + RECORD.size <= self._size:
            opcode, length = RECORD.unpack(self._bytes(at, RECORD.size))
            after: int = at + RECORD.size + length
            if after > self._size:
                after = -1
            elif opcode == Opcode.CHUNK:
                after = self._chunk(at, length)
            elif opcode == Opcode.METADATA:
                after = after if self._metadata(at + RECORD.size, length) else -1
            elif opcode == Opcode.DATA_END and length == 4:
                (self._found.data_crc,) = struct.unpack("<I", self._bytes(at + RECORD.size, 4))
                self._found.data_bytes = at
                return after
            else:
                after = -1
            if after < 0:
                gaps += 1
                after = self._next_chunk(at + 1) if gaps <= MAX_GAPS else -1
                if after < 0:
                    break
                self._damaged(at, after)
            at = after
        self._doubt_last_index()
        places = self._found.places
        last = f" after {time_text(places[-1].to_ns)}" if places else ""
        self._found.missing.append(
            f"{self._found.path}: {END_MISSING}: it breaks off{last}, its last "
            f"{self._size - at} bytes can't be read, and up to {FLUSH_S:g} s before the break may "
            "not have been written"
        )
        return None

    def _chunk(self, at: int, length: int) -> int:
        """Note a chunk with the indexes behind it; gives where they end, -1 where it is damaged."""
        times = self._head_of_chunk(at, length)
        if times is None:
            return -1
        end = at + RECORD.size + length
        index_end, channels = self._indexes(end)
        if len(self._found.places) >= MAX_CHUNKS:
            raise RecordingError(f"{self._found.path}: has so many parts that it is no recording")
        self._found.places.append(
            Place(
                from_ns=times[0],
                to_ns=times[1],
                offset=at + RECORD.size,
                length=length,
                index_bytes=index_end - end,
                channels=frozenset(channels) if channels else None,
            )
        )
        return index_end

    def _head_of_chunk(self, at: int, length: int) -> tuple[int, int] | None:
        """Read from when to when a chunk is; none where its lengths disagree."""
        head = self._bytes(at + RECORD.size, HEAD.size + 12)
        if len(head) < HEAD.size + 8:
            return None
        from_ns, to_ns, _, _, name_bytes = HEAD.unpack_from(head)
        if name_bytes not in (0, 4) or len(head) < HEAD.size + name_bytes + 8:
            return None
        (packed_bytes,) = struct.unpack_from("<Q", head, HEAD.size + name_bytes)
        is_right = (
            length == HEAD.size + name_bytes + 8 + packed_bytes and from_ns <= to_ns < MOST_NS
        )
        return (from_ns, to_ns) if is_right and at + RECORD.size + length <= self._size else None

    def _indexes(self, at: int) -> tuple[int, list[int]]:
        """Pass over the indexes behind a chunk; gives where they end, and whose they are."""
        channels = list[int]()
        while True:
            head = self._bytes(at, RECORD.size + INDEX_HEAD.size)
            if len(head) < RECORD.size + INDEX_HEAD.size:
                return at, channels
            opcode, length = RECORD.unpack_from(head)
            channel, entries_bytes = INDEX_HEAD.unpack_from(head, RECORD.size)
            end = at + RECORD.size + length
            is_right = length == INDEX_HEAD.size + entries_bytes and entries_bytes % 16 == 0
            if opcode != Opcode.MESSAGE_INDEX or not is_right or end > self._size:
                return at, channels
            channels.append(channel)
            at = end

    def _metadata(self, at: int, length: int) -> bool:
        """Tell whether a record of words (`run_record.py`) is whole."""
        if length > MAX_METADATA_BYTES:
            return False
        stream = ReadDataStream(BytesIO(self._bytes(at, length)))
        with contextlib.suppress(Exception):  # whatever the bytes make of it
            Metadata.read(stream)
            return stream.count == length
        return False

    def _summary(self, at: int) -> bool:
        """Read the channels that the index lists; tells whether the index is whole."""
        footer_at = self._size - len(_MAGIC) - RECORD.size - 20
        if footer_at < at or footer_at - at > MAX_SUMMARY_BYTES:
            return False
        data = self._bytes(at, self._size - at)
        footer = Footer.read(ReadDataStream(BytesIO(data[footer_at - at + RECORD.size :])))
        head = RECORD.unpack_from(data, footer_at - at)
        crc = zlib.crc32(data[: footer_at - at + RECORD.size + 16])
        if (
            head != (Opcode.FOOTER, 20)
            or data[-len(_MAGIC) :] != _MAGIC
            or footer.summary_crc != crc
        ):
            return False
        for opcode, content in records_in(data[: footer_at - at]):
            if opcode == Opcode.CHANNEL and len(self._found.channels) < MAX_CHANNELS:
                with contextlib.suppress(Exception):  # whatever the bytes make of it
                    channel = channel_of(content)
                    self._found.channels.setdefault(channel.id, channel)
        return True

    def _next_chunk(self, at: int) -> int:
        """Find the next chunk from a place on, where records no longer follow each other; or -1."""
        piece_bytes = _PIECES_BYTES[0]
        while at < self._size:
            piece = self._bytes(at, piece_bytes + _PACKED_AT + len(_PACKED))
            found = piece.find(_PACKED)
            while found >= 0:
                begin = at + found - _PACKED_AT
                if found >= _PACKED_AT and self._is_chunk(begin):
                    return begin
                found = piece.find(_PACKED, found + 1)
            at, piece_bytes = at + piece_bytes, _PIECES_BYTES[1]
        return -1

    def _is_chunk(self, at: int) -> bool:
        opcode, length = RECORD.unpack(self._bytes(at, RECORD.size))
        return opcode == Opcode.CHUNK and self._head_of_chunk(at, length) is not None

    def _doubt_last_index(self) -> None:
        """Ask no index behind the last chunk: one of them is cut off or can't be read."""
        places = self._found.places
        if places:
            places[-1] = replace(places[-1], channels=None)

    def _damaged(self, at: int, end: int) -> None:
        self._doubt_last_index()
        places = self._found.places
        when = f" after {time_text(places[-1].to_ns)}" if places else ""
        if len(self._found.missing) < MOST_TOLD:
            self._found.missing.append(
                f"{self._found.path}: damaged{when}: bytes {at} to {end} can't be read and are "
                "passed over"
            )


def records_in(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Take records apart, as far as they are whole: each one's opcode and content."""
    at = 0
    while at + RECORD.size <= len(data):
        opcode, length = RECORD.unpack_from(data, at)
        at += RECORD.size + length
        if at <= len(data):
            yield opcode, data[at - length : at]
