"""Tags on the panorama: also for those whose feet it does not reach."""

import math

import numpy as np
import pytest

from location.on_panorama import with_panorama
from scene.messages import Inset, Position
from scene.ribbon import Ribbon
from scene.surface import Cylinder

SURFACE = Cylinder(
    centre_m=(0.0, 0.0, 3.0),
    azimuth_left_rad=math.radians(60),
    tan_top=0.3,
    px_per_rad=500.0,
    size_px=(1000, 400),
)
"""Two radians wide about the x axis; its lower edge looks down by a half: 6 m away on the floor."""


def person(x_m: float, y_m: float) -> Position:
    return Position(
        track=1,
        xyz_m=(x_m, y_m, 0.0),
        covariance_m2=((0.01, 0.0), (0.0, 0.01)),
        velocity_m_s=(0.0, 0.0),
        height_m=1.8,
        posture="upright",
        certainty="certainly",
        seen_at_ns=0,
        cameras=("cam1",),
    )


def placed(x_m: float, y_m: float) -> Position:
    return with_panorama((person(x_m, y_m),), SURFACE)[0]


def test_feet_and_head_where_the_surface_puts_them() -> None:
    found = placed(10.0, 0.0)
    x = math.radians(60) * 500
    assert found.panorama_xy == pytest.approx((x, (0.3 + 3.0 / 10) * 500))
    assert found.panorama_head_xy == pytest.approx((x, (0.3 + 1.2 / 10) * 500))


def test_feet_below_the_picture_are_given_while_the_head_is_in_it() -> None:
    found = placed(3.0, 0.0)
    assert found.panorama_xy is not None
    assert found.panorama_xy[1] == pytest.approx((0.3 + 1.0) * 500)
    assert found.panorama_head_xy is not None
    assert found.panorama_head_xy[1] < 400


@pytest.mark.parametrize("place", [(1.0, 0.0), (-10.0, 0.0), (1.0, 10.0)])
def test_nobody_is_shown_whom_the_picture_does_not_reach(place: tuple[float, float]) -> None:
    found = placed(*place)
    assert found.panorama_xy is None
    assert found.panorama_head_xy is None


def test_straight_below_a_low_camera_the_feet_are_still_a_number() -> None:
    low = Cylinder(
        centre_m=(0.0, 0.0, 1.5),
        azimuth_left_rad=math.radians(60),
        tan_top=1e6,
        px_per_rad=500.0,
        size_px=(1000, 400),
    )
    found = with_panorama((person(1e-12, 0.0),), low)[0]
    for place in (found.panorama_xy, found.panorama_head_xy):
        assert place is None or (math.isfinite(place[1]) and abs(place[1]) <= 3 * 400)


RIBBON = Ribbon(
    line_m=((0.0, 0.0, 0.0), (40.0, 0.0, 0.0)),
    cross_fall=0.0,
    section_m=((2.5, 2.6), (2.5, 0.0), (-2.5, 0.0)),
    chainage_left_m=0.0,
    px_per_m=50.0,
    mirrored=False,
    size_px=(2000, 380),
)
"""The left wall and the floor; cameras hang on the right rib."""


def test_on_a_ribbon_people_stand_upright_over_the_floor() -> None:
    (found,) = with_panorama((person(20.0, 0.0),), RIBBON)
    assert found.panorama_xy == pytest.approx((1000.0, (2.6 + 2.5) * 50))
    assert found.panorama_head_xy == pytest.approx((1000.0, (2.6 + 2.5 - 1.8) * 50))


def test_on_a_ribbon_somebody_who_leans_on_the_wall_stands_there_too() -> None:
    """The wall itself is drawn above the floor's edge: a body in front of it is no part of it."""
    (found,) = with_panorama((person(20.0, 2.4),), RIBBON)
    assert found.panorama_xy == pytest.approx((1000.0, (2.6 + 0.1) * 50))
    assert found.panorama_head_xy == pytest.approx((1000.0, (2.6 + 0.1 - 1.8) * 50))


def test_whom_an_inset_shows_is_tagged_where_it_shows_them() -> None:
    nothing = np.zeros((2, 2), np.float32)
    inset = Inset(
        tracks=(7, 1),
        feet_px=np.array([[10.0, 20.0], [300.0, 250.0]]),
        heads_px=np.array([[10.0, 5.0], [301.0, 80.0]]),
        camera="cam1",
        corner_px=(0, 0),
        opacity=nothing,
        luma_x=nothing,
        luma_y=nothing,
    )
    (found,) = with_panorama((person(10.0, 0.0),), SURFACE, [inset])
    assert (found.panorama_xy, found.panorama_head_xy) == ((300.0, 250.0), (301.0, 80.0))
