"""Whether two gateways speak of one person, and where such a person is.

Knows nothing about messages, names or how long anybody is remembered: states in, figures out.
"""

from collections.abc import Sequence
from math import hypot

import numpy as np

from location.match import assign
from location.motion import Motion, predict
from scene.arrays import Bools, Floats

UNREST_M2_S3 = 0.4
"""Of people who are seen; as in the tracker."""
SPEED_DRIFT_M_S = 0.25
"""How much the mean speed of an unseen walk differs from the last one seen (one sigma)."""
ASIDE_M = 1.0
"""An unseen walk along a roadway ends no further to the side than this (one sigma)."""
LINGER_COST = 3.0
"""What it costs to say that somebody stopped, dawdled or turned while unseen: one in five does."""
REACH_M_S, REACH_M = 2.5, 2.0
"""Nobody gets further than this while unseen, and three sigma."""
MOST_SIGMAS_M = 9.0
"""As far as three sigma count at most."""
MOST_REACH_M = REACH_M + MOST_SIGMAS_M + 1e-3
"""Nobody is `reachable` beyond this and `REACH_M_S`; the last bit is for rounding."""
GATE = 18.5
"""Mahalanobis² of place and speed beyond which it is somebody else (99.9 % of chi² with four)."""
BESIDE_M = 2.0
"""Nor may two who are seen at once be further apart."""
BIRTH_COST = 19.0
"""What it costs to say "this is somebody new", in -2 log likelihood."""
MARGIN = 6.0
"""The next best way to pair everybody must cost so much more: it is then 20 times less likely."""


def walked_on(motion: Motion, at_ns: int) -> Motion:
    """Carry somebody unseen on: he keeps his speed, give or take `SPEED_DRIFT_M_S`.

    A white acceleration, as in `location.motion`, is right for the second between two looks; over
    the ten of a gap it would put him anywhere within 12 m.
    """
    gap_s = max(0.0, (at_ns - motion.at_ns) / 1e9)
    velocity = motion.mean[2:]
    drift = SPEED_DRIFT_M_S * min(1.0, gap_s / 2.0)
    speed_m2 = np.minimum(motion.covariance[2:, 2:], 0.35**2 * np.eye(2)) + drift**2 * np.eye(2)
    speed = float(np.hypot(*velocity))
    way = velocity / speed if speed > 0.3 else np.zeros(2)
    along = np.outer(way, way)
    aside = np.eye(2) - along if speed > 0.3 else np.zeros((2, 2))
    place_m2 = gap_s**2 * speed_m2
    too_far = max(0.0, float(np.trace(aside @ place_m2)) - ASIDE_M**2)
    place_m2 = place_m2 - too_far * aside
    mean = np.concatenate([motion.mean[:2] + gap_s * velocity, velocity])
    return _state(at_ns, mean, motion, place_m2, speed_m2)


def lingered(motion: Motion, at_ns: int) -> Motion:
    """Carry somebody unseen on who may have stopped, dawdled or turned on the way."""
    gap_s = max(0.0, (at_ns - motion.at_ns) / 1e9)
    velocity = motion.mean[2:]
    doubt = 0.5 * float(np.hypot(*velocity)) + SPEED_DRIFT_M_S
    mean = np.concatenate([motion.mean[:2] + gap_s / 2 * velocity, velocity / 2])
    place_m2, speed_m2 = (doubt * gap_s) ** 2 * np.eye(2), max(doubt, 0.7) ** 2 * np.eye(2)
    return _state(at_ns, mean, motion, place_m2, speed_m2)


def _state(at_ns: int, mean: Floats, before: Motion, place_m2: Floats, speed_m2: Floats) -> Motion:
    """Put a state together; who was slower on the way may well be faster now: no link."""
    covariance = np.zeros((4, 4))
    covariance[:2, :2] = before.covariance[:2, :2] + place_m2
    covariance[2:, 2:] = speed_m2
    return Motion(at_ns=at_ns, mean=mean, covariance=covariance)


def after_a_gap(before: Motion, after: Motion) -> float | None:
    """Tell `cost` that somebody last seen before is the one first seen after."""
    found = cost(walked_on(before, after.at_ns), after)
    other = cost(lingered(before, after.at_ns), after)
    costs = [found] if found is not None else []
    if other is not None:
        costs.append(other + LINGER_COST)
    return min(costs, default=None)


def cost(one: Motion, other: Motion) -> float | None:
    """Tell what it costs (-2 log likelihood, less a constant) that two are one; none: they aren't.

    Both at the same instant.
    """
    spread = one.covariance + other.covariance
    apart = one.mean - other.mean
    square = float(apart @ np.linalg.solve(spread, apart))
    if not square <= GATE:
        return None
    return square + float(np.linalg.slogdet(spread)[1])


