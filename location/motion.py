"""How a person moves: a constant-velocity Kalman filter in metres.

Knows nothing about cameras or identity. States are never changed, new ones are given back.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from scene.arrays import Floats

START_SPEED_SIGMA_M_S = 1.0
_EYE = np.eye(4)
_LOOK = _EYE[:2]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Motion:
    """Where somebody is and how fast, at one instant."""

    at_ns: int
    mean: Floats
    """(4,) x, y, vx, vy: metres and metres per second."""
    covariance: Floats
    """(4, 4), symmetric, positive definite."""


def start(at_ns: int, xy_m: Floats, covariance_m2: Floats) -> Motion:
    """Begin at an observed place with unknown speed."""
    covariance = np.zeros((4, 4))
    covariance[:2, :2] = covariance_m2
    covariance[2:, 2:] = START_SPEED_SIGMA_M_S**2 * np.eye(2)
    return Motion(at_ns=at_ns, mean=np.concatenate([xy_m, [0.0, 0.0]]), covariance=covariance)


def predict(motion: Motion, at_ns: int, unrest_m2_s3: float) -> Motion:
    """Carry on to a later (or back to an earlier) instant; the doubt grows either way.

    `unrest_m2_s3` is the power density of a white acceleration, so that many small steps doubt as
    much as one large step (Bar-Shalom, Li, Kirubarajan 2001, "Estimation with Applications to
    Tracking and Navigation", section 6.2.2).

    >>> moved = predict(start(0, np.zeros(2), 0.01 * np.eye(2)), 1_000_000_000, 0.3)
    >>> moved.covariance[:2, :2].round(2).tolist()
    [[1.11, 0.0], [0.0, 1.11]]
    """
    step_s = (at_ns - motion.at_ns) / 1e9
    if step_s == 0:
        return motion
    carry = _EYE.copy()
    carry[0, 2] = carry[1, 3] = step_s
    covariance = carry @ motion.covariance @ carry.T + _doubt(step_s, unrest_m2_s3)
    return Motion(at_ns=at_ns, mean=carry @ motion.mean, covariance=(covariance + covariance.T) / 2)


def predict_all(
    motions: Sequence[Motion], at_ns: int, unrest_m2_s3: float
) -> tuple[Floats, Floats]:
    """Predict N motions at the price of one: places (N, 2) in metres and covariances (N, 2, 2)."""
    mean = np.array([motion.mean for motion in motions])
    spread = np.array([motion.covariance for motion in motions])
    step_s = np.array([at_ns - motion.at_ns for motion in motions])[:, None] / 1e9
    places = mean[:, :2] + step_s * mean[:, 2:]
    s = step_s[:, :, None]
    both = spread[:, :2, 2:]
    covariances = (
        spread[:, :2, :2] + s * (both + both.transpose(0, 2, 1)) + s * s * spread[:, 2:, 2:]
    )
    return places, covariances + unrest_m2_s3 * np.abs(s) ** 3 / 3 * _EYE[:2, :2]


def correct(
    motion: Motion, at_ns: int, xy_m: Floats, covariance_m2: Floats, unrest_m2_s3: float
) -> Motion:
    """Take in an observed place.

    An observation from before the state (a late frame) corrects it through the place where the
    person was then; the state's instant stays. Joseph's form keeps the covariance positive.
    """
    if at_ns >= motion.at_ns:
        motion = predict(motion, at_ns, unrest_m2_s3)
        look = _LOOK
    else:
        back_s = (at_ns - motion.at_ns) / 1e9
        covariance_m2 = covariance_m2 + _doubt(back_s, unrest_m2_s3)[:2, :2]
        look = np.hstack([_LOOK[:, :2], back_s * _LOOK[:, :2]])
    seen = look @ motion.covariance
    (a, b), (c, d) = (seen @ look.T + covariance_m2).tolist()
    gain = seen.T @ (np.array([[d, -b], [-c, a]]) / (a * d - b * c))
    rest = _EYE - gain @ look
    covariance = rest @ motion.covariance @ rest.T + gain @ covariance_m2 @ gain.T
    return Motion(
        at_ns=motion.at_ns,
        mean=motion.mean + gain @ (xy_m - look @ motion.mean),
        covariance=(covariance + covariance.T) / 2,
    )


def _doubt(step_s: float, unrest_m2_s3: float) -> Floats:
    s = abs(step_s)
    place, speed = unrest_m2_s3 * s**3 / 3, unrest_m2_s3 * s
    both = unrest_m2_s3 * s**2 / 2 * (1.0 if step_s > 0 else -1.0)
    return np.array(
        [
            [place, 0.0, both, 0.0],
            [0.0, place, 0.0, both],
            [both, 0.0, speed, 0.0],
            [0.0, both, 0.0, speed],
        ]
    )
