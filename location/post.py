"""An upright body as a post: what box it would have in a picture, and where it stands.

Knows nothing about detections or how sure anything is.
"""

import numpy as np

from location.views import Views, pixels_of, sights
from scene.arrays import Bools, Floats, Ints
from scene.floor import Floor

BODY_RADIUS_M = 0.18
"""Half of what feet take on the floor. Of 0.12, 0.15, 0.18 and 0.21 m this places people best both
on the CMC recordings (0.066 m) and on the sample sites."""
STATURE_M, STATURE_SIGMA_M = 1.75, 0.10
"""With boots and helmet; used only where the feet are out of the picture or hidden."""


def stand(
    views: Views, floor: Floor, boxes: Floats, side: Ints
) -> tuple[Floats, Floats, Bools, Floats]:
    """Find where an upright post stands whose picture has this box.

    `side` is 1 where only the right edge of the box counts, -1 the left, 0 the middle of both.
    Gives lines of sight `around` the axis's foot, (5, N, 3), (N, 3) metres (NaN where the floor is
    not met), (N,) whether it is, and (N,) metres of height.
    """
    top_px = boxes[:, 1]
    foot_px = np.column_stack([(boxes[:, 0] + boxes[:, 2]) / 2, boxes[:, 3]])
    size = (boxes[:, 2:] - boxes[:, :2]).max(axis=1)
    for _ in range(2):
        above_px = np.column_stack([foot_px[:, 0], top_px])
        to_foot, to_top = sights(views, np.array([foot_px, above_px]))
        point, hit = floor.meet(views.centre_m, to_foot)
        height = height_above(views, point, to_top)
        post = post_box(views, point, np.clip(np.nan_to_num(height, nan=STATURE_M), 0.3, 2.2))
        shift = np.column_stack([aside(boxes, post, side), boxes[:, 3] - post[:, 3]])
        good = hit & np.isfinite(shift).all(axis=1)
        limit = size[:, None]
        foot_px = foot_px + np.where(good[:, None], np.clip(shift, -limit, limit), 0.0)
    # The axis leans in the picture: its top is not straight above its foot.
    head_px = pixels_of(views, point + np.array([0.0, 0.0, STATURE_M]))
    head_u = np.where(np.isfinite(head_px[:, 0]), head_px[:, 0], foot_px[:, 0])
    above_px = np.column_stack([head_u, top_px])
    lines = sights(views, np.concatenate([foot_px + AROUND_PX, above_px[None]]))
    point, hit = floor.meet(views.centre_m, lines[4])
    height = np.where(hit, height_above(views, point, lines[5]), np.nan)
    return lines[:5], point, hit, height


def aside(boxes: Floats, post: Floats, side: Ints) -> Floats:
    """Tell how far (N,) a post's box must move right to lie on the seen one."""
    gap = boxes - post
    middle = (gap[:, 0] + gap[:, 2]) / 2
    return np.where(side > 0, gap[:, 2], np.where(side < 0, gap[:, 0], middle))


RINGS = ((0.0, BODY_RADIUS_M), (0.25, 0.12), (0.5, 0.2), (0.8, 0.24), (1.0, 0.1))
"""Of the post: share of its height, radius in metres."""
_ANGLE = np.arange(8) * np.pi / 4
_CIRCLE = np.column_stack([np.cos(_ANGLE), np.sin(_ANGLE), np.zeros(8)])
_RING_M = np.concatenate([radius * _CIRCLE for _, radius in RINGS])
_RING_SHARE = np.repeat([share for share, _ in RINGS], 8)


def post_box(views: Views, foot_m: Floats, height_m: Floats) -> Floats:
    """Give the box (N, 4) round the part of an upright post that the picture's rows show.

    NaN where they show nothing of it.
    """
    points = foot_m + _RING_M[:, None]
    points[..., 2] += _RING_SHARE[:, None] * height_m
    pixels = pixels_of(views, points)
    with np.errstate(invalid="ignore"):
        shown = (pixels[..., 1] > -1) & (pixels[..., 1] < views.size_px[:, 1])
    some = shown.sum(axis=0) >= 4
    low = np.where(shown[..., None], pixels, np.inf).min(axis=0)
    high = np.where(shown[..., None], pixels, -np.inf).max(axis=0)
    return np.where(some[:, None], np.concatenate([low, high], axis=1), np.nan)


def height_above(views: Views, foot_m: Floats, direction: Floats) -> Floats:
    """Tell how high above the foot (N, 3) lines of sight pass, (N,)."""
    x, y, z = (foot_m - views.centre_m).T
    dx, dy, dz = direction.T
    reach = (x * dx + y * dy) / np.maximum(dx * dx + dy * dy, 1e-9)
    return np.asarray(reach * dz - z)


AROUND_PX = np.array([[0.5, 0.0], [-0.5, 0.0], [0.0, 0.5], [0.0, -0.5], [0.0, 0.0]])[:, None]
"""(5, 1, 2): right of, left of, below and above a pixel, and the pixel itself."""


def around(views: Views, pixels: Floats) -> Floats:
    """Give the lines of sight (5, N, 3) around and through (N, 2) pixels, by `AROUND_PX`."""
    return sights(views, pixels + AROUND_PX)
