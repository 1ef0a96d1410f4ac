"""Zones and gates beside the floor, where nobody is ever placed: no rule could see anybody there.

Knows nothing about rules.
"""

from collections.abc import Iterable, Sequence
from itertools import pairwise

import numpy as np

from scene.arrays import Floats
from scene.floor import Floor
from scene.floor_config import FloorConfig
from scene.messages import XY
from scene.polygon import is_inside
from scene.zones import GateConfig, ZoneConfig

BESIDE_M = 0.5
"""So far beside the floor people are still placed, however well they are seen."""
STEP_M = 0.25
MOST_STEPS = 2000


def off_floor(
    floor: FloorConfig, zones: Iterable[ZoneConfig | None], gates: Iterable[GateConfig | None]
) -> list[str]:
    """List the zones and gates, each as `place: mistake`, that do not touch the floor.

    Left out are those that can't be read (none), and zones that go with a machine, which are
    nowhere yet.
    """
    ground, found = Floor(floor), []
    corners = [(x, y) for x, y, _ in floor.centre_line_m]
    for index, zone in enumerate(zones):
        if zone is None:
            continue
        ring = (*zone.polygon_m, zone.polygon_m[0])
        if zone.follows is None and not any(is_inside(one, zone.polygon_m) for one in corners):
            found += _beyond(f"zones.{index}.polygon_m", "zone", ground, ring)
    for index, gate in enumerate(gates):
        if gate is not None:
            found += _beyond(f"gates.{index}.line_m", "gate", ground, gate.line_m)
    return found


def _beyond(place: str, what: str, floor: Floor, line_m: Sequence[XY]) -> list[str]:
    off_m = float(floor.outside_m(points_along(line_m)).min())
    if off_m <= BESIDE_M:
        return []
    first_m, last_m = sorted(floor.chainages_m)
    return [
        f"{place}: the {what} lies {off_m:.1f} m beyond the floor (chainage {first_m:g} to "
        f"{last_m:g} m), so that nobody is ever found in it; is the unit metres, the order x, y?"
    ]


def points_along(line_m: Sequence[XY]) -> Floats:
    """Give points (N, 2) along a line, close enough to each other not to step over the floor."""
    corners, points = np.asarray(line_m, float), []
    for start, end in pairwise(corners):
        steps = int(np.clip(np.hypot(*(end - start)) / STEP_M, 1, MOST_STEPS)) + 1
        points.append(start + np.linspace(0, 1, steps + 1)[:, None] * (end - start))
    return np.concatenate(points)
