import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scene.floor import Floor
from scene.site import FloorConfig

BENT = FloorConfig(
    centre_line_m=((0, 0, 0), (20, 0, 1.0), (35, 15, 1.0), (35, 40, -0.5)), cross_fall=0.03
)


def test_grade_and_cross_fall_on_a_line_that_is_not_along_x() -> None:
    floor = Floor(FloorConfig(centre_line_m=((0, 0, 2), (30, 40, 7)), cross_fall=0.02))
    on_line = np.array([[15.0, 20.0]])
    left = on_line + 2 * np.array([-0.8, 0.6])
    assert floor.z_m(on_line)[0] == pytest.approx(4.5)
    assert floor.z_m(left)[0] == pytest.approx(4.5 + 0.04)
    slope = floor.slope(on_line)[0]
    assert slope @ np.array([0.6, 0.8]) == pytest.approx(0.1, abs=1e-6)


def test_the_slope_of_a_straight_floor_is_that_of_its_heights() -> None:
    floor = Floor(FloorConfig(centre_line_m=((0, 0, 2), (30, 40, 7)), cross_fall=0.02))
    places = np.array([[3.0, 1.0], [25.0, 31.0]])
    for axis in np.eye(2):
        rise = floor.z_m(places + axis) - floor.z_m(places)
        assert np.allclose(floor.slope(places) @ axis, rise, atol=1e-9)


def test_no_steps_in_bends() -> None:
    floor = Floor(BENT)
    x, y = np.meshgrid(np.linspace(-5, 45, 401), np.linspace(-5, 45, 401))
    xy = np.column_stack([x.ravel(), y.ravel()])
    near = floor.outside_m(xy) < 0.5
    z = floor.z_m(xy)
    shifted = floor.z_m(xy + np.array([0.001, 0.001]))
    assert np.abs(z - shifted)[near].max() < 0.01


def test_outside_tells_how_far() -> None:
    floor = Floor(FloorConfig(centre_line_m=((0, 0, 0), (50, 0, 0)), left_m=2, right_m=3))
    xy = np.array([[10, 1.9], [10, 2.5], [10, -3.5], [-3, 0], [53, 6]])
    assert floor.outside_m(xy) == pytest.approx([0, 0.5, 0.5, 3, 5])


@settings(deadline=None)
@given(
    st.floats(-3, 38),
    st.floats(-2, 30),
    st.floats(0, 0.5),
)
def test_a_line_of_sight_through_a_floor_point_meets_it(x: float, y: float, above: float) -> None:
    floor = Floor(BENT)
    xy = np.array([[x, y]])
    if floor.outside_m(xy)[0] > 2:
        return
    target = np.array([x, y, floor.z_m(xy)[0] + above])
    origin = np.array([18.0, 2.0, 3.8])
    direction = (target - origin) / np.linalg.norm(target - origin)
    points, hit = floor.meet(origin, direction[None], above_m=above)
    assert hit[0]
    # Another piece of floor may lie nearer on the same line; never further.
    assert np.linalg.norm(points[0] - origin) <= np.linalg.norm(target - origin) + 1e-2
    assert points[0, 2] == pytest.approx(floor.z_m(points[:, :2])[0] + above, abs=2e-3)


def test_a_line_of_sight_upwards_or_along_meets_nothing() -> None:
    floor = Floor(FloorConfig(centre_line_m=((0, 0, 0), (50, 0, 0))))
    points, hit = floor.meet(
        np.array([0.0, 0.0, 2.0]), np.array([[1.0, 0, 0.1], [1, 0, 0], [1, 0, -0.001]])
    )
    assert not hit.any()
    assert np.isnan(points).all()


def test_nan_directions_meet_nothing() -> None:
    floor = Floor(BENT)
    _, hit = floor.meet(np.array([0.0, 0.0, 2.0]), np.full((2, 3), np.nan))
    assert not hit.any()


def test_rising_floor_is_met_earlier_than_a_flat_one() -> None:
    floor = Floor(FloorConfig(centre_line_m=((0, 0, 0), (100, 0, 1))))
    down = np.array([[10.0, 0, -3.0]])
    points, _ = floor.meet(np.array([0.0, 0.0, 3.0]), down / np.linalg.norm(down))
    # Derived: z = 3 - 0.3 x meets z = 0.01 x at x = 3 / 0.31.
    assert points[0, 0] == pytest.approx(3 / 0.31, abs=1e-4)


def test_a_line_without_direction_is_refused() -> None:
    with pytest.raises(ValueError, match="at least two different"):
        Floor(FloorConfig(centre_line_m=((1, 1, 0), (1, 1, 5))))


def test_metres_of_the_line_are_metres_however_it_bends() -> None:
    """The page and the ruler count so, too; between unlike bends the line is not stretched."""
    floor = Floor(FloorConfig(centre_line_m=((0, 0, 0), (20, 0, 0), (20, 10, 1), (0, 10, 1))))
    on_line = np.array([[5.0, 0], [19, 0], [20, 3], [20, 9], [17, 10], [2, 10]])
    assert floor.place(on_line) == pytest.approx(
        np.column_stack([[5, 19, 23, 29, 33, 48], np.zeros(6)])
    )
    assert floor.at(np.array([5.0, 23, 33]), np.zeros(3)) == pytest.approx(
        np.array([[5, 0, 0], [20, 3, 0.3], [17, 10, 1]])
    )
    assert floor.metres == range(50)
