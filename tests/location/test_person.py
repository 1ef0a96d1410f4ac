import numpy as np
import pytest

from location.doubt import first_look
from location.motion import start
from location.person import HELMET_M, Person

SECOND_NS = 1_000_000_000
SURE = 20.0
"""Votes a second that tell all there is to tell of a head."""


def person(*, wears_a_helmet: bool, height_m: float) -> Person:
    """Make somebody seen whole for some seconds."""
    spread = np.eye(2) * 0.01
    found = Person(
        motion=start(0, np.zeros(2), spread),
        doubt=first_look("cam1", spread, np.array([1.0, 0.0])),
        seen_at_ns=0,
        born=1,
        born_at_ns=0,
    )
    look(found, wears_a_helmet=wears_a_helmet, from_s=1)
    for step in range(50):
        found.show_height(2 * SECOND_NS + step, height_m, whole=True)
    return found


def look(found: Person, *, wears_a_helmet: bool, from_s: int) -> None:
    for step in range(20):
        at_ns = from_s * SECOND_NS + step * SECOND_NS // 10
        found.look_at_head(SURE if wears_a_helmet else -SURE, at_ns)


@pytest.mark.parametrize("wears", [True, False])
def test_a_stature_is_as_tall_as_the_person_was_seen(wears: bool) -> None:
    found = person(wears_a_helmet=wears, height_m=1.85)
    assert found.stature_m() == pytest.approx(1.85, abs=0.02)


def test_whoever_takes_the_helmet_off_is_lower_by_it_and_as_tall_as_before_with_it_on() -> None:
    found = person(wears_a_helmet=True, height_m=1.85)
    worn_m = found.stature_m()
    look(found, wears_a_helmet=False, from_s=10)
    assert found.stature_m() == pytest.approx(worn_m - HELMET_M, abs=0.01)
    look(found, wears_a_helmet=True, from_s=20)
    assert found.stature_m() == pytest.approx(worn_m, abs=0.01)


def test_how_high_somebody_reaches_is_told_anew_after_each_look() -> None:
    found = person(wears_a_helmet=True, height_m=1.85)
    assert found.height() == (1.85, 2 * SECOND_NS + 49)
    for step in range(30):
        found.show_height(9 * SECOND_NS + step, 0.4, whole=True)
    assert found.height() == (0.4, 9 * SECOND_NS + 29)
    other = person(wears_a_helmet=True, height_m=1.6)
    found.take_heights(other)
    assert found.height() == other.height() == (1.6, 2 * SECOND_NS + 49)
