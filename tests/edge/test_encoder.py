import av
import numpy as np
import pytest

from edge.encoder import PanoramaDecoder, PanoramaEncoder, decode_packets
from scene.errors import RecordingError
from scene.messages import YuvImage
from tests.edge.camera_clips import picture

SECOND = 1_000_000_000
SIZE = (322, 176)  # a width that x264 pads: rows must not slip
SLICE, KEY_SLICE, SPS, PPS = 1, 5, 7, 8


def scene_at(index: int) -> YuvImage:
    """A gradient with a bright block that walks; colours differ between the halves."""
    width, height = SIZE
    y = np.tile(np.linspace(30, 200, width).astype(np.uint8), (height, 1))
    y[40:80, 5 * index : 5 * index + 30] = 235
    u = np.full((height // 2, width // 2), 90, np.uint8)
    v = np.full((height // 2, width // 2), 160, np.uint8)
    v[:, : width // 4] = 110
    return YuvImage(y=y, u=u, v=v)


def encoded(count: int, fps: float = 10.0, *, full_range: bool = False) -> list[tuple[bytes, bool]]:
    encoder = PanoramaEncoder(SIZE, 10.0, 2000, full_range=full_range)
    return [encoder.encode(scene_at(i), round(i * SECOND / fps)) for i in range(count)]


def units_in(payload: bytes) -> list[int]:
    """List the types of the NAL units behind Annex B start codes (ITU-T H.264, 7.3.1)."""
    assert payload.startswith((b"\0\0\0\1", b"\0\0\1"))
    return [part[0] & 31 for part in payload.split(b"\0\0\1")[1:]]


def test_each_picture_gives_one_access_unit_at_once() -> None:
    for payload, key_frame in encoded(12):
        slices = [kind for kind in units_in(payload) if kind in (SLICE, KEY_SLICE)]
        assert slices == [KEY_SLICE if key_frame else SLICE]


@pytest.mark.parametrize(("fps", "every"), [(10.0, 5), (25.0, 12), (4.0, 2), (1.0, 1)])
def test_a_key_frame_comes_every_half_second_whatever_the_rate(fps: float, every: int) -> None:
    keys = [index for index, (_, key) in enumerate(encoded(30, fps)) if key]
    assert keys[0] == 0
    steps = np.diff(keys)
    assert (steps <= every).all()
    assert (steps >= every - 1).all()


def test_parameter_sets_stand_before_each_key_frame_and_nowhere_else() -> None:
    for payload, key_frame in encoded(12):
        units = units_in(payload)
        if key_frame:
            assert units.index(SPS) < units.index(PPS) < units.index(KEY_SLICE)
        else:
            assert SPS not in units


def test_pictures_come_out_as_they_went_in() -> None:
    packets = encoded(12)
    images = list(decode_packets(payload for payload, _ in packets))
    assert len(images) == 12
    for index, image in enumerate(images):
        given = scene_at(index)
        assert image.size_px == SIZE
        for plane, expected in zip(
            (image.y, image.u, image.v), (given.y, given.u, given.v), strict=True
        ):
            assert np.abs(plane.astype(int) - expected).mean() < 2.5


def test_decoding_can_begin_at_any_key_frame() -> None:
    packets = encoded(12)
    begin = [index for index, (_, key) in enumerate(packets) if key][1]
    image = PanoramaDecoder().decode(packets[begin][0])
    assert np.abs(image.y.astype(int) - scene_at(begin).y).mean() < 2.5


def test_decoding_that_does_not_begin_with_a_key_frame_is_refused() -> None:
    packets = encoded(3)
    with pytest.raises(RecordingError, match="panorama"):
        PanoramaDecoder().decode(packets[1][0])
    with pytest.raises(RecordingError, match="panorama"):
        PanoramaDecoder().decode(b"not a picture")


@pytest.mark.parametrize("full_range", [False, True])
def test_the_stream_says_its_colours(full_range: bool) -> None:
    context = av.CodecContext.create("h264", "r")
    (frame,) = context.decode(av.Packet(encoded(1, full_range=full_range)[0][0])) or (
        context.decode(None)
    )
    assert isinstance(frame, av.VideoFrame)
    assert frame.color_range == (2 if full_range else 1)
    assert frame.colorspace == 6  # SMPTE 170M, the matrix of BT.601
    if full_range:
        assert frame.format.name == "yuvj420p"


def test_the_bit_rate_is_held() -> None:
    noise = np.random.default_rng(0)
    encoder = PanoramaEncoder((640, 480), 10.0, 500)
    total = 0
    for index in range(60):
        image = picture(640, 480, 0)
        image = YuvImage(y=noise.integers(0, 256, (480, 640), np.uint8), u=image.u, v=image.v)
        payload, _ = encoder.encode(image, index * SECOND // 10)
        total += len(payload) * (index >= 10)
    assert total * 8 / 5.0 < 1.5 * 500_000


def test_times_that_stand_still_or_go_back_are_no_harm() -> None:
    encoder = PanoramaEncoder(SIZE, 10.0, 2000)
    for at_ns in (SECOND, SECOND, SECOND // 2, 2 * SECOND):
        payload, _ = encoder.encode(scene_at(0), at_ns)
        assert payload


def test_a_picture_of_another_size_is_refused() -> None:
    with pytest.raises(ValueError, match="64, 48"):
        PanoramaEncoder(SIZE, 10.0, 2000).encode(picture(64, 48, 0), 0)
    with pytest.raises(ValueError, match="even"):
        PanoramaEncoder((321, 176), 10.0, 2000)
