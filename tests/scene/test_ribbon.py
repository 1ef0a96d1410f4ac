"""The ribbon: walls and floor unrolled, both ways, with bends, slopes and mirrors."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scene.floor import Floor
from scene.ribbon import Ribbon
from scene.site import FloorConfig

LINE = ((0.0, 0.0, 0.0), (20.0, 0.0, 1.0), (41.0, 3.6, 1.4))
BOTH = ((2.5, 2.6), (2.5, 0.0), (-2.5, 0.0), (-2.5, 2.6))
RIGHT = ((-2.5, 2.6), (-2.5, 0.0), (2.5, 0.0))


def ribbon(**changes: object) -> Ribbon:
    fields: dict[str, object] = {
        "line_m": LINE,
        "cross_fall": 0.03,
        "section_m": BOTH,
        "chainage_left_m": 4.0,
        "px_per_m": 40.0,
        "mirrored": False,
        "size_px": (1200, 408),
    }
    return Ribbon(**{**fields, **changes})  # type: ignore[arg-type]


def pixels(count: int = 2000) -> np.ndarray:
    return np.random.default_rng(1).uniform([0, 0], [1199, 407], (count, 2))


@pytest.mark.parametrize(
    "surface",
    [
        ribbon(),
        ribbon(section_m=RIGHT, mirrored=True, chainage_left_m=34.0),
    ],
)
def test_every_pixel_has_a_mine_point_and_goes_back(surface: Ribbon) -> None:
    given = pixels()
    given[:, 1] %= surface._corners()[2][-1] * 40 - 1
    back = surface.panorama_from_mine(surface.mine_from_panorama(given))
    assert np.abs(back - given).max() < 1e-6


@given(
    st.floats(6, 30),
    st.floats(-1.9, 1.9),
    st.floats(0.3, 2.4),
    st.floats(0, 1199),
    st.floats(1, 406),
)
def test_a_sight_lands_where_the_point_it_aims_at_is_shown(
    chainage_m: float, left_m: float, up_m: float, x: float, y: float
) -> None:
    surface = ribbon()
    floor = Floor(FloorConfig(centre_line_m=LINE, cross_fall=0.03))
    centre_m = floor.at(np.array([chainage_m]), np.array([left_m]))[0] + np.array([0, 0, up_m])
    aim = surface.mine_from_panorama(np.array([[x, y]]))
    found = surface.panorama_from_sight(centre_m, aim - centre_m)[0]
    distance_m = float(np.linalg.norm(aim[0] - centre_m))
    # Where the wall turns away a sight that grazes it may go on.
    grazes = abs(4 + x / 40 - 20) < 0.5
    if (
        distance_m < 15 and not grazes
    ):  # round a bend a wall may hide the aim: then the sight stops earlier
        assert np.hypot(*(found - [x, y])) < 1.0 or abs(found[0] - x) < abs(
            (chainage_m - 4) * 40 - x
        )


def test_a_sight_into_nothing_has_no_place() -> None:
    up = ribbon().panorama_from_sight(np.array([10.0, 0.0, 1.5]), np.array([[0.0, 0.0, 1.0]]))
    assert np.isnan(up).all()


def test_a_person_stands_upright_on_their_own_place() -> None:
    surface = ribbon()
    floor = Floor(FloorConfig(centre_line_m=LINE, cross_fall=0.03))
    feet_m = floor.at(np.array([12.0]), np.array([0.5]))
    head_m = feet_m + np.array([0.0, 0.0, 1.75])
    feet, head = surface.panorama_from_mine(np.vstack([feet_m, head_m]))
    assert feet == pytest.approx([(12 - 4) * 40, (2.6 + 2.0) * 40])
    assert head == pytest.approx([feet[0], feet[1] - 1.75 * 40])


def test_a_wall_on_the_right_is_not_shown_as_in_a_mirror() -> None:
    surface = ribbon(section_m=RIGHT, mirrored=True, chainage_left_m=34.0)
    low, high = surface.panorama_from_mine(np.array([[10.0, -2.5, 1.5], [15.0, -2.5, 1.5]]))
    assert high[0] < low[0]  # who looks to the right sees higher chainages on the left
