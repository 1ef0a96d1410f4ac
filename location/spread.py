"""How sure a place on the floor is: pixel noise and the camera's pose carried to the floor.

Knows nothing about bodies or boxes.
"""

import numpy as np

from location.views import Views
from scene.arrays import Bools, Floats
from scene.floor import Floor

TURN_RAD, SHIFT_M = 1e-5, 1e-4
"""Steps of the numeric slopes by the camera's pose."""
_STEPS = np.repeat([TURN_RAD, SHIFT_M], 3)[:, None, None]


def floor_m2(
    views: Views,
    floor: Floor,
    around: Floats,
    met: tuple[Floats, Bools],
    noise_px: Floats,
) -> Floats:
    """Carry pixel noise and pose covariance to the floor, (N, 2, 2); NaN where it is not met.

    `around` (5, N, 3) are lines of sight half a pixel beside and through the places' pixels, as
    `location.post.around` has them; `met` is where the last of them meet the floor, if they do.
    `noise_px` (2, N) is across and down the picture.
    """
    point, hit = met
    slope = np.where(hit[:, None], floor.slope(np.where(hit[:, None], point, 0.0)[:, :2]), 0.0)

    # Rays and where they start: four pixels beside, the ray itself, three turns, three shifts.
    ray, axes = around[4], views.rotation.transpose(1, 0, 2)
    lines = np.empty((11, len(point), 3))
    lines[:5], lines[5:] = around, ray
    # A turn of the camera by +w turns the ray, in the mine, by -w.
    lines[5:8] += TURN_RAD * _cross(ray, axes)
    starts = np.repeat(views.centre_m[None], 11, axis=0)
    starts[8:] -= SHIFT_M * axes
    # They meet the plane that touches the floor here: smooth, so its differences are slopes.
    fall = _above(lines, slope)
    safe = np.where(np.abs(fall) > 1e-9, fall, -1e-9)
    reach = _above(point - starts, slope) / safe
    there = starts[..., :2] + reach[..., None] * lines[..., :2]
    # A pixel apart, so the differences are slopes by the pixel.
    by_pixel = there[[0, 2]] - there[[1, 3]]
    by_pose = ((there[5:] - there[4]) / _STEPS).transpose(1, 2, 0)

    by_noise = (by_pixel * noise_px[..., None]).transpose(1, 2, 0)
    covariance = by_noise @ by_noise.transpose(0, 2, 1)
    covariance += by_pose @ views.pose_covariance @ by_pose.transpose(0, 2, 1)
    covariance = (covariance + covariance.transpose(0, 2, 1)) / 2
    return np.where(hit[:, None, None], covariance, np.nan)


def _above(steps: Floats, slope: Floats) -> Floats:
    """Tell how much (K, N, 3) steps rise above planes of (N, 2) slopes."""
    return np.asarray(steps[..., 2] - steps[..., 0] * slope[:, 0] - steps[..., 1] * slope[:, 1])


def _cross(one: Floats, other: Floats) -> Floats:
    """Give cross products (..., 3): `np.cross` takes several times as long for so few."""
    (a, b, c), (x, y, z) = np.moveaxis(one, -1, 0), np.moveaxis(other, -1, 0)
    return np.stack([b * z - c * y, c * x - a * z, a * y - b * x], axis=-1)


def largest(covariance: Floats) -> Floats:
    """Give the larger eigenvalue of (N, 2, 2) symmetric matrices."""
    a, b, c = covariance[:, 0, 0], covariance[:, 0, 1], covariance[:, 1, 1]
    return np.asarray((a + c) / 2 + np.hypot((a - c) / 2, b))


def squares(off_m: Floats, covariance_m2: Floats) -> tuple[Floats, Floats]:
    """Give the Mahalanobis² (...) of (..., 2) by (..., 2, 2), and the covariances' determinants.

    >>> square, det = squares(np.array([1.0, -1.0]), np.array([[2.0, 1.0], [1.0, 2.0]]))
    >>> float(square), float(det)
    (2.0, 3.0)
    """
    a, b, d = covariance_m2[..., 0, 0], covariance_m2[..., 0, 1], covariance_m2[..., 1, 1]
    det = np.maximum(a * d - b * b, 1e-12)
    dx, dy = off_m[..., 0], off_m[..., 1]
    return (d * dx**2 - 2 * b * dx * dy + a * dy**2) / det, det
