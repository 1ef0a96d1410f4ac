"""One chunk of a recording: taken apart, and checked to its last byte.

Knows nothing about what the messages in it say. Layouts: https://mcap.dev/spec
"""

import struct
import zlib
from dataclasses import dataclass
from io import BytesIO

import zstandard
from mcap.data_stream import ReadDataStream
from mcap.opcode import Opcode
from mcap.records import Channel
from mcap.records import Message as McapMessage

from scene.errors import WireError

MAX_CHUNK_BYTES = 40_000_000
"""Unpacked; the largest message is 16 MB."""
MAX_CHANNEL_BYTES = 65_536

RECORD = struct.Struct("<BQ")
"""What every record begins with: what it is, how many bytes follow."""
HEAD = struct.Struct("<QQQII")
"""What a chunk begins with: first and last time, size unpacked, check sum, length of a name."""
INDEX_HEAD = struct.Struct("<HI")
"""What an index of messages begins with: the channel, how many bytes follow."""
_MESSAGE = struct.Struct("<HIQQ")
_ENTRY = struct.Struct("<QQ")


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a chunk lies in the file, and what it and the indexes behind it say that it holds."""

    from_ns: int
    to_ns: int
    """The first and the last time on which something was received."""
    offset: int
    length: int
    """Of what follows the record's own nine bytes."""
    index_bytes: int
    """So many bytes of indexes lie behind it."""
    channels: frozenset[int] | None
    """Whose messages are in it; none where no index says."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unpacked:
    """What was in a chunk."""

    channels: tuple[Channel, ...]
    messages: tuple[McapMessage, ...]
    index_is_right: bool
    """Whether the indexes behind the chunk say what is in it."""


def unpack_chunk(raw: bytes, place: Place) -> Unpacked:
    """Unpack a chunk and the indexes behind it; raises `WireError` when a byte is damaged.

    What an index says is not needed to read the chunk, so a wrong one is only told.
    """
    try:
        return _unpacked(raw[: place.length], raw[place.length :], place)
    except Exception as error:  # the libraries raise whatever the bytes make of them
        raise WireError(f"damaged chunk: {error}") from None


def channel_of(data: bytes) -> Channel:
    """Read a channel's record; raises whatever the bytes make of it."""
    if len(data) > MAX_CHANNEL_BYTES:
        raise ValueError("a channel's record is too large")
    stream = ReadDataStream(BytesIO(data))
    channel: Channel = Channel.read(stream)
    if stream.count != len(data):
        raise ValueError("lengths disagree")
    return channel


def _unpacked(raw: bytes, indexes: bytes, place: Place) -> Unpacked:
    first_ns, last_ns, size, crc, name_bytes = HEAD.unpack_from(raw)
    at = HEAD.size + name_bytes
    compression = raw[HEAD.size : at]
    (packed_bytes,) = struct.unpack_from("<Q", raw, at)
    data = raw[at + 8 :]
    if len(data) != packed_bytes or size > MAX_CHUNK_BYTES or compression not in (b"", b"zstd"):
        raise ValueError("not a chunk of ours")
    if compression == b"zstd":
        if zstandard.get_frame_parameters(data).content_size != size:
            raise ValueError("sizes disagree")
        data = zstandard.decompress(data, size)
    if len(data) != size or zlib.crc32(data) != crc:
        raise ValueError("check sums disagree")
    channels, messages, offsets = _taken_apart(data)
    times = [one.log_time for one in messages]
    if times and (min(times), max(times)) != (first_ns, last_ns):
        raise ValueError("times disagree")
    return Unpacked(
        channels=channels,
        messages=messages,
        index_is_right=place.channels is None or _index_of(indexes) == offsets,
    )


def _taken_apart(
    data: bytes,
) -> tuple[tuple[Channel, ...], tuple[McapMessage, ...], dict[int, list[tuple[int, int]]]]:
    """Give channels, messages, and by channel when each was received and where it lies."""
    channels, messages = list[Channel](), list[McapMessage]()
    offsets: dict[int, list[tuple[int, int]]] = {}
    at = 0
    while at < len(data):
        opcode, length = RECORD.unpack_from(data, at)
        begin, end = at + RECORD.size, at + RECORD.size + length
        if end > len(data):
            raise ValueError("a record is cut short")
        if opcode == Opcode.MESSAGE:
            if length < _MESSAGE.size:
                raise ValueError("a message is cut short")
            channel, sequence, log_ns, publish_ns = _MESSAGE.unpack_from(data, begin)
            messages.append(
                McapMessage(
                    channel_id=channel,
                    log_time=log_ns,
                    data=data[begin + _MESSAGE.size : end],
                    publish_time=publish_ns,
                    sequence=sequence,
                )
            )
            offsets.setdefault(channel, []).append((log_ns, at))
        elif opcode == Opcode.CHANNEL:
            channels.append(channel_of(data[begin:end]))
        at = end
    return tuple(channels), tuple(messages), offsets


def _index_of(data: bytes) -> dict[int, list[tuple[int, int]]]:
    """Read the indexes that lie behind a chunk."""
    found: dict[int, list[tuple[int, int]]] = {}
    at = 0
    while at < len(data):
        _, length = RECORD.unpack_from(data, at)
        channel, entries_bytes = INDEX_HEAD.unpack_from(data, at + RECORD.size)
        begin = at + RECORD.size + INDEX_HEAD.size
        at += RECORD.size + length
        if begin + entries_bytes != at:
            raise ValueError("an index is cut short")
        found[channel] = list(_ENTRY.iter_unpack(data[begin:at]))
    return found
