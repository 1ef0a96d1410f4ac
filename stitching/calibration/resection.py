"""Find one camera's pose from points of known place in its picture, and the one mistaken for it.

Knows nothing about other cameras.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from scene.arrays import Floats
from scene.geometry import CameraModel, distort, undistort

FURTHEST_RAD = 1.45
"""Sights further off the axis are left out: PnP works on a plane before the camera."""
FLAT = 0.02
"""Third over first extent of a camera's points; less is a plane, which two poses may fit."""
SAME_M = 0.02
"""Two poses nearer to each other than this are one."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Pose:
    """One pose that was found."""

    camera_from_mine: Floats
    """(4, 4)."""
    miss_px: float
    """Median over the points."""
    rms_px: float

    @property
    def centre_m(self) -> Floats:
        """Give the camera's place (3,), mine metres."""
        turn, shift = self.camera_from_mine[:3, :3], self.camera_from_mine[:3, 3]
        return np.asarray(-turn.T @ shift)


def resect(
    camera: CameraModel, pixels: Floats, points_m: Floats, sigma_m: float = 0.0
) -> tuple[Pose, ...]:
    """Give the pose that fits best, and second the other one that a flat patch allows.

    `camera` has the lens; (K, 2) pixels show (K, 3) mine points, K at least 4, each known to
    `sigma_m`. Nothing if there's no solution. SQPNP (Terzakis and Lourakis, ECCV 2020), on a plane
    IPPE (Collins and Bartoli, IJCV 2014), then refined by Levenberg-Marquardt on the angles of
    sight.
    """
    sights = undistort(camera, pixels)
    ahead = np.arctan2(np.hypot(sights[:, 0], sights[:, 1]), sights[:, 2]) < FURTHEST_RAD
    if ahead.sum() < 4:
        return ()
    flat = np.ascontiguousarray(sights[ahead, :2] / sights[ahead, 2:])
    # Far from zero, mine coordinates (chainages of kilometres) would cost digits.
    middle = points_m.mean(axis=0)
    near = np.ascontiguousarray(points_m[ahead] - middle)
    found = []
    for turn, shift in _starts(near, flat, sigma_m):
        pose = _refined(near, flat, turn, shift)
        if pose is not None:
            pose[:3, 3] -= pose[:3, :3] @ middle
            found.append(_judged(camera, pose, pixels, points_m))
    found.sort(key=lambda one: one.rms_px)
    return tuple(
        one
        for rank, one in enumerate(found)
        if rank == 0 or np.linalg.norm(one.centre_m - found[0].centre_m) > SAME_M
    )


def _starts(near: Floats, flat: Floats, sigma_m: float) -> list[tuple[Floats, Floats]]:
    middle = near.mean(axis=0)
    _, extents, axes = np.linalg.svd(near - middle)
    # A marker's corners stand out of their plane by what they are surveyed wrongly, too.
    if extents[2] < max(FLAT * extents[0], 2 * sigma_m * np.sqrt(len(near))):
        across = axes[2]
        points, method = near - np.outer((near - middle) @ across, across), cv2.SOLVEPNP_IPPE
    else:
        points, method = near, cv2.SOLVEPNP_SQPNP
    try:
        _, turns, shifts, _ = cv2.solvePnPGeneric(
            np.ascontiguousarray(points), flat, np.eye(3), None, flags=method
        )
    except cv2.error:
        return []
    return [
        (np.asarray(turn, float), np.asarray(shift, float))
        for turn, shift in zip(turns, shifts, strict=True)
    ]


def _refined(near: Floats, flat: Floats, turn: Floats, shift: Floats) -> Floats | None:
    try:
        better, place = cv2.solvePnPRefineLM(near, flat, np.eye(3), None, turn, shift)
    except cv2.error:
        return None
    pose = np.eye(4)
    pose[:3, :3] = cv2.Rodrigues(better)[0]
    pose[:3, 3] = place.ravel()
    return pose if np.all(np.isfinite(pose)) else None


def _judged(camera: CameraModel, pose: Floats, pixels: Floats, points_m: Floats) -> Pose:
    seen = points_m @ pose[:3, :3].T + pose[:3, 3]
    miss = np.linalg.norm(distort(camera, seen) - pixels, axis=1)
    if camera.lens == "brown":
        miss = np.where(seen[:, 2] > 0, miss, camera.size_px[0])
    miss = np.nan_to_num(miss, nan=float(camera.size_px[0]))
    return Pose(
        camera_from_mine=pose,
        miss_px=float(np.median(miss)),
        rms_px=float(np.sqrt(np.mean(miss**2))),
    )
