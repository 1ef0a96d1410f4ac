"""Many places in many cameras' pictures at the price of one: cameras as arrays, a row for each.

Knows nothing about people. What it says of one camera is what `scene.geometry` says of it; a
tracker asks so little of so many that calling it camera by camera would take most of its time.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from scene.arrays import Bools, Floats, Ints
from scene.geometry import CameraModel, Lens, bend, straighten

BEYOND_RAD = 0.05
"""Slightly more than the lens's cone counts: a body half out of the picture still has a shape."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Views:
    """N cameras of one kind of lens, often the same one in many rows."""

    lens: Lens
    rotation: Floats
    """(N, 3, 3): the camera's axes in mine axes, a row each."""
    shift_m: Floats
    """(N, 3): of `camera_from_mine`."""
    centre_m: Floats
    """(N, 3), mine metres."""
    k: Floats
    """(N, 2, 3): the upper rows of the intrinsic matrix."""
    k_inverse: Floats
    """(N, 2, 2), of its left part."""
    distortion: Floats
    """(N, 4 or 5)."""
    size_px: Floats
    """(N, 2): width and height."""
    max_angle_rad: Floats
    """(N,)."""
    pose_covariance: Floats
    """(N, 6, 6)."""

    def __len__(self) -> int:
        """Count the rows."""
        return len(self.max_angle_rad)

    def only(self, rows: Ints | Bools) -> "Views":
        """Take some rows, by index or by mask, each as often as it is named."""
        return Views(
            lens=self.lens,
            rotation=self.rotation[rows],
            shift_m=self.shift_m[rows],
            centre_m=self.centre_m[rows],
            k=self.k[rows],
            k_inverse=self.k_inverse[rows],
            distortion=self.distortion[rows],
            size_px=self.size_px[rows],
            max_angle_rad=self.max_angle_rad[rows],
            pose_covariance=self.pose_covariance[rows],
        )


@lru_cache(maxsize=32)
def views_of(cameras: tuple[CameraModel, ...]) -> Views:
    """Lay out cameras of one kind of lens, a row each."""
    poses = np.array([camera.camera_from_mine for camera in cameras], float)
    k = np.array([camera.k[:2] for camera in cameras], float)
    return Views(
        lens=cameras[0].lens,
        rotation=poses[:, :3, :3],
        shift_m=poses[:, :3, 3],
        centre_m=np.array([camera.centre_m for camera in cameras]),
        k=k,
        k_inverse=np.linalg.inv(k[:, :, :2]),
        distortion=np.array([camera.distortion for camera in cameras], float),
        size_px=np.array([camera.size_px for camera in cameras], float),
        max_angle_rad=np.array([camera.max_angle_rad for camera in cameras], float),
        pose_covariance=np.array([camera.pose_covariance for camera in cameras], float),
    )


def by_lens(cameras: Sequence[CameraModel]) -> list[list[int]]:
    """Sort cameras, by index, into those whose lenses are of one kind."""
    kinds = dict.fromkeys((camera.lens, len(camera.distortion)) for camera in cameras)
    return [
        [i for i, camera in enumerate(cameras) if (camera.lens, len(camera.distortion)) == kind]
        for kind in kinds
    ]


def sights(views: Views, pixels: Floats) -> Floats:
    """Give the lines of sight (..., N, 3) through (..., N, 2) pixels: unit vectors in mine axes."""
    (a, b), (c, d) = views.k_inverse.transpose(1, 2, 0)
    u, v = pixels[..., 0] - views.k[:, 0, 2], pixels[..., 1] - views.k[:, 1, 2]
    x, y, z = straighten(
        views.lens, a * u + b * v, c * u + d * v, views.distortion, views.max_angle_rad
    )
    lines = np.empty((*u.shape, 3))
    for axis in range(3):
        lines[..., axis] = (
            x * views.rotation[:, 0, axis]
            + y * views.rotation[:, 1, axis]
            + z * views.rotation[:, 2, axis]
        )
    return lines


def pixels_of(views: Views, points_m: Floats) -> Floats:
    """Project (..., N, 3) mine points to (..., N, 2) pixels, NaN where the lens does not see them.

    That is behind the camera, or beyond the cone of its lens by more than `BEYOND_RAD`.
    """
    x, y, z = (
        points_m[..., 0] * views.rotation[:, axis, 0]
        + points_m[..., 1] * views.rotation[:, axis, 1]
        + points_m[..., 2] * views.rotation[:, axis, 2]
        + views.shift_m[:, axis]
        for axis in range(3)
    )
    widest = np.minimum(views.max_angle_rad + BEYOND_RAD, np.pi / 2)
    with np.errstate(invalid="ignore"):
        ahead = z > 0.05
        # The tangent of a right angle is so large that nothing ahead is beyond it.
        ahead &= x * x + y * y < (np.tan(widest) * z) ** 2
        z = np.where(ahead, z, np.nan)
        x, y = bend(views.lens, x, y, z, views.distortion)
        k = views.k
        pixels = np.empty((*x.shape, 2))
        for axis in range(2):
            pixels[..., axis] = k[:, axis, 0] * x + k[:, axis, 1] * y + k[:, axis, 2]
    return pixels


def in_picture(views: Views, pixels: Floats) -> Bools:
    """Tell (..., N) which pixels (..., N, 2) the picture has."""
    with np.errstate(invalid="ignore"):
        return np.asarray(((pixels >= 0) & (pixels <= views.size_px - 1)).all(axis=-1))
