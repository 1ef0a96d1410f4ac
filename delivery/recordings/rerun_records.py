"""What a recording holds for a second run: cameras' packets, the pipeline's steps, and the gaps.

Knows nothing about decoding or what steps mean. Recordings made without `--record-cameras` hold
none of it.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mcap.records import Channel

from delivery.recordings import camera_packets
from delivery.recordings.camera_packets import CameraPacket, CameraStream, packet_of, stream_of
from delivery.recordings.reader import RecordingFile
from scene.errors import WireError


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedPacket:
    """A camera's packet, and when it was recorded."""

    at_ns: int
    packet: CameraPacket


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedStep:
    """A step of the pipeline, as a JSON object."""

    at_ns: int
    fields: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """Packets or steps that the recorder was too late for."""

    at_ns: int
    of: str
    """A camera's name, or `steps`."""
    records: int


def read_for_a_rerun(
    path: Path,
    on_missing: Callable[[str], None],
    *,
    from_ns: int | None = None,
    to_ns: int | None = None,
    kinds: Sequence[str] | None = None,
) -> Iterator[RecordedPacket | RecordedStep | Gap]:
    """Give them in the order in which they were recorded; `on_missing` is told what can't be read.

    `from_ns` and `to_ns` are of the recorder's clock, both included; of what a second run
    needs only some `kinds` of `FOR_A_RERUN` may be wanted. Raises `RecordingError`.
    """
    streams: dict[int, CameraStream | None] = {}
    foreign = 0
    wanted = None if kinds is None else lambda one: one.metadata.get("kind") in kinds
    file = RecordingFile(path, on_missing=on_missing)
    for channel, message in file.messages(from_ns=from_ns, to_ns=to_ns, wanted=wanted):
        kind = channel.metadata.get("kind")
        try:
            if kind == camera_packets.KIND:
                stream = _stream(streams, channel)
                packet = packet_of(message.data, stream)
                yield RecordedPacket(at_ns=message.log_time, packet=packet)
            elif kind == "steps":
                yield RecordedStep(at_ns=message.log_time, fields=_object(message.data))
            elif kind == "lost":
                said = _object(message.data)
                of, records = str(said.get("of")), said.get("records")
                if isinstance(records, int):
                    yield Gap(at_ns=message.log_time, of=of, records=records)
        except WireError:
            foreign += 1
    if foreign:
        on_missing(f"{path}: {foreign} packets or steps can't be understood and were passed over")


def _stream(known: dict[int, CameraStream | None], channel: Channel) -> CameraStream:
    if channel.id not in known:
        known[channel.id] = None
        known[channel.id] = stream_of(channel.metadata)
    stream = known[channel.id]
    if stream is None:
        raise WireError("a camera's channel that can't be read")
    return stream


def _object(data: bytes) -> dict[str, Any]:
    try:
        found = json.loads(data)
    except (ValueError, RecursionError):
        raise WireError("not a JSON object") from None
    if not isinstance(found, dict):
        raise WireError("not a JSON object")
    return found
