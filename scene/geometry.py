"""Cameras and their lenses: from mine metres to pixels and back to rays.

Knows nothing about rigs, floors or people. Pixels have integer values at pixel centres, as OpenCV
has them. The camera frame is x right, y down, z forward, metres.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from scene.arrays import Bools, Floats

Lens = Literal["brown", "fisheye"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CameraModel:
    """One calibrated camera: lens, and where it hangs in the mine."""

    name: str
    size_px: tuple[int, int]
    lens: Lens
    k: Floats
    """(3, 3) intrinsic matrix, pixels."""
    distortion: Floats
    """(5,) k1 k2 p1 p2 k3 for `brown`, (4,) k1..k4 (Kannala-Brandt) for `fisheye`."""
    camera_from_mine: Floats
    """(4, 4) rigid transform."""
    pose_covariance: Floats
    """(6, 6) of a small turn (rad), then shift (m), both about the camera's own axes."""
    max_angle_rad: float
    """Rays further off the axis lie outside the calibrated cone: the lens polynomial folds back."""

    @property
    def centre_m(self) -> Floats:
        """(3,) where the camera hangs, mine metres."""
        rotation, shift = self.camera_from_mine[:3, :3], self.camera_from_mine[:3, 3]
        return np.asarray(-rotation.T @ shift)


def project(camera: CameraModel, points_m: Floats) -> tuple[Floats, Bools]:
    """Find the pixels where (N, 3) mine points appear, and which of them the camera can see.

    Gives (N, 2) pixels (meaningless where not seen) and (N,) whether the point lies in front of
    the camera, inside the lens's cone and inside the picture.
    """
    rotation, shift = camera.camera_from_mine[:3, :3], camera.camera_from_mine[:3, 3]
    points = np.asarray(points_m, float).reshape(-1, 3) @ rotation.T + shift
    radius = np.hypot(points[:, 0], points[:, 1])
    inside = np.arctan2(radius, points[:, 2]) <= camera.max_angle_rad
    pixels = distort(camera, points)
    width, height = camera.size_px
    inside &= (pixels[:, 0] >= -0.5) & (pixels[:, 0] <= width - 0.5)
    inside &= (pixels[:, 1] >= -0.5) & (pixels[:, 1] <= height - 0.5)
    return pixels, inside


def distort(camera: CameraModel, points_camera: Floats) -> Floats:
    """Carry (N, 3) points of the camera frame to (N, 2) pixels, by the camera's lens.

    Brown's model as in OpenCV's `calib3d`; Kannala-Brandt (2006) as in `cv2.fisheye`.
    """
    x, y, z = points_camera.T
    if camera.lens == "fisheye":
        radius = np.hypot(x, y)
        theta = np.arctan2(radius, z)
        scale = np.where(
            radius > 1e-12,
            _fisheye_theta(theta, camera.distortion) / np.maximum(radius, 1e-12),
            1 / np.maximum(np.abs(z), 1e-12),
        )
        normal = np.column_stack([x * scale, y * scale])
    else:
        safe = np.where(np.abs(z) > 1e-9, z, 1e-9)
        normal = _brown(np.column_stack([x / safe, y / safe]), camera.distortion)
    k = camera.k
    return np.asarray(normal @ k[:2, :2].T + k[:2, 2])


def rays(camera: CameraModel, pixels: Floats) -> Floats:
    """Give (N, 3) unit directions in mine axes through (N, 2) pixels; all start at `centre_m`."""
    return np.asarray(undistort(camera, pixels) @ camera.camera_from_mine[:3, :3])


def undistort(camera: CameraModel, pixels: Floats) -> Floats:
    """Give (N, 3) unit directions in the camera frame through (N, 2) pixels."""
    k = camera.k
    normal = (np.asarray(pixels, float).reshape(-1, 2) - k[:2, 2]) @ np.linalg.inv(k[:2, :2]).T
    if camera.lens == "fisheye":
        bent = np.hypot(normal[:, 0], normal[:, 1])
        theta = _solve_theta(bent, camera.distortion, camera.max_angle_rad)
        scale = np.where(bent > 1e-12, np.sin(theta) / np.maximum(bent, 1e-12), 1.0)
        return np.column_stack([normal * scale[:, None], np.cos(theta)])
    straight = _solve_brown(normal, camera.distortion)
    direction = np.column_stack([straight, np.ones(len(straight))])
    return np.asarray(direction / np.linalg.norm(direction, axis=1, keepdims=True))


