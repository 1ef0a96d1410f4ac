import numpy as np
import pytest

from detection.scoring import matched, score_kind

BOX = np.array([[0.0, 0.0, 10.0, 10.0]])
FAR = BOX + 100


def test_a_second_box_on_the_same_person_is_false() -> None:
    score = score_kind([(np.vstack([BOX, BOX + 1]), np.array([0.9, 0.8]))], [BOX], 0.25)
    assert (score.ap50, score.recall, score.precision) == (1.0, 1.0, 0.5)


def test_a_false_find_above_the_right_one_halves_precision() -> None:
    score = score_kind([(np.vstack([FAR, BOX]), np.array([0.9, 0.8]))], [BOX], 0.25)
    assert score.ap50 == pytest.approx(0.5)


def test_half_found() -> None:
    nothing = (np.zeros((0, 4)), np.zeros(0))
    score = score_kind([(BOX, np.array([0.9])), nothing], [BOX, BOX], 0.25)
    assert score.ap50 == pytest.approx(51 / 101)
    assert (score.recall, score.boxes) == (0.5, 2)


def test_the_working_threshold_counts() -> None:
    score = score_kind([(BOX, np.array([0.2]))], [BOX], 0.25)
    assert (score.ap50, score.recall) == (1.0, 0.0)


def test_the_surest_find_takes_the_box_that_it_covers_most() -> None:
    truth = np.vstack([BOX, BOX + 2])
    found = np.vstack([BOX + 0.4, BOX + 0.6])
    assert matched(found, np.array([0.6, 0.9]), truth).tolist() == [1, 0]
    assert matched(found, np.array([0.9, 0.6]), truth).tolist() == [0, 1]
    assert matched(found, np.array([0.9, 0.6]), BOX).tolist() == [0, -1]
    assert matched(found, np.array([0.9, 0.6]), np.empty((0, 4))).tolist() == [-1, -1]
