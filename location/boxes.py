"""Which boxes show people, each person once, and what a box says by itself.

Knows nothing about cameras' places or the floor: pixels only.
"""

from dataclasses import replace

import numpy as np

from scene.arrays import Bools, Floats, Ints
from scene.geometry import CameraModel
from scene.messages import KINDS, Detections

PERSON, FALLEN = KINDS.index("person"), KINDS.index("fallen")

SQUAT_M, SQUAT_ASPECT = 1.3, 0.8
"""A body that seems lower than this, in a box wider than this share of its height, lies aslant:
nobody who crouches is that broad."""


def sane(detections: Detections) -> Detections:
    """Drop what is no box or has no score, of whatever kind: heads go through here too."""
    boxes = np.asarray(detections.boxes_px, float)
    with np.errstate(invalid="ignore", over="ignore"):
        good = np.isfinite(boxes).all(axis=1) & np.isfinite(detections.scores)
        good &= (boxes[:, 2] - boxes[:, 0] > 1) & (boxes[:, 3] - boxes[:, 1] > 1)
        good &= (np.abs(boxes) < 1e5).all(axis=1)
    if good.all():
        return detections
    return replace(
        detections,
        boxes_px=boxes[good],
        scores=detections.scores[good],
        kinds=detections.kinds[good],
    )


def usable(detections: Detections, camera: CameraModel) -> tuple[Floats, Floats, Bools]:
    """Keep people's boxes, clipped to the picture, each person once."""
    boxes = np.asarray(detections.boxes_px, float)
    scores, kinds = detections.scores, detections.kinds
    good = (kinds == PERSON) | (kinds == FALLEN)
    w, h = camera.size_px
    boxes = np.clip(boxes[good], 0, [w - 1, h - 1, w - 1, h - 1])
    scores, fallen = np.asarray(scores[good], float), np.asarray(kinds[good] == FALLEN)
    size = boxes[:, 2:] - boxes[:, :2]
    inside = (size > 1).all(axis=1)
    boxes, scores, fallen = boxes[inside], scores[inside], fallen[inside]
    kept, fallen = _once(boxes, scores, fallen)
    boxes, scores, fallen = boxes[kept], scores[kept], fallen[kept]
    whole = ~_parts_of_lying(boxes, scores)
    return boxes[whole], scores[whole], fallen[whole]


def _once(boxes: Floats, scores: Floats, fallen: Bools) -> tuple[Ints, Bools]:
    """Keep the best of boxes that are nearly the same; it is fallen if the better half say so."""
    alike = _overlap(boxes) > 0.7
    if np.count_nonzero(alike) <= len(boxes):
        return np.arange(len(boxes)), fallen  # each is like itself only
    order = np.lexsort((boxes[:, 1], boxes[:, 0], -scores))
    kept: list[int] = []
    fallen = fallen.copy()
    for index in order:
        same = [other for other in kept if alike[index, other]]
        if not same:
            kept.append(int(index))
        elif fallen[index] and scores[index] > 0.7 * scores[same[0]]:
            fallen[same[0]] = True
    return np.array(sorted(kept), dtype=np.int64), fallen


def _parts_of_lying(boxes: Floats, scores: Floats) -> Bools:
    """Tell which boxes are only a part of somebody lying whom another, squat box shows better.

    A detector that is unsure of a lying body often gives two boxes, one of them upright. A box
    that scores half as much again stays: somebody may stand there.
    """
    size = boxes[:, 2:] - boxes[:, :2]
    squat = size[:, 0] > SQUAT_ASPECT * size[:, 1]
    if not squat.any():
        return squat
    low = np.maximum(boxes[:, None, :2], boxes[None, :, :2])
    high = np.minimum(boxes[:, None, 2:], boxes[None, :, 2:])
    shared = np.prod(np.maximum(high - low, 0), axis=2)
    area = np.prod(size, axis=1)
    inside = shared > 0.6 * np.minimum(area[:, None], area[None])
    stronger = scores[:, None] > 1.5 * scores[None]
    return np.asarray((inside & ~squat[:, None] & squat[None] & ~stronger).any(axis=1))


def _overlap(boxes: Floats) -> Floats:
    """Intersection over union of each box with each, (N, N)."""
    low = np.maximum(boxes[:, None, :2], boxes[None, :, :2])
    high = np.minimum(boxes[:, None, 2:], boxes[None, :, 2:])
    shared = np.prod(np.maximum(high - low, 0), axis=2)
    area = np.prod(boxes[:, 2:] - boxes[:, :2], axis=1)
    return np.asarray(shared / (area[:, None] + area[None] - shared))


def borders(boxes: Floats, size_px: Floats) -> tuple[Bools, Bools, Bools, Bools]:
    """Tell (N,) which boxes the left, upper, right and lower border of pictures (N, 2) may cut."""
    margin = np.maximum(2.0, 0.004 * size_px)
    low, high = boxes[:, :2] <= margin, boxes[:, 2:] >= size_px - 1 - margin
    return low[:, 0], low[:, 1], high[:, 0], high[:, 1]


def feet_hidden(boxes: Floats) -> Bools:
    """Tell whose feet are inside the box of somebody nearer (whose own feet are lower).

    Only where the upper part that is left is clearly too short for the width: a person who merely
    stands behind another keeps the detector's full box.
    """
    size = boxes[:, 2:] - boxes[:, :2]
    u, v = (boxes[:, 0] + boxes[:, 2]) / 2, boxes[:, 3]
    behind = (
        (u[:, None] > boxes[None, :, 0])
        & (u[:, None] < boxes[None, :, 2])
        & (v[:, None] > boxes[None, :, 1])
        & (v[:, None] < boxes[None, :, 3] - 0.05 * size[None, :, 1])
    )
    np.fill_diagonal(behind, False)
    short = size[:, 1] < 1.6 * size[:, 0]
    return np.asarray(behind.any(axis=1) & short)


def feet_covered(boxes: Floats) -> Floats:
    """Tell (N,) which share of a box's lower third the box of one person nearer covers most of."""
    low = boxes.copy()
    low[:, 1] = boxes[:, 3] - (boxes[:, 3] - boxes[:, 1]) / 3
    begin = np.maximum(low[:, None, :2], boxes[None, :, :2])
    end = np.minimum(low[:, None, 2:], boxes[None, :, 2:])
    shared = np.prod(np.maximum(end - begin, 0), axis=2)
    nearer = boxes[None, :, 3] > boxes[:, None, 3]
    area = np.prod(low[:, 2:] - low[:, :2], axis=1)
    return np.asarray(np.where(nearer, shared, 0.0).max(axis=1, initial=0.0) / area)
