"""Score followed people against the truth, in metres.

Knows nothing about pictures or who wrote the positions.

The field's measures, each as its authors define it: IDF1 (Ristani et al., 2016), MODA and identity
switches (Bernardin and Stiefelhagen, 2008), HOTA (Luiten et al., 2020), the position errors of
those matched, and whether the stated covariances are honest. A box overlap is replaced by
`1 - distance / (2 * radius)`: 0.5, the usual threshold, is at the radius. That is TrackEval's own
rule for places (its `zero_distance`), so its figures and these compare; `tests/test_scoring.py`
holds them against what `trackeval` 1.3.0 and `motmetrics` 1.4.0 gave. Neither is needed here: they
bring pandas, matplotlib and pycocotools, half a gigabyte.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment
from scipy.stats import chi2

from scene.arrays import Floats

Instant = dict[int, tuple[float, float]]
"""Who is where at one instant: id to x, y in mine metres."""

ALPHAS = np.arange(0.05, 0.99, 0.05)
"""HOTA's thresholds of similarity: 0.05, 0.10 ... 0.95."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """A person and the track that was found for them at one instant."""

    instant: int
    person: int
    track: int
    error_m: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Hota:
    """Higher order tracking accuracy, and its two halves; means over `ALPHAS`."""

    hota: float
    detection: float
    """DetA: whether people are found where they are."""
    association: float
    """AssA: whether they keep their identity."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Score:
    """How well people were followed."""

    idf1: float
    moda: float
    hota: Hota
    switches: int
    missed: int
    false: int
    wanted: int
    matches: tuple[Match, ...]

    @property
    def errors_m(self) -> Floats:
        """(matches,) distances from the truth."""
        return np.array([match.error_m for match in self.matches])


def score(truth: list[Instant], found: list[Instant], radius_m: float = 1.0) -> Score:
    """Compare two lists of the same instants; who is further off than the radius is no match."""
    last: dict[int, int] = {}
    switches = missed = false = 0
    matches: list[Match] = []
    for number, (wanted, given) in enumerate(zip(truth, found, strict=True)):
        pairs = pair_up(wanted, given, radius_m, last)
        for person, track, error in pairs:
            switches += person in last and last[person] != track
            last[person] = track
            matches.append(Match(instant=number, person=person, track=track, error_m=error))
        missed += len(wanted) - len(pairs)
        false += len(given) - len(pairs)
    wanted_count = sum(map(len, truth))
    return Score(
        idf1=_idf1(truth, found, radius_m),
        moda=1 - (missed + false) / max(wanted_count, 1),
        hota=hota(truth, found, radius_m),
        switches=switches,
        missed=missed,
        false=false,
        wanted=wanted_count,
        matches=tuple(matches),
    )


def hota(truth: list[Instant], found: list[Instant], radius_m: float = 1.0) -> Hota:
    """Tell HOTA after Luiten et al., 2020, with `1 - distance / (2 * radius)` as similarity.

    >>> walk = [{1: (0.0, 0.0)}, {1: (1.0, 0.0)}]
    >>> hota(walk, walk).hota
    1.0
    """
    people = sorted({person for now in truth for person in now})
    tracks = sorted({track for now in found for track in now})
    truths, founds = np.zeros(len(people)), np.zeros(len(tracks))
    together = np.zeros((len(people), len(tracks)))
    instants = []
    for wanted, given in zip(truth, found, strict=True):
        rows = np.array([people.index(person) for person in wanted], int)
        columns = np.array([tracks.index(track) for track in given], int)
        alike = np.maximum(0.0, 1 - _apart(wanted, given) / (2 * radius_m))
        both = alike.sum(0, keepdims=True) + alike.sum(1, keepdims=True) - alike
        cells = np.ix_(rows, columns)
        together[cells] += np.divide(alike, both, out=np.zeros_like(alike), where=both > 0)
        truths[rows] += 1
        founds[columns] += 1
        instants.append((cells, alike))
    # Who mostly goes with whom decides the matching, as the paper has it.
    either = truths[:, None] + founds - together
    aligned = np.divide(together, either, out=np.zeros_like(together), where=either > 0)
    counts = np.zeros((len(ALPHAS), len(people), len(tracks)))
    for cells, alike in instants:
        rows, columns = linear_sum_assignment(-(aligned[cells] * alike))
        for pair in zip(rows.tolist(), columns.tolist(), strict=True):
            person, track = cells[0][pair[0], 0], cells[1][0, pair[1]]
            counts[alike[pair] >= ALPHAS - 1e-9, person, track] += 1
    hits = counts.sum((1, 2))
    detection = hits / np.maximum(truths.sum() + founds.sum() - hits, 1)
    lasting = counts / np.maximum(truths[:, None] + founds - counts, 1)
    association = (counts * lasting).sum((1, 2)) / np.maximum(hits, 1)
    return Hota(
        hota=float(np.sqrt(detection * association).mean()),
        detection=float(detection.mean()),
        association=float(association.mean()),
    )


def share_inside(errors_m: Floats, covariances_m2: Floats, probability: float) -> float:
    """Tell which share of (N, 2) errors lies in the ellipses that should hold `probability`.

    `covariances_m2` is (N, 2, 2). Honest covariances give `probability`, boastful ones less.

    >>> round(share_inside(np.array([[0.1, 0.0], [0.3, 0.0]]), np.eye(2)[None] * 0.01, 0.95), 2)
    0.5
    """
    solved = np.linalg.solve(covariances_m2, errors_m[..., None])[..., 0]
    far = np.sum(errors_m * solved, axis=1)
    return float(np.mean(far <= chi2.ppf(probability, 2)))


def _apart(wanted: Instant, given: Instant) -> Floats:
    """Give (people, tracks) distances in metres."""
    people = np.array(list(wanted.values()), float).reshape(-1, 1, 2)
    tracks = np.array(list(given.values()), float).reshape(1, -1, 2)
    return np.asarray(np.linalg.norm(people - tracks, axis=2))


def pair_up(
    wanted: Instant, given: Instant, radius_m: float, last: Mapping[int, int]
) -> list[tuple[int, int, float]]:
    """Give (person, track, metres apart) of one instant; `last` is whose track was which before."""
    people, tracks = list(wanted), list(given)
    apart = _apart(wanted, given)
    # Who was matched before stays matched while within the radius, whatever it costs the others:
    # CLEAR MOT's rule. An assignment of no worth is none.
    kept = np.array([[last.get(p) == t for t in tracks] for p in people]).reshape(apart.shape)
    worth = np.where(apart <= radius_m, 1 - apart / (2 * radius_m) + 1000.0 * kept, 0.0)
    rows, columns = linear_sum_assignment(-worth)
    return [
        (people[row], tracks[column], float(apart[row, column]))
        for row, column in zip(rows, columns, strict=True)
        if worth[row, column] > 0
    ]


def _idf1(truth: list[Instant], found: list[Instant], radius_m: float) -> float:
    people = sorted({person for now in truth for person in now})
    tracks = sorted({track for now in found for track in now})
    counts = np.zeros((len(people), len(tracks)))
    for wanted, given in zip(truth, found, strict=True):
        rows = np.array([people.index(person) for person in wanted], int)
        columns = np.array([tracks.index(track) for track in given], int)
        counts[np.ix_(rows, columns)] += _apart(wanted, given) <= radius_m
    rows, columns = linear_sum_assignment(-counts)
    total = sum(map(len, truth)) + sum(map(len, found))
    return float(2 * counts[rows, columns].sum() / max(total, 1))
