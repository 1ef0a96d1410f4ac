"""Where people stand on a ribbon whom a detector has just found and nobody has located yet.

Knows nothing about seams, nor who these people are: it is a guess for the moment until tracking
knows better. It brings together what several cameras show of the same person.
"""

from collections.abc import Sequence

import numpy as np

from scene.arrays import Floats
from scene.geometry import CameraModel, rays
from scene.messages import Position
from scene.ribbon import Ribbon

SAME_M = 0.8
"""Feet seen by two cameras so near to each other are the same person's."""
SIGMA_M = 0.15
HEIGHT_M = 1.75
BORDER_PX = 3.0
"""A box that ends so near to the picture's lower border does not show where the feet are."""


def guessed_people(
    cameras: Sequence[CameraModel], surface: Ribbon, loose: Sequence[tuple[int, Floats]]
) -> list[Position]:
    """Place loose finds, (camera, box), on the floor; their tracks are negative."""
    feet: list[tuple[int, Floats]] = []
    for index, box in loose:
        place = _foot_m(cameras[index], surface, box)
        if place is not None:
            feet.append((index, place))
    groups: list[list[tuple[int, Floats]]] = []
    for index, place in feet:
        for group in groups:
            others = [camera for camera, _ in group]
            near = np.linalg.norm(np.mean([p for _, p in group], axis=0) - place) < SAME_M
            if near and index not in others:
                group.append((index, place))
                break
        else:
            groups.append([(index, place)])
    return [
        _person(-1 - number, np.mean([place for _, place in group], axis=0))
        for number, group in enumerate(groups)
    ]


def _foot_m(camera: CameraModel, surface: Ribbon, box: Floats) -> Floats | None:
    """Give the point of the floor (3,) under the middle of a box's lower edge, if it is one."""
    if box[3] >= camera.size_px[1] - 1 - BORDER_PX:
        return None
    foot_px = np.array([[(box[0] + box[2]) / 2, box[3]]])
    pixels = surface.panorama_from_sight(camera.centre_m, rays(camera, foot_px))
    if not surface.inside(np.nan_to_num(pixels, nan=-1.0)).all():
        return None
    return np.asarray(surface.mine_from_panorama(pixels)[0])


def _person(track: int, place_m: Floats) -> Position:
    x, y, z = (float(value) for value in place_m)
    return Position(
        track=track,
        xyz_m=(x, y, z),
        covariance_m2=((SIGMA_M**2, 0.0), (0.0, SIGMA_M**2)),
        velocity_m_s=(0.0, 0.0),
        height_m=HEIGHT_M,
        posture="upright",
        certainty="possibly",
        seen_at_ns=0,
        cameras=(),
    )