def beside(one: Motion, other: Motion) -> float | None:
    """Tell `cost` of two who are seen at once, at the later one's instant."""
    at_ns = max(one.at_ns, other.at_ns)
    one, other = predict(one, at_ns, UNREST_M2_S3), predict(other, at_ns, UNREST_M2_S3)
    if np.hypot(*(one.mean - other.mean)[:2]) > BESIDE_M:
        return None
    return cost(one, other)


def may_be_beside(ones: Sequence[Motion], others: Sequence[Motion]) -> Bools:
    """Tell (ones, others) which pairs are near enough for `beside`, all at once."""
    one, other = np.array([m.mean for m in ones]), np.array([m.mean for m in others])
    start_ns = ones[0].at_ns
    one_s = np.array([m.at_ns - start_ns for m in ones])[:, None] / 1e9
    other_s = np.array([m.at_ns - start_ns for m in others])[None] / 1e9
    at_s = np.maximum(one_s, other_s)[..., None]
    apart = one[:, None, :2] + (at_s - one_s[..., None]) * one[:, None, 2:]
    apart = apart - other[None, :, :2] - (at_s - other_s[..., None]) * other[None, :, 2:]
    return np.asarray(np.hypot(apart[..., 0], apart[..., 1]) <= BESIDE_M + 1e-6)


def reachable(one: Motion, other: Motion) -> bool:
    """Tell whether somebody can have got from one place to the other in the time between."""
    (x, y, *_), (u, v, *_) = one.mean.tolist(), other.mean.tolist()
    gap_s, apart_m = abs(one.at_ns - other.at_ns) / 1e9, hypot(x - u, y - v)
    near_m = REACH_M + REACH_M_S * gap_s
    if not near_m < apart_m <= near_m + MOST_SIGMAS_M:  # without a look at the spread
        return apart_m <= near_m
    spread = one.covariance[:2, :2] + other.covariance[:2, :2]
    sigma_m = float(np.sqrt(np.linalg.eigvalsh(spread)[1]))
    return apart_m <= near_m + min(3 * sigma_m, MOST_SIGMAS_M)


def pairs(costs: Floats, allowed: Bools) -> tuple[list[tuple[int, int]], Floats]:
    """Pair rows with columns jointly at the least cost, and keep only pairs beyond doubt.

    Whoever is paired with nobody costs `BIRTH_COST`. A pair is beyond doubt when the best way
    without it costs `MARGIN` more. Also gives (rows, columns) how likely each pair is, from the
    best way with it and the best way of all.
    """
    rows, columns = costs.shape
    wide = np.hstack([costs, np.full((rows, rows), BIRTH_COST)])
    free = np.hstack([allowed, np.eye(rows, dtype=bool)])
    best = assign(wide, free)
    total = sum(wide[pair] for pair in best)
    kept, extra = [], np.full(wide.shape, np.inf)
    for row, column in np.argwhere(free).tolist():
        without = free.copy()
        if (row, column) in best:
            without[row, column] = False
            extra[row, column] = 0.0
            other = sum(wide[pair] for pair in assign(wide, without))
            if column < columns and other - total >= MARGIN:
                kept.append((row, column))
        else:
            without[row], without[:, column] = False, False
            without[row, column] = True
            extra[row, column] = sum(wide[pair] for pair in assign(wide, without)) - total
    likely = np.exp(-np.minimum(extra, 700.0) / 2) * free
    likely = likely / likely.sum(axis=1, keepdims=True)
    return kept, np.asarray(likely[:, :columns])


def fused(places: Sequence[Motion]) -> tuple[Floats, Floats]:
    """Give one place (4,) and covariance (4, 4) out of several of the same instant.

    By covariance intersection (Julier and Uhlmann 1997) with the weights of Niehsen 2002. The rigs
    are different ones, so their poses' errors are independent; but the gateways share the survey,
    the floor's model, the bias of boxes on that very body and the person's own unrest, all by an
    unknown part. Covariance intersection is honest whatever that part is, and costs no more than a
    factor of 1.4 in the sigma where it is none.
    """
    if len(places) == 1:
        return places[0].mean, places[0].covariance
    weights = np.array([1 / np.trace(place.covariance[:2, :2]) for place in places])
    weights = weights / weights.sum()
    facts = [np.linalg.inv(place.covariance) for place in places]
    covariance = np.linalg.inv(sum(w * fact for w, fact in zip(weights, facts, strict=True)))
    mean = covariance @ sum(
        w * (fact @ place.mean) for w, fact, place in zip(weights, facts, places, strict=True)
    )
    return mean, (covariance + covariance.T) / 2
