"""By how much looks really err, learned from what cameras that see the same person agree on.

Knows nothing about pictures, filters or identity: places in metres, as whose they are taken.

The covariance that a look claims (`foot.py`) is wide: it makes gates and weights that fit every
site. How far off looks are differs by site and detector, and is learned as one factor on all
claims, by covariance matching: what was expected of squared differences is set to what they were
(Mehra 1972, "Approaches to adaptive filtering", IEEE Trans. Automatic Control 17; Mohamed and
Schwarz 1999, "Adaptive Kalman filtering for INS/GPS", Journal of Geodesy 73, their estimate of R
from a window of innovations).

What is matched is mostly the difference between two cameras' places of one person at one instant,
not the filter's innovation: how the person walks cancels out, and so does what the filter
believes. An innovation shows only what changes from look to look, and a camera's error lasts; so
innovations may raise a person's factor and never lower it. Whom one camera sees alone, or cameras
from one spot, keeps the gateway's factor; what all cameras have in common is not seen by any of
this, and `doubt.py` adds it.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import combinations
from math import exp

import numpy as np

from location.doubt import alike
from location.spread import squares
from scene.arrays import Floats

START = 0.3
"""Before anything is learned, and for whom only one spot looks at. With it, people whom one camera
sees lie in their 68 % ellipse in 0.72 to 0.93 of the cases, on the sample roadway and in the CMC1
recordings. What cameras learn from each other there and elsewhere: 0.25 to 0.6, and 1.2 with a
detector that often boxes two people as one."""
LOWEST, HIGHEST = 0.2, 6.0
"""No factor is believed beyond these."""
START_LOOKS = 20.0
"""`START` counts as so many comparisons, each a second apart: two people whom two cameras see
change it by half in ten seconds."""
MEMORY_LOOKS = 1200.0
"""What is learned is forgotten as so many new ones come."""
KEPT_LOOKS = 60.0
"""After a restart what was learned before counts as no more: cameras and model may be others."""
OWN_LOOKS, OWN_MEMORY_S = 1.0, 1.0
"""A person's factor is the gateway's, counted so often, and the person's own last second."""
LEAST_NEWS = 0.2
"""Of two looks: `1 - alike`, from about 37 degrees between their lines of sight on."""
STEADY_S = 1.0
"""So long errors last: comparisons that follow sooner say less that is new."""
MOST = 16.0
"""No comparison counts for more, whatever was taken for one person."""


@dataclass(slots=True, kw_only=True)
class Tally:
    """A mean that forgets."""

    total: float = 0.0
    weight: float = 0.0
    at_ns: int = 0

    def add(self, value: float, weight: float, at_ns: int) -> float:
        """Take in a value; gives the weight that it got: less if it follows soon."""
        passed_s = max(0.0, (at_ns - self.at_ns) / 1e9)
        fade, got = exp(-passed_s / OWN_MEMORY_S), weight * min(passed_s / STEADY_S, 1.0)
        self.total = fade * self.total + got * min(value, MOST)
        self.weight = fade * self.weight + got
        self.at_ns = max(at_ns, self.at_ns)
        return got


@dataclass(slots=True, kw_only=True)
class Evidence:
    """What looks at one person say about how far looks at this person are off."""

    between: Tally = field(default_factory=Tally)
    """Of cameras that see the person at one instant."""
    own: Tally = field(default_factory=Tally)
    """Of each instant's first look and the place that was predicted."""

    def innovation(self, square: float, at_ns: int) -> None:
        """Take in the Mahalanobis² of a look from the place predicted for it."""
        self.own.add(square / 2, 1.0, at_ns)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Look:
    """One camera's place of one person."""

    at_ns: int
    xy_m: Floats
    """(2,) mine metres."""
    covariance_m2: Floats
    """(2, 2), as claimed."""
    line: Floats
    """(2,) unit vector on the floor from the camera to the person."""


@dataclass(slots=True, kw_only=True)
class Agreement:
    """The factor of one gateway's looks, and everybody's own."""

    factor: float = START
    looks: float = START_LOOKS
    """How much evidence the factor stands on."""

    def of(self, evidence: Evidence) -> float:
        """Tell the factor on what looks at one person claim."""
        prior = OWN_LOOKS * self.factor
        found = max(
            (prior + tally.total) / (OWN_LOOKS + tally.weight)
            for tally in (evidence.between, evidence.own)
        )
        return min(max(found, LOWEST), HIGHEST)

    def compare(self, people: Iterable[tuple[Evidence, list[Look], Floats]]) -> None:
        """Learn from one instant: each person's evidence, looks, and speed (2,) in m/s."""
        seen = [one for one in people if len(one[1]) > 1]
        if not seen:
            return
        pairs = [
            (who, one, other, speed)
            for who, (_, looks, speed) in enumerate(seen)
            for one, other in combinations(looks, 2)
        ]
        between_s = np.array([(one.at_ns - other.at_ns) / 1e9 for _, one, other, _ in pairs])
        walked = between_s[:, None] * np.array([speed for *_, speed in pairs])
        off = np.array([one.xy_m - other.xy_m for _, one, other, _ in pairs]) - walked
        spread = np.array([one.covariance_m2 + other.covariance_m2 for _, one, other, _ in pairs])
        square, _ = squares(off, spread)
        lines = np.array([(one.line, other.line) for _, one, other, _ in pairs])
        # From one spot cameras are off by the same: that they agree says nothing.
        news = 1 - alike(lines[:, 0], lines[:, 1])
        whose = np.array([who for who, *_ in pairs])
        news = np.where(news < LEAST_NEWS, 0.0, news)
        weights = np.bincount(whose, news)
        totals = np.bincount(whose, news * np.minimum(square / 2, MOST))
        for (evidence, looks, _), weight, total in zip(seen, weights, totals, strict=True):
            if weight > 0:
                self._learn(evidence, float(total / weight), 2 * float(weight) / len(looks), looks)

    def _learn(self, evidence: Evidence, value: float, weight: float, looks: list[Look]) -> None:
        got = evidence.between.add(value, weight, max(look.at_ns for look in looks))
        self.looks = min(self.looks + got, MEMORY_LOOKS)
        step = got / self.looks
        self.factor = min(max((1 - step) * self.factor + step * value, LOWEST), HIGHEST)
