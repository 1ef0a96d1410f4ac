"""Boxes that a detector found: whom they show, and what outline they give a body.

Knows nothing about solids, seams or the panorama.
"""

from collections.abc import Iterable

import numpy as np

from scene.arrays import Bools, Floats, Ints
from scene.messages import KINDS, Detections

BORDER_PX = 3.0
BOX_MARGINS = (-0.12, -0.02), (0.0, 0.0), (0.15, 0.06)
"""Of a find's width and height: of the thin, the whole and the wide body on each side."""
CUT_TOP, CUT_FOOT, CUT_SIDE = 0.3, 0.2, 0.3
"""Nobody fills the corners of their box: so much of its upper and lower edge, at each end, and of
its height shows what is behind them."""
BENT = 0.6
"""Width of a box by its height: of somebody upright it is less."""
SAME = 0.15
"""A box is that person's when it and their body share so much of both (intersection over union)."""
TWICE, WITHIN = 0.3, 0.85
"""Two boxes show the same person when they share so much of both, or so much of one."""
PERSON_KINDS = (KINDS.index("person"), KINDS.index("fallen"))


def at_border(box: Floats, size_px: tuple[int, int]) -> bool:
    """Tell whether a box (4,) touches the border of a picture."""
    far = np.array(size_px) - 1 - BORDER_PX
    return bool((box[:2] <= BORDER_PX).any() or (box[2:] >= far).any())


def person_boxes(finds: Iterable[Detections], camera: str) -> Floats:
    """Give the boxes (B, 4) of people that one camera shows."""
    boxes = [
        found.boxes_px[np.isin(found.kinds, PERSON_KINDS)]
        for found in finds
        if found.camera == camera
    ]
    return np.concatenate(boxes) if boxes else np.empty((0, 4))


def matched(pixels: Floats, good: Bools, boxes: Floats, size_px: tuple[int, int]) -> Ints:
    """Say whom each box (B,) shows: the body that it overlaps most, -1 for none.

    Bodies are (P, K, 2) pixels, those that are `good` (P, K); what lies beyond the picture, of
    `size_px`, is in no box. A second box of the same body is somebody else's, whom nobody has
    located, unless it shares enough with the first one.
    """
    if not len(boxes) or not len(pixels):
        return np.full(len(boxes), -1)
    low = np.where(good[..., None], pixels, np.inf).min(axis=1)
    high = np.where(good[..., None], pixels, -np.inf).max(axis=1)
    last = np.array(size_px) - 1
    share, _ = _shared(boxes, np.hstack([np.clip(low, 0, last), np.clip(high, 0, last)]))
    whose = np.where(share.max(axis=1) > SAME, share.argmax(axis=1), -1)
    for body in np.unique(whose[whose >= 0]).tolist():
        mine = np.flatnonzero(whose == body)
        first = mine[share[mine, body].argmax()]
        both, smaller = _shared(boxes[mine], boxes[[first]])
        apart = ((both < TWICE) & (smaller < WITHIN))[:, 0]
        whose[mine[apart]] = -1
        for box in mine[apart].tolist():
            # Unless it is a neighbour's, who has none.
            free = np.where(np.isin(np.arange(len(pixels)), whose), 0.0, share[box])
            if free.max() > SAME:
                whose[box] = int(free.argmax())
    return np.asarray(whose)


def _shared(boxes: Floats, others: Floats) -> tuple[Floats, Floats]:
    """Give the share of both (intersection over union), and of the smaller one, that both have.

    Each is (B, P), of boxes (B, 4) and others (P, 4), which may be empty.
    """
    low = np.maximum(boxes[:, None, :2], others[:, :2])
    high = np.minimum(boxes[:, None, 2:], others[:, 2:])
    shared = np.prod(np.maximum(high - low, 0), axis=2)
    size, other = (
        np.prod(np.maximum(some[:, 2:] - some[:, :2], 0), axis=1) for some in (boxes, others)
    )
    both, smaller = size[:, None] + other - shared, np.minimum(size[:, None], other)
    return shared / np.maximum(both, 1.0), shared / np.maximum(smaller, 1.0)


def outline(box: Floats, level: int) -> Floats:
    """Give the outline (8 or 4, 2) of whom a box shows: thin, as they are, or with a margin."""
    size = box[2:] - box[:2]
    margin = np.array(BOX_MARGINS[level]) * size
    (x0, y0), (x1, y1) = box[:2] - margin, box[2:] + margin
    # Somebody who lies or bends may fill the corners; and the wide body is to have room.
    if level == 2 or size[0] > BENT * size[1]:
        return np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]])
    head, foot = CUT_TOP * (x1 - x0), CUT_FOOT * (x1 - x0)
    upper, lower = y0 + CUT_SIDE * (y1 - y0), y1 - CUT_SIDE * (y1 - y0)
    right = [[x1 - head, y0], [x1, upper], [x1, lower], [x1 - foot, y1]]
    left = [[x0 + foot, y1], [x0, lower], [x0, upper], [x0 + head, y0]]
    return np.array(right + left)
