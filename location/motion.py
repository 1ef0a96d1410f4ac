"""How a person moves: a constant-velocity Kalman filter in metres.

Knows nothing about cameras or identity. States are never changed, new ones are given back.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from scene.arrays import Floats

START_SPEED_SIGMA_M_S = 1.0
_EYE = np.eye(4)


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
    carry = carried(step_s)
    covariance = carry @ motion.covariance @ carry.T + strayed(step_s, unrest_m2_s3)
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


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Step:
    """What one correction does to errors: what is left of the earlier one, what the look adds."""

    kept: Floats
    """(4, 4): the state's error before, carried to the error after."""
    gain: Floats
    """(4, 2): the look's error, carried to the state's."""
    strayed_m2: Floats
    """(4, 4): the doubt about the person's own way meanwhile, after the correction."""
    square: float
    """Mahalanobis² of the look from the place predicted for it; 2 on average if all is as said."""


def correct(
    motion: Motion, at_ns: int, xy_m: Floats, covariance_m2: Floats, unrest_m2_s3: float
) -> Motion:
    """Take in an observed place (2,) of covariance (2, 2), as `corrected` does for many."""
    return corrected([motion], at_ns, xy_m[None], covariance_m2[None], unrest_m2_s3)[0][0]


def corrected(
    motions: Sequence[Motion],
    at_ns: int,
    xy_m: Floats,
    covariance_m2: Floats,
    unrest_m2_s3: float,
) -> list[tuple[Motion, Step]]:
    """Take in one observed place for each of N motions, and tell what that did to errors.

    Places are (N, 2), their covariances (N, 2, 2). An observation from before the state (a late
    frame) corrects it through the place where the person was then; the state's instant stays.
    Joseph's form keeps covariances positive.
    """
    step_s = np.array([at_ns - motion.at_ns for motion in motions]) / 1e9
    ahead_s, back_s = np.maximum(step_s, 0.0), np.minimum(step_s, 0.0)
    carry, way_m2 = carried(ahead_s), strayed(ahead_s, unrest_m2_s3)
    before = carry @ np.array([motion.covariance for motion in motions]) @ _turned(carry) + way_m2
    mean = (carry @ np.array([motion.mean for motion in motions])[..., None])[..., 0]
    look = carried(back_s)[:, :2]
    since_m2 = strayed(back_s, unrest_m2_s3)[:, :2, :2]
    claimed = covariance_m2 + since_m2

    seen = look @ before
    inverse = _inverse(seen @ _turned(look) + claimed)
    gain = _turned(seen) @ inverse
    rest = _EYE - gain @ look
    off = xy_m - (look @ mean[..., None])[..., 0]
    square = np.einsum("ni,nij,nj->n", off, inverse, off)
    mean = mean + (gain @ off[..., None])[..., 0]
    covariance = rest @ before @ _turned(rest) + gain @ claimed @ _turned(gain)
    covariance = (covariance + _turned(covariance)) / 2
    kept = rest @ carry
    way_m2 = rest @ way_m2 @ _turned(rest) + gain @ since_m2 @ _turned(gain)
    return [
        (
            Motion(at_ns=max(at_ns, motion.at_ns), mean=mean[n], covariance=covariance[n]),
            Step(kept=kept[n], gain=gain[n], strayed_m2=way_m2[n], square=float(square[n])),
        )
        for n, motion in enumerate(motions)
    ]


def _turned(matrices: Floats) -> Floats:
    return matrices.transpose(0, 2, 1)


def _inverse(matrices: Floats) -> Floats:
    """Invert (N, 2, 2) matrices."""
    (a, b), (c, d) = matrices.transpose(1, 2, 0)
    return np.asarray((np.array([[d, -b], [-c, a]]) / (a * d - b * c)).transpose(2, 0, 1))


def carried(step_s: Floats | float) -> Floats:
    """Give the (..., 4, 4) that carry states so many seconds (...) on."""
    carry = np.zeros((*np.shape(step_s), 4, 4)) + _EYE
    carry[..., 0, 2] = carry[..., 1, 3] = step_s
    return carry


def strayed(step_s: Floats | float, unrest_m2_s3: float) -> Floats:
    """Give the (..., 4, 4) doubt about the ways that people took in so many seconds (...)."""
    s: Floats = np.abs(step_s)
    way_m2 = np.zeros((*np.shape(s), 4, 4))
    way_m2[..., 0, 0] = way_m2[..., 1, 1] = unrest_m2_s3 * s**3 / 3
    way_m2[..., 2, 2] = way_m2[..., 3, 3] = unrest_m2_s3 * s
    both = unrest_m2_s3 * s * step_s / 2
    way_m2[..., 0, 2] = way_m2[..., 1, 3] = way_m2[..., 2, 0] = way_m2[..., 3, 1] = both
    return way_m2
