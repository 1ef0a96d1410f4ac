"""The panorama's surface: which pixel belongs to which direction in the mine.

Knows nothing about pictures. The surface of a strip rig is `scene.ribbon.Ribbon`; both have
`panorama_from_mine`, `panorama_from_sight`, `in_camera`, `inside` and `size_px`.
"""

from dataclasses import dataclass

import numpy as np

from scene.arrays import Bools, Floats
from scene.floor import Floor
from scene.geometry import CameraModel


@dataclass(frozen=True, slots=True, kw_only=True)
class Cylinder:
    """An upright cylinder round a rotation rig, rolled out into the panorama.

    x runs with the azimuth to the right (clockwise seen from above), y with the tangent of the
    elevation downwards; one scale for both, so that shapes near the horizon keep their form.
    """

    centre_m: tuple[float, float, float]
    """The rig's common centre, mine metres."""
    azimuth_left_rad: float
    """Azimuth (from the mine's x axis to its y axis) of panorama x = 0."""
    tan_top: float
    """Tangent of the elevation of panorama y = 0."""
    px_per_rad: float
    size_px: tuple[int, int]
    """Width and height, even."""

    def panorama_from_mine(self, points_m: Floats) -> Floats:
        """Carry (N, 3) mine points to (N, 2) panorama pixels, some of them outside the picture."""
        return self.panorama_from_direction(np.asarray(points_m, float) - np.array(self.centre_m))

    def panorama_from_direction(self, directions: Floats) -> Floats:
        """Carry (N, 3) directions from the centre, mine axes, to (N, 2) panorama pixels."""
        dx, dy, dz = np.asarray(directions, float).reshape(-1, 3).T
        # The seam of the angle lies opposite to the panorama's middle.
        middle = self.azimuth_left_rad - self.size_px[0] / 2 / self.px_per_rad
        off_middle = np.angle(np.exp(1j * (np.arctan2(dy, dx) - middle)))
        x = self.size_px[0] / 2 - off_middle * self.px_per_rad
        y = (self.tan_top - dz / np.maximum(np.hypot(dx, dy), 1e-9)) * self.px_per_rad
        return np.column_stack([x, y])

    def panorama_from_sight(self, centre_m: Floats, directions: Floats) -> Floats:
        """Carry (N, 3) lines of sight from a camera at `centre_m` to (N, 2) panorama pixels.

        The rig's cameras are taken to hang in one place: where exactly does not count.
        """
        return self.panorama_from_direction(directions)

    def mine_from_panorama(self, pixels: Floats, floor: Floor) -> Floats:
        """Give (N, 3) mine points on the floor that (N, 2) panorama pixels show; NaN above it.

        A cylinder knows directions only; on the floor a direction is a place.
        """
        return floor.meet(np.array(self.centre_m), self.directions(pixels))[0]

    def in_camera(self, camera: CameraModel, pixels: Floats) -> Floats:
        """Give (N, 3) directions in the camera's frame that (N, 2) panorama pixels show."""
        return np.asarray(self.directions(pixels) @ camera.camera_from_mine[:3, :3].T)

    def directions(self, pixels: Floats) -> Floats:
        """Give (N, 3) unit directions from the centre, mine axes, through (N, 2) pixels."""
        x, y = np.asarray(pixels, float).reshape(-1, 2).T
        azimuth = self.azimuth_left_rad - x / self.px_per_rad
        rise = self.tan_top - y / self.px_per_rad
        direction = np.column_stack([np.cos(azimuth), np.sin(azimuth), rise])
        return np.asarray(direction / np.linalg.norm(direction, axis=1, keepdims=True))

    def inside(self, pixels: Floats) -> Bools:
        """Tell which of (N, 2) panorama pixels lie in the picture."""
        width, height = self.size_px
        x, y = np.asarray(pixels, float).reshape(-1, 2).T
        return np.asarray((x >= 0) & (x <= width - 1) & (y >= 0) & (y <= height - 1))
