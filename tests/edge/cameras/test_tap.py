"""Cameras' own packets, from the demultiplexer into a recording and to pictures again."""

import json
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from delivery.recordings.camera_packets import (
    CameraPacket,
    CameraStream,
    Shown,
    packet_of,
    stream_of,
    stream_text,
    taken,
)
from delivery.recordings.compressed_video import picture_of
from edge.byte_ring import ByteRing
from edge.cameras.file import FileCamera
from edge.cameras.keeping import CameraKeeper
from edge.cameras.rtsp import RtspCamera
from edge.cameras.source import CameraSource
from edge.cameras.tap import CameraTap
from edge.rerun_frames import Redecoder, frame_of
from scene.arrays import Bytes
from scene.clock import SystemClock
from scene.errors import WireError
from scene.messages import Frame
from scene.site import CameraConfig
from tests.delivery.parts import wait_until
from tests.edge.camera_clips import write_clip
from tests.edge.cameras.test_rtsp import Server, has_server, server

__all__ = ["has_server", "server"]  # fixtures
START_NS = 1_790_000_000_000_000_000


def ring() -> ByteRing:
    made = ByteRing("cam1", 8_000_000)
    made.want()
    return made


def packets_in(ring: ByteRing) -> list[CameraPacket]:
    found = []
    for record in ring.take(most=100_000):
        handed = taken(record)
        found.append(packet_of(handed.message, stream_of(json.loads(handed.stream))))
        assert (handed.number, handed.key_frame) == (found[-1].number, found[-1].key_frame)
        assert handed.captured_at_ns == found[-1].captured_at_ns
    return found


def planes(frame: Frame) -> Bytes:
    return np.concatenate(
        [plane.ravel() for plane in (frame.image.y, frame.image.u, frame.image.v)]
    )


def again(packets: list[CameraPacket]) -> Iterator[Frame]:
    camera = Redecoder("cam1")
    for packet in packets:
        for captured_at_ns, picture in camera.decoded(packet):
            yield frame_of("cam1", captured_at_ns, picture)


def assert_same(live: list[Frame], second: list[Frame]) -> None:
    assert [frame.captured_at_ns for frame in second] == [frame.captured_at_ns for frame in live]
    for a, b in zip(live, second, strict=True):
        assert np.array_equal(planes(a), planes(b))


@pytest.mark.parametrize(
    ("codec", "options"),
    [
        ("libx264", {"bf": "0"}),
        ("libx264", {"bf": "3", "g": "12", "preset": "veryfast"}),
        ("libx265", {"x265-params": "log-level=none:keyint=10"}),
        ("mpeg4", {}),
    ],
)
def test_a_files_packets_are_untouched_and_give_the_same_pictures_at_the_same_instants(
    tmp_path: Path, codec: str, options: dict[str, str]
) -> None:
    clip = write_clip(tmp_path / "clip.mp4", frames=30, codec=codec, options=options)
    packets = ring()
    camera = FileCamera(
        "cam1",
        clip,
        SystemClock(),
        pace="as_fast_as_possible",
        start_at_ns=START_NS,
        tap=CameraTap(packets),
    )
    live = list(camera.frames())
    assert len(live) == 30
    recorded = packets_in(packets)
    with av.open(str(clip)) as container:
        stream = container.streams.video[0]
        sent = [bytes(packet) for packet in container.demux(stream)]
        assert recorded[0].stream.extradata == bytes(stream.codec_context.extradata or b"")
        assert Fraction(*recorded[0].stream.time_base) == stream.time_base
    assert [packet.data for packet in recorded] == sent
    assert recorded[0].key_frame and recorded[0].number == 1
    assert_same(live, list(again(recorded)))


def test_frames_that_live_left_out_stay_left_out(tmp_path: Path) -> None:
    clip, packets = write_clip(tmp_path / "clip.mp4", frames=20), ring()
    camera = FileCamera(
        "cam1",
        clip,
        SystemClock(),
        pace="as_fast_as_possible",
        start_at_ns=START_NS,
        tap=CameraTap(packets),
    )
    due = iter([True, False, False, True] * 5)
    camera._is_due = lambda at_ns: next(due)  # type: ignore[method-assign]
    live = list(camera.frames())
    assert len(live) == 10
    assert_same(live, list(again(packets_in(packets))))


def test_a_file_that_plays_again_is_another_connection(tmp_path: Path) -> None:
    clip, packets = write_clip(tmp_path / "clip.mp4", frames=6), ring()
    camera = FileCamera(
        "cam1",
        clip,
        SystemClock(),
        pace="as_fast_as_possible",
        loop=True,
        start_at_ns=START_NS,
        tap=CameraTap(packets),
    )
    live = []
    for frame in camera.frames():
        live.append(frame)
        if len(live) == 15:
            break
    camera.close()
    recorded = packets_in(packets)
    assert len({packet.connection for packet in recorded}) == 3
    assert_same(live, list(again(recorded)))


