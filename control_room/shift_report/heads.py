"""Head-counts and coverage of one site over the span, from what the control room wrote down.

Knows nothing about plots. Nobody found where nobody could be counted is no nought: such times have
no figure at all.
"""

import math
from array import array
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from control_room.shift_report.series import UNKNOWN, Figures, States
from control_room.shift_report.span import Span
from control_room.shift_report.told import HeadsTold, Stretch

WHOLE, AT_LEAST, NOBODY_COUNTED = "whole", "at_least", "nobody_counted"
RANKS = (WHOLE, AT_LEAST, NOBODY_COUNTED, UNKNOWN)
MOST_ZONES = 60
MOST_STRETCHES = 20
MOST_STRETCH_M = 2000
MOST_METRES = 20_000
"""Of blind roadway, all gateways together."""

_Area = tuple[int, int, int, int]
"""People, at least, metres seen, metres."""


class Counted:
    """Heads in one place: the whole site, a zone, or outside all zones."""

    def __init__(self, span: Span, name: str | None) -> None:
        """`name` is a zone's; none of what lies outside all."""
        self.name = name
        self.states = States(span, RANKS)
        self.figures = Figures(span)
        self._person_ns = 0

    def add(self, state: str, at_least: int, people: int, from_ns: int, until_ns: int) -> None:
        """Take a count that held for a time."""
        self.states.add(state, from_ns, until_ns)
        if state != NOBODY_COUNTED:
            self.figures.add(min(at_least, people), people, from_ns, until_ns)
            self._person_ns += people * (until_ns - from_ns)

    def counted_ns(self) -> int:
        """Tell for how long anybody could be counted."""
        return self.states.held_ns[WHOLE] + self.states.held_ns[AT_LEAST]

    def mean(self) -> float | None:
        """Give the mean count over the time in which one was possible; none without any."""
        counted_ns = self.counted_ns()
        return self._person_ns / counted_ns if counted_ns else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Unseen:
    """A stretch of roadway that no camera saw, and for how long in all."""

    from_m: float
    to_m: float
    gateways: str
    held_ns: int


