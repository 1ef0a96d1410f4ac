"""Read a recording, in the order of time, also one that was cut off or is damaged."""

import contextlib
import heapq
import os
import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path
from typing import IO, Any

import zstandard
from mcap.data_stream import ReadDataStream
from mcap.opcode import Opcode
from mcap.records import Channel, Chunk, Header
from mcap.records import Message as McapMessage
from mcap.stream_reader import breakup_chunk

from delivery.recordings.compressed_video import picture_of
from delivery.recordings.format import (
    FLUSH_S,
    FRAME_TOPIC,
    PANORAMA,
    PROFILE,
    VIDEO_TOPIC,
    Record,
    Trusted,
    time_text,
)
from delivery.recordings.refused_record import REFUSED_TOPIC, Refused, unpack_refused
from scene.errors import RecordingError, WireError
from scene.messages import Anomaly, Order, Receipt
from scene.packet import unpack
from scene.topics import parse_topic
from scene.wire import decode

MAX_CHUNK_BYTES = 40_000_000
"""Unpacked; the largest message is 16 MB."""
MAX_HELD_BYTES = 400_000_000
"""A recording that needs more than this in memory to be put in order isn't ours."""
MAX_CHANNELS = 10_000

_MAGIC = b"\x89MCAP0\r\n"


def read_recording(
    path: Path,
    *,
    on_missing: Callable[[str], None] | None = None,
    on_refused: Callable[[Refused], None] | None = None,
) -> Iterator[Record]:
    """Give everything that can be read of a recording, in the order of time.

    A file that was cut off, or in which bytes are damaged, gives all that is left;
    `on_missing` is told in words what is not. Messages that were refused when they came are none of
    these: `on_refused` takes them, or `on_missing` is told how many there are. Raises
    `RecordingError` at once for a file that is no recording of Lamproom's.
    """
    places, channels, missing = _survey(path)
    tell = on_missing or (lambda _text: None)
    return _records(path, places, channels, missing, tell, on_refused=on_refused)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """Where a chunk lies in the file, and which times it says that it holds."""

    from_ns: int
    to_ns: int
    offset: int
    length: int


def _survey(path: Path) -> tuple[list[_Place], dict[int, Channel], list[str]]:
    """Walk over a file's records without unpacking them: chunks, channels, what is missing."""
    try:
        with path.open("rb") as file:
            return _walk(path, file)
    except FileNotFoundError:
        raise RecordingError(f"{path}: there is no such recording") from None
    except OSError as error:
        raise RecordingError(f"{path}: can't be read: {error}") from None


def _walk(path: Path, file: IO[bytes]) -> tuple[list[_Place], dict[int, Channel], list[str]]:
    size = os.fstat(file.fileno()).st_size
    if file.read(len(_MAGIC)) != _MAGIC:
        raise RecordingError(f"{path}: is no recording (not an MCAP file)")
    places: list[_Place] = []
    channels: dict[int, Channel] = {}
    at, whole, header_seen, all_there = len(_MAGIC), False, False, False
    while not whole and at + 9 <= size:
        file.seek(at)
        opcode, length = struct.unpack("<BQ", file.read(9))
        if at + 9 + length > size or not 1 <= opcode <= 0x7F:
            break
        if opcode == Opcode.HEADER and not header_seen:
            header_seen = _is_ours(path, file.read(min(length, 4096)))
        elif opcode == Opcode.CHUNK and length >= 32:
            from_ns, to_ns = struct.unpack("<QQ", file.read(16))
            places.append(_Place(from_ns=from_ns, to_ns=to_ns, offset=at + 9, length=length))
        elif opcode == Opcode.CHANNEL and len(channels) < MAX_CHANNELS:
            with contextlib.suppress(Exception):  # whatever the bytes make of it
                channel = Channel.read(ReadDataStream(BytesIO(file.read(min(length, 65_536)))))
                channels[channel.id] = channel
        elif opcode == Opcode.DATA_END:
            all_there = True
        elif opcode == Opcode.FOOTER:
            file.seek(at + 9 + length)
            whole = file.read() == _MAGIC
            break
        at += 9 + length
    if not header_seen:
        raise RecordingError(f"{path}: its beginning is cut off or damaged; nothing can be read")
    missing = []
    if all_there and not whole:
        missing.append(f"{path}: only its index is cut off or damaged; every message is there")
    elif not whole:
        last = f" after {time_text(places[-1].to_ns)}" if places else ""
        missing.append(
            f"{path}: the end is missing: it breaks off{last}, its last {size - at} bytes can't be "
            f"read, and up to {FLUSH_S:g} s before the break may not have been written"
        )
    return places, channels, missing


def _is_ours(path: Path, data: bytes) -> bool:
    try:
        profile = Header.read(ReadDataStream(BytesIO(data))).profile
    except Exception:  # whatever the bytes make of it
        profile = ""
    if profile != PROFILE:
        raise RecordingError(f"{path}: is an MCAP file, but was not recorded by Lamproom")
    return True


