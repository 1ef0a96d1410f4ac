"""What a set of candidates is worth, and what each further one would add.

Knows nothing about optics or about how candidates are chosen.
"""

import numpy as np

from edge.planning.candidates import Candidates, runs
from edge.planning.file import HungCamera
from edge.planning.judge import broken_walks, short_metres, wished_twice
from edge.planning.section import Section
from scene.arrays import Bools, Floats, Ints

TWICE, WALK = 0.5, 0.25
"""What a second camera and a walker's overlap are worth, beside 1 for a covered place."""
REACHED = 0.95
"""Where less can be reached than is wished, so much of what can be is enough."""
ALIKE_M, ALIKE_DEG = 2.0, 30.0
"""Nobody hangs a second camera so near to another one that looks the same way."""


class Score:
    """What a set of candidates is worth."""

    def __init__(self, section: Section, candidates: Candidates) -> None:
        self._section = section
        self.metres = section.metres
        self.candidates = candidates
        self._open = ~section.places.taken
        self._target = np.where(self._open, np.where(wished_twice(section), 2, 1), 0)
        self._once = (candidates.counts >= 1).astype(np.float32)
        more = candidates.counts >= 2
        self._more = more.astype(np.float32) if more.any() else None
        self._walks = runs(section, candidates.counts >= 1).astype(np.float32)
        self._starts = np.searchsorted(section.places.metre, np.arange(section.metres))
        self._floor = np.add.reduceat(self._open.astype(float), self._starts)
        # What is wished, or what all candidates together reach where that is less.
        most = np.asarray(candidates.counts.sum(axis=0) >= self._target)
        wished = section.plan.wishes.share - 1e-6
        self._seeable = np.minimum(wished, REACHED * self._share(most[None])[0])
        walked = np.asarray(self._walks.any(axis=0))
        self._walkable = np.minimum(wished, REACHED * self._share(walked[None])[0])
        first = [group[0] for group in candidates.hung]
        self._at = np.array([(one.chainage_m, one.left_m, one.yaw_deg) for one in first])
        self._at = self._at.reshape(-1, 3)
        self._tie = 1e-6 * candidates.quality / max(1.0, float(candidates.quality.max(initial=1)))

    def gains(self, chosen: list[int]) -> Floats:
        """Tell what each candidate (K,) would add."""
        count, walked = self.state(chosen)
        lack = self._target - count
        first = (count == 0) & (self._target > 0)
        one_more = first * 1.0 + TWICE * ((self._target == 2) & (count == 1))
        gain = self._once @ one_more.astype(np.float32)
        if self._more is not None:
            gain = gain + self._more @ (TWICE * (lack >= 2)).astype(np.float32)
        gain = gain + self._walks @ (WALK * (walked == 0)).astype(np.float32)
        return (np.asarray(gain, float) + self._tie) * ~self._alike(chosen)

    def _alike(self, chosen: list[int]) -> Bools:
        """Tell which candidates (K,) hang beside a chosen one and look the same way."""
        alike = np.zeros(len(self._at), bool)
        for at_m, left_m, yaw_deg in self._at[chosen].tolist():
            turned = np.abs((self._at[:, 2] - yaw_deg + 180) % 360 - 180)
            near = np.hypot(self._at[:, 0] - at_m, self._at[:, 1] - left_m) < ALIKE_M
            alike |= near & (turned < ALIKE_DEG)
        return alike

    def state(self, chosen: list[int]) -> tuple[Ints, Ints]:
        """Count the cameras, and the candidates that carry a walker on, at each place."""
        count = self.candidates.counts[chosen].sum(axis=0)
        walked = self._walks[chosen].sum(axis=0).astype(np.int64)
        return np.asarray(count), np.asarray(walked)

    def frontier(self, chosen: list[int], these: Ints, *, backward: bool) -> Ints:
        """Tell how many metres from one end would be well if each of these were added."""
        count, walked = self.state(chosen)
        seen = self.candidates.counts[these] + count >= self._target
        return self._well(seen, self._walks[these] + walked > 0, backward)

    def reached(self, chosen: list[int], *, backward: bool = False) -> int:
        """Tell how many metres from one end are as well as they can be."""
        count, walked = self.state(chosen)
        return int(self._well((count >= self._target)[None], (walked > 0)[None], backward)[0])

    def mends(self, chosen: list[int], metre: int) -> Floats:
        """Tell how much each candidate (K,) adds in one metre."""
        count, walked = self.state(chosen)
        here = self._section.places.metre == metre
        seen = self._once[:, here & (count < self._target)].sum(axis=1)
        added = np.asarray(seen + self._walks[:, here & (walked == 0)].sum(axis=1), float)
        return added * ~self._alike(chosen)

    def _well(self, seen: Bools, walked: Bools, backward: bool) -> Ints:
        good = (self._share(seen) >= self._seeable) & (self._share(walked) >= self._walkable)
        good = good[:, ::-1] if backward else good
        lacking = np.hstack([~good, np.ones((len(good), 1), bool)])
        return np.asarray(lacking.argmax(axis=1))

    def _share(self, good: Bools) -> Floats:
        """Tell the share of good open floor by metre, (K, metres) from (K, N)."""
        fine = np.add.reduceat((good & self._open).astype(np.float32), self._starts, axis=1)
        return np.asarray(np.where(self._floor > 0, fine / np.maximum(self._floor, 1), 1.0))

    def value(self, chosen: list[int]) -> float:
        """Tell what a set is worth as a whole."""
        count, walked = self.state(chosen)
        return worth(self._target, count, walked) + float(self._tie[chosen].sum())

    def enough(self, chosen: list[int]) -> bool:
        """Tell whether every metre is covered as wished, walkers' overlaps included."""
        count, walked = self.state(chosen)
        return not (short_metres(self._section, count) or broken_walks(self._section, walked))

    def done(self, chosen: list[int]) -> bool:
        """Tell whether all is covered that can be: what no candidate reaches is nobody's fault."""
        return self.reached(chosen) == self._section.metres


def twins(one: HungCamera, other: HungCamera) -> bool:
    """Tell whether two cameras hang side by side and look the same way."""
    turned = abs((one.yaw_deg - other.yaw_deg + 180) % 360 - 180)
    apart = float(np.hypot(one.chainage_m - other.chainage_m, one.left_m - other.left_m))
    return apart < ALIKE_M and turned < ALIKE_DEG


def worth(target: Ints, count: Ints, walked: Ints) -> float:
    """Put a number on coverage: see the module's head."""
    once = float(((count >= 1) & (target >= 1)).sum())
    twice = float(((count >= 2) & (target >= 2)).sum())
    return once + TWICE * twice + WALK * float((walked > 0).sum())
