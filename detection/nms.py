"""Keep the best of boxes that cover each other. Knows nothing about models or cameras."""

import numpy as np

from scene.arrays import Floats, Ints

MAX_CANDIDATES = 3000
MAX_KEPT = 300


def overlap(box: Floats, others: Floats) -> Floats:
    """Give the intersection over union of one box with others, (N,); boxes are `x1 y1 x2 y2`.

    >>> overlap(np.array([0., 0., 2., 1.]), np.array([[1., 0., 3., 1.], [5., 5., 6., 6.]])).round(3)
    array([0.333, 0.   ])
    """
    low = np.maximum(box[:2], others[:, :2])
    high = np.minimum(box[2:], others[:, 2:])
    shared = np.prod(np.clip(high - low, 0, None), axis=1)
    areas = np.prod(others[:, 2:] - others[:, :2], axis=1)
    union = np.prod(box[2:] - box[:2]) + areas - shared
    quotient: Floats = np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)
    return quotient


def best_boxes(boxes: Floats, scores: Floats, groups: Ints, iou_threshold: float) -> Ints:
    """Choose the boxes that no better box of the same group covers, best first.

    Takes (N, 4), (N,) and (N,); gives indices. Looks at no more than the `MAX_CANDIDATES` best
    and keeps no more than `MAX_KEPT`, so that a model gone wild costs little.
    """
    order = np.argsort(-scores, kind="stable")[:MAX_CANDIDATES]
    kept: list[int] = []
    while len(order) and len(kept) < MAX_KEPT:
        first, rest = int(order[0]), order[1:]
        kept.append(first)
        covered = overlap(boxes[first], boxes[rest]) > iou_threshold
        order = rest[~(covered & (groups[rest] == groups[first]))]
    return np.array(kept, np.int64)
