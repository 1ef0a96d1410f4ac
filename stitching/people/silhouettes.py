"""Whom each place of a camera's picture shows: one person, whatever stands close together there.

Knows nothing about the panorama.
"""

import cv2
import numpy as np

from scene.arrays import Bools, Floats, Ints
from scene.geometry import CameraModel
from stitching.cells import SMALL
from stitching.maps import Maps
from stitching.people.bodies import Bodies

MARGIN_M = 0.15
"""So far beyond its outline a body is shown where nobody else is."""
MOST_MARGIN = 4


def owners(bodies: Bodies, index: int) -> Ints:
    """Say whom each place (rows, columns) of a camera's coarse picture shows: a bit, or -1.

    First whoever is surely there, then whoever was found there, then whoever may be there; of
    several the nearest.
    """
    levels = bodies.core[index], bodies.thin[index], bodies.sure[index]
    owner = np.full(levels[0].shape, -1, np.int64)
    anybody = np.nonzero(levels[0] | levels[1] | levels[2])
    few = owner[anybody]
    order = np.argsort(-bodies.distances_m()[:, index], kind="stable").tolist()
    for level in levels:
        some = level[anybody]
        for bit in order:
            few[some >> bit & 1 > 0] = bit
    owner[anybody] = few
    return owner


def silhouettes(bodies: Bodies, index: int, owner: Ints, bit: int, differs: Bools) -> Maps:
    """Draw where a body may be shown, where it is, and where it surely is: (rows, columns, 3) 0, 1.

    `owner` is that camera's; `differs` where its coarse picture is not as without people.
    """
    mine = owner == bit
    core = bodies.core[index] >> bit & 1 > 0
    size = 2 * _margin(bodies.cameras[index], np.array(bodies.people[bit].xyz_m)) + 1
    near = cv2.dilate(core.astype(np.uint8), np.ones((size, size), np.uint8)) > 0
    sure = mine & (bodies.sure[index] >> bit & 1 > 0)
    found = mine & (sure | (differs & core))
    return np.stack([mine | (near & (owner < 0)), found, sure], axis=-1).astype(np.float32)


def _margin(camera: CameraModel, feet_m: Floats) -> int:
    """Give how many places of the coarse picture a body may reach beyond its outline."""
    away_m = max(float(np.linalg.norm(feet_m - camera.centre_m)), 0.1)
    return int(np.clip(np.rint(MARGIN_M * camera.k[0, 0] / away_m / SMALL), 1, MOST_MARGIN))
