import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from detection.nms import best_boxes, overlap


def test_the_best_of_two_stays_and_other_groups_are_let_alone() -> None:
    boxes = np.array([[0, 0, 10, 10], [1, 0, 10, 10], [1, 0, 10, 10], [20, 0, 30, 10]], float)
    kept = best_boxes(boxes, np.array([0.5, 0.9, 0.8, 0.1]), np.array([0, 0, 1, 0]), 0.6)
    assert kept.tolist() == [1, 2, 3]


def test_a_box_hidden_only_by_a_dropped_one_stays() -> None:
    boxes = np.array([[0, 0, 10, 10], [3, 0, 13, 10], [6, 0, 16, 10]], float)
    kept = best_boxes(boxes, np.array([0.9, 0.8, 0.7]), np.zeros(3, int), 0.5)
    assert kept.tolist() == [0, 2]


def test_nothing() -> None:
    assert best_boxes(np.zeros((0, 4)), np.zeros(0), np.zeros(0, int), 0.5).tolist() == []


def test_empty_boxes_overlap_nothing() -> None:
    box = np.array([1.0, 1.0, 1.0, 1.0])
    assert overlap(box, box[None]).tolist() == [0]


@given(st.integers(0, 60), st.integers(0, 2**32 - 1))
def test_what_is_kept_does_not_overlap_and_covers_the_rest(count: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    corner = rng.uniform(0, 50, (count, 2))
    boxes = np.hstack([corner, corner + rng.uniform(1, 30, (count, 2))])
    scores, groups = rng.random(count), rng.integers(0, 2, count)
    kept = best_boxes(boxes, scores, groups, 0.4)
    assert (np.diff(scores[kept]) <= 0).all()
    for i in range(count):
        rivals = [k for k in kept if groups[k] == groups[i] and k != i]
        shared = overlap(boxes[i], boxes[rivals])
        if i in kept:
            assert (shared <= 0.4).all()
        else:
            assert ((shared > 0.4) & (scores[rivals] >= scores[i])).any()
