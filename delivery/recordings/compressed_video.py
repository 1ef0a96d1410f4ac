"""`foxglove.CompressedVideo` in protobuf, so that field tools show a recorded panorama.

Knows nothing about files. Written by hand, because four fields need no protobuf library:
timestamp = 1 (seconds = 1, nanos = 2), frame_id = 2, data = 3, format = 4, after Foxglove's
published schema. Wire format: https://protobuf.dev/programming-guides/encoding
"""

from scene.errors import WireError

_VARINT, _BYTES = 0, 2
_INT32, _INT64, _STRING, _MESSAGE, _DATA = 5, 3, 9, 11, 12


def video_message(captured_at_ns: int, picture: bytes) -> bytes:
    """Write one coded picture (H.264, Annex B) as a `CompressedVideo`."""
    seconds, nanos = divmod(captured_at_ns, 1_000_000_000)
    timestamp = _number(1, seconds) + _number(2, nanos)
    return b"".join(
        (_bytes(1, timestamp), _bytes(2, b"panorama"), _bytes(3, picture), _bytes(4, b"h264"))
    )


def picture_of(message: bytes) -> bytes:
    """Read the picture out of a `CompressedVideo`; raises `WireError` for anything else.

    >>> picture_of(video_message(5, b"abc"))
    b'abc'
    """
    at, picture = 0, None
    while at < len(message):
        key, at = _varint_at(message, at)
        if key & 7 == _VARINT:
            _, at = _varint_at(message, at)
        elif key & 7 == _BYTES:
            length, at = _varint_at(message, at)
            if at + length > len(message):
                raise WireError("video message: cut short")
            if key >> 3 == 3:
                picture = message[at : at + length]
            at += length
        else:
            raise WireError("video message: not a foxglove.CompressedVideo")
    if picture is None:
        raise WireError("video message: without a picture")
    return picture


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


def _number(field: int, value: int) -> bytes:
    return _varint(field << 3 | _VARINT) + _varint(value)


def _bytes(field: int, value: bytes) -> bytes:
    return _varint(field << 3 | _BYTES) + _varint(len(value)) + value


def _field(name: str, number: int, kind: int, type_name: str = "") -> bytes:
    """Write a `FieldDescriptorProto`: name = 1, number = 3, label = 4, type = 5, type_name = 6."""
    described = _bytes(1, name.encode()) + _number(3, number) + _number(4, 1) + _number(5, kind)
    return described + (_bytes(6, type_name.encode()) if type_name else b"")


def _file(name: str, package: str, imports: tuple[str, ...], message: str, *fields: bytes) -> bytes:
    """Write a `FileDescriptorProto`: name, package, dependency, message_type, syntax = 12."""
    body = _bytes(1, message.encode()) + b"".join(_bytes(2, field) for field in fields)
    needs = b"".join(_bytes(3, one.encode()) for one in imports)
    head = _bytes(1, name.encode()) + _bytes(2, package.encode()) + needs
    return head + _bytes(4, body) + _bytes(12, b"proto3")


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
SCHEMA = _bytes(1, _TIMESTAMP) + _bytes(1, _VIDEO)
"""A `FileDescriptorSet` that describes the message, as MCAP wants it."""
