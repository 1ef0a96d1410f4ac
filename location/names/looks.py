"""What each tag's places show: with whom it is, alone where cameras look, or nothing at all.

Knows nothing about names or alarms. "The camera can't see" is never "nobody is there": a tag is
alone only where a healthy camera sees the floor right round it.
"""

from bisect import bisect_left, insort
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import floor as whole
from typing import Literal

import numpy as np

from location.names.places import LEAST_SIGMA_M, Places, S, misfit, places_at, usable
from scene.arrays import Floats
from scene.floor import Floor
from scene.messages import XY, GatewayHealth, TagFix

Kind = Literal["with", "alone", "outside", "unknown"]
"""`outside`: where no camera looks now; `unknown`: nobody can tell."""

KEPT_S = 15.0
"""For so long, at least, are people's places kept: a tag's place that comes later is left out."""
AFTER_S = 0.25
"""So long after the newest instant may a tag's place be, for people's places to be known."""
GAP_S = 2.0
"""Over a longer gap nobody's way is known."""
GATE = 13.8
"""Mahalanobis² up to which a tag may be somebody's: all but one of a thousand."""
NEAR_M = 1.5
"""So near it may be somebody's too, whatever the sigmas claim."""
ROUND_M, ROUND_SIGMAS = 1.0, 2.0
"""So far round a tag must be covered, or it is not known to be alone."""
COVERAGE_S = 5.0
"""A heartbeat older or newer than this says nothing about a place."""
MOST_SHARE = 0.7
"""A window shows what this share of its looks show."""
FEWEST = 3
"""Fewer looks show nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """One place of a tag, and what it shows."""

    at_ns: int
    xy_m: XY
    kind: Kind
    tracks: frozenset[int]
    """Whose it may be."""


class Window:
    """The looks of one tag, over some seconds before its newest."""

    def __init__(self, looks: Sequence[Look]) -> None:
        self.looks = tuple(looks)
        """Oldest first; at least one."""
        self._kinds = Counter(look.kind for look in looks)
        self._tracks = Counter(track for look in looks for track in look.tracks)
        kind, _ = self._kinds.most_common(1)[0]
        self.shows: Kind | None = kind if self.share(kind) >= MOST_SHARE else None
        """What `MOST_SHARE` of the looks show; none if no kind does."""

    @property
    def newest_ns(self) -> int:
        """When the tag was last heard."""
        return self.looks[-1].at_ns

    @property
    def xy_m(self) -> XY:
        """The middle of the tag's places."""
        x, y = np.median([look.xy_m for look in self.looks], axis=0).tolist()
        return x, y

    def share(self, kind: Kind) -> float:
        """Tell which share of looks is of a kind; 0 of too few."""
        return self._kinds[kind] / len(self.looks) if len(self.looks) >= FEWEST else 0.0

    def fit(self, track: int, since_ns: int = 0) -> float:
        """Tell in which share of looks since then the tag may be somebody's; 0 of too few."""
        count = len(self.looks)
        if self.looks[0].at_ns < since_ns:
            count = sum(look.at_ns >= since_ns for look in self.looks)
        return min(self._tracks[track] / count, 1.0) if count >= FEWEST else 0.0

    def begun_ns(self, kind: Kind) -> int:
        """Tell since when looks show a kind: the first of two in a row, so one error counts not."""
        for first, second in pairwise(self.looks):
            if first.kind == second.kind == kind:
                return first.at_ns
        return self.newest_ns