def test_after_a_gap_pictures_come_from_the_next_key_frame_on(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.mp4", frames=30, options={"g": "10", "bf": "0"})
    packets = ring()
    camera = FileCamera(
        "cam1",
        clip,
        SystemClock(),
        pace="as_fast_as_possible",
        start_at_ns=START_NS,
        tap=CameraTap(packets),
    )
    live = list(camera.frames())
    recorded = packets_in(packets)
    del recorded[13]
    # A new file begins with what the one before has as well.
    assert len(list(again([*recorded[:12], *recorded[10:12], *recorded[12:13]]))) == 13
    second = Redecoder("cam1")
    times = [at for packet in recorded for at, _ in second.decoded(packet)]
    assert second.missing == 1
    assert times == [f.captured_at_ns for i, f in enumerate(live) if not 13 <= i < 20]


def test_a_recorder_that_is_too_late_holds_up_nobody_and_the_camera_says_what_is_missing(
    tmp_path: Path,
) -> None:
    small = ByteRing("cam1", 20_000)
    small.want()
    tap = CameraTap(small)
    clip = write_clip(tmp_path / "clip.mp4", frames=60)
    camera = FileCamera(
        "cam1", clip, SystemClock(), pace="as_fast_as_possible", start_at_ns=START_NS, tap=tap
    )
    assert len(list(camera.frames())) == 60
    assert tap.note == ""
    got = packets_in(small)
    assert small.lost == 61 - len(got) > 20
    assert tap.note == f"{small.lost} of its packets are missing in the recording"


def test_a_tap_that_fails_leaves_the_pictures_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("a defect")

    monkeypatch.setattr(ByteRing, "put", fail)
    tap = CameraTap(ring())
    clip = write_clip(tmp_path / "clip.mp4", frames=8)
    camera = FileCamera(
        "cam1", clip, SystemClock(), pace="as_fast_as_possible", start_at_ns=START_NS, tap=tap
    )
    assert len(list(camera.frames())) == 8
    assert "a defect" in tap.note


def take(camera: CameraSource, count: int) -> list[Frame]:
    frames = []
    for frame in camera.frames():
        frames.append(frame)
        if len(frames) == count:
            break
    camera.close()
    return frames


def test_an_rtsp_cameras_packets_give_the_very_pictures_and_instants_of_live(
    server: Server,
) -> None:
    packets = ring()
    tap = CameraTap(packets)
    clock = SystemClock()
    live = [
        frame
        for _ in range(2)  # it is connected to twice
        for frame in take(RtspCamera("cam1", server.url(), clock, tap=tap), 15)
    ]
    recorded = packets_in(packets)
    assert {packet.stream.codec for packet in recorded} == {"h264"}
    assert len({packet.connection for packet in recorded}) == 2
    assert recorded[0].data.startswith((b"\0\0\0\1", b"\0\0\1")), "Annex B: field tools show it"
    assert_same(live, list(again(recorded)))


def test_a_live_camera_that_is_kept_going_hands_over_its_packets(server: Server) -> None:
    packets = ring()
    keeper = CameraKeeper({"cam1": packets})
    keeper.want([CameraConfig(name="cam1", url=server.url())])
    found: list[CameraPacket] = []

    def some_came() -> bool:
        found.extend(packets_in(packets))
        return sum(bool(packet.shown) for packet in found) >= 5

    try:
        wait_until(some_came)
    finally:
        keeper.close()
    assert len(list(again(found))) >= 5
    assert "127.0.0.1" not in str(found[0].stream), "no address, and so no password"


STREAM = CameraStream(
    camera="cam1", codec="h264", time_base=(1, 90_000), size_px=(64, 48), extradata=b"\1\2"
)
PACKET = CameraPacket(
    stream=STREAM,
    connection=START_NS,
    number=7,
    arrived_at_ns=START_NS + 5,
    pts=-3000,
    dts=-6000,
    key_frame=True,
    data=b"\0\0\0\1picture",
    shown=(Shown(pts=-3000, captured_at_ns=START_NS), Shown(pts=None, captured_at_ns=START_NS + 1)),
)


def test_what_is_written_of_a_packet_is_read_again() -> None:
    assert packet_of(PACKET.message, STREAM) == PACKET
    assert stream_of(json.loads(stream_text(STREAM))) == STREAM
    assert picture_of(PACKET.message) == PACKET.data, "any reader of CompressedVideo finds it"


def test_damaged_packets_give_one_clear_error_or_a_packet_each() -> None:
    chance, errors = np.random.default_rng(3), 0
    for _ in range(5000):
        message = bytearray(PACKET.message)
        for at in chance.integers(0, len(message), chance.integers(1, 5)):
            message[at] = chance.integers(0, 256)
        cut = bytes(message[: chance.integers(0, len(message) + 1)])
        try:
            packet_of(cut, STREAM)
            taken(cut)
        except WireError:
            errors += 1
    assert errors > 1000


@pytest.mark.parametrize(
    ("field", "text"),
    [
        ("codec", "rawvideo"),
        ("time_base", "1/0"),
        ("time_base", "none"),
        ("size_px", "64"),
        ("extradata", "not base64!"),
    ],
)
def test_a_channel_that_makes_no_sense_is_refused(field: str, text: str) -> None:
    with pytest.raises(WireError):
        stream_of(json.loads(stream_text(STREAM)) | {field: text})
