from math import cos, pi, sin

import numpy as np
import pytest
from scipy.special import ndtr

from location.zones import probability_inside
from scene.messages import XY, Covariance

SQUARE: tuple[XY, ...] = ((0.0, 0.0), (2.0, 0.0), (2.0, 2.0), (0.0, 2.0))
BENT: tuple[XY, ...] = ((0.0, 0.0), (4.0, 0.0), (4.0, 4.0), (2.0, 1.0), (0.0, 4.0))
ROUND: Covariance = ((0.04, 0.0), (0.0, 0.04))
SLANTED: Covariance = ((0.25, 0.15), (0.15, 0.16))


def test_a_rectangle_is_the_product_of_two_normal_shares() -> None:
    x, y, sigma = 0.3, 1.9, 0.2
    expected = (ndtr((2 - x) / sigma) - ndtr(-x / sigma)) * (
        ndtr((2 - y) / sigma) - ndtr(-y / sigma)
    )
    assert probability_inside((x, y), ROUND, SQUARE) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("polygon", [SQUARE, BENT])
@pytest.mark.parametrize("xy", [(1.0, 1.0), (2.0, 1.6), (-0.3, 0.2), (3.0, 3.5)])
def test_it_is_the_share_of_a_million_draws(xy: XY, polygon: tuple[XY, ...]) -> None:
    draws = np.random.default_rng(1).multivariate_normal(xy, np.array(SLANTED), 1_000_000)
    assert probability_inside(xy, SLANTED, polygon) == pytest.approx(
        inside(draws, polygon).mean(), abs=0.002
    )


@pytest.mark.parametrize("turned", [False, True])
def test_which_way_the_corners_go_round_makes_no_difference(turned: bool) -> None:
    polygon = tuple(reversed(BENT)) if turned else BENT
    assert probability_inside((1.0, 1.0), ROUND, polygon) > 0.99
    assert probability_inside((2.0, 3.0), ROUND, polygon) < 0.01, "the notch is outside"


def test_a_place_that_is_certain_is_in_or_out() -> None:
    point: Covariance = ((0.0, 0.0), (0.0, 0.0))
    assert probability_inside((1.0, 1.9), point, SQUARE) == pytest.approx(1.0, abs=1e-6)
    assert probability_inside((1.0, 2.1), point, SQUARE) == pytest.approx(0.0, abs=1e-6)


def test_far_from_the_mines_origin_it_is_as_exact() -> None:
    far = 430_000.0
    moved = tuple((x + far, y + far) for x, y in SQUARE)
    here = probability_inside((0.2, 1.0), ROUND, SQUARE)
    assert probability_inside((far + 0.2, far + 1.0), ROUND, moved) == pytest.approx(here, abs=1e-5)


def test_a_turned_area_and_place_give_the_same() -> None:
    turn = pi / 5
    rotation = np.array([[cos(turn), -sin(turn)], [sin(turn), cos(turn)]])
    polygon = [tuple(rotation @ corner) for corner in SQUARE]
    x, y = rotation @ (0.2, 1.0)
    assert probability_inside((x, y), ROUND, polygon) == pytest.approx(
        probability_inside((0.2, 1.0), ROUND, SQUARE), abs=1e-6
    )


def inside(points: np.ndarray, polygon: tuple[XY, ...]) -> np.ndarray:
    """Count crossings of a ray to the right."""
    odd = np.zeros(len(points), bool)
    for (x1, y1), (x2, y2) in zip(polygon, (*polygon[1:], polygon[0]), strict=True):
        if y1 == y2:
            continue
        spans = (points[:, 1] > min(y1, y2)) & (points[:, 1] <= max(y1, y2))
        at = x1 + (points[:, 1] - y1) * (x2 - x1) / (y2 - y1)
        odd ^= spans & (points[:, 0] < at)
    return odd
