"""Which of one camera's observations belongs to which person.

Knows nothing about pictures or time: both sides are places in metres with covariances.
"""

import numpy as np
from scipy.optimize import linear_sum_assignment

from scene.arrays import Bools, Floats

IMPOSSIBLE = 1e6


def distances(
    people_xy_m: Floats, people_m2: Floats, seen_xy_m: Floats, seen_m2: Floats
) -> tuple[Floats, Floats, Floats]:
    """Compare T people with N observations, each (T, N): Mahalanobis², its cost, and metres.

    The cost is Mahalanobis² + log det of the joint covariance, so that a vague match does not
    beat a precise one.
    """
    spread = people_m2[:, None] + seen_m2[None]
    apart = seen_xy_m[None] - people_xy_m[:, None]
    det = spread[..., 0, 0] * spread[..., 1, 1] - spread[..., 0, 1] ** 2
    det = np.maximum(det, 1e-12)
    dx, dy = apart[..., 0], apart[..., 1]
    square = spread[..., 1, 1] * dx**2 - 2 * spread[..., 0, 1] * dx * dy + spread[..., 0, 0] * dy**2
    square = square / det
    return square, square + np.log(det), np.hypot(dx, dy)


def assign(cost: Floats, allowed: Bools) -> list[tuple[int, int]]:
    """Pair rows with columns at the least total cost (Hungarian); only allowed pairs.

    >>> assign(np.array([[1.0, 2.0], [1.1, 9.0]]), np.array([[True, True], [True, True]]))
    [(0, 1), (1, 0)]
    """
    if cost.size == 0:
        return []
    rows, columns = linear_sum_assignment(np.where(allowed, cost, IMPOSSIBLE))
    return [
        (int(row), int(column))
        for row, column in zip(rows, columns, strict=True)
        if allowed[row, column]
    ]
