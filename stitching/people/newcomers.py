"""Where those stand whom cameras have found together, but nobody has placed yet.

Knows nothing about who they are: whoever follows people takes its time to be sure of somebody, and
until then they have no place. What two cameras found at one spot of the floor can be drawn there.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import count

import numpy as np

from scene.arrays import Floats
from scene.floor import Floor
from scene.geometry import CameraModel, rays
from scene.messages import Position
from scene.ribbon import Ribbon
from scene.site import FloorConfig
from stitching.people.bodies import Bodies
from stitching.people.finds import BORDER_PX, matched
from stitching.people.solids import core_m, in_picture

CAMERAS = 2
"""So many must have found somebody: one alone may be wrong, and shows them whole anyway."""
TOGETHER_M, PER_M = 0.5, 0.05
"""What two cameras found is one person's within that, and so much more per metre of distance: feet
hidden by a stone look farther off."""
APART_M = 0.45
"""Nearer than that to somebody known nobody new stands."""
LEAST_M, MOST_M = 0.4, 2.3
"""Heights that people have; others are boxes that end above or below the feet."""
CROUCHING_M = 1.35
SIGMA_M = 0.15


@dataclass(slots=True, kw_only=True)
class _Spot:
    """Where a box, or several of different cameras, say that somebody stands."""

    cameras: set[int]
    place_m: Floats
    """(3,) the feet, mine metres."""
    height_m: float
    weight: float

    def take(self, other: "_Spot") -> None:
        """Move towards what another camera says."""
        share = other.weight / (self.weight + other.weight)
        self.place_m = self.place_m + share * (other.place_m - self.place_m)
        self.height_m += share * (other.height_m - self.height_m)
        self.weight += other.weight
        self.cameras |= other.cameras


class Newcomers:
    """Places them by the feet of their boxes on the ribbon's floor."""

    def __init__(self, surface: Ribbon) -> None:
        self._surface = surface
        config = FloorConfig(centre_line_m=surface.line_m, cross_fall=surface.cross_fall)
        self._floor = Floor(config)
        self._numbers = count(1)

    def of(self, bodies: Bodies, at_ns: int) -> tuple[Position, ...]:
        """Place whom cameras found, but none of the people; tracks are negative, and never again.

        Only their loose finds count.
        """
        loose = [bodies.loose_boxes(index) for index in range(len(bodies.cameras))]
        if sum(len(boxes) > 0 for boxes in loose) < CAMERAS:
            return ()
        spots = _joined(
            spot
            for index, (camera, boxes) in enumerate(zip(bodies.cameras, loose, strict=True))
            for spot in self._spots(index, camera, boxes)
        )
        spots = [spot for spot in spots if self._is_free(spot, bodies.people)]
        people = [self._position(spot, bodies.cameras, at_ns) for spot in spots]
        found_by = np.zeros(len(people), np.int64)
        for camera, boxes in zip(bodies.cameras, loose, strict=True):
            whose = matched(*in_picture(camera, core_m(people)), boxes, camera.size_px)
            found_by[np.unique(whose[whose >= 0])] += 1
        return tuple(one for one, by in zip(people, found_by, strict=True) if by >= CAMERAS)

    def _spots(self, index: int, camera: CameraModel, boxes: Floats) -> list[_Spot]:
        """Give where one camera's boxes (B, 4) stand, as far as they show the feet."""
        whole = boxes[boxes[:, 3] < camera.size_px[1] - 1 - BORDER_PX]
        middle = (whole[:, 0] + whole[:, 2]) / 2
        feet, tops = (rays(camera, np.column_stack([middle, whole[:, row]])) for row in (3, 1))
        places_m, met = self._floor.meet(camera.centre_m, feet)
        away_m = np.linalg.norm(places_m[:, :2] - camera.centre_m[:2], axis=1)
        rise = tops[:, 2] / np.maximum(np.linalg.norm(tops[:, :2], axis=1), 1e-9)
        heights_m = camera.centre_m[2] + rise * away_m - places_m[:, 2]
        return [
            _Spot(cameras={index}, place_m=place_m, height_m=height_m, weight=away**-2)
            for place_m, height_m, away in zip(
                places_m[met], heights_m[met].tolist(), away_m[met].tolist(), strict=True
            )
            if LEAST_M <= height_m <= MOST_M
        ]

    def _is_free(self, spot: _Spot, people: Sequence[Position]) -> bool:
        """Tell whether a spot lies on the panorama, and nobody known stands there."""
        known_m = np.array([person.xyz_m for person in people]).reshape(-1, 3)
        apart_m = np.linalg.norm(known_m - spot.place_m, axis=1).min(initial=np.inf)
        on_it = self._surface.inside(self._surface.upright(spot.place_m[None]))[0]
        return bool(on_it and apart_m > APART_M)

    def _position(self, spot: _Spot, cameras: Sequence[CameraModel], at_ns: int) -> Position:
        x, y, z = spot.place_m.tolist()
        return Position(
            track=-next(self._numbers),
            xyz_m=(x, y, z),
            covariance_m2=((SIGMA_M**2, 0.0), (0.0, SIGMA_M**2)),
            velocity_m_s=(0.0, 0.0),
            height_m=spot.height_m,
            posture="upright" if spot.height_m >= CROUCHING_M else "crouching",
            certainty="possibly",
            seen_at_ns=at_ns,
            cameras=tuple(cameras[index].name for index in sorted(spot.cameras)),
        )


def _joined(spots: Iterable[_Spot]) -> list[_Spot]:
    """Join what different cameras say of one person, beginning with what is surest."""
    found: list[_Spot] = []
    for spot in sorted(spots, key=lambda one: -one.weight):
        reach_m = TOGETHER_M + PER_M * spot.weight**-0.5
        near = [
            (float(np.linalg.norm(one.place_m - spot.place_m)), number)
            for number, one in enumerate(found)
            if not one.cameras & spot.cameras
        ]
        apart_m, number = min(near, default=(np.inf, -1))
        if apart_m <= reach_m:
            found[number].take(spot)
        else:
            found.append(spot)
    return found
