"""`foxglove.CompressedVideo` in protobuf, so that field tools show a recorded panorama.

Knows nothing about files. Written by hand, because four fields need no protobuf library:
timestamp = 1 (seconds = 1, nanos = 2), frame_id = 2, data = 3, format = 4, after Foxglove's
published schema. Wire format: https://protobuf.dev/programming-guides/encoding
"""

from collections.abc import Iterator

from scene.errors import WireError

_VARINT, _BYTES = 0, 2
_INT32, _INT64, _STRING, _MESSAGE, _DATA = 5, 3, 9, 11, 12


def video_message(
    captured_at_ns: int, picture: bytes, *, shows: str = "panorama", coded: str = "h264"
) -> bytes:
    """Write one coded picture as a `CompressedVideo`: of what it `shows`, `coded` how."""
    seconds, nanos = divmod(captured_at_ns, 1_000_000_000)
    timestamp = number_field(1, seconds) + number_field(2, nanos)
    return b"".join(
        (
            bytes_field(1, timestamp),
            bytes_field(2, shows.encode()),
            bytes_field(3, picture),
            bytes_field(4, coded.encode()),
        )
    )


def picture_of(message: bytes) -> bytes:
    """Read the picture out of a `CompressedVideo`; raises `WireError` for anything else.

    >>> picture_of(video_message(5, b"abc"))
    b'abc'
    """
    picture = None
    for field, value in fields_of(message):
        if field == 3 and isinstance(value, bytes):
            picture = value
    if picture is None:
        raise WireError("video message: without a picture")
    return picture


def fields_of(message: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Give a message's fields as they lie there; raises `WireError` where it is none of ours."""
    at = 0
    while at < len(message):
        key, at = _varint_at(message, at)
        if key & 7 == _VARINT:
            value, at = _varint_at(message, at)
            yield key >> 3, value
        elif key & 7 == _BYTES:
            length, at = _varint_at(message, at)
            if at + length > len(message):
                raise WireError("video message: cut short")
            yield key >> 3, message[at : at + length]
            at += length
        else:
            raise WireError("video message: not a foxglove.CompressedVideo")


def number_field(field: int, value: int) -> bytes:
    """Write a field that is a number, 0 or more."""
    return _varint(field << 3 | _VARINT) + _varint(value)


def bytes_field(field: int, value: bytes) -> bytes:
    """Write a field that is bytes, text or a message."""
    return _varint(field << 3 | _BYTES) + _varint(len(value)) + value


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _varint_at(data: bytes, at: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        if at >= len(data):
            break
        value |= (data[at] & 0x7F) << shift
        at += 1
        if not data[at - 1] & 0x80:
            return value, at
    raise WireError("video message: cut short")


def _field(name: str, number: int, kind: int, type_name: str = "") -> bytes:
    """Write a `FieldDescriptorProto`: name = 1, number = 3, label = 4, type = 5, type_name = 6."""
    described = (
        bytes_field(1, name.encode())
        + number_field(3, number)
        + number_field(4, 1)
        + number_field(5, kind)
    )
    return described + (bytes_field(6, type_name.encode()) if type_name else b"")


def _file(name: str, package: str, imports: tuple[str, ...], message: str, *fields: bytes) -> bytes:
    """Write a `FileDescriptorProto`: name, package, dependency, message_type, syntax = 12."""
    body = bytes_field(1, message.encode()) + b"".join(bytes_field(2, field) for field in fields)
    needs = b"".join(bytes_field(3, one.encode()) for one in imports)
    head = bytes_field(1, name.encode()) + bytes_field(2, package.encode()) + needs
    return head + bytes_field(4, body) + bytes_field(12, b"proto3")


_TIMESTAMP = _file(
    "google/protobuf/timestamp.proto",
    "google.protobuf",
    (),
    "Timestamp",
    _field("seconds", 1, _INT64),
    _field("nanos", 2, _INT32),
)
_VIDEO = _file(
    "foxglove/CompressedVideo.proto",
    "foxglove",
    ("google/protobuf/timestamp.proto",),
    "CompressedVideo",
    _field("timestamp", 1, _MESSAGE, ".google.protobuf.Timestamp"),
    _field("frame_id", 2, _STRING),
    _field("data", 3, _DATA),
    _field("format", 4, _STRING),
)
SCHEMA = bytes_field(1, _TIMESTAMP) + bytes_field(1, _VIDEO)
"""A `FileDescriptorSet` that describes the message, as MCAP wants it."""
