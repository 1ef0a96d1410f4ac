"""Which metres an area touches, and how often a floor is asked for it."""

from math import cos, sin

import numpy as np
import pytest

from scene.arrays import Floats
from scene.floor import Floor
from scene.floor_config import FloorConfig
from scene.floor_metres import metres_touched
from scene.messages import XY
from scene.off_floor import BESIDE_M

WINDING = FloorConfig(
    centre_line_m=((0, 0, 0), (20, 0, 0), (30, 12, 1), (31, 30, 1), (12, 34, 2), (5, 20, 2))
)


def square(x_m: float, y_m: float, size_m: float = 4.0) -> tuple[XY, ...]:
    half = size_m / 2
    corners = ((-half, -half), (half, -half), (half, half), (-half, half))
    return tuple((x_m + x, y_m + y) for x, y in corners)


def test_an_area_is_placed_once_and_one_that_is_far_off_never(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    placed, place = [], Floor.place

    def counted(floor: Floor, xy_m: Floats) -> Floats:
        placed.append(len(xy_m))
        return place(floor, xy_m)

    monkeypatch.setattr(Floor, "place", counted)
    floor = Floor(WINDING)
    assert metres_touched(floor, square(10, 100)) == frozenset()
    assert placed == []
    assert {metres_touched(floor, square(5.5, 0, 0.6)) for _ in range(9)} == {frozenset({5})}
    assert len(placed) == 1


def test_nothing_of_the_floor_lies_beyond_its_box() -> None:
    grid = np.stack(np.meshgrid(np.arange(-15, 50, 0.5), np.arange(-15, 50, 0.5)), -1)
    xy = grid.reshape(-1, 2)
    for turn in np.arange(0, 6.3, 0.7):
        way = np.array([[cos(turn), sin(turn)], [-sin(turn), cos(turn)]])
        turned = [(x, y, 0.0) for x, y in (np.array(WINDING.centre_line_m)[:, :2] @ way).tolist()]
        floor = Floor(FloorConfig(centre_line_m=tuple(turned), left_m=1.0, right_m=4.0))
        on = (xy @ way)[floor.outside_m(xy @ way) <= BESIDE_M]
        x0, y0, x1, y1 = floor.box_m(BESIDE_M)
        assert (on >= (x0, y0)).all()
        assert (on <= (x1, y1)).all()
        low, high = on.min(axis=0), on.max(axis=0)
        assert np.abs([x0, y0, x1, y1] - np.concatenate([low, high])).max() < 3, "and not far off"


def test_what_lies_outside_by_its_chainage_lies_outside() -> None:
    """`metres_touched` places its points once, and takes from that what `outside_m` would say."""
    floor = Floor(WINDING)
    xy = np.random.default_rng(1).uniform(-15, 50, (5000, 2))
    chainage, left = floor.place(xy).T
    first_m, last_m = sorted(floor.chainages_m)
    beyond = np.maximum(np.maximum(first_m - chainage, chainage - last_m), 0)
    assert np.hypot(beyond, floor.aside_m(left)) == pytest.approx(floor.outside_m(xy))
