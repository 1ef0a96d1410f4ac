"""Where a low body lies whose box is seen.

Knows nothing about time or who it is.
"""

import numpy as np

from location.boxes import SQUAT_ASPECT
from location.post import height_above
from location.views import Views, sights
from scene.arrays import Bools, Floats
from scene.floor import Floor

LYING_HEIGHT_M = 0.30
LYING_WIDTH_M = 1.15
"""A low body that is wider than this lies across the line of sight."""


def lie(
    views: Views,
    floor: Floor,
    boxes: Floats,
    standing: tuple[Floats, Floats],
    fallen: Bools,
) -> tuple[Floats, Floats, Floats]:
    """Place low bodies: `xy_m`, `covariance_m2`, `height_m`.

    The box of a lying body reaches from its near edge on the floor to its far edge at
    `LYING_HEIGHT_M`; the body's middle is midway in metres. A low box that is narrow and not said
    to be fallen may also be somebody who crouches at the near edge: half-way between, unsure.
    """
    left, top, right, bottom = boxes.T
    middle = (left + right) / 2
    marks = [(middle, bottom), (middle, top), (left, bottom), (right, bottom)]
    marks_px = np.array([np.column_stack(mark) for mark in marks])
    to_near, to_far, to_left, to_right = sights(views, marks_px)
    near, hit = floor.meet(views.centre_m, to_near)
    far, hit_far = floor.meet(views.centre_m, to_far, above_m=LYING_HEIGHT_M)
    sides = [floor.meet(views.centre_m, direction)[0] for direction in (to_left, to_right)]
    wide_m = np.linalg.norm(sides[1] - sides[0], axis=1)
    along = far[:, :2] - near[:, :2]
    depth_m = np.linalg.norm(along, axis=1)
    xy, covariance = standing
    good = hit & hit_far & (depth_m < 3.0)
    # A body is no longer than a person: what the box adds beyond that is the far edge's noise.
    along = along * np.minimum(1, 2.0 / np.maximum(depth_m, 1e-6))[:, None]
    squat = right - left > SQUAT_ASPECT * (bottom - top)
    lying = good & (fallen | squat | (wide_m > LYING_WIDTH_M))
    share = np.where(lying, 0.5, 0.25)[:, None]
    moved = np.where(good[:, None], near[:, :2] + share * along, xy)
    unsure = np.where(lying, 0.15, 0.25)[:, None] * along
    spread = covariance + np.where(
        good[:, None, None], unsure[:, :, None] * unsure[:, None, :], 0.0
    )
    at = np.column_stack([moved, floor.z_m(moved)])
    height = np.where(lying, height_above(views, at, to_far), height_above(views, near, to_far))
    return moved, spread, np.where(good, height, np.where(fallen, 0.5, np.nan))
