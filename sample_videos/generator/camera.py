"""A camera: what it delivers (OpenCV K, Brown or fisheye lens) and the pinhole plate behind it.

Pixel centres are integers, as OpenCV has them. Knows nothing about what is in front of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
PLATE_SCALE = {"brown": 1.0, "fisheye": 1.6}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Camera:
    """Intrinsics and pose: `x_camera = rotation @ x_mine + translation`, pixels by OpenCV.

    `k`, `lens` and `distortion` describe the picture as delivered: `brown` has k1, k2, p1, p2, k3,
    `fisheye` Kannala-Brandt's k1 to k4 as in `cv2.fisheye`. `plate_k` is the undistorted picture
    that is rendered, a little wider so that it covers the delivered one.
    """

    name: str
    lens: str
    width_px: int
    height_px: int
    k: Floats
    distortion: Floats
    rotation: Floats
    centre_m: Floats
    plate_k: Floats
    plate_size_px: tuple[int, int]

    @property
    def translation(self) -> Floats:
        """The mine's origin in camera axes (3,), metres."""
        t: Floats = -self.rotation @ self.centre_m
        return t

    def in_camera(self, points_m: ArrayLike) -> Floats:
        """Give mine points (n, 3) in camera axes (n, 3)."""
        out: Floats = (np.asarray(points_m, float) - self.centre_m) @ self.rotation.T
        return out

    def plate_pixels(self, points_m: ArrayLike) -> tuple[Floats, Floats]:
        """Project mine points (n, 3) to plate pixels (n, 2) and depths (n,)."""
        p = self.in_camera(points_m)
        depth = p[:, 2]
        safe = np.where(np.abs(depth) < 1e-6, 1e-6, depth)
        return p[:, :2] / safe[:, None] * self.plate_k[0, 0] + self.plate_k[:2, 2], depth

    def pixels(self, points_m: ArrayLike) -> Floats:
        """Project mine points (n, 3) in front of the camera to delivered pixels (n, 2)."""
        return self._bend(self.in_camera(np.asarray(points_m, float).reshape(-1, 3)))

    def _bend(self, rays: Floats) -> Floats:
        """Project points of the camera frame (n, 3), by OpenCV."""
        points = np.ascontiguousarray(rays, float).reshape(-1, 1, 3)
        if not len(points):  # OpenCV gives None for no points
            return np.zeros((0, 2))
        project = cv2.fisheye.projectPoints if self.lens == "fisheye" else cv2.projectPoints
        out, _ = project(points, np.zeros(3), np.zeros(3), self.k, self.distortion)
        return np.asarray(out).reshape(-1, 2).astype(float)

    def delivered_from_plate(self, plate_px: ArrayLike) -> Floats:
        """Move plate pixels (n, 2) to where they are in the delivered picture."""
        px = np.asarray(plate_px, float).reshape(-1, 2)
        x = (px - self.plate_k[:2, 2]) / self.plate_k[0, 0]
        # Far outside the picture Brown's polynomial folds back: hold such points at its edge.
        reach = 1.2 * self.plate_k[:2, 2] / self.plate_k[0, 0]
        x = np.clip(x, -reach, reach)
        return self._bend(np.c_[x, np.ones(len(x))])

    def plate_delivered(self) -> NDArray[np.bool_]:
        """Tell for each plate pixel (H, W) whether the delivered picture shows it."""
        return _plate_delivered(self)

    def plate_from_delivered(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Give for each delivered pixel its plate pixel: two maps (H, W) for `cv2.remap`."""
        u, v = np.meshgrid(np.arange(self.width_px), np.arange(self.height_px))
        maps = undistort(np.stack([u, v], -1).reshape(-1, 2), self.k, self.distortion, self.lens)
        px = maps * self.plate_k[0, 0] + self.plate_k[:2, 2]
        px = px.reshape(self.height_px, self.width_px, 2).astype(np.float32)
        return np.ascontiguousarray(px[..., 0]), np.ascontiguousarray(px[..., 1])


@cache
def _plate_delivered(camera: Camera) -> NDArray[np.bool_]:
    width, height = camera.plate_size_px
    u, v = np.meshgrid(np.arange(width), np.arange(height))
    pixels = camera.delivered_from_plate(np.stack([u, v], -1).reshape(-1, 2))
    size = np.array([camera.width_px, camera.height_px])
    within = ((pixels >= -0.5) & (pixels < size - 0.5)).all(1)
    return np.asarray(within.reshape(height, width))


def undistort(pixels: ArrayLike, k: Floats, distortion: Floats, lens: str = "brown") -> Floats:
    """Turn delivered pixels (n, 2) into undistorted x/z, y/z (n, 2), to 1e-9 by iteration."""
    x_d = (np.asarray(pixels, float) - k[:2, 2]) / np.diag(k)[:2]
    if lens == "fisheye":
        bent = np.linalg.norm(x_d, axis=1)
        angle = _solve_angle(bent, distortion)
        return x_d * (np.tan(angle) / np.maximum(bent, 1e-12))[:, None]
    k1, k2, p1, p2, k3 = distortion
    x = x_d.copy()
    for _ in range(60):
        r2 = (x**2).sum(1, keepdims=True)
        radial = 1 + r2 * (k1 + r2 * (k2 + r2 * k3))
        xy = x[:, :1] * x[:, 1:]
        tangential = np.c_[
            2 * p1 * xy + p2 * (r2 + 2 * x[:, :1] ** 2), p1 * (r2 + 2 * x[:, 1:] ** 2) + 2 * p2 * xy
        ]
        x = (x_d - tangential) / radial
    return x


def _bent_angle(angle: Floats, distortion: Floats) -> Floats:
    """Give the radius at which a fisheye shows an angle off its axis (Kannala-Brandt)."""
    k1, k2, k3, k4 = distortion
    a2 = angle**2
    out: Floats = angle * (1 + a2 * (k1 + a2 * (k2 + a2 * (k3 + a2 * k4))))
    return out


def _solve_angle(bent: Floats, distortion: Floats) -> Floats:
    """Undo `_bent_angle` by Newton's method."""
    k1, k2, k3, k4 = distortion
    angle = np.minimum(bent, 1.4)
    for _ in range(20):
        a2 = angle**2
        slope = 1 + a2 * (3 * k1 + a2 * (5 * k2 + a2 * (7 * k3 + a2 * 9 * k4)))
        angle = angle - (_bent_angle(angle, distortion) - bent) / np.maximum(slope, 0.05)
        angle = np.clip(angle, 0.0, 1.55)
    return angle


def make_camera(
    name: str,
    centre_m: ArrayLike,
    *,
    yaw_deg: float,
    pitch_deg: float,
    hfov_deg: float,
    size_px: tuple[int, int],
    lens: str = "brown",
    distortion: ArrayLike = (0.0, 0.0, 0.0, 0.0, 0.0),
    roll_deg: float = 0.0,
) -> Camera:
    """Aim a camera: yaw from the mine's x towards y, pitch up, field of view as delivered.

    Raises ValueError where the lens folds the picture back over itself, or shows more than a
    pinhole plate can hold (70 degrees off the axis in the corners).

    >>> cam = make_camera(
    ...     "c", [0, 0, 2], yaw_deg=0, pitch_deg=0, hfov_deg=90, size_px=(640, 360)
    ... )
    >>> cam.pixels([[5.0, 0.0, 2.0]]).round(3).tolist()
    [[319.5, 179.5]]
    """
    width, height = size_px
    dist = np.asarray(distortion, float)
    yaw, pitch, roll = np.radians([yaw_deg, pitch_deg, roll_deg])
    forward = np.array([np.cos(pitch) * np.cos(yaw), np.cos(pitch) * np.sin(yaw), np.sin(pitch)])
    right = np.cross(forward, [0, 0, 1])
    right /= np.linalg.norm(right)
    down = np.cross(forward, right)
    c, s = np.cos(roll), np.sin(roll)
    rotation = np.array([c * right + s * down, -s * right + c * down, forward])
    half = np.radians(hfov_deg) / 2
    if lens == "fisheye":
        focal = width / 2 / float(_bent_angle(np.array([half]), dist)[0])
    else:
        x = np.tan(half)
        focal = width / 2 / (x * (1 + dist[0] * x**2 + dist[1] * x**4 + dist[4] * x**6))
    centre = ((width - 1) / 2, (height - 1) / 2)
    k = np.array([[focal, 0, centre[0]], [0, focal, centre[1]], [0, 0, 1.0]])
    across, along = np.arange(width), np.arange(height)
    border = np.concatenate(
        [
            np.c_[across, 0 * across],
            np.c_[across, 0 * across + height - 1],
            np.c_[0 * along, along],
            np.c_[0 * along + width - 1, along],
        ]
    )
    seen = undistort(border, k, dist, lens)
    side = undistort([[width - 0.5, centre[1]]], k, dist, lens)[0, 0]
    if not abs(np.arctan(side) - half) < 0.02:
        raise ValueError("the lens folds back within the picture; make the distortion milder")
    reach = np.abs(seen).max(0)
    if not (focal > 0 and np.isfinite(seen).all() and np.hypot(*seen.T).max() < np.tan(1.22)):
        raise ValueError("the lens folds back, or sees more than 70 degrees off its axis")
    # A pinhole squeezes the middle of what a fisheye shows: its plate has more pixels.
    plate_w, plate_h = (2 * (int(v * PLATE_SCALE[lens]) // 2) for v in size_px)
    plate_focal = min((plate_w / 2 - 1.5) / reach[0], (plate_h / 2 - 1.5) / reach[1])
    middle = ((plate_w - 1) / 2, (plate_h - 1) / 2)
    plate_k = np.array([[plate_focal, 0, middle[0]], [0, plate_focal, middle[1]], [0, 0, 1.0]])
    camera = Camera(
        name=name,
        lens=lens,
        width_px=width,
        height_px=height,
        k=k,
        distortion=dist,
        rotation=rotation,
        centre_m=np.asarray(centre_m, float),
        plate_k=plate_k,
        plate_size_px=(plate_w, plate_h),
    )
    if np.abs(camera._bend(np.c_[seen, np.ones(len(seen))]) - border).max() > 0.02:
        raise ValueError("the lens folds back within the picture; make the distortion milder")
    return camera
