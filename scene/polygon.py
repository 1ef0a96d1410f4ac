"""Polygons in the plan: their area, what lies in them, and whether their edges cross.

Knows nothing about zones.
"""

from collections.abc import Sequence
from itertools import combinations

from scene.messages import XY


def area_m2(corners: Sequence[XY]) -> float:
    """Tell the area of a simple polygon (shoelace formula), about its first corner."""
    x0, y0 = corners[0]
    shifted = [(x - x0, y - y0) for x, y in corners]
    turns = zip(shifted, shifted[1:] + shifted[:1], strict=True)
    return abs(sum(x * v - u * y for (x, y), (u, v) in turns)) / 2


def is_inside(point: XY, corners: Sequence[XY]) -> bool:
    """Tell whether a point lies in a simple polygon, by the edges that a ray along x crosses.

    >>> is_inside((1, 1), [(0, 0), (3, 0), (0, 3)]), is_inside((2, 2), [(0, 0), (3, 0), (0, 3)])
    (True, False)
    """
    (x, y), inside, before = point, False, corners[-1]
    for corner in corners:
        (x0, y0), (x1, y1) = before, corner
        if (y0 > y) != (y1 > y) and x < x0 + (y - y0) * (x1 - x0) / (y1 - y0):
            inside = not inside
        before = corner
    return inside


def crossing_edges(corners: Sequence[XY]) -> tuple[int, int] | None:
    """Find two edges of a polygon that meet where they should not, by their first corners."""
    n = len(corners)
    edges = [(corners[i], corners[(i + 1) % n]) for i in range(n)]
    for i, j in combinations(range(n), 2):
        beside = j == i + 1 or (i == 0 and j == n - 1)
        if beside:
            shared = corners[j] if j == i + 1 else corners[0]
            one, two = (edges[i][0], edges[j][1]) if j == i + 1 else (edges[i][1], edges[j][0])
            # Neighbours share a corner; they overlap where one turns straight back on the other.
            if n > 3 and _turn(one, shared, two) == 0 and _turns_back(one, shared, two):
                return i, j
        elif _meet(*edges[i], *edges[j]):
            return i, j
    return None


def _turn(a: XY, b: XY, c: XY) -> float:
    """Tell whether one turns left (positive) or right at b on the way from a to c."""
    return (b[0] - a[0]) * (c[1] - b[1]) - (b[1] - a[1]) * (c[0] - b[0])


def _turns_back(a: XY, b: XY, c: XY) -> bool:
    """Tell, for three points on one line, whether the way from a to b and on to c turns back."""
    return (b[0] - a[0]) * (c[0] - b[0]) + (b[1] - a[1]) * (c[1] - b[1]) < 0


def _meet(a: XY, b: XY, c: XY, d: XY) -> bool:
    """Tell whether the stretches a-b and c-d have a point in common."""
    sides = [_turn(a, b, c), _turn(a, b, d), _turn(c, d, a), _turn(c, d, b)]
    if sides[0] * sides[1] < 0 and sides[2] * sides[3] < 0:
        return True
    on = ((a, b, c), (a, b, d), (c, d, a), (c, d, b))
    return any(
        side == 0
        and min(p[0], q[0]) <= r[0] <= max(p[0], q[0])
        and min(p[1], q[1]) <= r[1] <= max(p[1], q[1])
        for side, (p, q, r) in zip(sides, on, strict=True)
    )
