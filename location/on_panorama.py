"""Where people appear on the panorama: feet and the top of the body.

Knows nothing about pictures: only the panorama's surface, where its cameras hang, and which of them
paints each pixel.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from scene.arrays import Bytes, Floats, Ints
from scene.geometry import CameraModel
from scene.messages import Position
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
        tops = _drawn_tops(feet_m[shown], heads_m[shown], surface, cameras, painter)
        heads[shown] = np.where(np.isfinite(tops), tops, heads[shown])
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


def _drawn_tops(
    feet_m: Floats, tops_m: Floats, surface: Ribbon, cameras: Sequence[CameraModel], painter: Bytes
) -> Floats:
    """Give the pixels (N, 2) of bodies' tops as the cameras draw them that paint most of each.

    `feet_m` and `tops_m` (N, 3) are mine metres; NaN where no camera paints any of a body.
    """
    middles_m = feet_m + MIDDLE * (tops_m - feet_m)
    below = _painter_at(surface.panorama_from_mine(feet_m), surface, painter)
    most, found = np.zeros(len(feet_m), int), np.full((len(feet_m), 2), np.nan)
    # The feet are in one place for all, so mostly their painter is the body's, too: it is asked
    # first, and the others only about those of whom it does not paint all.
    for own in (True, False):
        for index, camera in enumerate(cameras):
            asked = np.flatnonzero((below == index) if own else (below != index) & (most < 2))
            if not len(asked):
                continue
            body_m = np.concatenate([middles_m[asked], tops_m[asked]]) - camera.centre_m
            places = surface.panorama_from_sight(camera.centre_m, body_m)
            mine = _painter_at(places, surface, painter) == index
            painted = mine.reshape(2, -1).sum(axis=0)
            drawn = places[len(asked) :]
            better = (painted > most[asked]) & np.isfinite(drawn).all(axis=1)
            found[asked[better]], most[asked[better]] = drawn[better], painted[better]
    return found


def _painter_at(pixels: Floats, surface: Ribbon, painter: Bytes) -> Ints:
    """Give who paints (N, 2) panorama pixels; -1 outside the picture."""
    inside = surface.inside(np.nan_to_num(pixels, nan=-1.0))
    found = np.full(len(pixels), -1)
    column, row = pixels[inside].astype(np.int64).T
    found[inside] = painter[row, column]
    return found
