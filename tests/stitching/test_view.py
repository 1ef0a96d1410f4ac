"""What is left of a usual view: light of the same kind changes nothing, covers take it away."""

import cv2
import numpy as np
import pytest

from scene.arrays import Bytes
from stitching.view import Left, Usual, left_of, mean_view, view_of


def wall(size_px: tuple[int, int] = (1280, 720)) -> Bytes:
    """Paint a wall with stones of all sizes."""
    rng = np.random.default_rng(3)
    luma = np.zeros(size_px[::-1], np.float32)
    for stones in (20, 80, 320):
        grid = rng.normal(0, 22, (stones * 9 // 16, stones)).astype(np.float32)
        luma += cv2.resize(grid, size_px, interpolation=cv2.INTER_CUBIC)
    return np.asarray(np.clip(120 + luma, 16, 235), np.uint8)


WALL = wall()
USUAL: Usual = mean_view(None, view_of(WALL), 1.0)


def left(luma: Bytes) -> Left:
    return left_of(USUAL, view_of(luma))


def test_the_usual_picture_has_all_of_itself() -> None:
    assert left(WALL) == Left(gone=0.0, detail=1.0, light=1.0, gone_luma=255.0)
    assert view_of(WALL).shows == 1.0
    assert USUAL.tells


@pytest.mark.parametrize("factor", [0.6, 1.15])
def test_other_light_leaves_the_detail(factor: float) -> None:
    found = left((16 + factor * (WALL.astype(float) - 16)).astype(np.uint8))
    assert found.gone < 0.01
    assert found.detail == pytest.approx(1.0, abs=0.15)
    assert found.light == pytest.approx(factor, abs=0.05)


def test_a_veil_takes_its_share_of_the_detail() -> None:
    veiled = (0.5 * WALL + 0.5 * 120).astype(np.uint8)
    assert left(veiled).detail == pytest.approx(0.5, abs=0.1)
    assert left(veiled).light > 0.8


def test_blur_takes_the_detail_though_coarse_forms_stay() -> None:
    assert left(np.asarray(cv2.GaussianBlur(WALL, (0, 0), 14), np.uint8)).detail < 0.3


@pytest.mark.parametrize("level", [24, 90])
def test_the_noise_of_a_covered_sensor_is_no_detail(level: int) -> None:
    noise = np.random.default_rng(1).normal(level, 7, WALL.shape)
    found = left(np.clip(noise, 0, 255).astype(np.uint8))
    assert found.gone > 0.95
    assert found.gone_luma == pytest.approx(level, abs=2)


def test_half_a_cover_takes_half_and_says_nothing_of_the_light() -> None:
    covered = WALL.copy()
    covered[:, :640] = 18
    found = left(covered)
    assert found.gone == pytest.approx(0.5, abs=0.07)
    assert found.light > 0.95
    assert found.gone_luma < 22


def test_a_size_of_picture_makes_no_difference_to_what_can_be_measured() -> None:
    for size in ((320, 240), (640, 360), (1920, 1080)):
        view = view_of(cv2.resize(WALL, size, interpolation=cv2.INTER_AREA).astype(np.uint8))
        assert view.detail.shape == (2, 9, 16)
        assert view.light.shape == (9, 16)


def test_a_black_or_bare_picture_tells_nothing_that_could_be_missed() -> None:
    for level in (16, 128):
        bare = mean_view(None, view_of(np.full((720, 1280), level, np.uint8)), 1.0)
        assert not bare.tells
    assert view_of(np.full((720, 1280), 128, np.uint8)).shows == 0.0
