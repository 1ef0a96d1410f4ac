"""Whether somebody is down: low above the floor, and slow.

Knows nothing about how long: the watch keeps time.
"""

from math import erf, hypot, sqrt

from scene.messages import Position

HEIGHT_SIGMA_M = 0.12
"""Of a tracked body height, measured on boxes with 5 % noise."""
SLOW_M_S = 0.6
"""Who moves faster than this walks, however low."""


def speed_m_s(person: Position) -> float:
    """Tell a person's speed over ground."""
    return hypot(*person.velocity_m_s)


def height_age_s(person: Position) -> float:
    """Tell how long before the person was last seen a look last showed the height."""
    if person.height_at_ns is None:
        return 0.0
    return (person.seen_at_ns - person.height_at_ns) / 1e9


def probability_lower(person: Position, height_m: float) -> float:
    """Tell P(body lower than `height_m`), the height taken as Gaussian.

    >>> from scene.messages import Position
    >>> person = Position(track=1, xyz_m=(0, 0, 0), covariance_m2=((1, 0), (0, 1)),
    ...     velocity_m_s=(0, 0), height_m=1.0, posture="crouching", certainty="certainly",
    ...     seen_at_ns=0, cameras=())
    >>> probability_lower(person, 1.0)
    0.5
    """
    return 0.5 * (1 + erf((height_m - person.height_m) / HEIGHT_SIGMA_M / sqrt(2)))
