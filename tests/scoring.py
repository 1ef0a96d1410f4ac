"""Score followed people against the truth, in metres.

The usual measures: IDF1 (Ristani et al., 2016), MODA (Bernardin and Stiefelhagen, 2008), identity
switches, position errors of the matched ones. Matching within a radius, per instant, by the
Hungarian method.
"""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment

from scene.arrays import Floats

Instant = dict[int, tuple[float, float]]
"""Who is where at one instant: id to x, y in mine metres."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Score:
    """How well people were followed."""

    idf1: float
    moda: float
    switches: int
    missed: int
    false: int
    wanted: int
    errors_m: Floats
    """(matches,) distance from the truth."""


def score(truth: list[Instant], found: list[Instant], radius_m: float = 1.0) -> Score:
    """Compare two lists of the same instants."""
    last: dict[int, int] = {}
    switches = missed = false = 0
    errors: list[float] = []
    together: dict[tuple[int, int], int] = {}
    for wanted, given in zip(truth, found, strict=True):
        pairs = _match(wanted, given, radius_m, last)
        for person, track, error in pairs:
            switches += person in last and last[person] != track
            last[person] = track
            errors.append(error)
        missed += len(wanted) - len(pairs)
        false += len(given) - len(pairs)
        for person, spot in wanted.items():
            for track, place in given.items():
                if np.hypot(spot[0] - place[0], spot[1] - place[1]) <= radius_m:
                    together[person, track] = together.get((person, track), 0) + 1
    wanted_count, found_count = sum(map(len, truth)), sum(map(len, found))
    return Score(
        idf1=_idf1(together, wanted_count, found_count),
        moda=1 - (missed + false) / max(wanted_count, 1),
        switches=switches,
        missed=missed,
        false=false,
        wanted=wanted_count,
        errors_m=np.array(errors),
    )


def _match(
    wanted: Instant, given: Instant, radius_m: float, last: dict[int, int]
) -> list[tuple[int, int, float]]:
    if not wanted or not given:
        return []
    people, tracks = list(wanted), list(given)
    apart = np.linalg.norm(
        np.array([wanted[p] for p in people])[:, None] - np.array([given[t] for t in tracks]),
        axis=2,
    )
    # Who was matched before stays matched while within the radius (CLEAR MOT's rule).
    kept = np.array([[last.get(p) == t for t in tracks] for p in people])
    cost = np.where(apart <= radius_m, apart - 10.0 * kept, 1e6)
    rows, columns = linear_sum_assignment(cost)
    return [
        (people[row], tracks[column], float(apart[row, column]))
        for row, column in zip(rows, columns, strict=True)
        if cost[row, column] < 1e5
    ]


def _idf1(together: dict[tuple[int, int], int], wanted: int, found: int) -> float:
    people, tracks = sorted({p for p, _ in together}), sorted({t for _, t in together})
    if not together:
        return 0.0
    counts = np.zeros((len(people), len(tracks)))
    for (person, track), count in together.items():
        counts[people.index(person), tracks.index(track)] = count
    rows, columns = linear_sum_assignment(-counts)
    return float(2 * counts[rows, columns].sum() / max(wanted + found, 1))
