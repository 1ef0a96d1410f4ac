"""Finds of somebody whom nobody has located yet are brought together on the floor."""

import numpy as np
import pytest

from scene.arrays import Floats
from scene.geometry import CameraModel, project
from scene.ribbon import Ribbon
from stitching.people.guesses import guessed_people
from tests.stitching.strip_views import strip_camera

RIBBON = Ribbon(
    line_m=((0.0, 0.0, 0.0), (40.0, 0.0, 0.8)),
    cross_fall=0.02,
    section_m=((2.5, 2.6), (2.5, 0.0), (-2.5, 0.0)),
    chainage_left_m=0.0,
    px_per_m=50.0,
    mirrored=False,
    size_px=(2000, 380),
)


CAMERAS = tuple(
    strip_camera(name, x_m, yaw_deg, height_m=3.2, pitch_deg=-25.0)
    for name, x_m, yaw_deg in (("west", 15.0, 50.0), ("east", 25.0, 130.0))
)


def box_of(camera: CameraModel, foot_m: Floats) -> Floats:
    """Draw the box of somebody 1.75 m high and half a metre wide."""
    body = foot_m + np.array([[0, 0, 0], [0, 0, 1.75], [0.25, 0, 0.9], [-0.25, 0, 0.9]])
    pixels, seen = project(camera, body)
    assert seen.all()
    foot = pixels[0]
    half = float(np.ptp(pixels[:, 0])) / 2
    return np.array([foot[0] - half, pixels[:, 1].min(), foot[0] + half, foot[1]])


def floor_m(x_m: float, left_m: float) -> Floats:
    pixel = np.array([[x_m * 50.0, (2.6 + 2.5 - left_m) * 50.0]])
    return np.asarray(RIBBON.mine_from_panorama(pixel)[0])


def test_two_cameras_finds_of_one_person_are_one_guess_where_they_stand() -> None:
    foot = floor_m(20.0, 0.5)
    loose = [(index, box_of(camera, foot)) for index, camera in enumerate(CAMERAS)]
    (found,) = guessed_people(CAMERAS, RIBBON, loose)
    assert found.xyz_m == pytest.approx(tuple(foot), abs=0.03)
    assert found.track < 0


def test_two_people_are_two_guesses_even_in_one_picture() -> None:
    here, there = floor_m(20.0, 0.5), floor_m(20.4, 0.5)
    loose = [(0, box_of(CAMERAS[0], here)), (0, box_of(CAMERAS[0], there))]
    found = guessed_people(CAMERAS, RIBBON, loose)
    assert len({person.track for person in found}) == 2


def test_a_box_cut_by_the_lower_border_says_nothing_of_the_feet() -> None:
    assert guessed_people(CAMERAS, RIBBON, [(0, np.array([300.0, 200.0, 360.0, 359.0]))]) == []


def test_a_box_beyond_the_ribbon_is_no_guess() -> None:
    assert guessed_people(CAMERAS, RIBBON, [(0, np.array([300.0, 0.0, 360.0, 5.0]))]) == []
