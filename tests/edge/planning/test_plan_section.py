"""Where people may stand, and what hides them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.planning.section import Section
from tests.edge.planning.plans import plan

BEND = {
    "centre_line_m": [[0, 0, 0], [12, 0, 0], [20, 12, 0]],
    "left_m": 2.4,
    "right_m": 2.4,
}
BOX = {"name": "feed cabinet", "along_m": [6, 8], "across_m": [-1.5, 0.5], "height_m": 1.6}


def test_places_fill_the_floor_and_none_is_where_an_obstacle_stands() -> None:
    section = Section(plan(14, obstacles=[BOX]))
    places = section.places
    steps, lanes = places.shape
    assert len(places.taken) == steps * lanes
    assert np.diff(np.unique(places.chainage_m)).max() <= 0.5 + 1e-9
    assert np.diff(np.unique(places.left_m)).max() <= 0.8 + 1e-9
    inside = (np.abs(places.chainage_m - 7) < 1) & (np.abs(places.left_m + 0.5) < 1)
    assert inside.any()
    assert np.array_equal(places.taken, inside)
    assert np.bincount(places.metre).min() == 2 * lanes


@settings(max_examples=60, deadline=None)
@given(
    start=st.tuples(st.floats(0, 14), st.floats(-2.3, 2.3), st.floats(0.05, 2.7)),
    end=st.tuples(st.floats(0, 14), st.floats(-2.3, 2.3), st.floats(0.05, 2.7)),
)
def test_a_sight_line_is_blocked_exactly_where_a_fine_march_along_it_meets_the_box(
    start: tuple[float, float, float], end: tuple[float, float, float]
) -> None:
    section = Section(plan(14, obstacles=[BOX]))
    a, b = np.array(start), np.array(end)
    share = np.linspace(0, 1, 4001)[:, None]
    march = a + share * (b - a)

    def meets(margin: float) -> bool:
        low = np.array([6 - margin, -1.5 - margin, -1.0])
        high = np.array([8 + margin, 0.5 + margin, 1.6 + margin])
        return bool(((march >= low) & (march <= high)).all(axis=1).any())

    blocked = bool(section.blocked(a, b[None])[0])
    if meets(0.01) == meets(-0.01):  # not just grazing
        assert blocked == meets(0.0)


def test_a_box_hides_who_lies_behind_it_and_not_the_head_of_who_stands_there() -> None:
    section = Section(plan(14, obstacles=[BOX]))
    eye = np.array([2.0, -0.5, 2.5])
    lying, head = np.array([9.0, -0.5, 0.15]), np.array([11.5, -0.5, 1.75])
    assert section.blocked(eye, lying[None])[0]
    assert not section.blocked(eye, head[None])[0]
    assert section.blocked(eye, lying[None], "feed cabinet")[0]
    assert not section.blocked(eye, lying[None], "belt")[0]


def test_a_thin_wall_hides_as_well_as_a_thick_one() -> None:
    wall = {"name": "brattice", "along_m": [6, 6.02], "across_m": [-2.4, 2.4], "height_m": 2.8}
    section = Section(plan(14, obstacles=[wall]))
    assert section.blocked(np.array([0.0, 0, 2.0]), np.array([[13.0, 0.5, 0.5]]))[0]


def test_under_what_hangs_high_one_sees_and_walks() -> None:
    duct = {**BOX, "name": "duct", "bottom_m": 2.0, "height_m": 2.4}
    section = Section(plan(14, obstacles=[duct]))
    assert not section.places.taken.any()
    assert section.free(np.array([5.0, 0, 1.5]), np.array([[9.0, 0, 0.2]]))[0]
    assert not section.free(np.array([5.0, 0, 2.2]), np.array([[9.0, 0, 2.2]]))[0]


def test_ribs_end_the_sight_round_a_bend() -> None:
    section = Section(plan(14, floor=BEND))
    inner, outer = section.point(2.0, 2.0, 2.4), section.point(2.0, -2.0, 2.4)
    past = section.point(24.0, 0.0, 0.2)
    ahead = section.point(11.0, 0.0, 0.2)
    for eye in (inner, outer):
        assert section.inside(eye, ahead[None])[0]
        assert not section.inside(eye, past[None])[0]
    assert section.inside(section.point(13.5, 0.0, 2.4), past[None])[0]


def test_the_roof_ends_the_sight_over_a_brow() -> None:
    brow = {"centre_line_m": [[0, 0, 0], [20, 0, 6], [40, 0, 0]], "left_m": 2.4, "right_m": 2.4}
    section = Section(plan(14, floor=brow))
    eye = section.point(8.0, 0.0, 2.4)
    assert section.inside(eye, section.point(17.0, 0.0, 0.2)[None])[0]
    assert not section.inside(eye, section.point(34.0, 0.0, 0.2)[None])[0]


@pytest.mark.parametrize("chainage_m", [3.0, 12.0, 20.0])
def test_headings_follow_the_line(chainage_m: float) -> None:
    section = Section(plan(14, floor=BEND))
    bent = np.degrees(np.arctan2(12, 8))
    expected = {3.0: 0.0, 12.0: bent / 2, 20.0: bent}[chainage_m]
    assert section.heading_deg(chainage_m) == pytest.approx(expected, abs=1.0)
