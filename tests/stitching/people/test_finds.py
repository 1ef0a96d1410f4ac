"""Whom a box shows: the body it lies on, once; a second box beside the first is somebody else."""

import numpy as np
import pytest

from scene.arrays import Floats
from stitching.people.finds import matched

SIZE_PX = 1280, 720
BODY = np.array([[[100.0, 100.0], [140.0, 100.0], [140.0, 200.0], [100.0, 200.0]]])
NEIGHBOUR = BODY + np.array([36.0, 0.0])


def box(left: float, top: float = 100.0, right: float | None = None, foot: float = 200.0) -> Floats:
    return np.array([left, top, left + 40.0 if right is None else right, foot])


def whose(boxes: list[Floats], bodies: Floats = BODY) -> list[int]:
    good = np.ones(bodies.shape[:2], bool)
    found: list[int] = matched(bodies, good, np.array(boxes).reshape(-1, 4), SIZE_PX).tolist()
    return found


def test_a_box_belongs_to_the_body_that_it_overlaps_most() -> None:
    bodies = np.concatenate([BODY, NEIGHBOUR])
    assert whose([box(104), box(130)], bodies) == [0, 1]
    assert whose([box(160), box(300)], BODY) == [-1, -1]


def test_two_boxes_of_the_same_person_are_both_theirs() -> None:
    assert whose([box(100), box(104, foot=160)]) == [0, 0]


@pytest.mark.parametrize("order", [1, -1])
def test_a_second_box_beside_the_first_shows_somebody_whom_nobody_has_located(order: int) -> None:
    """Both overlap the body; taken for theirs, the second person would vanish with their shadow."""
    assert whose([box(100), box(126)][::order]) == [0, -1][::order]
    assert whose([box(126)]) == [0]


def test_a_second_box_is_a_neighbours_who_has_none() -> None:
    bodies = np.concatenate([BODY, NEIGHBOUR])
    first, second = box(100, right=125), box(118, right=146)
    assert whose([first, second], bodies) == [0, 1]
    assert whose([first, second, box(140)], bodies) == [0, -1, 1]


def test_a_box_that_holds_the_first_one_is_theirs_too() -> None:
    """As when something beside somebody is taken for a part of them."""
    assert whose([box(100), box(90, 95, right=190, foot=230)]) == [0, 0]


def test_nothing_found_or_nobody_there_is_nobodys() -> None:
    assert whose([]) == []
    assert whose([box(100)], np.empty((0, 4, 2))) == [-1]


def test_a_body_that_no_lens_sees_has_no_box() -> None:
    blind = np.zeros((1, 4), bool)
    assert matched(BODY, blind, np.array([box(100)]), SIZE_PX).tolist() == [-1]


def test_what_lies_beyond_the_picture_is_in_no_box() -> None:
    """Only somebody's head is in the picture: a box round all of that is theirs."""
    below = BODY + np.array([0.0, 610.0])
    assert whose([box(100, 710, foot=719)], below) == [0]
    assert whose([box(100, 0, foot=9)], BODY - np.array([0.0, 191.0])) == [0]
    assert whose([box(300, 0, foot=9)], BODY - np.array([0.0, 191.0])) == [-1]
