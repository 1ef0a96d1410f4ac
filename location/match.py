"""Which of one camera's observations belongs to which person.

Knows nothing about pictures: both sides are places in metres with covariances.
"""

import numpy as np

from location.foot import Feet
from location.limits import LYING_BELOW_M, TrackerLimits
from location.motion import predict, predict_all
from location.person import Person
from location.spread import largest, squares
from scene.arrays import Bools, Floats

IMPOSSIBLE = 1e6
WAIT_M_S = 0.8
"""Who was known before a restart may be so much further off for each second that nobody looked."""

Pairs = list[tuple[Person, int]]


def match(
    people: list[Person], at_ns: int, feet: Feet, limits: TrackerLimits
) -> tuple[Pairs, Pairs, list[int]]:
    """Pair one camera's observations with people.

    Gives pairs, those whose second reading fits (somebody known to lie), and observations that are
    left, sure ones first.
    """
    everyone = list(range(len(feet.xy_m)))
    sure = [i for i in everyone if feet.scores[i] >= limits.high_score]
    vague = [i for i in everyone if feet.scores[i] < limits.high_score]
    if not people or not everyone:
        return [], [], [*sure, *vague]
    cost, allowed = _compare(people, at_ns, feet, limits)
    lain = _read_as_lying(people, at_ns, feet, limits, cost=cost, allowed=allowed)
    pairs: Pairs = []
    lying: Pairs = []
    rows = list(range(len(people)))
    # People who are known come first, then those who may be clutter; sure boxes before vague.
    for columns in (sure, vague):
        for known in (True, False):
            row = [r for r in rows if bool(people[r].track) is known]
            taken = {index for _, index in (*pairs, *lying)}
            column = [c for c in columns if c not in taken]
            if not known:  # a box that is both vague and cut is no proof of anybody new
                column = [c for c in column if c in sure or not feet.cut[c]]
            grid = np.ix_(row, column)
            for r, c in assign(cost[grid], allowed[grid]):
                found = lying if lain[row[r], column[c]] else pairs
                found.append((people[row[r]], column[c]))
                rows.remove(row[r])
    taken = {index for _, index in (*pairs, *lying)}
    return pairs, lying, [i for i in (*sure, *vague) if i not in taken]


def _read_as_lying(
    people: list[Person],
    at_ns: int,
    feet: Feet,
    limits: TrackerLimits,
    *,
    cost: Floats,
    allowed: Bools,
) -> Bools:
    """Let those who are known to lie have the second reading of a box where it fits them better.

    Changes `cost` and `allowed`; gives where. Else somebody who is thought to stand nearer would
    take the box of who lies behind.
    """
    better = np.zeros_like(allowed)
    rows = [r for r, one in enumerate(people) if one.track and one.height()[0] < LYING_BELOW_M]
    if feet.if_lying is None or not rows:
        return better
    columns = np.flatnonzero(np.isfinite(feet.if_lying.height_m)).tolist()
    if not columns:
        return better
    grid = np.ix_(rows, columns)
    other, fits = _compare([people[r] for r in rows], at_ns, feet.lying(columns), limits)
    other, fits = other[:, columns], fits[:, columns]
    better[grid] = fits & (~allowed[grid] | (other < cost[grid]))
    cost[grid] = np.where(better[grid], other, cost[grid])
    allowed |= better
    return better


def match_lying(
    people: list[Person],
    at_ns: int,
    feet: Feet,
    matched: Pairs,
    rest: list[int],
    *,
    limits: TrackerLimits,
) -> Pairs:
    """Pair boxes that nobody explains with known people, if they may show somebody lying."""
    found = {person.born for person, _ in matched}
    people = [p for p in people if p.track and p.born not in found]
    if feet.if_lying is None or not people:
        return []
    columns = [i for i in rest if np.isfinite(feet.if_lying.height_m[i])]
    cost, allowed = _compare(people, at_ns, feet.lying(columns), limits)
    return [(people[r], columns[c]) for r, c in assign(cost[:, columns], allowed[:, columns])]


def between(
    person: Person, at_ns: int, feet: Feet, index: int, limits: TrackerLimits
) -> tuple[float, float]:
    """Compare one person with one observation: Mahalanobis² and metres."""
    there = predict(person.motion, at_ns, limits.unrest_m2_s3)
    square, _, apart = distances(
        there.mean[None, :2],
        there.covariance[None, :2, :2],
        feet.xy_m[index : index + 1],
        feet.covariance_m2[index : index + 1],
    )
    return float(square[0, 0]), float(apart[0, 0])


def is_apart(
    people: list[Person], at_ns: int, feet: Feet, index: int, limits: TrackerLimits
) -> bool:
    """Tell whether an observation is far enough from everybody to be somebody new."""
    for person in people:
        square, apart = between(person, at_ns, feet, index, limits)
        if apart < limits.apart_m:
            return False
        if feet.cut[index] and (square < limits.gate or apart < 1.0):
            return False
    return True


def _compare(
    people: list[Person], at_ns: int, feet: Feet, limits: TrackerLimits
) -> tuple[Floats, Bools]:
    """Compare people with one camera's observations: costs, and which pairs may be."""
    motions = [person.motion for person in people]
    there = predict_all(motions, at_ns, limits.unrest_m2_s3)
    square, cost, apart = distances(*there, feet.xy_m, feet.covariance_m2)
    sigma = np.sqrt(largest(feet.covariance_m2))
    waited_s = [
        (at_ns - person.seen_at_ns) / 1e9 if at_ns <= person.waited_for_ns else 0.0
        for person in people
    ]
    slack_m = WAIT_M_S * np.maximum(waited_s, 0.0)
    near = apart <= limits.cap_m + 2 * sigma + slack_m[:, None]
    return cost, np.asarray((square <= limits.gate) & near)


def distances(
    people_xy_m: Floats, people_m2: Floats, seen_xy_m: Floats, seen_m2: Floats
) -> tuple[Floats, Floats, Floats]:
    """Compare T people with N observations, each (T, N): Mahalanobis², its cost, and metres.

    The cost is Mahalanobis² + log det of the joint covariance, so that a vague match does not
    beat a precise one.
    """
    spread = people_m2[:, None] + seen_m2[None]
    apart = seen_xy_m[None] - people_xy_m[:, None]
    square, det = squares(apart, spread)
    return square, square + np.log(det), np.hypot(apart[..., 0], apart[..., 1])


def assign(cost: Floats, allowed: Bools) -> list[tuple[int, int]]:
    """Pair rows with columns at the least total cost (Hungarian); only allowed pairs.

    >>> assign(np.array([[1.0, 2.0], [1.1, 9.0]]), np.array([[True, True], [True, True]]))
    [(0, 1), (1, 0)]
    """
    if cost.size == 0:
        return []
    # It takes half a second to import, and who only needs limits shall be quick to start.
    from scipy.optimize import linear_sum_assignment

    rows, columns = linear_sum_assignment(np.where(allowed, cost, IMPOSSIBLE))
    return [
        (int(row), int(column))
        for row, column in zip(rows, columns, strict=True)
        if allowed[row, column]
    ]
