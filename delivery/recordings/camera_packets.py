"""A camera's own packets in a recording: untouched, with the instants at which they were used.

Knows nothing about cameras or decoders. Each packet is a `foxglove.CompressedVideo`, so that field
tools show what a camera sent (H.264 and H.265 as RTSP cameras send them, Annex B). What a second
decoding needs lies in further fields, which other readers pass over: protobuf means them to.
"""

import base64
import binascii
import json
import struct
from dataclasses import dataclass
from functools import cached_property

from delivery.recordings.compressed_video import (
    bytes_field,
    fields_of,
    number_field,
    picture_of,
    video_message,
)
from scene.errors import WireError

KIND = "camera"
"""A channel's metadata says `kind: camera`."""
CODECS = ("h264", "hevc", "mjpeg", "mpeg4", "vp8", "vp9", "av1")
"""Codecs, by FFmpeg's names, that are read again; others are recorded all the same."""
MAX_EXTRADATA_BYTES = 65_536

_PTS, _DTS, _FLAGS, _CONNECTION, _ARRIVED, _NUMBER, _SHOWN = range(1001, 1008)
_KEY, _FLUSH = 1, 2
_SHOWN_ROW = struct.Struct("<?qq")  # whether the picture has a pts, pts, captured_at_ns
_HEAD = struct.Struct("<HqIB")  # bytes of the stream's text, when, number, flags


@dataclass(frozen=True, slots=True, kw_only=True)
class CameraStream:
    """How a camera's packets are coded: all that a decoder must be told."""

    camera: str
    codec: str
    """FFmpeg's name: `h264`, `hevc`, …"""
    time_base: tuple[int, int]
    """Seconds of one step of `pts`, as numerator and denominator."""
    size_px: tuple[int, int]
    extradata: bytes = b""
    """The codec's parameter sets where they lie outside the packets."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """One picture that a packet gave."""

    pts: int | None
    captured_at_ns: int
    """UTC, as the gateway used it."""


@dataclass(frozen=True, kw_only=True)
class CameraPacket:
    """One packet as the camera sent it."""

    stream: CameraStream
    connection: int
    """Which connection, or pass over a file: with another one decoding begins anew."""
    number: int
    """Counts up from 1 within a connection: a gap is a packet that was not recorded."""
    arrived_at_ns: int
    pts: int | None
    dts: int | None
    key_frame: bool
    data: bytes
    """Empty at the end of a stream, which makes a decoder give what it holds back."""
    shown: tuple[Shown, ...] = ()
    """The pictures that came out of the decoder on this packet and were used."""

    @property
    def captured_at_ns(self) -> int:
        """When its picture was taken; when it came, if it gave none."""
        return self.shown[0].captured_at_ns if self.shown else self.arrived_at_ns

    @cached_property
    def message(self) -> bytes:
        """The packet as it is recorded."""
        stream = self.stream
        coded = {"hevc": "h265"}.get(stream.codec, stream.codec)
        flags = _KEY * self.key_frame | _FLUSH * (not self.data)
        parts = [
            video_message(self.captured_at_ns, self.data, shows=stream.camera, coded=coded),
            number_field(_FLAGS, flags),
            number_field(_CONNECTION, self.connection),
            number_field(_ARRIVED, self.arrived_at_ns),
            number_field(_NUMBER, self.number),
        ]
        if self.pts is not None:
            parts.append(number_field(_PTS, _zigzag(self.pts)))
        if self.dts is not None:
            parts.append(number_field(_DTS, _zigzag(self.dts)))
        for one in self.shown:
            row = _SHOWN_ROW.pack(one.pts is not None, one.pts or 0, one.captured_at_ns)
            parts.append(bytes_field(_SHOWN, row))
        return b"".join(parts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Handed:
    """A packet as a camera's process hands it over to the recorder, which need not unpack it."""

    stream: str
    """The stream's text, see `stream_text`."""
    captured_at_ns: int
    number: int
    key_frame: bool
    message: bytes


