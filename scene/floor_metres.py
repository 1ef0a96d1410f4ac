"""Which whole metres of a roadway an area touches, by chainage along its centre line.

Knows nothing about cameras or people.
"""

from collections.abc import Sequence

import numpy as np

from scene.floor import Floor
from scene.messages import XY
from scene.off_floor import BESIDE_M, points_along
from scene.polygon import is_inside

SLACK_M = 0.1
"""An area that reaches no further into a metre is not in it: surveys and bends are no finer."""


def metres_touched(floor: Floor, polygon_m: Sequence[XY]) -> frozenset[int]:
    """List the metres, each by the whole chainage where it starts, of floor in a simple polygon.

    By the floor's edge, too: people are placed up to `BESIDE_M` beside it. Two stretches side by
    side are told apart: only the one on which the polygon lies is touched.

    >>> from scene.floor_config import FloorConfig
    >>> u_turn = FloorConfig(centre_line_m=((0, 0, 0), (20, 0, 0), (20, 10, 0), (0, 10, 0)))
    >>> sorted(metres_touched(Floor(u_turn), [(0.2, 9), (1.8, 9), (1.8, 11), (0.2, 11)]))
    [48, 49]
    """
    ring = points_along((*polygon_m, polygon_m[0]))
    chainage = floor.place(ring[floor.outside_m(ring) <= BESIDE_M])[:, 0]
    inside = chainage[np.abs(chainage - np.round(chainage)) > SLACK_M]
    # Whatever metre the polygon's edge does not cross lies in it as a whole, or not at all.
    starts = np.array(floor.metres)
    middles = floor.at(starts + 0.5, np.zeros(len(starts)))[:, :2]
    low, high = ring.min(axis=0), ring.max(axis=0)
    near = ((middles > low) & (middles < high)).all(axis=1)
    whole = [
        start
        for start, (x, y) in zip(starts[near].tolist(), middles[near].tolist(), strict=True)
        if is_inside((x, y), polygon_m)
    ]
    found = {*np.floor(inside).astype(int).tolist(), *whole}
    return frozenset(found or np.floor(chainage).astype(int).tolist())
