"""Who was known and is not seen any more: lost, walked out, or where no camera looks now.

Knows nothing about alarms. Nobody is dropped silently: who vanished where cameras went blind stays
on the list until seen again.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import hypot
from typing import Literal

from location.rules.coverage import Coverage
from location.rules.places import at_look, sigma_m
from location.who import NAMED
from scene.messages import Position

Why = Literal["watched", "blind", "may_have_left", "found"]
KNOWN_S = 2.0
"""Who was known for less is no person to miss: something that looked like one."""
FOUND_S = 1.0
"""Somebody new counts as found after so long."""
SAME_PLACE_M = 1.5
WALK_M_S = 2.0
"""Nobody goes further underground."""
NEAR_M = 3.0
"""So near to where somebody was lost it may be him, even if coverage ends there."""
KEPT_S, MOST_KEPT = 12 * 3600.0, 200
"""So long, a shift, and so many are remembered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """A look at somebody, and how far it was from there to where coverage ends."""

    person: Position
    to_exit_m: float | None
    """None while nobody had told."""


@dataclass(slots=True, kw_only=True)
class Absence:
    """Somebody who is not among the positions any more."""

    last: Sighting
    gone_at_ns: int
    why: Why = "blind"
    blind_s: float = 0.0
    found_by: int | None = None
    found_at_ns: int = 0

    @property
    def person(self) -> Position:
        """Where and when the person was last seen."""
        return self.last.person

    @property
    def coasted_s(self) -> float:
        """How long the person was still predicted, unseen."""
        return (self.gone_at_ns - self.person.seen_at_ns) / 1e9

    def hidden_s(self, now_ns: int) -> float:
        """How long nobody has seen the person."""
        return (now_ns - self.person.seen_at_ns) / 1e9


