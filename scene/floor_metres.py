"""Which whole metres of a roadway an area touches, by chainage along its centre line.

Knows nothing about cameras or people.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from scene.arrays import Floats, Ints
from scene.floor import Floor
from scene.messages import XY
from scene.off_floor import BESIDE_M, points_along
from scene.polygon import is_inside

SLACK_M = 0.1
"""An area that reaches no further into a metre is not in it: surveys and bends are no finer."""
MOST_FLOORS, MOST_AREAS = 256, 4096
"""So many are remembered: of a whole mine, as a head-count asks for all of them again and again."""


def metres_touched(floor: Floor, polygon_m: Sequence[XY]) -> frozenset[int]:
    """List the metres, each by the whole chainage where it starts, of floor in a simple polygon.

    By the floor's edge, too: people are placed up to `BESIDE_M` beside it. Two stretches side by
    side are told apart: only the one on which the polygon lies is touched.

    >>> from scene.floor_config import FloorConfig
    >>> u_turn = FloorConfig(centre_line_m=((0, 0, 0), (20, 0, 0), (20, 10, 0), (0, 10, 0)))
    >>> sorted(metres_touched(Floor(u_turn), [(0.2, 9), (1.8, 9), (1.8, 11), (0.2, 11)]))
    [48, 49]
    """
    corners = tuple(polygon_m)
    plan = _plan(floor)
    x, y = zip(*corners, strict=True)
    if min(x) > plan.x1_m or min(y) > plan.y1_m or max(x) < plan.x0_m or max(y) < plan.y0_m:
        return frozenset()
    return _touched(floor, corners)


@dataclass(frozen=True, slots=True, eq=False)
class _Plan:
    """What is asked of one floor for every area."""

    x0_m: float
    y0_m: float
    x1_m: float
    y1_m: float
    """Nothing beyond this box touches the floor."""
    starts_m: Ints
    middles_m: Floats
    """(N, 2) in mine positions, of the metres that start there."""


@lru_cache(maxsize=MOST_FLOORS)
def _plan(floor: Floor) -> _Plan:
    starts = np.array(floor.metres)
    middles = floor.at(starts + 0.5, np.zeros(len(starts)))[:, :2]
    return _Plan(*floor.box_m(BESIDE_M), starts, middles)


@lru_cache(maxsize=MOST_AREAS)
def _touched(floor: Floor, corners: tuple[XY, ...]) -> frozenset[int]:
    ring, plan = points_along((*corners, corners[0])), _plan(floor)
    chainage, left = floor.place(ring).T
    first_m, last_m = sorted(floor.chainages_m)
    beyond = np.maximum(np.maximum(first_m - chainage, chainage - last_m), 0)
    chainage = chainage[np.hypot(beyond, floor.aside_m(left)) <= BESIDE_M]
    inside = chainage[np.abs(chainage - np.round(chainage)) > SLACK_M]
    # Whatever metre the polygon's edge does not cross lies in it as a whole, or not at all.
    low, high = ring.min(axis=0), ring.max(axis=0)
    near = ((plan.middles_m > low) & (plan.middles_m < high)).all(axis=1)
    whole = [
        start
        for start, (x, y) in zip(
            plan.starts_m[near].tolist(), plan.middles_m[near].tolist(), strict=True
        )
        if is_inside((x, y), corners)
    ]
    found = {*np.floor(inside).astype(int).tolist(), *whole}
    return frozenset(found or np.floor(chainage).astype(int).tolist())
