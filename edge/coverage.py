"""Which metres of roadway the cameras can see now, and the floor that each one looks at.

Knows nothing about people: "cannot see" is never "nobody there". Machines that stand in the way
are not modelled yet.
"""

from collections.abc import Collection

import numpy as np

from scene.arrays import Floats
from scene.floor import Floor
from scene.geometry import CameraModel, project, rays
from scene.messages import XY
from scene.rig import Rig
from scene.site import FloorConfig

FAR_M = 25.0
"""Further away a person is too small to be found."""


def coverage(
    rig: Rig, floor: Floor, config: FloorConfig, healthy: Collection[str]
) -> tuple[float, tuple[int, ...]]:
    """Count, for each metre of roadway, the healthy cameras that see most of its floor.

    Gives the x of the first metre's start and the counts. A camera sees a metre when it has at
    least three of five points across the floor in its picture, no further than `FAR_M`.
    """
    first, points = _floor_points(floor, config)
    counts = np.zeros(len(points), int)
    for camera in rig.cameras:
        if camera.name not in healthy:
            continue
        flat = points.reshape(-1, 3)
        _, seen = project(camera, flat)
        seen &= np.linalg.norm(flat - camera.centre_m, axis=1) <= FAR_M
        counts += seen.reshape(points.shape[:2]).sum(axis=1) >= 3
    return first, tuple(int(count) for count in counts)


def view_outline(camera: CameraModel, floor: Floor) -> tuple[XY, ...]:
    """Outline the floor in the camera's picture: near edge left to right, far edge back."""
    width, height = camera.size_px
    columns = np.linspace(0, width - 1, 13)
    near = _on_floor(camera, floor, np.column_stack([columns, np.full(13, height - 1.0)]))
    far = _on_floor(camera, floor, np.column_stack([columns, np.zeros(13)]))
    return tuple((float(x), float(y)) for x, y in np.vstack([near, far[::-1]]).round(3))


def _on_floor(camera: CameraModel, floor: Floor, pixels: Floats) -> Floats:
    """Carry (N, 2) pixels to (N, 2) floor points, those beyond `FAR_M` drawn in to it."""
    origin, directions = camera.centre_m, rays(camera, pixels)
    points, hit = floor.meet(origin, directions)
    points = np.nan_to_num(points)
    reach = np.linalg.norm(points[:, :2] - origin[:2], axis=1)
    flat = directions[:, :2] / np.maximum(
        np.linalg.norm(directions[:, :2], axis=1, keepdims=True), 1e-9
    )
    near = hit & (reach <= FAR_M)
    return np.asarray(np.where(near[:, None], points[:, :2], origin[:2] + flat * FAR_M))


def _floor_points(floor: Floor, config: FloorConfig) -> tuple[float, Floats]:
    """Give the first metre's x and (metres, 5, 3) points across the floor of every metre."""
    line = np.array(config.centre_line_m)
    order = np.argsort(line[:, 0])
    first, last = np.floor(line[order[0], 0]), np.ceil(line[order[-1], 0])
    x = np.arange(first, last) + 0.5
    middle = np.interp(x, line[order, 0], line[order, 1])
    across = np.linspace(-config.right_m, config.left_m, 7)[1:-1]
    grid_x, grid_y = np.repeat(x, 5), (middle[:, None] + across).ravel()
    z = floor.z_m(np.column_stack([grid_x, grid_y]))
    return float(first), np.column_stack([grid_x, grid_y, z]).reshape(len(x), 5, 3)
