"""An upright body as a post: what box it would have in a picture, and where it stands.

Knows nothing about detections or how sure anything is.
"""

import numpy as np

from scene.arrays import Bools, Floats, Ints
from scene.floor import Floor
from scene.geometry import CameraModel, distort, rays

BODY_RADIUS_M = 0.18
"""Half of what feet take on the floor. Of 0.12, 0.15, 0.18 and 0.21 m this places people best both
on the CMC recordings (0.066 m) and on the sample sites."""
STATURE_M, STATURE_SIGMA_M = 1.75, 0.10
"""With boots and helmet; used only where the feet are out of the picture or hidden."""


def stand(
    camera: CameraModel, floor: Floor, boxes: Floats, side: Ints
) -> tuple[Floats, Floats, Floats]:
    """Find where an upright post stands whose picture has this box.

    `side` is 1 where only the right edge of the box counts, -1 the left, 0 the middle of both.
    Gives (N, 2) pixels of the axis's foot, (N, 2) metres (NaN where the floor is not met) and (N,)
    metres of height.
    """
    top_px = boxes[:, 1]
    foot_px = np.column_stack([(boxes[:, 0] + boxes[:, 2]) / 2, boxes[:, 3]])
    size = (boxes[:, 2:] - boxes[:, :2]).max(axis=1)
    for _ in range(2):
        to_foot, to_top = sights(camera, foot_px, np.column_stack([foot_px[:, 0], top_px]))
        point, hit = floor.meet(camera.centre_m, to_foot)
        height = height_above(camera, point, to_top)
        post = post_box(camera, point, np.clip(np.nan_to_num(height, nan=STATURE_M), 0.3, 2.2))
        shift = np.column_stack([aside(boxes, post, side), boxes[:, 3] - post[:, 3]])
        good = hit & np.isfinite(shift).all(axis=1)
        limit = size[:, None]
        foot_px = foot_px + np.where(good[:, None], np.clip(shift, -limit, limit), 0.0)
    # The axis leans in the picture: its top is not straight above its foot.
    head_px = pixels_of(camera, point + np.array([0.0, 0.0, STATURE_M]))
    head_u = np.where(np.isfinite(head_px[:, 0]), head_px[:, 0], foot_px[:, 0])
    to_foot, to_top = sights(camera, foot_px, np.column_stack([head_u, top_px]))
    point, hit = floor.meet(camera.centre_m, to_foot)
    height = np.where(hit, height_above(camera, point, to_top), np.nan)
    return foot_px, point[:, :2].copy(), height


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
_UP = np.array([0.0, 0.0, 1.0])


def post_box(camera: CameraModel, foot_m: Floats, height_m: Floats) -> Floats:
    """Give the box (N, 4) round the part of an upright post that the picture's rows show.

    NaN where they show nothing of it.
    """
    points = foot_m[:, None] + _RING_M + _RING_SHARE[:, None] * height_m[:, None, None] * _UP
    count = points.shape[1]
    pixels = pixels_of(camera, points.reshape(-1, 3)).reshape(-1, count, 2)
    with np.errstate(invalid="ignore"):
        shown = (pixels[..., 1] > -1) & (pixels[..., 1] < camera.size_px[1])
    some = shown.sum(axis=1) >= 4
    low = np.where(shown[..., None], pixels, np.inf).min(axis=1)
    high = np.where(shown[..., None], pixels, -np.inf).max(axis=1)
    return np.where(some[:, None], np.column_stack([low, high]), np.nan)


def height_above(camera: CameraModel, foot_m: Floats, direction: Floats) -> Floats:
    """Tell how high above the foot (N, 3) lines of sight pass, (N,)."""
    offset = foot_m - camera.centre_m
    flat = np.sum(direction[:, :2] ** 2, axis=1)
    reach = np.sum(offset[:, :2] * direction[:, :2], axis=1) / np.maximum(flat, 1e-9)
    return np.asarray(camera.centre_m[2] + reach * direction[:, 2] - foot_m[:, 2])


def sights(camera: CameraModel, *pixels: Floats) -> list[Floats]:
    """Give the lines of sight through several (N, 2) arrays of pixels, at the price of one."""
    return np.split(rays(camera, np.concatenate(pixels)), len(pixels))


def pixels_of(camera: CameraModel, points_m: Floats) -> Floats:
    """Project like `scene.geometry.project`, NaN behind the camera or outside its cone."""
    rotation, shift = camera.camera_from_mine[:3, :3], camera.camera_from_mine[:3, 3]
    points = points_m @ rotation.T + shift
    with np.errstate(invalid="ignore"):
        ahead = points[:, 2] > 0.05
        off_axis = np.arctan2(np.hypot(points[:, 0], points[:, 1]), points[:, 2])
        # Slightly more than the cone: a body half out of the picture still has a shape.
        ahead &= off_axis < camera.max_angle_rad + 0.05
    safe = np.where(ahead[:, None], points, np.array([0.0, 0.0, 1.0]))
    return np.where(ahead[:, None], distort(camera, safe), np.nan)


def in_picture(camera: CameraModel, pixels: Floats) -> Bools:
    """Tell (N,) which pixels the picture has."""
    width, height = camera.size_px
    with np.errstate(invalid="ignore"):
        return np.asarray(
            (pixels[:, 0] >= 0)
            & (pixels[:, 0] <= width - 1)
            & (pixels[:, 1] >= 0)
            & (pixels[:, 1] <= height - 1)
        )
