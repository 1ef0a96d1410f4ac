"""The floor in a camera's picture as a viewer's plan draws it.

Knows nothing about what covers it. It stands apart from `edge/coverage.py` because the sender needs
it at its start, and must be there at once: it imports nothing heavy.
"""

import numpy as np

from scene.arrays import Floats
from scene.floor import Floor
from scene.geometry import CameraModel, rays
from scene.messages import XY

FAR_M = 25.0
"""Further away a person is too small to be found."""


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