class SiteHeads:
    """All of one site."""

    def __init__(self, span: Span, site: str) -> None:
        self.site, self._span = site, span
        self.whole = Counted(span, None)
        self.areas: dict[str | None, Counted] = {}
        self.more_zones: set[str] = set()
        """Zones that are too many to be told of."""
        self.more_areas = self.more_blind = 0
        """The most zones and blind stretches that a look did not write down."""
        self.uncounted_left = self.blind_left = False
        """Whether gateways that found nobody, and unseen metres, are too many to be told of."""
        self.seen = Figures(span)
        """Metres of roadway that were seen."""
        self.metres = Figures(span)
        self.followed_left = False
        """Whether there were minutes with more of them than are gone through."""
        self.followed = Figures(span)
        """Of times without a count: how many had a place in the journal."""
        self._metre_ns = array("q", [0, 0])
        """Metres times nanoseconds: seen, and all."""
        self._blind_ns: Counter[tuple[int, str]] = Counter()
        self._last_blind: tuple[tuple[float, float, str], ...] = ()
        self._last_blind_ns = 0
        self.uncounted_ns: Counter[str] = Counter()
        """By gateway, for how long it found nobody though its cameras were well."""
        self.is_told = False
        """Whether anything is known at all."""

    def add_all(self, found: Iterable[Stretch[HeadsTold]]) -> None:
        """Take all that was told."""
        for one in found:
            self._add(one)
        self._spread_blind()

    def _add(self, one: Stretch[HeadsTold]) -> None:
        told, from_ns, until_ns = one.told, one.from_ns, one.until_ns
        self.is_told = True
        self.more_areas = max(self.more_areas, told.more_areas)
        self.more_blind = max(self.more_blind, told.more_blind)
        nobody = told.metres_seen == 0
        state = NOBODY_COUNTED if nobody else WHOLE if told.complete else AT_LEAST
        self.whole.add(state, told.at_least, told.people, from_ns, until_ns)
        for name, area in _areas(told).items():
            counted = self._area(name)
            if counted is not None:
                counted.add(_state(area, told, nobody), area[1], area[0], from_ns, until_ns)
        if told.metres:
            self.seen.add(told.metres_seen, told.metres_seen, from_ns, until_ns)
            self.metres.add(told.metres, told.metres, from_ns, until_ns)
            self._metre_ns[0] += told.metres_seen * one.long_ns // 1_000_000
            self._metre_ns[1] += told.metres * one.long_ns // 1_000_000
        for gateway in told.uncounted:
            if gateway in self.uncounted_ns or len(self.uncounted_ns) < MOST_ZONES:
                self.uncounted_ns[gateway] += one.long_ns
            else:
                self.uncounted_left = True
        if told.blind != self._last_blind:
            self._spread_blind()
            self._last_blind = told.blind
        self._last_blind_ns += one.long_ns

    def _area(self, name: str | None) -> Counted | None:
        if name in self.areas:
            return self.areas[name]
        if len(self.areas) >= MOST_ZONES:
            self.more_zones.add(name or "")
            return None
        return self.areas.setdefault(name, Counted(self._span, name))

    def _spread_blind(self) -> None:
        """Note for how long each metre of the last stretches was not seen."""
        for from_m, to_m, gateways in self._last_blind:
            first, end = math.floor(from_m), math.ceil(to_m)
            self.blind_left = self.blind_left or end - first > MOST_STRETCH_M
            for metre in range(first, min(end, first + MOST_STRETCH_M)):
                key = (metre, gateways)
                if key in self._blind_ns or len(self._blind_ns) < MOST_METRES:
                    self._blind_ns[key] += self._last_blind_ns
                else:
                    self.blind_left = True
        self._last_blind_ns = 0

    def seen_share(self) -> float | None:
        """Tell which share of metres and known time was seen; none where nothing is known."""
        return self._metre_ns[0] / self._metre_ns[1] if self._metre_ns[1] else None

    def unseen(self) -> list[Unseen]:
        """List what was not seen, the longest unseen first; neighbours of one history together."""
        found: list[Unseen] = []
        for (metre, gateways), held_ns in sorted(
            self._blind_ns.items(), key=lambda one: (one[0][1], one[0][0])
        ):
            last = found[-1] if found else None
            same = last is not None and (last.gateways, last.to_m) == (gateways, metre)
            if last is not None and same and abs(held_ns - last.held_ns) <= 0.02 * last.held_ns:
                found[-1] = Unseen(
                    from_m=last.from_m,
                    to_m=metre + 1.0,
                    gateways=gateways,
                    held_ns=max(held_ns, last.held_ns),
                )
            else:
                found.append(
                    Unseen(from_m=metre, to_m=metre + 1.0, gateways=gateways, held_ns=held_ns)
                )
        found.sort(key=lambda one: (-one.held_ns, one.gateways, one.from_m))
        return found[:MOST_STRETCHES]

    def shown_areas(self) -> Iterator[Counted]:
        """Give the zones by name, then what lies outside all."""
        named = [one for one in self.areas.values() if one.name is not None]
        yield from sorted(named, key=lambda one: one.name or "")
        if None in self.areas and named:
            yield self.areas[None]


def _areas(told: HeadsTold) -> dict[str | None, _Area]:
    """Gather what was told of zones; those of one name are one."""
    found: dict[str | None, _Area] = {}
    for name, *figures in told.areas:
        before = found.get(name, (0, 0, 0, 0))
        a, b, c, d = (old + new for old, new in zip(before, figures, strict=True))
        found[name] = (a, b, c, d)
    return found


def _state(area: _Area, told: HeadsTold, nobody: bool) -> str:
    _, _, seen, metres = area
    if nobody or (metres > 0 and seen == 0):
        return NOBODY_COUNTED
    return WHOLE if told.complete or 0 < metres == seen else AT_LEAST