def _records(
    path: Path,
    places: list[_Place],
    channels: dict[int, Channel],
    missing: list[str],
    on_missing: Callable[[str], None],
    *,
    on_refused: Callable[[Refused], None] | None,
) -> Iterator[Record]:
    frames: dict[int, bytes] = {}
    foreign, refused = 0, 0
    for text in missing:
        on_missing(text)
    for message in _in_order(path, places, channels, on_missing):
        channel = channels.get(message.channel_id)
        try:
            if channel is None:
                raise WireError("unknown channel")
            if channel.topic == FRAME_TOPIC:
                frames[message.sequence] = message.data
                while len(frames) > 100:
                    frames.pop(next(iter(frames)))
                continue
            if channel.topic == REFUSED_TOPIC:
                apart = unpack_refused(message.data, message.log_time)
                refused += 1
                if on_refused is not None:
                    on_refused(apart)
                continue
            yield _record_of(message, channel, frames)
        except WireError:
            foreign += 1
    if foreign:
        on_missing(f"{path}: {foreign} messages can't be understood and were passed over")
    if refused and on_refused is None:
        on_missing(
            f"{path}: {refused} messages were refused when they came (forged, altered or played "
            "again, as far as the keys there could tell) and are left out"
        )


def _record_of(message: McapMessage, channel: Channel, frames: dict[int, bytes]) -> Record:
    """Make a record of a message; raises `WireError` for one that is not ours."""
    topic = channel.topic
    if topic == VIDEO_TOPIC:
        header = frames.pop(message.sequence, None)
        if header is None:
            raise WireError("a picture without its frame")
        data = len(header).to_bytes(4, "big") + header + picture_of(message.data)
        return Record(at_ns=message.log_time, topic=PANORAMA, payload=data, body=unpack(data))
    body = decode(message.data).body
    if isinstance(body, Anomaly | Order | Receipt):
        topic = f"{topic}/{body.id if isinstance(body, Anomaly) else body.alarm}"
    parse_topic(topic)
    said = channel.metadata.get("trust")
    trust: Trusted = "signed" if said == "signed" else "unchecked"
    trust = "unsigned" if said == "unsigned" else trust
    return Record(at_ns=message.log_time, topic=topic, payload=message.data, body=body, trust=trust)


def _in_order(
    path: Path,
    places: list[_Place],
    channels: dict[int, Channel],
    on_missing: Callable[[str], None],
) -> Iterator[McapMessage]:
    """Give all messages by time, then by place in the file; holds few chunks at a time."""
    heap: list[tuple[int, int, int, McapMessage]] = []
    held_bytes = 0
    try:
        with path.open("rb") as file:
            for place in sorted(places, key=lambda one: (one.from_ns, one.offset)):
                while heap and heap[0][0] < place.from_ns:
                    message = heapq.heappop(heap)[3]
                    held_bytes -= len(message.data)
                    yield message
                try:
                    found = _unpacked(file, place)
                except WireError:
                    on_missing(
                        f"{path}: damaged from {time_text(place.from_ns)} to "
                        f"{time_text(place.to_ns)}: a chunk of {place.length} bytes is passed over"
                    )
                    continue
                for i, record in enumerate(found):
                    if isinstance(record, Channel) and len(channels) < MAX_CHANNELS:
                        channels[record.id] = record
                    elif isinstance(record, McapMessage):
                        heapq.heappush(heap, (record.log_time, place.offset, i, record))
                        held_bytes += len(record.data)
                if held_bytes > MAX_HELD_BYTES:
                    raise RecordingError(f"{path}: is so disordered that it is no recording")
    except OSError as error:
        raise RecordingError(f"{path}: can't be read on: {error}") from None
    while heap:
        yield heapq.heappop(heap)[3]


def _unpacked(file: IO[bytes], place: _Place) -> list[Any]:
    """Unpack a chunk; raises `WireError` when any of its bytes is damaged."""
    if place.length > MAX_CHUNK_BYTES:
        raise WireError("too large")
    file.seek(place.offset)
    raw = file.read(place.length)
    try:
        return _checked(Chunk.read(ReadDataStream(BytesIO(raw))), place)
    except Exception as error:  # the libraries raise whatever the bytes make of them
        raise WireError(f"damaged chunk: {error}") from None


def _checked(chunk: Chunk, place: _Place) -> list[Any]:
    data = chunk.data
    if chunk.uncompressed_size > MAX_CHUNK_BYTES or chunk.compression not in ("", "zstd"):
        raise ValueError("not a chunk of ours")
    if chunk.compression == "zstd":
        if zstandard.get_frame_parameters(data).content_size != chunk.uncompressed_size:
            raise ValueError("sizes disagree")
        data = zstandard.decompress(data, chunk.uncompressed_size)
    if len(data) != chunk.uncompressed_size or zlib.crc32(data) != chunk.uncompressed_crc:
        raise ValueError("check sums disagree")
    plain = replace(chunk, compression="", data=data, uncompressed_crc=0)
    found = list(breakup_chunk(plain))
    times = [one.log_time for one in found if isinstance(one, McapMessage)]
    if times and (min(times), max(times)) != (place.from_ns, place.to_ns):
        raise ValueError("times disagree")
    return found