def pose_from_mount(xyz_m: Floats, yaw_deg: float, pitch_deg: float, roll_deg: float) -> Floats:
    """Write `camera_from_mine` (4, 4) for a camera at `xyz_m` that looks along yaw and pitch.

    Yaw turns left from the mine's x axis, pitch is up, roll turns the picture clockwise as the
    camera sees it.

    >>> forward_m = np.array([10.0, 0.0, 2.0, 1.0])
    >>> (pose_from_mount(np.array([0.0, 0.0, 2.0]), 0, 0, 0) @ forward_m).round(6).tolist()
    [0.0, 0.0, 10.0, 1.0]
    """
    yaw, pitch, roll = np.radians([yaw_deg, pitch_deg, roll_deg])
    forward = np.array([np.cos(pitch) * np.cos(yaw), np.cos(pitch) * np.sin(yaw), np.sin(pitch)])
    right = np.array([np.sin(yaw), -np.cos(yaw), 0.0])
    down = np.cross(forward, right)
    rotation = np.array(
        [
            np.cos(roll) * right + np.sin(roll) * down,
            -np.sin(roll) * right + np.cos(roll) * down,
            forward,
        ]
    )
    pose = np.eye(4)
    pose[:3, :3] = rotation
    pose[:3, 3] = -rotation @ np.asarray(xyz_m, float)
    return pose


def _brown(normal: Floats, coefficients: Floats) -> Floats:
    k1, k2, p1, p2, k3 = coefficients
    x, y = normal.T
    r2 = x * x + y * y
    radial = 1 + r2 * (k1 + r2 * (k2 + r2 * k3))
    return np.column_stack(
        [
            x * radial + 2 * p1 * x * y + p2 * (r2 + 2 * x * x),
            y * radial + p1 * (r2 + 2 * y * y) + 2 * p2 * x * y,
        ]
    )


def _solve_brown(bent: Floats, coefficients: Floats) -> Floats:
    """Undo `_brown` by Newton's method (8 rounds at most)."""
    if not np.any(coefficients):
        return bent
    k1, k2, p1, p2, k3 = coefficients.tolist()
    to_x, to_y = bent.T
    r2 = to_x * to_x + to_y * to_y
    start = np.maximum(np.minimum(1 - r2 * (k1 + r2 * (k2 + r2 * k3)), 1.5), 0.5)
    x, y = to_x * start, to_y * start
    for _ in range(8):
        r2 = x * x + y * y
        radial = 1 + r2 * (k1 + r2 * (k2 + r2 * k3))
        off_x = x * radial + 2 * p1 * x * y + p2 * (r2 + 2 * x * x) - to_x
        off_y = y * radial + p1 * (r2 + 2 * y * y) + 2 * p2 * x * y - to_y
        if max(np.abs(off_x).max(initial=0), np.abs(off_y).max(initial=0)) < 1e-10:
            break
        bend = 2 * (k1 + r2 * (2 * k2 + r2 * 3 * k3))
        xx = radial + x * x * bend + 2 * p1 * y + 6 * p2 * x
        yy = radial + y * y * bend + 6 * p1 * y + 2 * p2 * x
        xy = x * y * bend + 2 * p1 * x + 2 * p2 * y
        det = xx * yy - xy * xy
        det = np.where(np.abs(det) > 1e-6, det, 1e-6)
        x, y = (
            np.maximum(np.minimum(x - (yy * off_x - xy * off_y) / det, 4.0), -4.0),
            np.maximum(np.minimum(y - (xx * off_y - xy * off_x) / det, 4.0), -4.0),
        )
    return np.column_stack([x, y])


def _fisheye_theta(theta: Floats, coefficients: Floats) -> Floats:
    k1, k2, k3, k4 = coefficients
    t2 = theta * theta
    return np.asarray(theta * (1 + t2 * (k1 + t2 * (k2 + t2 * (k3 + t2 * k4)))))


def _solve_theta(bent: Floats, coefficients: Floats, max_angle_rad: float) -> Floats:
    k1, k2, k3, k4 = coefficients
    theta = np.clip(bent, 0, max_angle_rad)
    for _ in range(10):
        t2 = theta * theta
        slope = 1 + t2 * (3 * k1 + t2 * (5 * k2 + t2 * (7 * k3 + t2 * 9 * k4)))
        slope = np.where(np.abs(slope) > 1e-6, slope, 1e-6)
        theta = theta - (_fisheye_theta(theta, coefficients) - bent) / slope
        theta = np.clip(theta, 0, max_angle_rad)
    return np.asarray(theta)