class Looks:
    """The last looks of every tag; times are those of the tags' places."""

    def __init__(self, window_s: float, floor: Floor | None) -> None:
        self.by_tag: dict[str, Window] = {}
        self.heard_at_ns: int | None = None
        """The newest place of any tag."""
        self._window_ns, self._floor = round(window_s * S), floor
        self._steps: list[Places] = []
        self._health: GatewayHealth | None = None

    def see(self, places: Places) -> None:
        """Take in where everybody is; instants in their order."""
        self._steps.append(places)
        if self._steps[0].at_ns < places.at_ns - 2 * KEPT_S * S:
            self._steps = [one for one in self._steps if one.at_ns >= places.at_ns - KEPT_S * S]

    def cover(self, health: GatewayHealth) -> None:
        """Take in what cameras cover."""
        self._health = health

    def take(self, fix: TagFix) -> None:
        """Take in a place; one of an instant for which there are no people's places is left out."""
        number = self._step_at(fix.at_ns) if usable(fix) else -1
        if number < 0:
            return
        looks = list(self.by_tag[fix.tag].looks) if fix.tag in self.by_tag else []
        if any(look.at_ns == fix.at_ns for look in looks):
            return
        insort(looks, self._judge(fix, number), key=lambda look: look.at_ns)
        from_ns = looks[-1].at_ns - self._window_ns
        self.by_tag[fix.tag] = Window([look for look in looks if look.at_ns > from_ns])
        self.heard_at_ns = max(self.heard_at_ns or fix.at_ns, fix.at_ns)

    def forget(self, before_ns: int) -> None:
        """Forget tags that have not been heard since."""
        self.by_tag = {
            tag: window for tag, window in self.by_tag.items() if window.newest_ns >= before_ns
        }

    def _step_at(self, at_ns: int) -> int:
        """Find the first of `_steps` not before an instant; -1 if nobody knows people's places."""
        steps = self._steps
        number = bisect_left(steps, at_ns, key=lambda one: one.at_ns)
        if number == len(steps):
            return number - 1 if number and at_ns - steps[-1].at_ns <= AFTER_S * S else -1
        if number == 0:
            return 0 if steps[0].at_ns == at_ns else -1
        return number if steps[number].at_ns - steps[number - 1].at_ns <= GAP_S * S else -1

    def _judge(self, fix: TagFix, number: int) -> Look:
        before = self._steps[number - 1] if number else None
        after = self._steps[number]
        tracks: set[int] = set()
        # Who is not known any more at `after` may have been next to the tag just before.
        for last, now in ((before, after), (None, before)):
            if now is None or not now.tracks or (now is before and now.tracks == after.tracks):
                continue
            xy, doubt = places_at(last, now, np.array([fix.at_ns], np.int64))
            square, _ = misfit([fix], xy, doubt, now.speeds_m_s)
            apart = np.linalg.norm(xy[0] - np.array(fix.xy_m), axis=1)
            fits = (square[0] <= GATE) | (apart <= NEAR_M)
            tracks |= {track for track, fit in zip(now.tracks, fits, strict=True) if fit}
        kind: Kind = "with" if tracks else self._kind_alone(fix)
        return Look(at_ns=fix.at_ns, xy_m=fix.xy_m, kind=kind, tracks=frozenset(tracks))

    def _kind_alone(self, fix: TagFix) -> Kind:
        """Tell whether cameras see the floor right round a tag with which nobody is."""
        health = self._health
        if health is None or abs(health.captured_at_ns - fix.at_ns) > COVERAGE_S * S:
            return "unknown"
        place = np.array([fix.xy_m], float)
        if self._floor is not None and self._floor.outside_m(place)[0] > 0:
            return "outside"
        reach = ROUND_M + ROUND_SIGMAS * max(min(fix.sigma_m, 1e3), LEAST_SIGMA_M)
        middle = self._chainage_m(place) - health.coverage_from_x_m
        metres = range(whole(middle - reach), whole(middle + reach) + 1)
        count = len(health.coverage)
        seen = [0 <= metre < count and health.coverage[metre] > 0 for metre in metres]
        if all(seen):
            return "alone"
        return "outside" if not any(seen) else "unknown"

    def _chainage_m(self, place_m: Floats) -> float:
        """Give the chainage of a (1, 2) place, by which coverage is told; its x without a floor."""
        by_floor = place_m if self._floor is None else self._floor.place(place_m)
        return float(by_floor[0, 0])
