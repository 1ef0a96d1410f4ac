"""Where in its picture a camera sees each pixel of the panorama: computed once, looked up for ever.

Knows nothing about pictures, seams or brightness. Chroma samples are taken to lie in the middle of
their four luma pixels, in the cameras' pictures and in the panorama alike.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scene.arrays import Bools, Floats
from scene.geometry import CameraModel, distort
from scene.ribbon import Ribbon
from scene.rig import Surface

Maps = NDArray[np.float32]

OUTSIDE = -16.0
"""Where a map points for what the camera does not see: far out, so that the border is read."""
COARSE_PX = 8
COARSEST_PX_PER_M = 16.0
"""Where a camera sees a ribbon more coarsely than this, it doesn't show who is there."""
FARTHEST_M = 30.0
EDGE_SLOPE = 8.0
"""On a ribbon, a picture counts less from 1/8 of its width and height from its edge."""


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
    """(H, W) how good its picture is there: least at its edges, 0 where it does not see. On a
    cylinder 1 in the picture's middle, on a ribbon its pixels per panorama pixel."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class View:
    """What a camera sees of a grid on the panorama's surface."""

    u: Floats
    """(rows, columns) column in the camera's picture."""
    v: Floats
    seen: Bools
    fineness: Floats
    """(rows, columns) the camera's pixels per panorama pixel, in the direction that has fewer;
    1 on a cylinder."""


def camera_map(camera: CameraModel, surface: Surface) -> CameraMap:
    """Compute one camera's tables."""
    box = _box(camera, surface)
    x0, y0, x1, y1 = box
    width, height = camera.size_px
    view = view_of(
        camera, surface, np.arange(x0, x1, dtype=float), np.arange(y0, y1, dtype=float), margin=0.0
    )
    across = np.abs(view.u - (width - 1) / 2) / (width / 2)
    along = np.abs(view.v - (height - 1) / 2) / (height / 2)
    inner = np.maximum(1 - across, 1e-3) * np.maximum(1 - along, 1e-3)
    if isinstance(surface, Ribbon):
        # A strip's cameras look along it: what is near is sharp, wherever in the picture.
        inner = view.fineness * np.minimum(1, EDGE_SLOPE * inner)
    middle = 0.5
    chroma = view_of(
        camera,
        surface,
        np.arange(x0 + middle, x1, 2),
        np.arange(y0 + middle, y1, 2),
        margin=2.0,
    )
    chroma_x = np.clip((chroma.u - middle) / 2, 0, (width + 1) // 2 - 1)
    chroma_y = np.clip((chroma.v - middle) / 2, 0, (height + 1) // 2 - 1)
    return CameraMap(
        box=box,
        luma_x=np.where(view.seen, view.u, OUTSIDE).astype(np.float32),
        luma_y=np.where(view.seen, view.v, OUTSIDE).astype(np.float32),
        chroma_x=np.where(chroma.seen, chroma_x, OUTSIDE).astype(np.float32),
        chroma_y=np.where(chroma.seen, chroma_y, OUTSIDE).astype(np.float32),
        seen=view.seen,
        closeness=np.where(view.seen, inner, 0).astype(np.float32),
    )


def _box(camera: CameraModel, surface: Surface) -> tuple[int, int, int, int]:
    """Find the columns of the panorama that a camera sees, on a coarse grid with a margin."""
    width, height = surface.size_px
    columns = np.append(np.arange(0.0, width, COARSE_PX), width - 1.0)
    rows = np.append(np.arange(0.0, height, COARSE_PX), height - 1.0)
    seen = view_of(camera, surface, columns, rows, margin=2.0 * COARSE_PX).seen
    xs = np.flatnonzero(seen.any(axis=0))
    if not len(xs):
        return 0, 0, 2, height
    x0, x1 = int(columns[xs[0]]) - COARSE_PX, int(columns[xs[-1]]) + COARSE_PX
    return max(0, x0 // 2 * 2), 0, min(width, (x1 + 1) // 2 * 2), height


def view_of(
    camera: CameraModel, surface: Surface, columns: Floats, rows: Floats, margin: float
) -> View:
    """Look from a camera at the panorama's `columns` x `rows`; `margin` px round its picture count.

    On a ribbon a camera sees only what is near enough and not too coarse in its picture.
    """
    width, height = camera.size_px
    shape = (len(rows), len(columns))
    u, v, seen = np.empty(shape), np.empty(shape), np.empty(shape, bool)
    for start in range(0, len(rows), 64):
        part = slice(start, start + 64)
        x, y = np.meshgrid(columns, rows[part])
        ahead = surface.in_camera(camera, np.column_stack([x.ravel(), y.ravel()]))
        angle = np.arctan2(np.hypot(ahead[:, 0], ahead[:, 1]), ahead[:, 2])
        pixels = distort(camera, ahead)
        inside = (angle <= camera.max_angle_rad) & (pixels >= -margin).all(axis=1)
        inside &= (pixels[:, 0] <= width - 1 + margin) & (pixels[:, 1] <= height - 1 + margin)
        if isinstance(surface, Ribbon):
            inside &= np.linalg.norm(ahead, axis=1) <= FARTHEST_M
        u[part] = pixels[:, 0].reshape(x.shape)
        v[part] = pixels[:, 1].reshape(x.shape)
        seen[part] = inside.reshape(x.shape)
    if not isinstance(surface, Ribbon):
        return View(u=u, v=v, seen=seen, fineness=np.ones(shape))
    fineness = _fineness(u, v, columns, rows)
    seen &= fineness * surface.px_per_m >= COARSEST_PX_PER_M
    return View(u=u, v=v, seen=seen, fineness=fineness)


def _fineness(u: Floats, v: Floats, columns: Floats, rows: Floats) -> Floats:
    """Give the smaller singular value of the camera's pixels by the panorama's."""
    u_y, u_x = np.gradient(u, rows, columns)
    v_y, v_x = np.gradient(v, rows, columns)
    whole = u_x**2 + u_y**2 + v_x**2 + v_y**2
    area = u_x * v_y - u_y * v_x
    smaller = whole - np.sqrt(np.maximum(whole**2 - 4 * area**2, 0))
    return np.asarray(np.sqrt(np.maximum(smaller, 0) / 2))
