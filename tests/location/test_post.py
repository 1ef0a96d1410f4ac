"""How points and posts appear in a picture."""

from dataclasses import replace

import numpy as np

from location.post import around, post_box
from location.views import pixels_of, views_of
from scene.geometry import project, rays
from tests.location import mine

CAMERA = mine.camera("c", (10, 0, 2.7), 0.0, pitch_deg=0.0)
FISHEYE = replace(
    CAMERA, lens="fisheye", distortion=np.array([0.02, -0.01, 0.002, 0.0]), max_angle_rad=1.7
)


def test_what_the_picture_shows_appears_where_it_is_projected() -> None:
    points = np.random.default_rng(5).normal([14, 0, 1], 3, (400, 3))
    for view in (CAMERA, FISHEYE):
        pixels, seen = project(view, points)
        seen &= points[:, 0] > 10.05
        assert seen.sum() > 100
        assert np.allclose(pixels_of(views_of((view,)), points)[seen], pixels[seen], atol=1e-9)


def test_behind_the_camera_or_out_of_its_cone_is_nowhere() -> None:
    """The lens's own polynomial would fold such points back into the picture."""
    degrees = np.array([0.0, 54.0, 59.0, 84.0, 120.0, 180.0])
    ahead = np.column_stack([np.cos(np.radians(degrees)), np.sin(np.radians(degrees)), 0 * degrees])
    points = CAMERA.centre_m + 5 * ahead
    before = points.copy()
    shown = np.isfinite(pixels_of(views_of((CAMERA,)), points)).all(axis=1)
    assert shown.tolist() == [True, True, False, False, False, False], "55 degrees and a little"
    shown = np.isfinite(pixels_of(views_of((FISHEYE,)), points)).all(axis=1)
    assert shown.tolist() == [True, True, True, True, False, False]
    assert (points == before).all()


def test_a_post_ends_at_its_foot_and_its_height() -> None:
    foot = np.array([[21.0, 0.5, 0.0], [24.0, -1.0, 0.2], [5.0, 0.0, 0.0]])
    height_m = np.array([1.8, 1.6, 1.7])
    box = post_box(views_of((CAMERA,)), foot, height_m)
    top, _ = project(CAMERA, foot + height_m[:, None] * np.array([0.0, 0.0, 1.0]))
    bottom, _ = project(CAMERA, foot)
    assert np.isnan(box[2]).all(), "it stands behind the camera"
    for n in (0, 1):
        assert box[n, 0] < bottom[n, 0] < box[n, 2]
        assert abs(box[n, 1] - top[n, 1]) < 6
        assert 0 < box[n, 3] - bottom[n, 1] < 30, "the near side of what feet take"


def test_lines_around_a_pixel_lie_half_a_pixel_beside_it() -> None:
    pixels = np.array([[300.0, 400.0], [900.0, 500.0]])
    right, left, below, above, through = around(views_of((CAMERA,)), pixels)
    assert np.allclose(through, rays(CAMERA, pixels))
    for line, beside in (
        (right, [0.5, 0]),
        (left, [-0.5, 0]),
        (below, [0, 0.5]),
        (above, [0, -0.5]),
    ):
        assert np.allclose(line, rays(CAMERA, pixels + beside))