class Absences:
    """Everybody who is missing, by track."""

    def __init__(self) -> None:
        self._first: dict[int, Sighting] = {}
        self._first_ns: dict[int, int] = {}
        self._last: dict[int, Sighting] = {}
        """Of those who are there."""
        self._absent: dict[int, Absence] = {}
        self._claimed: dict[int, int] = {}
        """Whom somebody new was taken for."""
        self._now_ns = 0

    def update(
        self,
        people: Sequence[Position],
        now_ns: int,
        step_s: float,
        unwatched_s: float,
        coverage: Coverage,
        *,
        exit_m: float,
    ) -> None:
        """Take in the positions of an instant; within `exit_m` of coverage's end one walks out.

        With an `exit_m` of 0 nobody may walk out: whoever a healthy camera saw is missed. The
        instant stands for the last `step_s`; in a gap before it nobody looked for `unwatched_s`.
        """
        self._now_ns = now_ns
        gone_at_ns = now_ns - round(unwatched_s * 1e9)
        here = {person.track: person for person in people}
        for track in sorted(self._last.keys() - here.keys()):
            self._leaves(track, gone_at_ns, exit_m)
        for track, person in here.items():
            before = self._last.get(track)
            if before is None or person.seen_at_ns > before.person.seen_at_ns:
                seen = at_look(person)
                self._last[track] = Sighting(person=seen, to_exit_m=coverage.to_exit_m(seen.xyz_m))
            self._first.setdefault(track, self._last[track])
            self._first_ns.setdefault(track, now_ns)
        for track in self._absent.keys() & here.keys():
            self.found(track, track)
        self._absent = {
            track: absence for track, absence in self._absent.items() if not self._over(absence)
        }
        self._find(people, exit_m)
        for absence in self._absent.values():
            _judge(absence, coverage, step_s, unwatched_s, exit_m)

    def absent(self) -> tuple[Absence, ...]:
        """List who is missing."""
        return tuple(self._absent[track] for track in sorted(self._absent))

    def of(self, track: int) -> Absence | None:
        """Give one of them."""
        return self._absent.get(track)

    def adopt(self, person: Position, track: int, now_ns: int) -> None:
        """Take back somebody whom an earlier run lost, under a new track."""
        last = Sighting(person=replace(person, track=track, seen_at_ns=now_ns), to_exit_m=None)
        self._absent[track] = Absence(last=last, gone_at_ns=now_ns)

    def found(self, track: int, by: int) -> None:
        """Say that somebody missing is known as another track."""
        absence = self._absent.get(track)
        if absence is not None and absence.found_by is None:
            absence.found_by, absence.found_at_ns = by, self._now_ns
            self._claimed[by] = track

    def forget(self, track: int) -> None:
        """Take somebody's absence as dealt with."""
        self._absent.pop(track, None)

    def restart(self, now_ns: int) -> None:
        """Begin a new time; who was missing stays so."""
        self._first, self._first_ns, self._last, self._claimed = {}, {}, {}, {}
        for absence in self._absent.values():
            absence.last = replace(absence.last, person=replace(absence.person, seen_at_ns=now_ns))
            absence.gone_at_ns = absence.found_at_ns = now_ns

    def _leaves(self, track: int, gone_at_ns: int, exit_m: float) -> None:
        last, first_ns = self._last.pop(track), self._first_ns.pop(track)
        self._first.pop(track)
        claimed = self._claimed.pop(track, None)
        walked_out = exit_m > 0 and last.to_exit_m is not None and last.to_exit_m <= exit_m
        if not walked_out and (last.person.seen_at_ns - first_ns) / 1e9 >= KNOWN_S:
            self._absent[track] = Absence(last=last, gone_at_ns=gone_at_ns)
        elif claimed is not None and not walked_out and claimed in self._absent:
            # Who was taken for him was nobody.
            self._absent[claimed].found_by = None
        while len(self._absent) > MOST_KEPT:
            del self._absent[min(self._absent)]

    def _over(self, absence: Absence) -> bool:
        since_ns = absence.found_at_ns if absence.found_by is not None else absence.gone_at_ns
        # Found ones stay for a moment, so that their alarms are cleared by them.
        return (self._now_ns - since_ns) / 1e9 > (5.0 if absence.found_by is not None else KEPT_S)

    def _find(self, people: Sequence[Position], exit_m: float) -> None:
        """Let everybody new be the nearest of the missing whom they may be."""
        for person in people:
            track = person.track
            if track in self._claimed or (self._now_ns - self._first_ns[track]) / 1e9 < FOUND_S:
                continue
            near = [
                (_apart_m(absence.last, self._first[track]), absence)
                for absence in self.absent()
                if absence.found_by is None and self._may_be(absence, person, exit_m)
            ]
            if near:
                _, absence = min(near, key=lambda item: (item[0], item[1].person.track))
                self.found(absence.person.track, track)

    def _may_be(self, absence: Absence, person: Position, exit_m: float) -> bool:
        """Tell whether a person may be somebody missing: known since, reachable, not let in."""
        lost, first = absence.person, self._first[person.track]
        if lost.worker is not None and person.worker is not None:
            sure = min(lost.worker_probability or 1.0, person.worker_probability or 1.0) >= NAMED
            if sure and lost.worker != person.worker:
                return False
            if sure and self._first_ns[person.track] > lost.seen_at_ns:
                return True
        since_s = (first.person.seen_at_ns - lost.seen_at_ns) / 1e9
        if since_s <= 0:
            return False
        apart_m = _apart_m(absence.last, first)
        spread_m = 2 * (sigma_m(lost.covariance_m2) + sigma_m(first.person.covariance_m2))
        if apart_m > SAME_PLACE_M + min(spread_m, NEAR_M) + WALK_M_S * since_s:
            return False
        came_in = exit_m > 0 and first.to_exit_m is not None and first.to_exit_m <= exit_m
        return apart_m <= NEAR_M or not came_in


def _judge(
    absence: Absence, coverage: Coverage, step_s: float, unwatched_s: float, exit_m: float
) -> None:
    """Say of one missing person why no camera sees them."""
    if absence.found_by is not None:
        absence.why = "found"
        return
    watched = coverage.known and coverage.any_ok(absence.person.cameras)
    watched = watched and (exit_m == 0 or coverage.covers(absence.person.xyz_m))
    absence.blind_s += unwatched_s + (0.0 if watched else step_s)
    to_exit_m = absence.last.to_exit_m
    if exit_m > 0 and to_exit_m is not None and absence.blind_s * WALK_M_S > to_exit_m:
        absence.why = "may_have_left"
    else:
        absence.why = "watched" if watched else "blind"


def _apart_m(one: Sighting, other: Sighting) -> float:
    (x0, y0, _), (x1, y1, _) = one.person.xyz_m, other.person.xyz_m
    return hypot(x1 - x0, y1 - y0)
