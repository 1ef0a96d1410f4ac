import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from detection.evaluate import yuv_of_bgr
from detection.letterbox import PADDING, fill, fit, to_camera
from scene.messages import YuvImage

sides = st.integers(2, 4000)


@given(sides, sides, st.sampled_from([(640, 640), (512, 288), (96, 64)]))
def test_round_trip(width: int, height: int, input_size: tuple[int, int]) -> None:
    box = fit((width, height), input_size)
    assert box.left >= 0 and box.top >= 0
    assert box.left + box.picture_size[0] <= input_size[0]
    assert box.top + box.picture_size[1] <= input_size[1]
    low = np.array([box.left, box.top], float)
    whole = np.hstack([low, low + box.picture_size])
    assert_allclose(to_camera(box, whole[None])[0], [-0.5, -0.5, width - 0.5, height - 0.5])


@given(sides, sides)
def test_dynamic_size_is_whole_strides(width: int, height: int) -> None:
    box = fit((width, height), (640, 640), stride=32)
    for length, picture in zip(box.input_size, box.picture_size, strict=True):
        assert length % 32 == 0
        assert picture <= length < picture + 32


def test_a_bright_spot_comes_back_where_it_was() -> None:
    height, width = 360, 640
    luma = np.full((height, width), 16, np.uint8)
    luma[200:240, 400:440] = 235
    grey = np.full((height // 2, width // 2), 128, np.uint8)
    box = fit((width, height), (256, 192))
    tensor = np.zeros((3, 192, 256), np.float32)
    fill(box, YuvImage(y=luma, u=grey, v=grey), tensor)
    assert_allclose(tensor[:, 0, 0], PADDING)
    inside = tensor[:, box.top : box.top + box.picture_size[1]]
    assert inside.min() == 0
    assert inside.max() == pytest.approx(1)
    rows, columns = np.nonzero((tensor[1] > 0.5) & (np.abs(tensor[1] - PADDING) > 1e-3))
    found = to_camera(
        box,
        np.array([[columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]], float),
    )
    assert_allclose(found[0], [399.5, 199.5, 439.5, 239.5], atol=2)


def test_colours_are_those_of_a_decoder() -> None:
    rng = np.random.default_rng(3)
    small = rng.integers(0, 256, (9, 16, 3), dtype=np.uint8)
    bgr = cv2.resize(small, (640, 360), interpolation=cv2.INTER_CUBIC).astype(np.uint8)
    image = yuv_of_bgr(bgr)
    planes = np.vstack(
        [image.y, image.u.reshape(-1, 640), image.v.reshape(-1, 640)], dtype=np.uint8
    )
    expected = cv2.cvtColor(planes, cv2.COLOR_YUV2RGB_I420).transpose(2, 0, 1) / 255.0
    tensor = np.zeros((3, 360, 640), np.float32)
    fill(fit((640, 360), (640, 360)), image, tensor)
    assert np.abs(tensor - expected).mean() < 0.01


def test_a_huge_frame_is_only_scaled() -> None:
    image = YuvImage(
        y=np.full((4320, 7680), 100, np.uint8),
        u=np.full((2160, 3840), 128, np.uint8),
        v=np.full((2160, 3840), 128, np.uint8),
    )
    tensor = np.zeros((3, 64, 96), np.float32)
    fill(fit((7680, 4320), (96, 64)), image, tensor)
    assert tensor[0, 32, 48] == pytest.approx((100 - 16) / 219, abs=0.01)
