"""How sure a place on the floor is: pixel noise and the camera's pose carried to the floor.

Knows nothing about bodies or boxes.
"""

import numpy as np

from location.post import sights
from scene.arrays import Floats
from scene.floor import Floor
from scene.geometry import CameraModel

TURN_RAD, SHIFT_M = 1e-5, 1e-4
"""Steps of the numeric slopes by the camera's pose."""


def floor_m2(
    camera: CameraModel,
    floor: Floor,
    pixels: Floats,
    noise_u: Floats,
    noise_v: Floats,
    *,
    above_m: float,
) -> Floats:
    """Carry pixel noise and pose covariance to the floor, (N, 2, 2); NaN where it is not met."""
    n, step = len(pixels), 0.5
    right, down = np.array([step, 0.0]), np.array([0.0, step])
    to_right, to_left, to_below, to_above, direction = sights(
        camera, pixels + right, pixels - right, pixels + down, pixels - down, pixels
    )
    point, hit = floor.meet(camera.centre_m, direction, above_m=above_m)
    slope = np.where(hit[:, None], floor.slope(np.nan_to_num(point[:, :2])), 0.0)
    normal = np.column_stack([-slope, np.ones(n)])

    # Rays and where they start: four pixels beside, the ray itself, three turns, three shifts.
    rotation = camera.camera_from_mine[:3, :3]
    # A turn of the camera by +w turns the ray, in the mine, by -w.
    turned = direction - np.cross(rotation[:, None] * TURN_RAD, direction[None])
    lines = np.stack([to_right, to_left, to_below, to_above, direction, *turned, *[direction] * 3])
    starts = np.zeros((11, 1, 3)) + camera.centre_m
    starts[8:, 0] -= rotation * SHIFT_M
    # They meet the plane that touches the floor here: smooth, so its differences are slopes.
    fall = np.sum(lines * normal, axis=2)
    safe = np.where(np.abs(fall) > 1e-9, fall, -1e-9)
    reach = np.sum((point - starts) * normal, axis=2) / safe
    met = (starts + reach[..., None] * lines)[..., :2]
    by_pixel = (met[[0, 2]] - met[[1, 3]]) / (2 * step)
    by_pose = (met[5:] - met[4]) / np.repeat([TURN_RAD, SHIFT_M], 3)[:, None, None]

    jacobian, pose_jacobian = by_pixel.transpose(1, 2, 0), by_pose.transpose(1, 2, 0)
    noise = np.zeros((n, 2, 2))
    noise[:, 0, 0], noise[:, 1, 1] = noise_u**2, noise_v**2
    covariance = jacobian @ noise @ jacobian.transpose(0, 2, 1)
    covariance = covariance + pose_jacobian @ camera.pose_covariance @ pose_jacobian.transpose(
        0, 2, 1
    )
    covariance = (covariance + covariance.transpose(0, 2, 1)) / 2
    return np.where(hit[:, None, None], covariance, np.nan)


def largest(covariance: Floats) -> Floats:
    """Give the larger eigenvalue of (N, 2, 2) symmetric matrices."""
    a, b, c = covariance[:, 0, 0], covariance[:, 0, 1], covariance[:, 1, 1]
    return np.asarray((a + c) / 2 + np.hypot((a - c) / 2, b))
