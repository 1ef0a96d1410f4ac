"""Which person a box belongs to that may show somebody close, or somebody farther off who lies."""

import numpy as np

from location.doubt import first_look
from location.foot import Feet
from location.limits import TrackerLimits
from location.match import match, match_lying
from location.motion import start
from location.person import Person

AT_NS = 1_790_000_000_000_000_000
CLOSE_M, FAR_M = (21.6, -1.6), (23.9, -1.0)
SURE_M2 = 0.04 * np.eye(2)
LIES_M, STANDS_M = 0.5, 1.7


def person(number: int, xy_m: tuple[float, float], height_m: float) -> Person:
    who = Person(
        motion=start(AT_NS, np.array(xy_m), SURE_M2),
        doubt=first_look("cam1", SURE_M2, np.array([1.0, 0.0])),
        seen_at_ns=AT_NS,
        born=number,
        born_at_ns=AT_NS,
        hits=5,
        track=number,
    )
    who.show_height(AT_NS, height_m, whole=True)
    return who


def one_box(xy_m: tuple[float, float], height_m: float, other: Feet | None) -> Feet:
    return Feet(
        xy_m=np.array([xy_m]),
        covariance_m2=SURE_M2[None],
        told_m2=SURE_M2[None],
        height_m=np.array([height_m]),
        scores=np.array([0.8]),
        cut=np.array([True]),
        heads=np.array([np.nan]),
        lines=np.array([[1.0, 0.0]]),
        by_stature=np.zeros((1, 2)),
        if_lying=other,
    )


AT_THE_BORDER = one_box(CLOSE_M, np.nan, one_box(FAR_M, LIES_M, None))


def test_who_is_known_to_lie_keeps_the_box_though_somebody_may_stand_nearer() -> None:
    lies, ghost = person(1, FAR_M, LIES_M), person(2, CLOSE_M, STANDS_M)
    for people in ([lies, ghost], [ghost, lies]):
        # The ghost stands a little beside the first reading, as guesses do.
        ghost.motion = start(AT_NS, np.array(CLOSE_M) + 0.2, SURE_M2)
        pairs, lying, left = match(people, AT_NS, AT_THE_BORDER, TrackerLimits())
        assert (pairs, lying, left) == ([], [(lies, 0)], [])


def test_who_stands_where_the_first_reading_says_has_the_box_of_nobody_who_lies() -> None:
    upright, near = person(1, FAR_M, STANDS_M), person(2, CLOSE_M, STANDS_M)
    pairs, lying, left = match([upright, near], AT_NS, AT_THE_BORDER, TrackerLimits())
    assert (pairs, lying, left) == ([(near, 0)], [], [])


def test_who_lies_elsewhere_takes_no_box() -> None:
    lies, near = person(1, (26.0, 1.0), LIES_M), person(2, CLOSE_M, STANDS_M)
    pairs, lying, left = match([lies, near], AT_NS, AT_THE_BORDER, TrackerLimits())
    assert (pairs, lying, left) == ([(near, 0)], [], [])


def test_who_has_just_fallen_takes_a_box_that_nobody_else_explains() -> None:
    fallen = person(1, FAR_M, STANDS_M)
    limits = TrackerLimits()
    pairs, lying, left = match([fallen], AT_NS, AT_THE_BORDER, limits)
    assert (pairs, lying, left) == ([], [], [0])
    assert match_lying([fallen], AT_NS, AT_THE_BORDER, pairs, left, limits=limits) == [(fallen, 0)]
