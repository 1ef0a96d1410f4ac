"""Hardware decoding where there is none: software takes over, says so, and shows the same."""

from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
import pytest

from edge.cameras.decoding import (
    FRUITLESS_PACKETS,
    UNMARKED_PACKETS,
    Decoder,
    Decoding,
    devices,
    trouble_with,
)
from edge.cameras.source import image_of, video_in
from edge.cameras.thread import CameraThread
from scene.clock import SystemClock
from scene.errors import SiteError
from scene.site import CameraConfig, parse_site
from tests.edge.camera_clips import write_clip
from tests.edge.cameras.test_rtsp import NEEDS, Server, has_server, wait_for
from tests.edge.test_bad_input import SITE

KEY_EVERY = 12
__all__ = ["has_server"]


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    options = {"g": str(KEY_EVERY), "bf": "0"}
    return write_clip(tmp_path / "cam.mp4", frames=150, size_px=(160, 120), options=options)


class Device:
    """A device's decoder: it works as software does, until it is taken away or goes blind."""

    is_hwaccel = True

    def __init__(self, real: av.VideoCodecContext, *, fails_at: int, raises: bool) -> None:
        self._real, self._fails_at, self._raises, self._packets = real, fails_at, raises, 0
        self.codec, self.extradata = real.codec, real.extradata

    def decode(self, packet: "av.packet.Packet[av.VideoStream]") -> list[av.VideoFrame]:
        self._packets += 1
        if self._packets <= self._fails_at:
            return self._real.decode(packet)
        if self._raises:
            raise av.error.ExternalError(1, "the device is gone")
        return []


def decoded(clip: Path, said: list[str], **fault: object) -> Iterator[tuple[int, np.ndarray]]:
    """Decode a clip on a device with a fault, or without any; gives times and luma."""
    with av.open(str(clip)) as container:
        stream = video_in(container)
        decoder = Decoder(stream, Decoding("cam1", "cuda", said.append))
        if fault:
            decoder._context = Device(stream.codec_context, **fault)  # type: ignore[assignment,arg-type]
            decoder._hardware = True
        for packet in container.demux(stream):
            for frame in decoder.decode(packet):
                assert frame.pts is not None
                yield frame.pts, image_of(frame).y.copy()


@pytest.mark.parametrize(
    ("raises", "expected"), [(True, "ExternalError"), (False, "no picture came out of")]
)
def test_a_device_that_fails_under_way_is_left_for_software_from_the_next_key_frame_on(
    clip: Path, raises: bool, expected: str
) -> None:
    said: list[str] = []
    truth = dict(decoded(clip, []))
    found = list(decoded(clip, said, fails_at=25, raises=raises))
    (line,) = said
    assert line.startswith("camera cam1: decoded in software: ") and expected in line
    assert all(np.array_equal(luma, truth[pts]) for pts, luma in found), "no broken picture"
    times = [pts for pts, _ in found]
    assert times == sorted(set(times))
    assert times[-1] == max(truth)
    lost = len(truth) - len(found)
    assert 0 < lost <= KEY_EVERY + (0 if raises else FRUITLESS_PACKETS)


def test_a_device_that_gives_nothing_is_found_although_no_key_frame_is_marked(clip: Path) -> None:
    said: list[str] = []
    with av.open(str(clip)) as container:
        stream = video_in(container)
        decoder = Decoder(stream, Decoding("cam1", "cuda", said.append))
        decoder._context = Device(stream.codec_context, fails_at=0, raises=False)  # type: ignore[assignment]
        decoder._hardware = True
        packets = [one for one in container.demux(stream) if one.size and not one.is_keyframe]
        for number in range(UNMARKED_PACKETS):
            assert said == [], "a camera may take its time with the first key frame"
            assert list(decoder.decode(packets[number % len(packets)])) == []
    assert len(said) == 1 and f"no picture came out of {UNMARKED_PACKETS} packets" in said[0]


def test_pictures_as_devices_give_them_are_the_same(clip: Path) -> None:
    """Devices give NV12: the same numbers in another order."""
    with av.open(str(clip)) as container:
        frame = next(container.decode(video_in(container)))
        software, device = image_of(frame), image_of(frame.reformat(format="nv12"))
    for one, other in ((software.y, device.y), (software.u, device.u), (software.v, device.v)):
        assert np.array_equal(one, other)


@pytest.mark.parametrize(("wanted", "noted"), [("auto", False), ("cuda", True), ("tube", True)])
def test_where_there_is_no_device_a_camera_runs_in_software_and_it_is_said_once(
    has_server: bool, capfd: pytest.CaptureFixture[str], wanted: str, noted: bool
) -> None:
    if not has_server:
        pytest.skip(NEEDS)
    if wanted != "tube" and any(not trouble_with(device) for device in devices()):
        pytest.skip("this machine has a hardware decoder")
    server = Server()
    config = CameraConfig(name="left", url=server.url(), decoder=wanted)
    camera = CameraThread(config, SystemClock())
    camera.start()
    try:
        assert wait_for(lambda: camera.status().state == "running")
        assert ("decoded in software" in camera.status().detail) == noted
        server.kill()
        assert wait_for(lambda: camera.status().state == "reconnecting")
        server.start()
        assert wait_for(lambda: camera.status().state == "running")
    finally:
        camera.stop()
        server.kill()
    said = capfd.readouterr().err
    assert said.count("camera left: decoded in software: no hardware decoder can be used") == 1


def test_software_is_the_default_and_says_nothing() -> None:
    said: list[str] = []
    decoding = Decoding("cam1", CameraConfig(name="cam1", url="rtsp://h/x").decoder, said.append)
    assert decoding.accel() is None
    decoding.failed("whatever")
    assert said == [] and decoding.note == ""


def test_a_decoder_is_a_word(tmp_path: Path) -> None:
    text = SITE.replace("url: cam1.mp4", "url: cam1.mp4, decoder: 'cu da'")
    assert text != SITE
    with pytest.raises(SiteError, match="decoder"):
        parse_site(text, name="site.yaml", folder=tmp_path)
