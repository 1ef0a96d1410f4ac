"""Billboards: in the panorama's scale, where cameras truly see those points, and in the picture.

A billboard's table is held against `project`, point by point.
"""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from scene.arrays import Floats
from scene.geometry import CameraModel, project
from scene.messages import Position
from stitching.people.billboard import GRID_PX, MOST_LIFTED_M, STEEPEST_RAD, Billboard, billboard
from stitching.people.solids import core_m
from tests.stitching.strip_views import RIBBON, facing_pair, standing, strip_camera

WEST, _ = facing_pair()
BARREL = replace(WEST, distortion=np.array([-0.12, 0.02, 0.001, -0.001, 0.0]))
FISHEYE = replace(WEST, lens="fisheye", distortion=np.array([0.02, -0.004, 0.0, 0.0]))
LEVEL_M, UP_M = 0.35, 1.8
WITHIN_PX = 0.3


def stood_up(camera: CameraModel, person: Position) -> Billboard:
    feet_m = np.array(person.xyz_m)
    foot_px = RIBBON.upright(feet_m[None])[0]
    return billboard(camera, RIBBON, feet_m, core_m((person,))[0], foot_px)


def table(board: Billboard, camera: CameraModel) -> Floats:
    """Give (H, W, 2) pixels of the camera."""
    return np.asarray(board.spread(board.grid(camera)[0]), float)


def shown_at(board: Billboard, camera: CameraModel, across_m: float, up_m: float) -> Floats:
    """Read the table (2,) so far right of and above the feet, as the panorama's scale has it."""
    place = board.foot_px + RIBBON.px_per_m * np.array([across_m, -up_m]) - board.box[:2]
    column, row = (np.array([[value]], np.float32) for value in place)
    read = cv2.remap(table(board, camera).astype(np.float32), column, row, cv2.INTER_LINEAR)
    return np.asarray(read[0, 0], float)


@pytest.mark.parametrize("across_m", [-LEVEL_M, 0.0, LEVEL_M])
@pytest.mark.parametrize("up_m", [0.0, UP_M])
@pytest.mark.parametrize("camera", [WEST, BARREL, FISHEYE], ids=["pinhole", "brown", "fisheye"])
def test_the_table_gives_what_the_camera_sees_there(
    camera: CameraModel, up_m: float, across_m: float
) -> None:
    person = standing(1, 14.0, 1.2)
    board = stood_up(camera, person)
    seen_px, seen = project(
        camera, np.array(person.xyz_m) + across_m * board.right + [0.0, 0.0, up_m]
    )
    assert seen.all()
    assert np.abs(shown_at(board, camera, across_m, up_m) - seen_px[0]).max() < WITHIN_PX


def test_right_on_the_panorama_is_right_in_the_cameras_picture() -> None:
    board = stood_up(WEST, standing(1, 14.0, 1.2))
    assert board.right[2] == 0 and np.linalg.norm(board.right) == pytest.approx(1)
    assert shown_at(board, WEST, LEVEL_M, 0.9)[0] > shown_at(board, WEST, -LEVEL_M, 0.9)[0] + 20


def test_the_feet_are_drawn_where_the_panorama_has_them() -> None:
    person = standing(1, 14.0, 1.2)
    assert stood_up(WEST, person).foot_px == pytest.approx((9.0 * 40, (2.6 + 1.3) * 40))


@pytest.mark.parametrize("away_m", [0.4, 0.8, 1.5, 2.5, 6.0])
def test_it_leans_back_so_far_that_nobody_is_stretched_much(away_m: float) -> None:
    camera = strip_camera("high", 15.0, 90.0, height_m=4.5, pitch_deg=-70.0)
    person = standing(1, 15.0, -2.4 + away_m)
    board = stood_up(camera, person)
    sight = np.array(person.xyz_m) + np.array([0.0, 0.0, 0.95]) - camera.centre_m
    normal = np.cross(board.right, board.up)
    cosine = abs(sight @ normal) / np.linalg.norm(sight)
    assert cosine > np.cos(STEEPEST_RAD) - 0.01
    # Who is seen from the side stands upright.
    assert (board.up[2] == pytest.approx(1)) == (away_m > 4.5 - 0.95)


def test_feet_at_the_panoramas_lower_edge_are_lifted_until_the_body_is_in_the_picture() -> None:
    person = standing(1, 13.0, -2.4)
    camera = strip_camera("across", 10.0, 0.0, height_m=2.2, pitch_deg=-15.0)
    board = stood_up(camera, person)
    foot_px = RIBBON.upright(np.array([person.xyz_m]))[0]
    lifted_m = (foot_px[1] - board.foot_px[1]) / RIBBON.px_per_m
    assert board.foot_px[0] == foot_px[0]
    assert 0.05 < lifted_m <= MOST_LIFTED_M
    body_px = project(camera, core_m((person,))[0])[0]
    off_px = np.linalg.norm(body_px[:, None] - table(board, camera).reshape(1, -1, 2), axis=2)
    assert off_px.min(axis=1).max() < 2.0  # some pixel of the panorama shows each point of it


def test_nobody_is_lifted_by_more_than_a_little() -> None:
    foot_px = np.array([400.0, RIBBON.size_px[1] + 60.0])
    person = standing(1, 15.0, 1.0)
    body_m = core_m((person,))[0]
    board = billboard(WEST, RIBBON, np.array(person.xyz_m), body_m, foot_px)
    assert foot_px[1] - board.foot_px[1] == pytest.approx(MOST_LIFTED_M * RIBBON.px_per_m)


@pytest.mark.parametrize("x_m", [4.8, 5.1, 24.9, 25.2])
def test_what_lies_beyond_the_panoramas_ends_is_cut_off(x_m: float) -> None:
    camera = strip_camera("across", x_m, 90.0, height_m=2.6, pitch_deg=-15.0)
    x0, y0, x1, y1 = stood_up(camera, standing(1, x_m, 1.0)).box
    assert 0 <= x0 < x1 <= RIBBON.size_px[0] and 0 <= y0 < y1 <= RIBBON.size_px[1]
    assert x1 - x0 < 1.4 * RIBBON.px_per_m


@pytest.mark.parametrize("x_m", [3.0, 27.0])
def test_nothing_is_left_of_somebody_off_the_panorama(x_m: float) -> None:
    camera = strip_camera("across", x_m, 90.0, height_m=2.6, pitch_deg=-15.0)
    assert stood_up(camera, standing(1, x_m, 1.0)).is_empty


def test_boxes_have_their_corners_on_the_grid_and_whole_pixels_of_chroma() -> None:
    for step in range(12):
        x0, y0, x1, y1 = stood_up(WEST, standing(1, 14.0 + 0.03 * step, 1.2 - 0.02 * step)).box
        assert x0 % GRID_PX == y0 % GRID_PX == 0
        assert x1 % 2 == y1 % 2 == 0
