"""Two poses fit a small flat patch: the right one is taken, or the camera is refused by name."""

from typing import Any

import numpy as np
import pytest

from scene.arrays import Floats
from scene.errors import RigError
from scene.geometry import CameraModel, project
from scene.site import RigConfig
from stitching.calibration.strip_guess import guess_cameras
from stitching.calibration.survey import Survey, survey_of
from tests.stitching.corridor import strung

CAMERA = strung()[0]


def square(x: float, z: float, side: float = 0.2) -> Floats:
    """Give the corners of a marker on the left wall."""
    return np.array(
        [[x, 2.4, z], [x + side, 2.4, z], [x + side, 2.4, z + side], [x, 2.4, z + side]]
    )


def guessed(points_m: Floats, seed: int = 0, noise_px: float = 0.3, **rig: Any) -> CameraModel:
    pixels, seen = project(CAMERA, points_m)
    assert seen.all()
    pixels = pixels + np.random.default_rng(seed).normal(0, noise_px, pixels.shape)
    config = RigConfig.model_validate(
        {
            "kind": "strip",
            "lens": {"hfov_deg": 80},
            "survey_sigma_m": 0.005,
            "survey_points": [
                {"camera": "cam1", "pixel": tuple(pixel), "mine_m": tuple(point)}
                for pixel, point in zip(pixels.tolist(), points_m.tolist(), strict=True)
            ],
            **rig,
        }
    )
    width, height = CAMERA.size_px
    survey = survey_of(config, {"cam1": np.zeros((height, width), np.uint8)})
    assert isinstance(survey, Survey)
    return guess_cameras({"cam1": CAMERA.size_px}, config, survey)[0]


def off_m(found: CameraModel) -> float:
    return float(np.linalg.norm(found.centre_m - CAMERA.centre_m))


def drawn(off: float) -> list[dict[str, Any]]:
    x, y, z = CAMERA.centre_m
    pose = {"camera": "cam1", "xyz_m": (x + off, y, z), "yaw_deg": 40.0, "pitch_deg": -22.0}
    return [pose]


@pytest.mark.parametrize("side", [0.2, 0.5])
def test_a_camera_that_sees_one_small_marker_is_refused_by_name(side: float) -> None:
    for seed in range(5):
        with pytest.raises(RigError) as caught:
            guessed(square(4.5, 1.0, side), seed)
        text = str(caught.value)
        assert text.startswith("camera cam1: its points lie in so small and flat a patch that two")
        assert "second marker" in text and "rig.poses" in text


def test_a_second_marker_tells_the_two_places_apart() -> None:
    on_floor = np.array([[4.0, 0.5, 0.1], [4.2, 0.5, 0.1], [4.2, 0.7, 0.1], [4.0, 0.7, 0.1]])
    for seed in range(5):
        assert off_m(guessed(np.vstack([square(4.5, 1.0), on_floor]), seed)) < 0.6
        far = np.vstack([square(4.5, 1.0, 0.3), square(7.5, 0.7, 0.3)])
        assert off_m(guessed(far, seed)) < 0.8


def test_points_all_over_one_wall_are_enough() -> None:
    rng = np.random.default_rng(3)
    for seed in range(5):
        wall = np.column_stack([rng.uniform(4.0, 8.0, 8), np.full(8, 2.4), rng.uniform(0.4, 2, 8)])
        assert off_m(guessed(wall, seed)) < 1.0


def test_a_drawn_pose_tells_which_of_two_places_is_meant() -> None:
    for seed in range(12):
        found = guessed(square(4.5, 1.0), seed, poses=drawn(0.8))
        assert off_m(found) < 3.0, seed


def test_a_drawn_camera_whose_points_lie_on_a_line_starts_from_its_drawing() -> None:
    line = np.column_stack([np.linspace(4.0, 7.0, 6), np.full(6, 2.4), np.full(6, 1.0)])
    assert off_m(guessed(line, poses=drawn(0.4))) == pytest.approx(0.4)
