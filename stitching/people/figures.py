"""How likely each place of a camera's picture shows a certain body: a human figure, not its box.

Knows nothing about the panorama, nor about who stands before whom.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from scene.arrays import Floats
from stitching.maps import Maps
from stitching.people.bodies import Bodies
from stitching.people.finds import BENT, BORDER_PX

Box = tuple[slice, slice]
"""Rows and columns of a camera's picture, in places of `FINE` pixels."""
FINE = 4
"""Pixels of a camera's picture per place."""
_UPRIGHT = """
 2  5 12 30 59 78
 2  5 14 30 58 83
 5 32 57 71 84 94
17 65 87 95 97 99
33 74 87 93 96 98
50 84 89 90 97 99
56 65 65 89 97 98
16 21 47 84 94 91
 4 14 41 79 86 78
 6 18 42 72 76 63
 3 15 37 58 62 44
 5 15 25 38 43 29
"""
_BENT = """
 2  4  8 15 37 55
 2  5 12 30 53 70
 4 10 25 50 67 80
13 25 57 75 82 90
25 50 75 82 84 85
34 56 68 69 68 60
20 53 57 57 55 48
10 30 42 49 52 50
 5 17 31 42 50 54
 4 18 32 42 45 46
 6 22 31 37 35 36
 2 14 25 32 33 40
"""
"""How many of 100 bodies cover each part of the left half of their box, from the top down. Both
sides are taken together. Of the upright counted in 378 true masks of the sample sites `roadway` and
`events`; of the bent there were only 17, so theirs is smoothed by hand and rough."""
ROOM_PX = 1
BESIDE, ASIDE = 0.4, 0.5
"""Beyond that share of the solid's half width, less and less of what a find shows is the body: this
much at its edge. Boxes of people who stand together are easily one."""
GUESSED_WIDTH = 0.8
"""Of the solid's, for a body that was not found."""


def _table(text: str) -> Maps:
    half = np.array([line.split() for line in text.split("\n") if line], np.float32) / 100
    # Nothing lies beyond the box.
    return np.pad(np.hstack([half, half[:, ::-1]]), 1)


UPRIGHT_CHANCES, BENT_CHANCES = _table(_UPRIGHT), _table(_BENT)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Figure:
    """A body in a camera's picture."""

    box: Box
    chance: Maps
    """(rows, columns) of the box, 0..1, as if nobody stood before it."""


def figure(bodies: Bodies, bit: int, index: int) -> Figure | None:
    """Draw somebody as a camera is likely to show them; none where it doesn't."""
    camera = bodies.cameras[index]
    width, height = camera.size_px
    solid = _extent(bodies.outline(bit, index))
    finds = bodies.boxes(bit, index)
    if len(finds):
        edges = [_beyond_border(find, solid, (width, height)) for find in finds]
    elif solid is not None:
        middle, half = (solid[0] + solid[2]) / 2, GUESSED_WIDTH * (solid[2] - solid[0]) / 2
        edges = [np.array([middle - half, solid[1], middle + half, solid[3]])]
    else:
        return None
    rim = np.array([*np.min(edges, axis=0)[:2], *np.max(edges, axis=0)[2:]]) / FINE
    x0, y0 = (int(max(value - ROOM_PX, 0)) for value in rim[:2])
    x1 = int(min(rim[2] + ROOM_PX + 1, -(-width // FINE)))
    y1 = int(min(rim[3] + ROOM_PX + 1, -(-height // FINE)))
    if x0 >= x1 or y0 >= y1:
        return None
    chance = np.max([_placed(one, (x0, y0, x1, y1)) for one in edges], axis=0)
    if len(finds) and solid is not None:
        x = (np.arange(x0, x1) + 0.5) * FINE
        away = np.abs(2 * x - solid[0] - solid[2]) / max(solid[2] - solid[0], 1.0)
        aside = np.clip((away - BESIDE) / (1 - BESIDE), 0, 1)
        chance *= (1 - (1 - ASIDE) * aside).astype(np.float32)
    return Figure(box=(slice(y0, y1), slice(x0, x1)), chance=chance)


def _extent(pixels: Floats) -> Floats | None:
    if len(pixels) < 3:
        return None
    return np.concatenate([pixels.min(axis=0), pixels.max(axis=0)])


def _beyond_border(find: Floats, solid: Floats | None, size_px: tuple[int, int]) -> Floats:
    """Give the edges of the whole body whose box ends where the picture does."""
    if solid is None:
        return find
    far = np.array(size_px) - 1 - BORDER_PX
    low = np.where(find[:2] <= BORDER_PX, np.minimum(find[:2], solid[:2]), find[:2])
    high = np.where(find[2:] >= far, np.maximum(find[2:], solid[2:]), find[2:])
    return np.concatenate([low, high])


def _placed(edges: Floats, box: tuple[int, int, int, int]) -> Maps:
    """Give the chances (rows, columns) in a box of places, of a body with those edges in pixels."""
    width, height = np.maximum(edges[2:] - edges[:2], 1.0)
    table = BENT_CHANCES if width > BENT * height else UPRIGHT_CHANCES
    rows, columns = table.shape[0] - 2, table.shape[1] - 2
    x0, y0, x1, y1 = box
    # From a place's middle to the table, whose border is one wide.
    across, down = columns / width, rows / height
    to_table = np.array(
        [
            [FINE * across, 0, ((x0 + 0.5) * FINE - 0.5 - edges[0]) * across + 0.5],
            [0, FINE * down, ((y0 + 0.5) * FINE - 0.5 - edges[1]) * down + 0.5],
        ]
    )
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return np.asarray(cv2.warpAffine(table, to_table, (x1 - x0, y1 - y0), flags=flags), np.float32)
