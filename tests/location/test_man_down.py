from dataclasses import replace

import pytest

from location.man_down import HEIGHT_SIGMA_M, height_age_s, probability_lower, speed_m_s
from scene.messages import Position

PERSON = Position(
    track=1,
    xyz_m=(0.0, 0.0, 0.0),
    covariance_m2=((0.01, 0.0), (0.0, 0.01)),
    velocity_m_s=(0.3, -0.4),
    height_m=1.0,
    posture="crouching",
    certainty="certainly",
    seen_at_ns=20_000_000_000,
    cameras=("c1",),
)


def test_speed_is_over_ground_in_any_direction() -> None:
    assert speed_m_s(PERSON) == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("height_m", "expected"),
    [(0.3, 1.0), (1.0 - HEIGHT_SIGMA_M, 0.841), (1.0, 0.5), (1.0 + HEIGHT_SIGMA_M, 0.159)],
)
def test_the_height_is_a_normal_one(height_m: float, expected: float) -> None:
    person = replace(PERSON, height_m=height_m)
    assert probability_lower(person, 1.0) == pytest.approx(expected, abs=1e-3)


@pytest.mark.parametrize(
    ("height_at_ns", "expected"),
    [(None, 0.0), (20_000_000_000, 0.0), (12_500_000_000, 7.5), (0, 20)],
)
def test_a_height_is_as_old_as_the_look_that_showed_it(
    height_at_ns: int | None, expected: float
) -> None:
    assert height_age_s(replace(PERSON, height_at_ns=height_at_ns)) == expected
