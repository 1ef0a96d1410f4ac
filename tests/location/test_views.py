"""Many cameras in one go: what is said of each is what is said of it alone."""

from dataclasses import replace

import numpy as np
import pytest

from location.foot import Feet, all_feet_on_floor, feet_on_floor
from location.views import by_lens, sights, views_of
from scene.floor import Floor
from scene.geometry import CameraModel, rays
from scene.messages import Detections
from scene.site import FloorConfig
from tests.location import mine

BENT = Floor(FloorConfig(centre_line_m=((0, 0, 0), (14, 0, 0.5), (40, 6, 1)), cross_fall=0.02))
BROWN = np.array([-0.2, 0.05, 0.001, -0.002, 0.01])


def cameras() -> tuple[CameraModel, ...]:
    """Four corners, with two kinds of lenses and two sizes of pictures."""
    first, second, third, fourth = mine.corners()
    fisheye = np.array([0.02, -0.01, 0.002, 0.0])
    return (
        replace(first, distortion=BROWN),
        replace(second, lens="fisheye", distortion=fisheye, max_angle_rad=1.7),
        replace(third, size_px=(third.size_px[0], third.size_px[1] // 2)),
        replace(fourth, lens="fisheye", distortion=2 * fisheye, max_angle_rad=1.5),
    )


def looks(nobody_in: int) -> list[Detections]:
    rng = np.random.default_rng(6)
    places = np.column_stack([rng.uniform(11, 20, 9), rng.uniform(-2, 2, 9)])
    feet = np.column_stack([places, BENT.z_m(places)])
    bodies = [
        mine.standing() * [1, 1, 0.3 if i % 4 == 0 else 1] + foot for i, foot in enumerate(feet)
    ]
    return [
        mine.detections(camera, 0, [] if i == nobody_in else bodies, rng=rng)
        for i, camera in enumerate(cameras())
    ]


@pytest.mark.parametrize("nobody_in", [-1, 0, 3])
def test_people_stand_where_each_camera_alone_places_them(nobody_in: int) -> None:
    seen = looks(nobody_in)
    together = all_feet_on_floor(seen, cameras(), BENT)
    assert sum(len(feet.xy_m) for feet in together) > 15
    assert any(feet.cut.any() for feet in together), "feet that are hidden are placed otherwise"
    assert any((feet.height_m < 0.8).any() for feet in together), "and so are those who lie"
    for look, camera, feet in zip(seen, cameras(), together, strict=True):
        same(feet, feet_on_floor(look, camera, BENT))
    assert nobody_in < 0 or len(together[nobody_in].xy_m) == 0


def same(one: Feet, other: Feet) -> None:
    """A line of sight is followed into a bend until all are within 0.1 mm: a few go further."""
    for name in ("xy_m", "covariance_m2", "told_m2", "height_m", "by_stature", "lines"):
        assert np.allclose(getattr(one, name), getattr(other, name), atol=2e-3, equal_nan=True), (
            name
        )
    for name in ("scores", "cut", "heads"):
        assert np.array_equal(getattr(one, name), getattr(other, name), equal_nan=True), name


def test_lines_of_sight_are_each_cameras_own() -> None:
    everyone = cameras()
    assert by_lens(everyone) == [[0, 2], [1, 3]]
    pixels = np.random.default_rng(2).uniform(50, 300, (3, 5, 2))
    for these in by_lens(everyone):
        rows = [0, 1, 1, 0, 1]
        lines = sights(views_of(tuple(everyone[i] for i in these)).only(np.array(rows)), pixels)
        for n, row in enumerate(rows):
            assert np.allclose(lines[:, n], rays(everyone[these[row]], pixels[:, n]), atol=1e-12)
