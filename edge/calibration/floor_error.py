"""How wrong a place on the floor may be because a camera's pose is only known so well.

Knows nothing about detectors or people: a box's own noise comes on top of it.
"""

from dataclasses import replace

import numpy as np

from scene.arrays import Floats
from scene.floor import Floor
from scene.geometry import CameraModel, project, rays
from stitching.calibration.strip_bundle import moved_pose

DIRECTIONS = 144
"""So many directions round the camera are looked in."""
STEP = 1e-5


def floor_sigma_m(camera: CameraModel, floor: Floor, away_m: float) -> float | None:
    """Give the standard deviation, m, of a place on the floor `away_m` from the camera in plan.

    At the place in its picture where that is largest, in the direction in which it is largest;
    none when it shows no floor at that distance. First-order propagation of the camera's
    (6, 6) `pose_covariance` through the line of sight's meeting with the floor.
    """
    places = _places(camera, floor, away_m)
    if not len(places):
        return None
    pixels, _ = project(camera, places)
    slopes = np.stack([_slope(camera, floor, pixels, index) for index in range(6)], axis=2)
    slopes = slopes[np.isfinite(slopes).all(axis=(1, 2))]
    if not len(slopes):
        return None
    covariance = slopes @ camera.pose_covariance @ slopes.transpose(0, 2, 1)
    return float(np.sqrt(max(np.linalg.eigvalsh(covariance).max(), 0.0)))


def _places(camera: CameraModel, floor: Floor, away_m: float) -> Floats:
    """Give the (N, 3) points of the roadway's floor so far away that the camera sees."""
    angle = np.arange(DIRECTIONS) * 2 * np.pi / DIRECTIONS
    xy = camera.centre_m[:2] + away_m * np.column_stack([np.cos(angle), np.sin(angle)])
    points = np.column_stack([xy, floor.z_m(xy)])
    _, seen = project(camera, points)
    return np.asarray(points[seen & (floor.outside_m(xy) <= 0)])


def _slope(camera: CameraModel, floor: Floor, pixels: Floats, index: int) -> Floats:
    """Give how (N, 2) places move per unit of one of the pose's six terms."""
    ends = []
    for sign in (1, -1):
        step = np.zeros(6)
        step[index] = sign * STEP
        moved = replace(camera, camera_from_mine=moved_pose(camera.camera_from_mine, step))
        points, hit = floor.meet(moved.centre_m, rays(moved, pixels))
        ends.append(np.where(hit[:, None], points[:, :2], np.nan))
    return np.asarray((ends[0] - ends[1]) / (2 * STEP))
