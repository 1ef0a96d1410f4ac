"""Find one camera's pose from points of known place in its picture.

Knows nothing about other cameras.
"""

import cv2
import numpy as np

from scene.arrays import Floats
from scene.geometry import CameraModel, distort, undistort

FURTHEST_RAD = 1.45
"""Sights further off the axis are left out: PnP works on a plane before the camera."""


def resect(camera: CameraModel, pixels: Floats, points_m: Floats) -> tuple[Floats, float] | None:
    """Give `camera_from_mine` (4, 4) and the median miss in px; nothing if there's no solution.

    `camera` has the lens; (K, 2) pixels show (K, 3) mine points, K at least 4. SQPNP (Terzakis and
    Lourakis, ECCV 2020), then refined by Levenberg-Marquardt on the angles of sight.
    """
    sights = undistort(camera, pixels)
    ahead = np.arctan2(np.hypot(sights[:, 0], sights[:, 1]), sights[:, 2]) < FURTHEST_RAD
    if ahead.sum() < 4:
        return None
    flat = sights[ahead, :2] / sights[ahead, 2:]
    # Far from zero, mine coordinates (chainages of kilometres) would cost digits.
    middle = points_m.mean(axis=0)
    near = np.ascontiguousarray(points_m[ahead] - middle)
    try:
        found, turn, shift = cv2.solvePnP(
            near, np.ascontiguousarray(flat), np.eye(3), None, flags=cv2.SOLVEPNP_SQPNP
        )
        if not found:
            return None
        turn, shift = cv2.solvePnPRefineLM(
            near, np.ascontiguousarray(flat), np.eye(3), None, turn, shift
        )
    except cv2.error:
        return None
    pose = np.eye(4)
    pose[:3, :3] = cv2.Rodrigues(turn)[0]
    pose[:3, 3] = shift.ravel() - pose[:3, :3] @ middle
    if not np.all(np.isfinite(pose)):
        return None
    seen = points_m @ pose[:3, :3].T + pose[:3, 3]
    miss = np.linalg.norm(distort(camera, seen) - pixels, axis=1)
    if camera.lens == "brown":
        miss = np.where(seen[:, 2] > 0, miss, camera.size_px[0])
    return pose, float(np.median(miss))
