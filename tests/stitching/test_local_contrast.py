"""Local contrast shows what is there and makes nothing up."""

from itertools import islice

import cv2
import numpy as np
import pytest

from edge.cameras.source import open_source
from scene.arrays import Bytes
from scene.clock import SystemClock
from scene.messages import YuvImage
from scene.site import load_site
from stitching.local_contrast import LocalContrast, noise_sigma
from tests.sample_site import SAMPLES


@pytest.fixture(scope="module")
def dusty() -> Bytes:
    site = load_site(SAMPLES / "events" / "lens_dust" / "site.yaml")
    source = open_source(
        site.cameras[0], SystemClock(), pace="as_fast_as_possible", loop=False, start_at_ns=0
    )
    try:
        return next(islice(source.frames(), 40, None)).image.y
    finally:
        source.close()


def local_contrast(luma: Bytes) -> float:
    spread = luma.astype(np.float32)
    return float(
        np.sqrt(
            np.maximum(cv2.blur(spread**2, (31, 31)) - cv2.blur(spread, (31, 31)) ** 2, 0)
        ).mean()
    )


def test_a_dusty_picture_gains_contrast(dusty: Bytes) -> None:
    assert local_contrast(LocalContrast().lift(dusty)) > 1.2 * local_contrast(dusty)


def test_what_is_brighter_stays_brighter(dusty: Bytes) -> None:
    before, after = dusty.astype(int), LocalContrast().lift(dusty).astype(int)
    for axis in (0, 1):
        step, new = np.diff(before, axis=axis), np.diff(after, axis=axis)
        clear = np.abs(step) >= 4
        turned = np.sign(new[clear]) == -np.sign(step[clear])
        assert clear.sum() > 1000 and turned.mean() < 1e-4


def test_noise_on_a_flat_wall_is_not_made_into_texture() -> None:
    rng = np.random.default_rng(1)
    wall = np.clip(np.rint(40 + rng.normal(0, 3, (360, 640))), 0, 255).astype(np.uint8)
    assert LocalContrast().lift(wall).std() < 1.35 * wall.std()
    flat = np.full((360, 640), 48, np.uint8)
    assert np.array_equal(LocalContrast().lift(flat), flat)


def test_a_slope_stays_a_slope() -> None:
    ramp = np.tile(np.linspace(20, 90, 640), (360, 1)).astype(np.uint8)
    lifted = LocalContrast().lift(ramp).astype(int)
    # Where one tile's curve hands over to the next, a level may stand still, never fall back.
    assert np.diff(lifted, axis=1).min() >= -1
    assert lifted[:, -1].mean() > lifted[:, 0].mean() + 60


def test_a_lamp_gets_no_ring() -> None:
    dark = np.full((360, 640), 30, np.uint8)
    cv2.circle(dark, (320, 180), 25, 250, -1)
    soft = np.asarray(cv2.GaussianBlur(dark, (0, 0), 2), np.uint8)
    lifted = LocalContrast().lift(soft).astype(int)
    line = lifted[180, 320:]
    assert np.diff(line).max() <= 1  # from the lamp outwards it only gets darker


@pytest.mark.parametrize("sigma", [2.0, 5.0])
def test_noise_is_estimated_on_texture(sigma: float) -> None:
    rng = np.random.default_rng(2)
    texture = cv2.GaussianBlur(rng.normal(0, 400, (360, 640)), (0, 0), 6) + 100
    noisy = np.clip(np.rint(texture + rng.normal(0, sigma, texture.shape)), 0, 255)
    assert noise_sigma(noisy.astype(np.uint8)) == pytest.approx(sigma, rel=0.2)


def test_colours_stay(dusty: Bytes) -> None:
    grey = np.full((dusty.shape[0] // 2, dusty.shape[1] // 2), 100, np.uint8)
    lifted = LocalContrast().lifted(YuvImage(y=dusty, u=grey, v=grey))
    assert lifted.u is grey and lifted.v is grey and lifted.y.shape == dusty.shape
    but = np.zeros(dusty.shape, bool)
    but[:100] = True
    kept = LocalContrast().lifted(YuvImage(y=dusty, u=grey, v=grey), but)
    assert np.array_equal(kept.y[:100], dusty[:100])
    assert np.array_equal(kept.y[100:], lifted.y[100:])
