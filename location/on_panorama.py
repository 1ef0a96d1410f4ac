"""Where people appear on the panorama: feet and the top of the body.

Knows nothing about pictures: only the panorama's surface.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from scene.messages import Inset, Position
from scene.ribbon import Ribbon
from scene.rig import Surface

FARTHEST_OUTSIDE = 2.0
"""Feet straight below the cameras lie endlessly far below the picture: cut at this many heights."""


def with_panorama(
    people: tuple[Position, ...], surface: Surface, insets: Sequence[Inset] = ()
) -> tuple[Position, ...]:
    """Add the panorama pixels of feet and head of everybody of whom a part lies in the picture.

    Feet may lie below the picture and heads above it: somebody close to the cameras is tagged, too.
    On a ribbon everybody stands upright, as they are drawn there; whom an inset shows is where it
    shows them.
    """
    if not people:
        return ()
    feet_m = np.array([person.xyz_m for person in people])
    heads_m = feet_m + np.outer([person.height_m for person in people], [0.0, 0.0, 1.0])
    drawn = surface.upright if isinstance(surface, Ribbon) else surface.panorama_from_mine
    feet, heads = drawn(feet_m), drawn(heads_m)
    numbers = {person.track: number for number, person in enumerate(people)}
    for inset in insets:
        for track, foot, head in zip(inset.tracks, inset.feet_px, inset.heads_px, strict=True):
            if track in numbers and np.isfinite([*foot, *head]).all():
                feet[numbers[track]], heads[numbers[track]] = foot, head
    width, height = surface.size_px
    beside = (feet[:, 0] < 0) | (feet[:, 0] > width - 1)
    shown = ~beside & (feet[:, 1] >= 0) & (heads[:, 1] <= height - 1)
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
