"""By which support or mark a place is, in English and Chinese: `support 57`, `K12 + 8 m`.

Knows nothing about who is there. The page's `landmarks.js` says the same.
"""

import math
from collections.abc import Iterable, Sequence
from functools import lru_cache

import numpy as np
from pydantic import ValidationError

from scene.floor import Floor
from scene.floor_config import FloorConfig
from scene.messages import XYZ, Landmark, SiteDescription

NAMES = {"support": ("support {}", "{} 号支架"), "mark": ("{}", "{}")}


def floor_of(site: SiteDescription) -> Floor | None:
    """Give the floor of a gateway's description, the same one for the same roadway.

    None where that has no roadway.
    """
    return _floor(site.centre_line_m, site.left_m, site.right_m)


@lru_cache(maxsize=1024)
def _floor(centre_line_m: tuple[XYZ, ...], left_m: float, right_m: float) -> Floor | None:
    try:
        config = FloorConfig(centre_line_m=centre_line_m, left_m=left_m, right_m=right_m)
    except ValidationError:  # a gateway's mistake, not a reason to tell nothing
        return None
    return Floor(config)


def chainage_of(site: SiteDescription, xyz_m: XYZ) -> float | None:
    """Tell the chainage of a place by a gateway's description; none where that has no roadway."""
    return chainages_of(site, [xyz_m])[0]


def chainages_of(site: SiteDescription, places_m: Sequence[XYZ]) -> list[float | None]:
    """Tell `chainage_of` of many places, for little more than of one."""
    floor = floor_of(site)
    if floor is None or not places_m:
        return [None] * len(places_m)
    found = floor.place(np.array([place[:2] for place in places_m], float))[:, 0].tolist()
    # As the page does, where `round` would be half to even; and half is half for both, whatever
    # the last bits of their sums.
    return [math.floor(chainage_m * 10 + 0.5 + 1e-6) / 10 for chainage_m in found]


def nearest(landmarks: Iterable[Landmark], chainage_m: float) -> Landmark | None:
    """Give the landmark that is nearest along the roadway; none where there are none."""
    return min(landmarks, key=lambda one: abs(one.chainage_m - chainage_m), default=None)


def by_landmark(near: Landmark, chainage_m: float, language: str = "en") -> str:
    """Say where a chainage is by a landmark: at it, or so many metres up (+) or down the roadway.

    >>> fifty_seven = Landmark(name="57", kind="support", chainage_m=100.0, reach_m=0.875)
    >>> by_landmark(fifty_seven, 100.5), by_landmark(fifty_seven, 100.5, "zh")
    ('support 57', '57 号支架')
    >>> by_landmark(Landmark(name="K12", kind="mark", chainage_m=40.0, reach_m=0.5), 32.2)
    'K12 - 8 m'
    """
    column = 1 if language == "zh" else 0
    # A newer gateway may know other kinds; their name is still a name.
    name = NAMES.get(near.kind, ("{}", "{}"))[column].format(near.name)
    off_m = chainage_m - near.chainage_m
    whole_m = math.floor(abs(off_m) + 0.5)
    if abs(off_m) <= near.reach_m or whole_m == 0:
        return name
    return f"{name} {'+' if off_m > 0 else '-'} {whole_m} {('m', '米')[column]}"
