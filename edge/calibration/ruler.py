"""Where metres of roadway and degrees of direction lie along the panorama.

Knows nothing about how they are drawn.
"""

from dataclasses import dataclass
from math import ceil, floor

import numpy as np

from scene.floor import Floor
from scene.messages import XY
from scene.ribbon import Ribbon
from scene.rig import Rig

STEPS = (1, 2, 5, 10, 20, 45, 90)
LEAST_PX = 70.0
"""Labels are so far apart at least."""
NEAR_M = 25.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """One mark of a ruler."""

    x: float
    text: str
    """Empty for a mark without a label."""


def ruler(rig: Rig) -> tuple[Mark, ...]:
    """Give the marks along the panorama's lower edge: metres of chainage, or degrees of azimuth."""
    return _metres(rig.surface) if isinstance(rig.surface, Ribbon) else _degrees(rig)


def floor_marks(rig: Rig, line: Floor) -> tuple[tuple[XY, str], ...]:
    """Give where whole metres of the floor's centre line appear on a cylinder, and their names.

    Of metres that lie on top of each other the nearest is named; a ribbon's ruler has them all.
    """
    if isinstance(rig.surface, Ribbon):
        return ()
    low, high = sorted(line.chainages_m)
    chainage = np.arange(ceil(low), floor(high) + 1, dtype=float)
    points = line.at(chainage, np.zeros(len(chainage)))
    here = rig.surface.panorama_from_mine(points)
    away = np.linalg.norm(points - np.array(rig.surface.centre_m), axis=1)
    good = (away < NEAR_M) & rig.surface.inside(here)
    marks: list[tuple[XY, str]] = []
    for index in np.argsort(away, kind="stable"):
        x, y = (float(value) for value in here[index])
        if good[index] and not any(_hides(x - u, y - v) for (u, v), _ in marks):
            marks.append(((x, y), f"{chainage[index]:g}"))
    return tuple(marks)


def _hides(aside_px: float, below_px: float) -> bool:
    return abs(aside_px) < 0.7 * LEAST_PX and abs(below_px) < 0.4 * LEAST_PX


def _metres(ribbon: Ribbon) -> tuple[Mark, ...]:
    width = ribbon.size_px[0]
    sign = -1.0 if ribbon.mirrored else 1.0
    ends = (ribbon.chainage_left_m, ribbon.chainage_left_m + sign * width / ribbon.px_per_m)
    step = _step(ribbon.px_per_m)
    marks = []
    for metre in range(ceil(min(ends)), floor(max(ends)) + 1):
        x = (metre - ribbon.chainage_left_m) * sign * ribbon.px_per_m
        marks.append(Mark(x=x, text=f"{metre} m" if metre % step == 0 else ""))
    return tuple(marks)


def _degrees(rig: Rig) -> tuple[Mark, ...]:
    cylinder = rig.surface
    assert not isinstance(cylinder, Ribbon)
    px_per_degree = cylinder.px_per_rad * np.pi / 180
    left = float(np.degrees(cylinder.azimuth_left_rad))
    right = left - cylinder.size_px[0] / px_per_degree
    step = _step(px_per_degree)
    marks = []
    for degree in range(ceil(right), floor(left) + 1):
        if px_per_degree < 4 and degree % 5:
            continue
        named = (degree + 180) % 360 - 180
        text = f"{named}°" if degree % step == 0 else ""
        marks.append(Mark(x=(left - degree) * px_per_degree, text=text))
    return tuple(marks)


def _step(px_per_unit: float) -> int:
    return next((step for step in STEPS if step * px_per_unit >= LEAST_PX), STEPS[-1])
