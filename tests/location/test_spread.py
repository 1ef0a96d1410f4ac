"""How a camera's pixels and pose are carried to the floor."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from location.post import around
from location.spread import floor_m2
from location.views import views_of
from scene.arrays import Floats
from scene.floor import Floor
from scene.geometry import CameraModel, rays
from scene.site import FloorConfig
from tests.location import mine

FLOOR = Floor(FloorConfig(centre_line_m=((0, 0, 0), (40, 0, 2.0)), cross_fall=0.03))
PIXELS = np.array([[300.0, 500.0], [900.0, 350.0], [640.0, 650.0]])
ABOVE_M = 1.75


def camera(pose_covariance: Floats) -> CameraModel:
    return replace(mine.camera("c", (10, -2.2, 2.7), 25), pose_covariance=pose_covariance)


def place_m(view: CameraModel, pixels: Floats) -> Floats:
    return FLOOR.meet(view.centre_m, rays(view, pixels), above_m=ABOVE_M)[0][:, :2]


def spread_m2(view: CameraModel, noise_px: Floats) -> Floats:
    views = views_of((view,))
    lines = around(views, PIXELS)
    met = FLOOR.meet(view.centre_m, lines[4], above_m=ABOVE_M)
    return floor_m2(views, FLOOR, lines, met, noise_px)


def test_a_camera_that_hangs_otherwise_moves_places_as_told() -> None:
    """Turned and shifted a little about its own axes, all at once."""
    off = np.array([2e-4, -3e-4, 1e-4, 2e-3, 1e-3, -3e-3])
    view = camera(np.outer(off, off))
    change = np.eye(4)
    change[:3, :3], change[:3, 3] = cv2.Rodrigues(off[:3])[0], off[3:]
    other = replace(view, camera_from_mine=change @ view.camera_from_mine)
    moved = place_m(other, PIXELS) - place_m(view, PIXELS)
    told = spread_m2(view, np.zeros((2, 3)))
    assert np.allclose(told, moved[:, :, None] * moved[:, None, :], rtol=0.02, atol=1e-9)


@pytest.mark.parametrize("axis", [0, 1])
def test_pixels_that_are_off_move_places_as_told(axis: int) -> None:
    view, noise_px = camera(np.zeros((6, 6))), np.zeros((2, 3))
    noise_px[axis] = [0.1, 0.2, 0.3]
    moved = place_m(view, PIXELS + noise_px.T) - place_m(view, PIXELS)
    told = spread_m2(view, noise_px)
    assert np.allclose(told, moved[:, :, None] * moved[:, None, :], rtol=0.02, atol=1e-9)


def test_a_line_of_sight_that_meets_no_floor_tells_nothing() -> None:
    view = camera(np.eye(6) * 1e-6)
    views = views_of((view,))
    lines = around(views, np.array([[640.0, 10.0], [640.0, 600.0]]))
    met = FLOOR.meet(view.centre_m, lines[4], above_m=2.0)
    told = floor_m2(views, FLOOR, lines, met, np.ones((2, 2)))
    assert np.isnan(told[0]).all()
    assert np.isfinite(told[1]).all()
