"""Helmets and heads find their people, and looks add up."""

import math

import numpy as np
import pytest

from location.headgear import MOST, START, head_votes, moved, probability
from scene.messages import KINDS, Detections

PEOPLE = np.array([[100.0, 100, 160, 300], [140.0, 130, 200, 340], [400.0, 100, 460, 300]])
NOBODY_HIDDEN = np.zeros(3, bool)


def seen(*finds: tuple[str, float, tuple[float, float, float, float]]) -> Detections:
    return Detections(
        camera="cam1",
        captured_at_ns=1,
        boxes_px=np.array([box for _, _, box in finds], float).reshape(-1, 4),
        scores=np.array([score for _, score, _ in finds], float),
        kinds=np.array([KINDS.index(kind) for kind, _, _ in finds], np.int64),
    )


def test_a_helmet_goes_to_the_one_whom_it_fits_best() -> None:
    votes = head_votes(seen(("helmet", 0.9, (155, 128, 185, 158))), PEOPLE, NOBODY_HIDDEN)
    assert votes[1] > 0
    assert votes[0] < 0
    assert votes[2] < 0


def test_a_bare_head_says_more_than_nothing_found() -> None:
    votes = head_votes(seen(("head", 0.5, (415, 100, 445, 130))), PEOPLE, NOBODY_HIDDEN)
    assert votes[2] < votes[0] < 0


def test_a_helmet_of_little_score_tells_nothing() -> None:
    """Bare heads are taken for such, too."""
    box = (415.0, 100.0, 445.0, 130.0)
    weak, strong = (
        head_votes(seen(("helmet", score, box)), PEOPLE, NOBODY_HIDDEN)[2] for score in (0.3, 0.8)
    )
    assert weak == 0
    assert strong > 3


def test_the_smaller_somebody_is_the_less_it_tells_that_no_helmet_is_found() -> None:
    boxes = np.array([[100.0, 100, 160, 300], [300.0, 100, 350, 250], [500.0, 100, 540, 215]])
    large, middle, small = head_votes(seen(), boxes, NOBODY_HIDDEN).tolist()
    assert large < middle < 0
    assert math.isnan(small), "small helmets are overlooked for seconds on end"
    shrunk = head_votes(seen(), 2 * boxes, NOBODY_HIDDEN, picture_px=1280)
    assert shrunk.tolist()[:2] == [large, middle], "a larger picture is shrunk for the detector"


def test_a_head_behind_somebody_nearer_says_nothing_while_nothing_is_found() -> None:
    boxes = np.array([[100.0, 100, 160, 300], [90.0, 90, 170, 360]])
    behind, before = head_votes(seen(), boxes, np.zeros(2, bool)).tolist()
    assert math.isnan(behind)
    assert before < 0


def test_a_helmet_that_was_found_before_makes_its_absence_tell() -> None:
    """Whose head no find has ever shown may wear one that this detector does not know."""
    neither = float(head_votes(seen(), PEOPLE, NOBODY_HIDDEN)[2])
    helmet = float(
        head_votes(seen(("helmet", 0.8, (415, 100, 445, 130))), PEOPLE, NOBODY_HIDDEN)[2]
    )
    odds = None
    for _ in range(100):
        odds = moved(odds, neither, 0.1)
    assert odds is None
    odds = moved(odds, helmet, 0.1)
    assert odds is not None
    assert odds > START
    seconds = 0.0
    while (probability(odds) or 0.0) > 0.2:
        odds = moved(odds, neither, 0.1)
        seconds += 0.1
    assert 0.8 < seconds < 2.0


@pytest.mark.parametrize(
    "box",
    [
        (415, 230, 445, 260),  # at the feet
        (500, 100, 530, 130),  # beside
        (428, 100, 432, 104),  # a speck
        (300, 100, 560, 300),  # larger than the person
    ],
)
def test_what_is_no_head_of_anybody_is_left_out(box: tuple[float, float, float, float]) -> None:
    votes = head_votes(seen(("helmet", 0.9, box)), PEOPLE, NOBODY_HIDDEN)
    assert (votes < 0).all()


def test_small_lying_and_cut_people_say_nothing_while_nothing_is_found() -> None:
    boxes = np.array([[100.0, 100, 120, 150], [100.0, 100, 300, 220], [100.0, 0, 160, 180]])
    votes = head_votes(seen(), boxes, np.array([False, False, True]))
    assert np.isnan(votes).all()


def test_seconds_count_and_not_pictures() -> None:
    often = slow = 0.0
    for _ in range(20):
        often = moved(often, 0.2, 0.05) or 0.0
    for _ in range(2):
        slow = moved(slow, 0.2, 0.5) or 0.0
    assert often == pytest.approx(slow) == pytest.approx(0.2)


def test_a_look_that_shows_no_head_changes_nothing() -> None:
    assert moved(None, math.nan, 0.1) is None
    assert moved(0.7, math.nan, 0.1) == 0.7


def test_evidence_never_grows_so_old_that_a_change_stays_hidden() -> None:
    sure = 0.0
    for _ in range(1000):
        sure = moved(sure, 4.0, 0.1) or 0.0
    assert sure == MOST
    seconds = 0.0
    while (probability(sure) or 0.0) > 0.2:
        sure = moved(sure, -6.0 * 0.5, 0.1) or 0.0
        seconds += 0.1
    assert seconds < 2.0


def test_the_worst_scores_are_passed_over() -> None:
    votes = head_votes(seen(("helmet", math.nan, (415, 100, 445, 130))), PEOPLE, NOBODY_HIDDEN)
    assert votes[2] < 0
