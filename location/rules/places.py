"""Where a person is, and how unsure that is, for all rules alike.

Knows nothing about rules.
"""

from dataclasses import replace
from math import hypot, sqrt

from scene.messages import XY, Covariance, Position


def at_look(person: Position) -> Position:
    """Take a person as seen, not as predicted from there: a look is a fact, however late it is."""
    if person.seen_xy_m is None or person.seen_covariance_m2 is None:
        return person
    return replace(
        person,
        xyz_m=(*person.seen_xy_m, person.xyz_m[2]),
        covariance_m2=person.seen_covariance_m2,
    )


def sigma_m(covariance_m2: Covariance) -> float:
    """Tell the largest standard deviation of a place in any direction."""
    (a, b), (_, d) = covariance_m2
    return sqrt(max((a + d) / 2 + hypot((a - d) / 2, b), 0.0))


def sigma_along_m(covariance_m2: Covariance, direction: XY) -> float:
    """Tell the standard deviation along a unit vector."""
    (a, b), (c, d) = covariance_m2
    x, y = direction
    return sqrt(max(a * x * x + (b + c) * x * y + d * y * y, 0.0))


def apart_m(one: Position, other: Position) -> float:
    """Tell how far apart two people are on the floor."""
    return hypot(one.xyz_m[0] - other.xyz_m[0], one.xyz_m[1] - other.xyz_m[1])
