"""What is told about a followed person at an instant.

Knows nothing about how the person is followed.
"""

import numpy as np

from location.headgear import probability
from location.limits import LYING_BELOW_M
from location.motion import Motion
from location.person import Person
from location.spread import largest
from scene.arrays import Floats
from scene.messages import Certainty, Covariance, Position, Posture

CROUCHING_BELOW_M = 1.35
HEIGHT_KEPT_S = 3.0
"""Nobody's posture is certain whose height no look has shown for so long."""


def position(
    person: Person,
    motion: Motion,
    z_m: float,
    *,
    seen_m2: Floats,
    now_m2: Floats,
    fresh_s: float,
) -> Position:
    """Tell where a person is, and how sure that is.

    `motion` is predicted from the last correction, `z_m` the floor's height there. `seen_m2` is the
    covariance (2, 2) of the place at that correction, `now_m2` of the one predicted (`doubt.py`);
    a look is good for `fresh_s`.
    """
    at_ns = motion.at_ns
    x, y, x_m_s, y_m_s = motion.mean.tolist()
    seen_x, seen_y = person.motion.mean[:2].tolist()
    sigma = float(np.sqrt(largest(now_m2[None])[0]))
    height, height_at_ns = person.height()
    seen = (at_ns - person.seen_at_ns) / 1e9 < fresh_s
    known_height = (person.seen_at_ns - height_at_ns) / 1e9 <= HEIGHT_KEPT_S
    sure = seen and known_height and sigma < 1.0 and person.share >= 0.3
    certainty: Certainty = "certainly" if sure else "possibly"
    return Position(
        track=person.track,
        xyz_m=(x, y, z_m),
        covariance_m2=_rows(now_m2),
        velocity_m_s=(x_m_s, y_m_s),
        height_m=height,
        posture=_posture(height),
        height_at_ns=height_at_ns,
        seen_xy_m=(seen_x, seen_y),
        seen_covariance_m2=_rows(seen_m2),
        certainty=certainty,
        seen_at_ns=person.seen_at_ns,
        cameras=person.cameras,
        helmet=probability(person.helmet),
    )


def _posture(height_m: float) -> Posture:
    if height_m < LYING_BELOW_M:
        return "lying"
    return "crouching" if height_m < CROUCHING_BELOW_M else "upright"


def _rows(covariance: Floats) -> Covariance:
    (a, b), (c, d) = covariance.tolist()
    return (a, b), (c, d)
