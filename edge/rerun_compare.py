"""Says what a second run did otherwise than was recorded: alarms and positions.

Knows nothing about how either came about. With the same rules and model both must be equal, ids
included; with others an alarm is known again by what it is about, where and when.
"""

import re
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import dist

import numpy as np

from control_room.judge import about_people, differences, once_each
from delivery.recordings.format import time_text
from scene.messages import XYZ, Anomaly, Positions

EQUAL_M = 1e-3
"""Positions closer than this are equal."""
SAME_ALARM_S, SAME_ALARM_M = 30.0, 3.0
"""Raised no further apart, alarms of a kind and zone are about the same thing."""
SAME_PERSON_M = 1.5
EQUAL_S = 0.05
MOST_LINES = 200
LEAST_COMPARED = 0.1
"""Where fewer of a second run's instants have recorded positions, nothing can be said of it."""

Places = Mapping[int, Mapping[int, XYZ]]
"""Where everybody was: by instant (UTC ns), then by track."""


Counts = Callable[[Anomaly], bool]
PROPOSAL = re.compile("; (proposed|nothing is proposed|the proposal can't be applied): .*")
FIGURES = re.compile(r"\d+(\.\d+)?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """Which alarms of cameras have come about again, and so are compared."""

    kinds: frozenset[str]
    from_ns: int

    def counts(self, alarm: Anomaly) -> bool:
        """Tell whether an alarm is one of them."""
        return alarm.kind in self.kinds and alarm.captured_at_ns >= self.from_ns


NOBODY_WATCHED = Watched(kinds=frozenset(), from_ns=0)


@dataclass(slots=True, kw_only=True)
class Results:
    """What came out of a run, live or second."""

    alarms: list[Anomaly] = field(default_factory=list)
    places: dict[int, dict[int, XYZ]] = field(default_factory=dict)
    traits: dict[int, dict[int, tuple[object, ...]]] = field(default_factory=dict)
    """What else is told of everybody: name, posture, and how sure it is that there is somebody."""

    def add(self, positions: Positions) -> None:
        """Note an instant; the same one may be given twice."""
        people, at_ns = positions.people, positions.captured_at_ns
        self.places[at_ns] = {person.track: person.xyz_m for person in people}
        self.traits[at_ns] = {
            person.track: (person.worker, person.posture, person.certainty) for person in people
        }


def compared(recorded: Results, again: Results) -> int:
    """Count the instants of a second run whose positions were recorded; 0 for hardly any."""
    both = len(recorded.places.keys() & again.places.keys())
    return both if both >= LEAST_COMPARED * len(again.places) else 0


def unequal(recorded: Results, again: Results, *, from_start: bool) -> list[str]:
    """Compare what must be equal; gives one line per difference, none if equal.

    Instants of which no positions were recorded (they are sent without a receipt) are left out, but
    hardly any that can be `compared` are not equal. Alarms and instants from before the first one
    that is in both count as well where a run is known `from_start`.
    """
    both = sorted(recorded.places.keys() & again.places.keys())
    if not compared(recorded, again):
        return [f"{len(both)} of {len(again.places)} instants are in both: too few to compare"]
    first_ns = min(again.places)
    alarms = [one for one in recorded.alarms if one.captured_at_ns >= first_ns]
    lines = differences(alarms, again.alarms, from_ns=0 if from_start else first_ns)
    apart: list[tuple[int, str]] = []
    for at_ns in both:
        was, now = recorded.places[at_ns], again.places[at_ns]
        if was.keys() != now.keys():
            apart.append((at_ns, f"people {sorted(was)} became {sorted(now)}"))
            continue
        most_m = max((dist(was[track], now[track]) for track in was), default=0.0)
        if most_m > EQUAL_M:
            apart.append((at_ns, f"somebody is {most_m:.3f} m from where live had them"))
        elif recorded.traits.get(at_ns) != again.traits.get(at_ns):
            apart.append((at_ns, "somebody has another name, posture or certainty"))
    if apart:
        at_ns, what = apart[0]
        count = f"{len(apart)} of {len(both)} instants"
        lines.append(f"positions: differ at {count}, first at {time_text(at_ns)}: {what}")
    unknown = recorded.places.keys() - again.places.keys()
    late = [at_ns for at_ns in unknown if from_start or at_ns > both[0]]
    if late:
        lines.append(f"positions: {len(late)} recorded instants did not come about again")
    return lines[:MOST_LINES]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """One alarm from its raising to its end."""

    first: Anomaly
    ended_at_ns: int | None

    @property
    def text(self) -> str:
        """Say what it is, where and since when."""
        alarm = self.first
        zone = "".join(f" {one}" for one in (alarm.zone, alarm.camera) if one)
        where = "" if alarm.xyz_m is None else f" at x {alarm.xyz_m[0]:.1f} y {alarm.xyz_m[1]:.1f}"
        return f"{alarm.kind}{zone}{where}, {time_text(alarm.raised_at_ns)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What became of one alarm: it came about in but one of two runs, or at another time."""

    was: Cause | None
    """As it was recorded; none where it is gained."""
    now: Cause | None
    """As it came out of the second run; none where it is lost."""

    @property
    def at_ns(self) -> int:
        """When it was raised: as recorded, or where it was not, as now."""
        return self._known.first.raised_at_ns

    @property
    def text(self) -> str:
        """Say it in a line; empty where both have the alarm, and at the same times."""
        if self.was is None or self.now is None:
            word = "gained: " if self.was is None else "lost:   "
            return f"{word} {self._known.text}"
        return _moved(self.was, self.now)

    @property
    def _known(self) -> Cause:
        known = self.was or self.now
        assert known is not None
        return known


def changes(
    recorded: Iterable[Anomaly],
    again: Iterable[Anomaly],
    *,
    from_ns: int,
    counts: Counts = about_people,
) -> list[Change]:
    """Pair alarms that were raised since an instant; by time, one for each cause.

    Only those that `counts` says, by default those about people. Both a pair that is equal and one
    whose times differ are among them.
    """
    was, now = (_causes(filter(counts, given), from_ns) for given in (recorded, again))
    pairs = _pairs(was, now)
    found = [Change(was=before, now=after) for before, after in pairs]
    paired = {id(one) for pair in pairs for one in pair}
    found += [Change(was=one, now=None) for one in was if id(one) not in paired]
    found += [Change(was=None, now=one) for one in now if id(one) not in paired]
    return sorted(found, key=lambda one: (one.at_ns, one.text))


def otherwise(recorded: Results, again: Results, watched: Watched = NOBODY_WATCHED) -> list[str]:
    """Tell which alarms are gained, lost, or come or end at another time; none where all agree."""
    from_ns = min(again.places, default=0)
    found = changes(recorded.alarms, again.alarms, from_ns=from_ns)
    found += changes(recorded.alarms, again.alarms, from_ns=watched.from_ns, counts=watched.counts)
    found.sort(key=lambda one: one.at_ns)
    return [text for one in found if (text := one.text)][:MOST_LINES]


def cameras_unequal(recorded: Results, again: Results, watched: Watched) -> list[str]:
    """Compare alarms of cameras, which must be equal; gives one line per difference.

    Figures in their words are left out: another decoder or processor may give another last digit.
    """
    return _of_cameras(recorded, again, watched, FIGURES)


def figures_apart(recorded: Results, again: Results, watched: Watched) -> int:
    """Count the alarms of cameras that are equal but for figures in their words."""
    whole = _of_cameras(recorded, again, watched, None)
    return len(whole) - len(_of_cameras(recorded, again, watched, FIGURES))


def _of_cameras(
    recorded: Results, again: Results, watched: Watched, hidden: re.Pattern[str] | None
) -> list[str]:
    first, second = (
        [_comparable(one, hidden) for one in alarms if watched.counts(one)]
        for alarms in (recorded.alarms, again.alarms)
    )
    return differences(first, second, from_ns=0, counts=watched.counts)[:MOST_LINES]


def _comparable(alarm: Anomaly, hidden: re.Pattern[str] | None) -> Anomaly:
    """Leave out what is said of the proposal's file, which lay on that day's disk, and `hidden`."""
    words = PROPOSAL.sub("", alarm.evidence)
    return replace(alarm, evidence=words if hidden is None else hidden.sub("#", words))


def people_text(recorded: Places, again: Places) -> str:
    """Sum up how positions differ: matched by place, since numbers may be others."""
    apart_m: list[float] = []
    only_was = only_now = 0
    both = recorded.keys() & again.keys()
    for at_ns in both:
        found = apart(tuple(recorded[at_ns].values()), tuple(again[at_ns].values()))
        apart_m += found.apart_m
        only_was, only_now = only_was + found.only_was, only_now + found.only_now
    if not both:
        return "positions: no instant is in both"
    middle, most = np.percentile(apart_m, (50, 95)) if apart_m else (0.0, 0.0)
    return (
        f"positions: at {len(both)} instants {len(apart_m)} people in both, {middle:.3f} m apart "
        f"(median; 95 %: {most:.3f} m), {only_was} recorded only, {only_now} now only"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Apart:
    """How the people of one instant differ between two runs."""

    apart_m: tuple[float, ...]
    """Of everybody who is in both, how far apart on the floor."""
    only_was: int
    only_now: int


def apart(was: Sequence[XYZ], now: Sequence[XYZ]) -> Apart:
    """Match the people of one instant by place, the nearest first."""
    pairs = sorted((dist(a[:2], b[:2]), i, j) for i, a in enumerate(was) for j, b in _at(now))
    left, right = set(range(len(was))), set(range(len(now)))
    found: list[float] = []
    for apart_m, i, j in pairs:
        if apart_m <= SAME_PERSON_M and i in left and j in right:
            left.discard(i)
            right.discard(j)
            found.append(apart_m)
    return Apart(apart_m=tuple(found), only_was=len(left), only_now=len(right))


def _at(places: Sequence[XYZ]) -> Iterable[tuple[int, XYZ]]:
    return enumerate(places)


def _causes(alarms: Iterable[Anomaly], from_ns: int) -> list[Cause]:
    """List alarms that were raised since an instant, one each."""
    first: dict[str, Anomaly] = {}
    ended: dict[str, int] = {}
    for one in once_each(alarms):
        if one.raised_at_ns < from_ns:
            continue
        if one.state == "cleared":
            ended[one.id] = one.captured_at_ns
        first.setdefault(one.id, one)
    return [Cause(first=one, ended_at_ns=ended.get(id)) for id, one in first.items()]


def _pairs(was: Sequence[Cause], now: Sequence[Cause]) -> list[tuple[Cause, Cause]]:
    """Pair the alarms of two runs that are about the same thing, the nearest in time first."""
    order = sorted(range(len(now)), key=lambda j: now[j].first.raised_at_ns)
    times = [now[j].first.raised_at_ns for j in order]
    possible = []
    for i, one in enumerate(was):  # of months of alarms only those near in time are looked at
        at_ns, within_ns = one.first.raised_at_ns, round(SAME_ALARM_S * 1e9)
        near = order[bisect_left(times, at_ns - within_ns) : bisect_right(times, at_ns + within_ns)]
        possible += [
            (abs(at_ns - now[j].first.raised_at_ns), i, j)
            for j in near
            if _alike(one.first, now[j].first)
        ]
    pairs, left, right = [], set(range(len(was))), set(range(len(now)))
    for _, i, j in sorted(possible):
        if i in left and j in right:
            left.discard(i)
            right.discard(j)
            pairs.append((was[i], now[j]))
    return pairs


def _alike(a: Anomaly, b: Anomaly) -> bool:
    if (a.kind, a.zone, a.camera) != (b.kind, b.zone, b.camera):
        return False
    if abs(a.raised_at_ns - b.raised_at_ns) > SAME_ALARM_S * 1e9:
        return False
    return a.xyz_m is None or b.xyz_m is None or dist(a.xyz_m, b.xyz_m) <= SAME_ALARM_M


def _moved(was: Cause, now: Cause) -> str:
    """Say how much earlier or later an alarm came or ended; empty where neither."""
    said = []
    for what, before, after in (
        ("raised", was.first.raised_at_ns, now.first.raised_at_ns),
        ("ended", was.ended_at_ns, now.ended_at_ns),
    ):
        if before is None and after is None:
            continue
        if before is None or after is None:
            said.append("never ended" if after is None else "ended, and was not before")
        elif abs(after - before) > EQUAL_S * 1e9:
            way = "earlier" if after < before else "later"
            said.append(f"{what} {abs(after - before) / 1e9:.2f} s {way}")
    return f"changed: {was.text}: {', '.join(said)}" if said else ""
