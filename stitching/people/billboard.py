"""The plane on which a camera's view of somebody is looked up, and where in its picture that lies.

Knows nothing about pictures or silhouettes. The plane goes through the feet, stands upright and
faces the camera, in the ribbon's own scale: a billboard, as in image-based rendering. A camera that
looks down steeply would be edge-on to such a plane, so it leans back beyond 45 degrees.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from scene.arrays import Bools, Floats
from scene.geometry import CameraModel, distort
from scene.ribbon import Ribbon
from stitching.composition.areas import Box
from stitching.maps import OUTSIDE, Maps

GRID_PX = 4
"""Lines of sight are computed so far apart, and between them interpolated."""
STEEPEST_RAD = np.radians(45.0)
ROOM_M = 0.25
"""Round the body's outline."""
REACH_M = (-1.6, -1.4, 1.6, 2.6)
"""Left, bottom, right and top of the largest billboard, about the feet."""
MOST_LIFTED_M = 0.4


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Billboard:
    """A part of the plane, and the rectangle of the panorama on which it is drawn."""

    feet_m: Floats
    """(3,) mine metres: the plane's origin."""
    right: Floats
    """(3,) level unit vector, to the right in the camera's picture."""
    up: Floats
    """(3,) unit vector."""
    px_per_m: float
    foot_px: Floats
    """(2,) where the feet are drawn."""
    box: Box
    """x0, y0, x1, y1 in the panorama: x0 and y0 on the grid, x1 and y1 even and just outside."""

    @property
    def is_empty(self) -> bool:
        """Tell whether nothing of it lies on the panorama."""
        return self.box[0] >= self.box[2] or self.box[1] >= self.box[3]

    def grid(self, camera: CameraModel) -> tuple[Maps, Bools]:
        """Look it up in a camera's picture on a grid, one sample wider than the box all round.

        Gives (rows, columns, 2) pixels, and (rows, columns) whether the lens sees that way at all.
        """
        x0, y0, x1, y1 = self.box
        columns, rows = (-(-size // GRID_PX) + 2 for size in (x1 - x0, y1 - y0))
        # Each sample is in the middle of its block of pixels.
        x = x0 + GRID_PX * np.arange(-1.0, columns - 1) + (GRID_PX - 1) / 2
        y = y0 + GRID_PX * np.arange(-1.0, rows - 1) + (GRID_PX - 1) / 2
        across = (x - self.foot_px[0]) / self.px_per_m
        above = (self.foot_px[1] - y) / self.px_per_m
        points = self.feet_m + across[:, None] * self.right + above[:, None, None] * self.up
        pose = camera.camera_from_mine
        ahead = points.reshape(-1, 3) @ pose[:3, :3].T + pose[:3, 3]
        off_axis = np.arctan2(np.hypot(ahead[:, 0], ahead[:, 1]), ahead[:, 2])
        seen = off_axis <= camera.max_angle_rad
        pixels = np.full((len(ahead), 2), OUTSIDE)
        if seen.any():
            pixels[seen] = distort(camera, ahead[seen])
        shape = rows, columns
        return pixels.astype(np.float32).reshape(*shape, 2), seen.reshape(shape)

    def drawn(self, centre_m: Floats, points_m: Floats) -> Floats:
        """Give (N, 2) panorama pixels on which a camera at `centre_m` draws (N, 3) points.

        NaN where its line of sight does not meet the plane.
        """
        places = _meet(centre_m, points_m - centre_m, self.feet_m, self.right, self.up)
        return np.asarray(self.foot_px + places * [self.px_per_m, -self.px_per_m])

    def spread(self, grid: Maps) -> Maps:
        """Interpolate from the grid (rows, columns) to every pixel of the box (H, W)."""
        x0, y0, x1, y1 = self.box
        fine = cv2.resize(grid, None, fx=GRID_PX, fy=GRID_PX, interpolation=cv2.INTER_LINEAR)
        part = fine[GRID_PX : GRID_PX + y1 - y0, GRID_PX : GRID_PX + x1 - x0]
        return np.ascontiguousarray(part, np.float32)


def billboard(
    camera: CameraModel, surface: Ribbon, feet_m: Floats, body_m: Floats, foot_px: Floats
) -> Billboard:
    """Stand a billboard up for somebody whose solid's points are `body_m` (K, 3), feet (3,).

    `foot_px` (2,) is where the panorama has the feet; they are drawn a little higher where the body
    would end below the picture.
    """
    sight = body_m.mean(axis=0) - camera.centre_m
    level_m = max(float(np.hypot(sight[0], sight[1])), 1e-6)
    ahead = np.array([sight[0] / level_m, sight[1] / level_m, 0.0])
    lean = max(0.0, float(np.arctan2(-sight[2], level_m)) - STEEPEST_RAD)
    right = np.array([ahead[1], -ahead[0], 0.0])
    up = np.cos(lean) * np.array([0.0, 0.0, 1.0]) + np.sin(lean) * ahead
    places = _meet(camera.centre_m, body_m - camera.centre_m, feet_m, right, up)
    places = places[np.isfinite(places).all(axis=1)]
    box = 0, 0, 0, 0
    if len(places):
        lowest_px = foot_px[1] - places[:, 1].min() * surface.px_per_m
        over_px = lowest_px - (surface.size_px[1] - 1)
        lifted_px = np.clip(over_px, 0, MOST_LIFTED_M * surface.px_per_m)
        foot_px = foot_px - [0.0, lifted_px]
        box = _box(surface, places, foot_px)
    return Billboard(
        feet_m=feet_m, right=right, up=up, px_per_m=surface.px_per_m, foot_px=foot_px, box=box
    )


def _meet(
    centre_m: Floats, directions: Floats, feet_m: Floats, right: Floats, up: Floats
) -> Floats:
    """Give (N, 2) metres right and up where (N, 3) lines of sight meet the plane, else NaN."""
    normal = np.cross(right, up)
    with np.errstate(divide="ignore", invalid="ignore"):
        reach = (feet_m - centre_m) @ normal / (directions @ normal)
        reach[~(reach > 0)] = np.nan
        points = centre_m + reach[:, None] * directions - feet_m
    return np.column_stack([points @ right, points @ up])


def _box(surface: Ribbon, places: Floats, foot_px: Floats) -> Box:
    low = np.maximum(places.min(axis=0) - ROOM_M, REACH_M[:2])
    high = np.minimum(places.max(axis=0) + ROOM_M, REACH_M[2:])
    scale, (width, height) = surface.px_per_m, surface.size_px
    left, right = foot_px[0] + low[0] * scale, foot_px[0] + high[0] * scale
    top, bottom = foot_px[1] - high[1] * scale, foot_px[1] - low[1] * scale
    x0, y0 = (int(max(value, 0)) // GRID_PX * GRID_PX for value in (left, top))
    x1, y1 = (int(value) // 2 * 2 + 2 for value in (right, bottom))
    return x0, y0, min(x1, width), min(y1, height)
