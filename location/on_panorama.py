"""Where people appear on the panorama: feet and the top of the body.

Knows nothing about cameras: only the panorama's surface.
"""

from dataclasses import replace

import numpy as np

from scene.messages import XY, Position
from scene.surface import Cylinder


def with_panorama(people: tuple[Position, ...], surface: Cylinder) -> tuple[Position, ...]:
    """Add the panorama pixels of feet and head, each only where it lies in the picture."""
    if not people:
        return ()
    feet_m = np.array([person.xyz_m for person in people])
    heads_m = feet_m + [[0.0, 0.0, person.height_m] for person in people]
    pixels = surface.panorama_from_mine(np.concatenate([feet_m, heads_m]))
    inside = surface.inside(pixels)
    places: list[XY | None] = [
        (float(x), float(y)) if shown else None
        for (x, y), shown in zip(pixels, inside, strict=True)
    ]
    count = len(people)
    return tuple(
        replace(person, panorama_xy=places[index], panorama_head_xy=places[count + index])
        for index, person in enumerate(people)
    )
