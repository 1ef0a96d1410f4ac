"""Cameras and their lenses: from mine metres to pixels and back to rays.

Knows nothing about rigs, floors or people. Pixels have integer values at pixel centres, as OpenCV
has them. The camera frame is x right, y down, z forward, metres.
"""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from scene.arrays import Bools, Floats

Lens = Literal["brown", "fisheye"]
Complexes = NDArray[np.complex128]
SMALL_STEP = 1e-6
"""Of Newton's method, in units of the focal length: what is still wrong after it is below 1e-10."""


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
    """Carry (N, 3) points of the camera frame to (N, 2) pixels, by the camera's lens."""
    x, y, z = points_camera.T
    if camera.lens == "brown":
        z = np.where(np.abs(z) > 1e-9, z, 1e-9)
    normal = np.column_stack(bend(camera.lens, x, y, z, camera.distortion))
    return np.asarray(normal @ camera.k[:2, :2].T + camera.k[:2, 2])


def rays(camera: CameraModel, pixels: Floats) -> Floats:
    """Give (N, 3) unit directions in mine axes through (N, 2) pixels; all start at `centre_m`."""
    return np.asarray(undistort(camera, pixels) @ camera.camera_from_mine[:3, :3])


def undistort(camera: CameraModel, pixels: Floats) -> Floats:
    """Give (N, 3) unit directions in the camera frame through (N, 2) pixels."""
    k = camera.k
    normal = (np.asarray(pixels, float).reshape(-1, 2) - k[:2, 2]) @ _inverse(k[:2, :2]).T
    x, y = normal.T
    return np.column_stack(straighten(camera.lens, x, y, camera.distortion, camera.max_angle_rad))


def bend(
    lens: Lens, x: Floats, y: Floats, z: Floats, coefficients: Floats
) -> tuple[Floats, Floats]:
    """Carry points of the camera frame to where the lens shows them, at focal length 1.

    Brown's model as in OpenCV's `calib3d`; Kannala-Brandt (2006) as in `cv2.fisheye`. `x`, `y` and
    `z` are (..., N); the coefficients are one lens's (5,) or (4,), or N of them in rows.
    """
    if lens == "brown":
        bent = _brown(_complex(x / z, y / z), coefficients)
        return bent.real, bent.imag
    radius = np.hypot(x, y)
    theta = np.arctan2(radius, z)
    scale = np.where(
        radius > 1e-12,
        _fisheye_theta(theta, coefficients) / np.maximum(radius, 1e-12),
        1 / np.maximum(np.abs(z), 1e-12),
    )
    return x * scale, y * scale


def straighten(
    lens: Lens, x: Floats, y: Floats, coefficients: Floats, max_angle_rad: Floats | float
) -> tuple[Floats, Floats, Floats]:
    """Undo `bend`: give the unit directions (..., N) each in the camera frame.

    `max_angle_rad` is one lens's, or (N,): a fisheye is not believed beyond it.
    """
    if lens == "brown":
        straight = _solve_brown(_complex(x, y), coefficients)
        z = 1 / np.sqrt(1 + straight.real**2 + straight.imag**2)
        return straight.real * z, straight.imag * z, z
    bent = np.hypot(x, y)
    theta = _solve_theta(bent, coefficients, max_angle_rad)
    scale = np.where(bent > 1e-12, np.sin(theta) / np.maximum(bent, 1e-12), 1.0)
    return x * scale, y * scale, np.cos(theta)


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


def _inverse(matrix: Floats) -> Floats:
    """Invert a (2, 2) matrix: quicker than `np.linalg.inv` for one so small."""
    (a, b), (c, d) = matrix.tolist()
    det = a * d - b * c
    return np.array([[d / det, -b / det], [-c / det, a / det]])


def _columns(coefficients: Floats) -> Any:
    """Give one lens's coefficients as numbers, or those of N lenses as arrays (N,)."""
    return coefficients.tolist() if coefficients.ndim == 1 else coefficients.T


def _complex(x: Floats, y: Floats) -> Complexes:
    z = np.empty(np.shape(x), np.complex128)
    z.real, z.imag = x, y
    return np.asarray(z)


def _brown(z: Complexes, coefficients: Floats) -> Complexes:
    """Bend (..., N) normalised points; see `_solve_brown` for the form."""
    k1, k2, p1, p2, k3 = _columns(coefficients)
    r2 = z.real**2 + z.imag**2
    bent = z * (1 + r2 * (k1 + r2 * (k2 + r2 * k3)))
    if np.any(coefficients[..., 2:4]):
        p = p2 + 1j * p1
        bent += 2 * p * r2 + np.conj(p) * z * z
    return np.asarray(bent)


def _solve_brown(goal: Complexes, coefficients: Floats) -> Complexes:
    """Undo `_brown` by Newton's method (8 rounds at most), (..., N) to (..., N).

    With z = x + iy, p = p2 + i p1 and ' for the conjugate, Brown's model reads
    f(z) = z radial(|z|^2) + 2 p |z|^2 + p' z^2: half as many steps as in x and y. Its slopes are
    `straight` along z (real) and `skew` along z'.
    """
    if not np.any(coefficients):
        return goal
    k1, k2, p1, p2, k3 = _columns(coefficients)
    p, biased = p2 + 1j * p1, np.any(coefficients[..., 2:4])
    r2 = goal.real**2 + goal.imag**2
    z = goal * np.maximum(np.minimum(1 - r2 * (k1 + r2 * (k2 + r2 * k3)), 1.5), 0.5)
    for _ in range(8):
        r2 = z.real**2 + z.imag**2
        square = z * z
        straight = 1 + r2 * (k1 + r2 * (k2 + r2 * k3))
        off = z * straight - goal
        if biased:
            off += 2 * p * r2 + np.conj(p) * square
        slope = k1 + r2 * (2 * k2 + r2 * 3 * k3)
        straight += r2 * slope
        skew = square * slope
        if biased:
            straight += 4 * (p2 * z.real + p1 * z.imag)
            skew += 2 * p * z
        det = straight * straight - skew.real**2 - skew.imag**2
        det = np.where(np.abs(det) > 1e-6, det, 1e-6)
        step = (skew * off.conj() - straight * off) / det
        z = z + step
        parts = z.view(np.float64)
        np.maximum(np.minimum(parts, 4.0, out=parts), -4.0, out=parts)
        # Each step squares the error, so after one so small nothing is left of it.
        if np.abs(step.view(np.float64)).max(initial=0) < SMALL_STEP:
            break
    return np.asarray(z)


def _fisheye_theta(theta: Floats, coefficients: Floats) -> Floats:
    k1, k2, k3, k4 = _columns(coefficients)
    t2 = theta * theta
    return np.asarray(theta * (1 + t2 * (k1 + t2 * (k2 + t2 * (k3 + t2 * k4)))))


def _solve_theta(bent: Floats, coefficients: Floats, max_angle_rad: Floats | float) -> Floats:
    k1, k2, k3, k4 = _columns(coefficients)
    theta = np.clip(bent, 0, max_angle_rad)
    for _ in range(10):
        t2 = theta * theta
        slope = 1 + t2 * (3 * k1 + t2 * (5 * k2 + t2 * (7 * k3 + t2 * 9 * k4)))
        slope = np.where(np.abs(slope) > 1e-6, slope, 1e-6)
        step = (_fisheye_theta(theta, coefficients) - bent) / slope
        theta = np.clip(theta - step, 0, max_angle_rad)
        if np.abs(step).max(initial=0) < SMALL_STEP:
            break
    return np.asarray(theta)
