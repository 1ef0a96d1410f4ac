"""How sure a place is told to be, when each camera's error lasts."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.acceptance.scoring import share_inside
from location.doubt import COMMON_BIAS_M, Doubt, after, alike, first_look, places_m2
from location.motion import Motion, Step, corrected, start
from scene.arrays import Floats

UNREST = 0.4
CLAIM_M2 = np.diag([0.04, 0.04])
STEP_NS = 200_000_000


def lines(*degrees: float) -> Floats:
    angle = np.radians(degrees)
    return np.column_stack([np.cos(angle), np.sin(angle)])


def follow(
    sides: Floats, errors_m: Floats, steps: int = 25, claim_m2: Floats = CLAIM_M2
) -> tuple[Motion, Doubt]:
    """Follow somebody who stands at the origin; each camera is off by its own error, always."""
    motion = start(0, errors_m[0], claim_m2)
    doubt = first_look("0", claim_m2, sides[0])
    for step in range(steps):
        for number, (side, error) in enumerate(zip(sides, errors_m, strict=True)):
            motion, what = look(motion, step * STEP_NS, error, claim_m2)
            (doubt,) = after([doubt], [what], str(number), claim_m2[None], side[None])
    return motion, doubt


def look(motion: Motion, at_ns: int, xy_m: Floats, claim_m2: Floats) -> tuple[Motion, Step]:
    return corrected([motion], at_ns, xy_m[None], claim_m2[None], UNREST)[0]


def spread_m2(doubt: Doubt, factor: float = 1.0, step_s: float = 0.0) -> float:
    return float(np.trace(place_m2(doubt, factor, step_s)) / 2)


def place_m2(doubt: Doubt, factor: float, step_s: float = 0.0) -> Floats:
    return np.asarray(places_m2([doubt], np.array([step_s]), UNREST, np.array([factor]))[0])


def test_looking_longer_does_not_make_one_camera_surer_than_its_error() -> None:
    motion, doubt = follow(lines(0.0), np.zeros((1, 2)), steps=60)
    assert motion.covariance[0, 0] < 0.6 * CLAIM_M2[0, 0], "the filter thinks it averages"
    assert spread_m2(doubt) >= CLAIM_M2[0, 0]


def test_cameras_from_other_sides_help_and_cameras_from_one_spot_do_not() -> None:
    _, alone = follow(lines(0), np.zeros((1, 2)))
    _, around = follow(lines(0, 90, 180, 270), np.zeros((4, 2)))
    _, one_spot = follow(lines(0, 5, 10, 15), np.zeros((4, 2)))
    assert spread_m2(around) < 0.5 * spread_m2(alone)
    assert spread_m2(one_spot) > 0.85 * spread_m2(alone)


def test_the_factor_scales_the_looks_and_not_the_way_walked() -> None:
    _, doubt = follow(lines(0, 120), np.zeros((2, 2)))
    least = spread_m2(doubt, 0.0)
    assert spread_m2(doubt, 0.5) - least == pytest.approx((spread_m2(doubt) - least) / 2)
    unseen = spread_m2(doubt, 0.5, 2.0) - spread_m2(doubt, 0.5)
    assert unseen > UNREST * 2**3 / 3, "who is not seen may have gone anywhere, however good looks"
    assert least > COMMON_BIAS_M**2 + 0.001, "nor does any look tell where somebody turns"


@pytest.mark.parametrize("cameras", [1, 2, 4])
def test_errors_that_last_lie_in_the_ellipse_as_often_as_said(cameras: int) -> None:
    """Cameras round somebody, each off by a constant drawn from what it claims."""
    rng = np.random.default_rng(3)
    claim = np.array([[0.06, 0.02], [0.02, 0.03]])
    sides = lines(*np.linspace(0, 360, cameras, endpoint=False))
    off, told = [], []
    for _ in range(300):
        errors = rng.multivariate_normal([0, 0], claim, size=cameras)
        motion, doubt = follow(sides, errors, steps=12, claim_m2=claim)
        off.append(motion.mean[:2])
        told.append(place_m2(doubt, 1.0))
    assert 0.62 <= share_inside(np.array(off), np.array(told), 0.68) <= 0.86
    assert share_inside(np.array(off), np.array(told), 0.95) >= 0.93


@settings(max_examples=60, deadline=None)
@given(
    degrees=st.lists(st.floats(0, 360), min_size=1, max_size=7),
    times_ns=st.lists(st.integers(-900_000_000, 3_000_000_000), min_size=1, max_size=7),
    factor=st.floats(0.0, 6.0),
    step_s=st.floats(-1.0, 8.0),
)
def test_no_set_of_cameras_and_no_order_of_looks_makes_it_negative(
    degrees: list[float], times_ns: list[int], factor: float, step_s: float
) -> None:
    motion = start(0, np.zeros(2), CLAIM_M2)
    doubt = first_look("0", CLAIM_M2, lines(degrees[0])[0])
    for number, at_ns in enumerate(times_ns):
        camera = number % len(degrees)
        motion, what = look(motion, at_ns, np.zeros(2), CLAIM_M2)
        side = lines(degrees[camera])
        (doubt,) = after([doubt], [what], str(camera), CLAIM_M2[None], side)
    found = place_m2(doubt, factor, step_s)
    assert (found == found.T).all()
    assert np.linalg.eigvalsh(found)[0] > 0


@given(degrees=st.lists(st.floats(0, 360), min_size=2, max_size=9))
def test_what_cameras_share_is_a_correlation(degrees: list[float]) -> None:
    sides = lines(*degrees)
    shared = alike(sides[:, None], sides[None])
    assert np.allclose(np.diag(shared), 1)
    assert np.linalg.eigvalsh(shared)[0] > -1e-9


def test_many_go_on_together_as_each_alone() -> None:
    """Whoever else is followed, and by which cameras, changes nothing about anybody."""
    motion, one = follow(lines(0, 70), np.array([[0.1, 0], [0, 0.2]]), steps=3)
    other_motion, other = follow(lines(40), np.zeros((1, 2)), steps=2)
    steps = [
        look(before, 900_000_000, np.array([0.1, -0.1]), CLAIM_M2)[1]
        for before in (motion, other_motion)
    ]
    claims, sides = np.array([CLAIM_M2, 2 * CLAIM_M2]), lines(120, 200)
    both = after([one, other], steps, "7", claims, sides)
    scale, step_s = np.array([0.4, 1.3]), np.array([0.0, 0.7])
    told = places_m2(both, step_s, UNREST, scale)
    for n, before in enumerate((one, other)):
        alone = after([before], [steps[n]], "7", claims[n, None], sides[n, None])
        told_alone = places_m2(alone, step_s[n, None], UNREST, scale[n, None])
        assert np.allclose(told[n], told_alone[0], atol=1e-15)
        assert told[n, 0, 0] > 0.01
