"""Who stands so close together that one picture shows them: cut apart, somebody would lose an arm.

Knows nothing about cameras.
"""

from collections.abc import Sequence

import numpy as np

from scene.arrays import Floats
from scene.messages import Position

NEAR_M = 0.9
PARTED_M = 1.2
"""Who was together stays so until then."""
SPREAD_M = 1.8
"""A company is no larger: drawn in one plane, people stand beside each other who stand behind."""

Company = tuple[int, ...]
"""Indices into the people."""


class Companies:
    """Remembers who stood together."""

    def __init__(self) -> None:
        self._together: frozenset[tuple[int, int]] = frozenset()

    def of(self, people: Sequence[Position]) -> list[Company]:
        """Divide everybody into companies, most of one."""
        apart_m = _apart_m(people)
        reach_m = np.full(apart_m.shape, NEAR_M)
        tracks = [person.track for person in people]
        where = {track: number for number, track in enumerate(tracks)}
        for a, b in self._together:
            if a in where and b in where:
                i, j = where[a], where[b]
                reach_m[i, j] = reach_m[j, i] = PARTED_M
        company = list(range(len(people)))
        pairs = np.argwhere(np.triu(apart_m <= reach_m, 1))
        for i, j in sorted(pairs.tolist(), key=lambda pair: apart_m[pair[0], pair[1]]):
            if company[i] == company[j]:
                continue
            both = [n for n, one in enumerate(company) if one in (company[i], company[j])]
            if apart_m[np.ix_(both, both)].max() <= SPREAD_M:
                for n in both:
                    company[n] = company[i]
        found = [
            tuple(n for n, one in enumerate(company) if one == each)
            for each in dict.fromkeys(company)
        ]
        self._together = frozenset(
            (tracks[i], tracks[j]) for members in found for i in members for j in members if i < j
        )
        return found


def _apart_m(people: Sequence[Position]) -> Floats:
    feet_m = np.array([person.xyz_m for person in people], float).reshape(-1, 3)
    return np.asarray(np.linalg.norm(feet_m[:, None] - feet_m, axis=2))
