"""Where people appear on the panorama: feet and the top of the body.

Knows nothing about pictures: only the panorama's surface, where its cameras hang, and which of them
paints each pixel.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from scene.arrays import Bytes, Floats, Ints
from scene.geometry import CameraModel
from scene.messages import XY, Position
from scene.ribbon import Ribbon
from scene.rig import Surface

FARTHEST_OUTSIDE = 2.0
"""Feet straight below the cameras lie endlessly far below the picture: cut at this many heights."""
MIDDLE = 0.5
"""Share of the body's height at which is looked, beside its top, who paints somebody."""


def with_panorama(
    people: tuple[Position, ...],
    surface: Surface,
    cameras: Sequence[CameraModel] = (),
    painter: Bytes | None = None,
) -> tuple[Position, ...]:
    """Add the panorama pixels of feet and head of everybody of whom a part lies in the picture.

    Feet may lie below the picture and heads above it: somebody close to the cameras is tagged, too.
    On a ribbon each camera draws a body's top somewhere else: `cameras` and `painter` (H, W), their
    indices as in `Panorama`, tell which place is the one that is shown.
    """
    if not people:
        return ()
    feet_m = np.array([person.xyz_m for person in people])
    heads_m = feet_m + np.outer([person.height_m for person in people], [0.0, 0.0, 1.0])
    feet, heads = (surface.panorama_from_mine(points) for points in (feet_m, heads_m))
    width, height = surface.size_px
    beside = (feet[:, 0] < 0) | (feet[:, 0] > width - 1)
    shown = ~beside & (feet[:, 1] >= 0) & (heads[:, 1] <= height - 1)
    if isinstance(surface, Ribbon) and painter is not None:
        for index in np.flatnonzero(shown):
            body_m = np.stack([feet_m[index], heads_m[index]])
            drawn = _drawn_top(body_m, surface, cameras, painter)
            heads[index] = heads[index] if drawn is None else drawn
    for pixels in (feet, heads):
        far = FARTHEST_OUTSIDE * height
        pixels[:, 1] = np.clip(pixels[:, 1], -far, height + far)
    return tuple(
        replace(
            person,
            panorama_xy=(float(foot[0]), float(foot[1])) if there else None,
            panorama_head_xy=(float(head[0]), float(head[1])) if there else None,
        )
        for person, foot, head, there in zip(people, feet, heads, shown, strict=True)
    )


def _drawn_top(
    ends_m: Floats, surface: Ribbon, cameras: Sequence[CameraModel], painter: Bytes
) -> XY | None:
    """Give the pixel of a body's top as the camera draws it that paints most of the body.

    `ends_m` (2, 3) are the feet and the top, mine metres; None where no camera paints any of it.
    """
    body_m = np.stack([ends_m[0] + MIDDLE * (ends_m[1] - ends_m[0]), ends_m[1]])
    below = _painter_at(surface.panorama_from_mine(ends_m[:1]), surface, painter)[0]
    best, found = 0, None
    # The feet are in one place for all, so mostly their painter is the body's, too.
    for index in sorted(range(len(cameras)), key=lambda index: index != below):
        centre_m = cameras[index].centre_m
        places = surface.panorama_from_sight(centre_m, body_m - centre_m)
        painted = int((_painter_at(places, surface, painter) == index).sum())
        if painted > best and np.isfinite(places[1]).all():
            best, found = painted, (float(places[1, 0]), float(places[1, 1]))
        if painted == len(body_m):
            break
    return found


def _painter_at(pixels: Floats, surface: Ribbon, painter: Bytes) -> Ints:
    """Give who paints (N, 2) panorama pixels; -1 outside the picture."""
    inside = surface.inside(np.nan_to_num(pixels, nan=-1.0))
    found = np.full(len(pixels), -1)
    column, row = pixels[inside].astype(np.int64).T
    found[inside] = painter[row, column]
    return found
