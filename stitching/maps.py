"""Where in its picture a camera sees each pixel of the panorama: computed once, looked up for ever.

Knows nothing about pictures, seams or brightness. Chroma samples are taken to lie in the middle of
their four luma pixels, in the cameras' pictures and in the panorama alike.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scene.arrays import Bools, Floats
from scene.geometry import CameraModel, distort
from scene.surface import Cylinder

Maps = NDArray[np.float32]

OUTSIDE = -16.0
"""Where a map points for what the camera does not see: far out, so that the border is read."""
COARSE_PX = 8


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CameraMap:
    """One camera's look-up tables over the part of the panorama that it sees."""

    box: tuple[int, int, int, int]
    """x0, y0, x1, y1 in the panorama, all even, of full height; x1 and y1 are just outside."""
    luma_x: Maps
    """(H, W) column in the camera's luma, float32; `OUTSIDE` where it does not see."""
    luma_y: Maps
    chroma_x: Maps
    """(H/2, W/2) column in the camera's chroma planes."""
    chroma_y: Maps
    seen: Bools
    """(H, W)."""
    closeness: Maps
    """(H, W) 1 in the middle of the camera's picture, 0 at its edges and where it does not see."""


def camera_map(camera: CameraModel, surface: Cylinder) -> CameraMap:
    """Compute one camera's tables."""
    box = _box(camera, surface)
    x0, y0, x1, y1 = box
    width, height = camera.size_px
    u, v, seen = _look(
        camera, surface, np.arange(x0, x1, dtype=float), np.arange(y0, y1, dtype=float), margin=0.0
    )
    across = np.abs(u - (width - 1) / 2) / (width / 2)
    along = np.abs(v - (height - 1) / 2) / (height / 2)
    closeness = np.where(seen, np.maximum(1 - across, 1e-3) * np.maximum(1 - along, 1e-3), 0)
    middle = 0.5
    cu, cv, near = _look(
        camera,
        surface,
        np.arange(x0 + middle, x1, 2),
        np.arange(y0 + middle, y1, 2),
        margin=2.0,
    )
    chroma_x = np.clip((cu - middle) / 2, 0, (width + 1) // 2 - 1)
    chroma_y = np.clip((cv - middle) / 2, 0, (height + 1) // 2 - 1)
    return CameraMap(
        box=box,
        luma_x=np.where(seen, u, OUTSIDE).astype(np.float32),
        luma_y=np.where(seen, v, OUTSIDE).astype(np.float32),
        chroma_x=np.where(near, chroma_x, OUTSIDE).astype(np.float32),
        chroma_y=np.where(near, chroma_y, OUTSIDE).astype(np.float32),
        seen=seen,
        closeness=closeness.astype(np.float32),
    )


def _box(camera: CameraModel, surface: Cylinder) -> tuple[int, int, int, int]:
    """Find the columns of the panorama that a camera sees, on a coarse grid with a margin."""
    width, height = surface.size_px
    columns = np.append(np.arange(0.0, width, COARSE_PX), width - 1.0)
    rows = np.append(np.arange(0.0, height, COARSE_PX), height - 1.0)
    _, _, seen = _look(camera, surface, columns, rows, margin=2.0 * COARSE_PX)
    xs = np.flatnonzero(seen.any(axis=0))
    if not len(xs):
        return 0, 0, 2, height
    x0, x1 = int(columns[xs[0]]) - COARSE_PX, int(columns[xs[-1]]) + COARSE_PX
    return max(0, x0 // 2 * 2), 0, min(width, (x1 + 1) // 2 * 2), height


def _look(
    camera: CameraModel, surface: Cylinder, columns: Floats, rows: Floats, margin: float
) -> tuple[Floats, Floats, Bools]:
    """Give (rows, columns) tables of u, v and whether the camera sees there, row by row."""
    width, height = camera.size_px
    shape = (len(rows), len(columns))
    u, v, seen = np.empty(shape), np.empty(shape), np.empty(shape, bool)
    rotation = camera.camera_from_mine[:3, :3]
    for start in range(0, len(rows), 64):
        part = slice(start, start + 64)
        x, y = np.meshgrid(columns, rows[part])
        ahead = surface.directions(np.column_stack([x.ravel(), y.ravel()])) @ rotation.T
        angle = np.arctan2(np.hypot(ahead[:, 0], ahead[:, 1]), ahead[:, 2])
        pixels = distort(camera, ahead)
        inside = (angle <= camera.max_angle_rad) & (pixels >= -margin).all(axis=1)
        inside &= (pixels[:, 0] <= width - 1 + margin) & (pixels[:, 1] <= height - 1 + margin)
        u[part] = pixels[:, 0].reshape(x.shape)
        v[part] = pixels[:, 1].reshape(x.shape)
        seen[part] = inside.reshape(x.shape)
    return u, v, seen
