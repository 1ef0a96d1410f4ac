"""A camera: what it delivers (OpenCV K and Brown distortion) and the pinhole plate behind it.

Pixel centres are integers, as OpenCV has them. Knows nothing about what is in front of it.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Camera:
    """Intrinsics and pose: `x_camera = rotation @ x_mine + translation`, pixels by OpenCV.

    `k` and `distortion` (k1, k2, p1, p2, k3) describe the picture as delivered. `plate_k` is the
    undistorted picture that is rendered, a little wider so that it covers the delivered one.
    """

    name: str
    width_px: int
    height_px: int
    k: Floats
    distortion: Floats
    rotation: Floats
    centre_m: Floats
    plate_k: Floats

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
        points = np.asarray(points_m, float).reshape(-1, 1, 3)
        if not len(points):  # OpenCV gives None for no points
            return np.zeros((0, 2))
        rotation, _ = cv2.Rodrigues(self.rotation)
        out, _ = cv2.projectPoints(points, rotation, self.translation, self.k, self.distortion)
        return out.reshape(-1, 2).astype(float)

    def delivered_from_plate(self, plate_px: ArrayLike) -> Floats:
        """Move plate pixels (n, 2) to where they are in the delivered picture."""
        px = np.asarray(plate_px, float).reshape(-1, 2)
        x = (px - self.plate_k[:2, 2]) / self.plate_k[0, 0]
        # Far outside the picture Brown's polynomial folds back: hold such points at its edge.
        reach = 1.2 * self.plate_k[:2, 2] / self.plate_k[0, 0]
        x = np.clip(x, -reach, reach)
        rays = np.c_[x, np.ones(len(x))].reshape(-1, 1, 3)
        out, _ = cv2.projectPoints(rays, np.zeros(3), np.zeros(3), self.k, self.distortion)
        return out.reshape(-1, 2).astype(float)

    def plate_from_delivered(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Give for each delivered pixel its plate pixel: two maps (H, W) for `cv2.remap`."""
        u, v = np.meshgrid(np.arange(self.width_px), np.arange(self.height_px))
        maps = undistort(np.stack([u, v], -1).reshape(-1, 2), self.k, self.distortion)
        px = maps * self.plate_k[0, 0] + self.plate_k[:2, 2]
        px = px.reshape(self.height_px, self.width_px, 2).astype(np.float32)
        return np.ascontiguousarray(px[..., 0]), np.ascontiguousarray(px[..., 1])


def undistort(pixels: ArrayLike, k: Floats, distortion: Floats) -> Floats:
    """Turn delivered pixels (n, 2) into undistorted x/z, y/z (n, 2); fixed point, to 1e-9."""
    x_d = (np.asarray(pixels, float) - k[:2, 2]) / np.diag(k)[:2]
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


def make_camera(
    name: str,
    centre_m: ArrayLike,
    *,
    yaw_deg: float,
    pitch_deg: float,
    hfov_deg: float,
    size_px: tuple[int, int],
    distortion: ArrayLike = (0.0, 0.0, 0.0, 0.0, 0.0),
    roll_deg: float = 0.0,
) -> Camera:
    """Aim a camera: yaw from the mine's x towards y, pitch up, field of view as delivered.

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
    x = np.tan(np.radians(hfov_deg) / 2)
    x_d = x * (1 + dist[0] * x**2 + dist[1] * x**4 + dist[4] * x**6)
    focal = width / 2 / x_d
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
    reach = np.abs(undistort(border, k, dist)).max(0)
    plate_focal = min((width / 2 - 1.5) / reach[0], (height / 2 - 1.5) / reach[1])
    plate_k = np.array([[plate_focal, 0, centre[0]], [0, plate_focal, centre[1]], [0, 0, 1.0]])
    return Camera(
        name=name,
        width_px=width,
        height_px=height,
        k=k,
        distortion=dist,
        rotation=rotation,
        centre_m=np.asarray(centre_m, float),
        plate_k=plate_k,
    )