def hand_over(packet: CameraPacket, stream: bytes) -> bytes:
    """Write a packet for the way to the recorder; `stream` is its `stream_text`, encoded."""
    head = _HEAD.pack(len(stream), packet.captured_at_ns, packet.number % 2**32, packet.key_frame)
    return head + stream + packet.message


def taken(record: bytes) -> Handed:
    """Read what was handed over; raises `WireError`."""
    try:
        length, captured_at_ns, number, key_frame = _HEAD.unpack_from(record)
        text = record[_HEAD.size : _HEAD.size + length].decode()
    except (struct.error, UnicodeDecodeError):
        raise WireError("no packet of a camera") from None
    return Handed(
        stream=text,
        captured_at_ns=captured_at_ns,
        number=number,
        key_frame=bool(key_frame),
        message=record[_HEAD.size + length :],
    )


def stream_text(stream: CameraStream) -> str:
    """Write a stream's parameters as the JSON object of a channel's metadata: texts only."""
    return json.dumps(
        {
            "kind": KIND,
            "camera": stream.camera,
            "codec": stream.codec,
            "time_base": f"{stream.time_base[0]}/{stream.time_base[1]}",
            "size_px": f"{stream.size_px[0]}x{stream.size_px[1]}",
            "extradata": base64.b64encode(stream.extradata).decode(),
        }
    )


def stream_of(metadata: dict[str, str]) -> CameraStream:
    """Read a channel's metadata again; raises `WireError`."""
    try:
        numerator, _, denominator = metadata["time_base"].partition("/")
        width, _, height = metadata["size_px"].partition("x")
        extradata = base64.b64decode(metadata["extradata"], validate=True)
        time_base = int(numerator), int(denominator)
        size_px = int(width), int(height)
        camera, codec = metadata["camera"], metadata["codec"]
    except (KeyError, ValueError, binascii.Error) as error:
        raise WireError(f"camera's channel: {type(error).__name__}") from None
    if codec not in CODECS or not 0 < time_base[1] < 2**31 or not 0 < time_base[0] < 2**31:
        raise WireError(f"camera's channel: codec {codec[:20]!r} can't be read")
    if len(extradata) > MAX_EXTRADATA_BYTES:
        raise WireError("camera's channel: too many parameters")
    return CameraStream(
        camera=camera, codec=codec, time_base=time_base, size_px=size_px, extradata=extradata
    )


def packet_of(message: bytes, stream: CameraStream) -> CameraPacket:
    """Read a recorded packet; raises `WireError`."""
    numbers: dict[int, int] = {}
    shown: list[Shown] = []
    for field, value in fields_of(message):
        if field == _SHOWN and isinstance(value, bytes) and len(value) == _SHOWN_ROW.size:
            known, pts, captured_at_ns = _SHOWN_ROW.unpack(value)
            shown.append(Shown(pts=pts if known else None, captured_at_ns=captured_at_ns))
        elif isinstance(value, int):
            numbers[field] = value
    if not {_FLAGS, _CONNECTION, _ARRIVED, _NUMBER} <= numbers.keys():
        raise WireError("a camera's packet without its number")
    flush = bool(numbers[_FLAGS] & _FLUSH)
    return CameraPacket(
        stream=stream,
        connection=numbers[_CONNECTION],
        number=numbers[_NUMBER],
        arrived_at_ns=numbers[_ARRIVED],
        pts=_unzigzag(numbers.get(_PTS)),
        dts=_unzigzag(numbers.get(_DTS)),
        key_frame=bool(numbers[_FLAGS] & _KEY),
        data=b"" if flush else picture_of(message),
        shown=tuple(shown),
    )


def _zigzag(value: int) -> int:
    return 2 * value if value >= 0 else -2 * value - 1


def _unzigzag(value: int | None) -> int | None:
    if value is None:
        return None
    value = -(value + 1) // 2 if value % 2 else value // 2
    return value if -(2**63) <= value < 2**63 else None
