"""A recording with one of everything that a recorder writes; broken ones are made out of it."""

import json
from pathlib import Path

import pytest

from delivery.recordings import writer
from delivery.recordings.camera_packets import (
    CameraPacket,
    CameraStream,
    Handed,
    Shown,
    hand_over,
    stream_text,
    taken,
)
from delivery.recordings.run_record import RunRecord
from delivery.recordings.writer import RecordingWriter
from scene.clock import ReplayClock
from scene.topics import topic_name
from scene.wire import Message, encode, type_name
from tests.control_room.fake_gateway import GATEWAY, SITE, Encoder, health
from tests.control_room.recorded_story import SITE_YAML, START_NS, live_alarms, story, told

STEP_NS = 100_000_000
STREAM = CameraStream(
    camera="c1",
    codec="h264",
    time_base=(1, 90_000),
    size_px=(640, 360),
    extradata=bytes.fromhex("0000000167640016"),
)
RUN = RunRecord(
    site=SITE,
    gateway=GATEWAY,
    software="lamproom 0",
    started_at="2026-09-21T14:13:20+00:00",
    file_number="1",
    site_yaml=SITE_YAML,
    rig_yaml="",
    model="miners.onnx",
    model_sha256="ab" * 32,
    cameras="c1",
)


def small_recording(path: Path) -> bytes:
    """Write it; gives its bytes."""
    clock = ReplayClock(START_NS)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(writer, "CHUNK_BYTES_WITH_CAMERAS", 1500)
        recording, encoder = RecordingWriter(path, clock, RUN), Encoder()
        said: tuple[Message, ...] = (told(), health(START_NS), *story()[:2], live_alarms()[0])
        for number, message in enumerate(said):
            at_ns = START_NS + number * STEP_NS
            clock.set(at_ns)
            topic = _topic(message)
            payload = encode(message, gateway=GATEWAY, seq=number, sent_at_ns=at_ns)
            recording.message(topic, payload, at_ns, "signed")
            recording.camera(_packet(number, at_ns))
            step = {"do": "show", "pipeline": 1, "number": number, "at_ns": at_ns}
            recording.step(json.dumps({**step, "frames": [["c1", at_ns]]}).encode())
        recording.packet(encoder.packet(clock.now_ns()))
        recording.lost("c1", 3)
        recording.refused(topic, payload, "its signature is wrong", clock.now_ns())
        recording.close()
    return path.read_bytes()


def _topic(message: Message) -> str:
    kind = type_name(message)
    return topic_name(kind, site=SITE, gateway=GATEWAY, id=getattr(message, "id", None))


def _packet(number: int, at_ns: int) -> Handed:
    packet = CameraPacket(
        stream=STREAM,
        connection=1,
        number=number + 1,
        arrived_at_ns=at_ns,
        pts=number * 9000,
        dts=number * 9000,
        key_frame=number == 0,
        data=bytes.fromhex("0000000165") + bytes(range(40)),
        shown=(Shown(pts=number * 9000, captured_at_ns=at_ns),),
    )
    return taken(hand_over(packet, stream_text(STREAM).encode()))
