"""The chainage ruler: where each metre of roadway lies across the panorama.

Knows nothing about cameras or people: only the floor and the panorama's surface.
"""

import numpy as np

from scene.arrays import Floats
from scene.floor import Floor
from scene.messages import RulerMark
from scene.rig import Rig
from scene.site import FloorConfig

POINTS_ACROSS = 9
AHEAD_M = 60.0
"""So far from the rig the ruler goes; further off metres lie closer than a pixel."""
JUMP = 0.25
"""Neighbours on a mark further apart than this share of the picture's width lie on either side
of the cut of a panorama that goes all round."""


def ruler(rig: Rig, config: FloorConfig) -> tuple[RulerMark, ...]:
    """Give for each whole metre of chainage the line across the floor, in panorama pixels.

    Only what lies in the picture; a metre of which nothing does has no mark.
    """
    floor = Floor(config)
    low, high = sorted(floor.chainages_m)
    centres = np.array([camera.centre_m[:2] for camera in rig.cameras])
    near = floor.place(centres)[:, 0]
    first = np.ceil(max(low, near.min() - AHEAD_M))
    last = np.floor(min(high, near.max() + AHEAD_M))
    marks = []
    for chainage_m in np.arange(first, last + 1):
        across_m = np.linspace(config.left_m, -config.right_m, POINTS_ACROSS)
        points = floor.at(np.full(POINTS_ACROSS, chainage_m), across_m)
        pixels = rig.surface.panorama_from_mine(points)
        first_in, end = _inside(rig, pixels)
        if end - first_in > 1:
            marks.append(
                RulerMark(
                    chainage_m=float(chainage_m),
                    across_px=tuple(
                        (round(float(x), 1), round(float(y), 1)) for x, y in pixels[first_in:end]
                    ),
                    left_m=(
                        round(float(across_m[first_in]), 3),
                        round(float(across_m[end - 1]), 3),
                    ),
                )
            )
    return tuple(marks)


def _inside(rig: Rig, pixels: Floats) -> tuple[int, int]:
    """Give start and end of the longest run of (N, 2) that lie side by side in the picture."""
    inside = rig.surface.inside(pixels)
    width = rig.surface.size_px[0]
    best, start = (0, 0), 0
    for index in range(len(pixels) + 1):
        ends = index == len(pixels) or not inside[index]
        jumps = (
            index > start
            and not ends
            and abs(pixels[index, 0] - pixels[index - 1, 0]) > (JUMP * width)
        )
        if ends or jumps:
            if index - start > best[1] - best[0]:
                best = (start, index)
            start = index if jumps else index + 1
    return best
