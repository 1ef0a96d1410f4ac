"""Who is who over all gateways of a site: tracks in, one identity per person out.

Knows nothing about messages, clocks or MQTT; all instants are on one clock already.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from control_room.hand_over import (
    BESIDE_M,
    MOST_REACH_M,
    REACH_M_S,
    UNREST_M2_S3,
    after_a_gap,
    beside,
    fused,
    may_be_beside,
    pairs,
    reachable,
)
from control_room.mine_person import (
    MOST_M_S,
    Carrier,
    MinePerson,
    Track,
    Whereabouts,
    track_of,
)
from location.motion import predict
from scene.arrays import Bools, Floats
from scene.messages import Position

UNDECIDED_S = 3.0
"""So long it stays open who somebody new is."""
HAND_OVER_S = 60.0
"""Who was unseen for longer is known again by name only: no walk can be foretold so far."""
PERHAPS_S = 120.0
"""Who was unseen for longer is not offered as a guess either."""
BESIDE_S = 1.0
"""Two who have long been known are one after so long in one place, if no gateway sees both."""
APART_S, APART_M, APART_SQUARE = 1.0, 1.0, 25.0
"""A person whom two gateways see in different places for so long is two."""
BRIEF_S = 1.0
"""Who was followed for less is not certainly a person."""
LEAST_LIKELY = 0.01
"""What is less likely than this is no guess."""
LEAST_LEFT = 0.02
"""However likely it is that somebody was found as another, so much stays for the next one."""
STALE_S = 2.0
"""A gateway that has said nothing for so long is not taken to follow anybody any more."""
AHEAD_S = 1.0
"""Nobody is predicted further than this beyond what was last said."""
SAME_NAME, SAME_TRACK = -1000.0, -100.0
"""Costs of pairs that are beyond doubt without a look at places."""
FORGET_EVERY_S = 10.0
SPARE = 50
"""So many more than may stay wait to be forgotten together."""
NEAR_M = BESIDE_M + MOST_M_S * STALE_S
"""Nobody is carried on further than this before being compared."""
MOST_TRACKS = 500
"""More people than this in one message are a mistake or an attack."""
MOST_CARRIERS = 20
"""So many of those that spoke of a person last are known again: a gateway that finds somebody it
had lost does so soon, and who walks to and fro for a day gets thousands of numbers."""


@dataclass(slots=True, kw_only=True, eq=False)
class _Person:
    """To be changed through `Identities` only, which knows them by gateway and by name, too."""

    id: int
    last: Track
    here_since_ns: int
    open_until_ns: int
    """Till then it is not settled who this is."""
    live: dict[str, Track] = field(default_factory=dict)
    """By gateway, in the order in which they came to see this person."""
    carriers: dict[Carrier, None] = field(default_factory=dict)
    """All that spoke of this person of late, the last ones last."""
    worker: str | None = None
    worker_probability: float | None = None
    named_by: str = ""
    perhaps: dict[int, float] = field(default_factory=dict)
    """Of whom this may be one, and how likely."""
    others: set[int] = field(default_factory=set)
    """Whom a gateway saw together with this person: never the same one."""
    near_since_ns: dict[int, int] = field(default_factory=dict)
    far_since_ns: int | None = None
    left_at_ns: int = 0
    followed_s: float = 0.0
    certain: bool = False


class Box(NamedTuple):
    """The part of the mine where one gateway follows people, metres, and the newest instant.

    And how long before that one it spoke.
    """

    left: float
    low: float
    right: float
    high: float
    newest_ns: int
    every_ns: int


def _box(tracks: Iterable[Track], before: Box | None) -> Box:
    found = list(tracks)
    xs = [float(track.now.mean[0]) for track in found]
    ys = [float(track.now.mean[1]) for track in found]
    if not found:
        return Box(math.inf, math.inf, -math.inf, -math.inf, 0, 0)
    newest_ns = max(track.now.at_ns for track in found)
    every_ns = newest_ns - before.newest_ns if before is not None and before.newest_ns else 0
    return Box(min(xs), min(ys), max(xs), max(ys), newest_ns, every_ns)


def _are_near(one: Box, two: Box) -> bool:
    """Tell whether anybody in one may be beside anybody in the other, however they walk on."""
    return (
        one.left - NEAR_M <= two.right
        and two.left - NEAR_M <= one.right
        and one.low - NEAR_M <= two.high
        and two.low - NEAR_M <= one.high
    )


def _seen_now(person: _Person, at_ns: int) -> Track | None:
    """Give the newest track of somebody who is followed now."""
    newest = max(person.live.values(), key=lambda one: one.now.at_ns, default=None)
    fresh = newest is not None and at_ns - newest.now.at_ns < STALE_S * 1e9
    return newest if fresh else None


def in_reach(tracks: Sequence[Track], lasts: Sequence[Track]) -> Bools:
    """Tell (tracks, lasts) who may have got from where they were seen last to where a track is.

    Or to where it began. All pairs at once, and generously: `reachable` has the last word.
    """
    then = np.array([(*one.seen_xy_m, one.seen_ns) for one in lasts])
    found = np.zeros((len(tracks), len(lasts)), bool)
    for places in (
        [(*one.born_xy_m, one.born_ns) for one in tracks],
        [(*one.now.mean[:2], one.now.at_ns) for one in tracks],
    ):
        apart = np.abs(np.array(places)[:, None] - then)
        limit_m = MOST_REACH_M + REACH_M_S * apart[..., 2] / 1e9
        found |= np.hypot(apart[..., 0], apart[..., 1]) <= limit_m
    return found


def _paired(costs: Floats, allowed: Bools) -> tuple[list[tuple[int, int]], Floats]:
    """Pair as `pairs` does, but only who may be paired at all: mostly that is nobody."""
    likely = np.zeros(costs.shape)
    some_rows, some_columns = allowed.any(axis=1), allowed.any(axis=0)
    if not some_rows.any():
        return [], likely
    grid = np.ix_(some_rows, some_columns)
    chosen, likely[grid] = pairs(np.where(allowed[grid], costs[grid], 0.0), allowed[grid])
    rows, columns = np.flatnonzero(some_rows).tolist(), np.flatnonzero(some_columns).tolist()
    return [(rows[r], columns[c]) for r, c in chosen], likely


class Identities:
    """Everybody in one site."""

    def __init__(self) -> None:
        self._people: dict[int, _Person] = {}
        self._by_carrier: dict[Carrier, _Person] = {}
        # Of a whole mine's people a message concerns few; these tell which, at no search.
        self._followed: dict[str, dict[int, _Person]] = {}
        """By gateway: whom it follows."""
        self._away: dict[int, _Person] = {}
        """Whom nobody follows, in the order in which they went."""
        self._named: dict[str, dict[int, _Person]] = {}
        """By name: who bears it."""
        self._guessed: dict[int, _Person] = {}
        """Who may be somebody else."""
        self._guessers: dict[int, dict[int, _Person]] = {}
        """By `id`: who may be that one."""
        self._reach: dict[str, Box] = {}
        """By gateway: where those are whom it follows."""
        self._last_id = 0
        self._forgot_ns = 0

    def place(self, gateway: str, said: Sequence[Position], shift_ns: int, at_ns: int) -> None:
        """Take in everybody whom one gateway follows at one instant, never an earlier one."""
        said = said[:MOST_TRACKS]
        numbers = {one.track for one in said}
        for person in self._followed_by(gateway):
            if person.live[gateway].carrier[1] not in numbers:
                self._end(person, gateway, at_ns)
        here: dict[int, _Person] = {}
        for one in said:
            if one.track not in here:
                here[one.track] = self._carry(gateway, one, shift_ns, at_ns)
        together = {person.id for person in here.values()}
        for person in here.values():
            person.others |= together - {person.id}
        for person in here.values():
            self._mind_name(person, gateway, at_ns)
            self._mind_places(person, at_ns)
        tracks = [person.live[gateway] for person in self._followed_by(gateway)]
        self._reach[gateway] = _box(tracks, self._reach.get(gateway))
        self._join(gateway, at_ns)
        self._leave_names(gateway)

    def leave(self, gateway: str, at_ns: int) -> None:
        """Note that a gateway follows nobody any more, and will not come back soon."""
        for person in self._followed_by(gateway):
            self._end(person, gateway, at_ns)
        self._followed.pop(gateway, None)
        self._reach.pop(gateway, None)

    def told(self, at_ns: int, silent_since_ns: Mapping[str, int]) -> tuple[MinePerson, ...]:
        """Tell of everybody, by `id`; changes nothing."""
        return tuple(
            self._told(person, at_ns, silent_since_ns) for _, person in sorted(self._people.items())
        )

    def forget(self, before_ns: int, most: int) -> None:
        """Forget who went out of view before then, and of more than `most` who is out longest.

        People without a name go first.
        """
        soon = abs(before_ns - self._forgot_ns) < FORGET_EVERY_S * 1e9
        if soon and len(self._away) <= most + SPARE:
            return
        self._forgot_ns = before_ns
        gone = [person for person in self._away.values() if person.left_at_ns < before_ns]
        away = [person for person in self._away.values() if person.left_at_ns >= before_ns]
        away.sort(key=lambda person: (person.worker is not None, person.left_at_ns, person.id))
        gone += away[: max(0, len(away) - most)]
        for person in gone:
            self._drop(person)
        if gone:
            for person in self._people.values():
                person.others &= self._people.keys()
            for person in list(self._guessed.values()):
                known = {k: v for k, v in person.perhaps.items() if k in self._people}
                self._guess_that(person, known)

    # -- who is listed where

    def _followed_by(self, gateway: str) -> list[_Person]:
        return [one for _, one in sorted(self._followed.get(gateway, {}).items())]

    def _drop(self, person: _Person) -> None:
        """Take somebody out of everything but what others know of them."""
        del self._people[person.id]
        self._away.pop(person.id, None)
        self._guess_that(person, {})
        self._call(person, None)
        for gateway in person.live:
            self._followed[gateway].pop(person.id, None)

    def _call(self, person: _Person, worker: str | None) -> None:
        if person.worker is not None and person.worker in self._named:
            self._named[person.worker].pop(person.id, None)
            if not self._named[person.worker]:
                del self._named[person.worker]
        person.worker = worker
        if worker is not None:
            self._named.setdefault(worker, {})[person.id] = person

    def _guess_that(self, person: _Person, perhaps: dict[int, float]) -> None:
        for id in person.perhaps.keys() - perhaps.keys():
            self._guessers[id].pop(person.id)
            if not self._guessers[id]:
                del self._guessers[id]
        for id in perhaps.keys() - person.perhaps.keys():
            self._guessers.setdefault(id, {})[person.id] = person
        person.perhaps = perhaps
        if perhaps:
            self._guessed[person.id] = person
        else:
            self._guessed.pop(person.id, None)

    # -- tracks

    def _carry(self, gateway: str, said: Position, shift_ns: int, at_ns: int) -> _Person:
        """Update the person whom a track speaks of, or begin one."""
        carrier = (gateway, said.track)
        person = self._by_carrier.get(carrier)
        before = None if person is None else person.live[gateway]
        track = track_of(carrier, said, shift_ns, at_ns, before)
        if person is None or before is None:
            return self._begin(track, at_ns)
        if not reachable(before.now, track.now):  # the number is another one's by now
            self._end(person, gateway, at_ns)
            person.carriers.pop(carrier, None)
            fresh = self._begin(track_of(carrier, said, shift_ns, at_ns, None), at_ns)
            fresh.others.add(person.id)
            person.others.add(fresh.id)
            return fresh
        person.followed_s += min(1.0, max(0.0, (at_ns - before.now.at_ns) / 1e9))
        self._hold(person, track)
        return person

    def _begin(self, track: Track, at_ns: int) -> _Person:
        self._last_id += 1
        person = _Person(
            id=self._last_id,
            last=track,
            here_since_ns=at_ns,
            open_until_ns=at_ns + int(UNDECIDED_S * 1e9),
        )
        self._people[person.id] = person
        self._hold(person, track)
        return person

    def _hold(self, person: _Person, track: Track) -> None:
        person.live[track.carrier[0]] = track
        self._followed.setdefault(track.carrier[0], {})[person.id] = person
        self._away.pop(person.id, None)
        self._spoken_of(person, [track.carrier])
        self._by_carrier[track.carrier] = person
        person.certain = person.certain or track.certain
        if track.carrier == person.last.carrier or track.seen_ns >= person.last.seen_ns:
            person.last = track

    @staticmethod
    def _spoken_of(person: _Person, carriers: Iterable[Carrier]) -> None:
        for carrier in carriers:
            person.carriers[carrier] = None
        while len(person.carriers) > MOST_CARRIERS:
            del person.carriers[next(iter(person.carriers))]

    def _end(self, person: _Person, gateway: str, at_ns: int) -> None:
        """Note that a gateway follows somebody no more."""
        track = person.live.pop(gateway)
        self._followed[gateway].pop(person.id, None)
        self._by_carrier.pop(track.carrier, None)
        person.far_since_ns = None
        if not person.live:
            self._away[person.id] = person
            person.left_at_ns = at_ns
            person.near_since_ns.clear()

    def _split(self, person: _Person, gateway: str, at_ns: int) -> None:
        """Take one gateway's track away from a person and begin another one with it."""
        track = person.live[gateway]
        self._end(person, gateway, at_ns)
        person.carriers.pop(track.carrier, None)
        if person.last.carrier == track.carrier and person.live:
            person.last = max(person.live.values(), key=lambda one: one.seen_ns)
        fresh = self._begin(track, at_ns)
        fresh.others |= {one.id for one in self._followed_by(gateway) if one is not fresh}
        for other in (*fresh.others, person.id):
            self._people[other].others.add(fresh.id)
        fresh.others.add(person.id)
        self._name(fresh, track)

    # -- names and places that contradict

    def _mind_name(self, person: _Person, gateway: str, at_ns: int) -> None:
        """Take a gateway's word for who somebody is; another name makes another person."""
        track = person.live[gateway]
        said = track.sure_name
        if said is None or person.worker in (None, said) or person.named_by in ("", gateway):
            self._name(person, track)
        elif len(person.carriers) > 1:
            self._split(person, gateway, at_ns)
        else:
            self._name(person, track)

    def _name(self, person: _Person, track: Track) -> None:
        """Note a sure name; a doubtful one only while there is no better."""
        said = track.sure_name
        if said is not None:
            self._call(person, said)
            person.named_by = track.carrier[0]
            person.worker_probability = track.worker_probability
        elif not person.named_by and track.worker is not None:
            self._call(person, track.worker)
            person.worker_probability = track.worker_probability

    def _leave_names(self, gateway: str) -> None:
        """Take a name from whoever bore it before, where it is sure to be somebody else's now.

        They were not joined, so they are not the same one: somebody without a name is missing.
        """
        borne = {
            person.worker: person
            for person in self._followed_by(gateway)
            if person.worker is not None and person.live[gateway].sure_name is not None
        }
        for name, bearer in borne.items():
            for _, person in sorted(self._named[name].items()):
                if person is not bearer and all(
                    track.sure_name != name for track in person.live.values()
                ):
                    self._call(person, None)
                    person.worker_probability, person.named_by = None, ""

    def _mind_places(self, person: _Person, at_ns: int) -> None:
        """Make two of a person whom two gateways keep seeing in different places."""
        if len(person.live) < 2:
            person.far_since_ns = None
            return
        tracks = list(person.live.values())
        far = False
        for number, one in enumerate(tracks):
            for two in tracks[number + 1 :]:
                now, then = (predict(track.now, at_ns, UNREST_M2_S3) for track in (one, two))
                apart = (now.mean - then.mean)[:2]
                spread = (now.covariance + then.covariance)[:2, :2]
                square = float(apart @ np.linalg.solve(spread, apart))
                far = far or (np.hypot(*apart) > APART_M and square > APART_SQUARE)
        if not far:
            person.far_since_ns = None
        elif person.far_since_ns is None:
            person.far_since_ns = at_ns
        elif at_ns - person.far_since_ns >= APART_S * 1e9:
            self._split(person, tracks[-1].carrier[0], at_ns)

    # -- one person of two

    def _join(self, gateway: str, at_ns: int) -> None:
        """Find out whom among all others the people are whom only this gateway sees."""
        rows = [one for one in self._followed_by(gateway) if len(one.live) == 1]
        others = self._who_may_be(rows, gateway, at_ns)
        if not rows or not others:
            for row in rows:
                self._guess_that(row, {})
            return
        reached = in_reach([row.live[gateway] for row in rows], [one.last for one in others])
        costs = self._costs(rows, others, gateway, at_ns, reached)
        allowed = np.isfinite(costs)
        chosen, likely = _paired(costs, allowed)
        for r, row in enumerate(rows):
            of = {
                others[c].id: float(likely[r, c])
                for c in np.flatnonzero(allowed[r])
                if likely[r, c] > LEAST_LIKELY and others[c].id < row.id
            }
            self._guess(row, of, [others[c] for c in np.flatnonzero(reached[r])], at_ns)
        for r, c in chosen:
            row, other = rows[r], others[c]
            if other.live and at_ns > row.open_until_ns and costs[r, c] > SAME_TRACK:
                since_ns = row.near_since_ns.setdefault(other.id, at_ns)
                if at_ns - since_ns < BESIDE_S * 1e9:
                    continue
            self._merge(row, other)
        for r, row in enumerate(rows):
            near = {others[c].id for q, c in chosen if q == r}
            row.near_since_ns = {k: v for k, v in row.near_since_ns.items() if k in near}

    def _who_may_be(self, rows: list[_Person], gateway: str, at_ns: int) -> list[_Person]:
        """List whom any of these may be one with, by `id`: all others are none of them, surely.

        Those whom gateways follow near by, those of the same names, and while it is open who
        somebody is, those whom nobody follows now, for as long as anybody is known again.
        """
        near = {gateway: self._reach[gateway]}
        found: dict[int, _Person] = {}
        for other, box in self._reach.items():
            if other != gateway and _are_near(box, near[gateway]):
                found |= self._followed.get(other, {})
        for row in rows:
            if row.named_by and row.worker is not None:
                found |= self._named.get(row.worker, {})
        undecided = [row for row in rows if at_ns <= row.open_until_ns]
        if undecided:
            births_ns = [row.live[gateway].born_ns for row in undecided]
            since_ns = min(births_ns) - int(PERHAPS_S * 1e9)
            carriers = {row.live[gateway].carrier for row in undecided}
            found |= {
                id: one
                for id, one in self._away.items()
                if one.last.seen_ns >= since_ns or not carriers.isdisjoint(one.carriers)
            }
            found |= self._stale(at_ns)
        guesses = {id for row in rows for id in row.perhaps}
        found |= {id: self._people[id] for id in guesses if id in self._people}
        return [one for _, one in sorted(found.items()) if gateway not in one.live]

    def _stale(self, at_ns: int) -> dict[int, _Person]:
        """Give whom only gateways follow that have said nothing for long, for how they speak.

        Where it is us who come to hear each of them only now and then, all would be silent, and
        each message compared with everybody: then it took so long that it stayed so for good.
        """
        found: dict[int, _Person] = {}
        for name, people in self._followed.items():
            box = self._reach.get(name)
            if box is None:
                continue
            limit_ns = max(STALE_S * 1e9, min(2 * box.every_ns, HAND_OVER_S * 1e9))
            if at_ns - box.newest_ns >= limit_ns:
                found |= people
        return found

    def _costs(
        self, rows: list[_Person], others: list[_Person], gateway: str, at_ns: int, reached: Bools
    ) -> Floats:
        """Give (rows, others) what it costs that two are one; inf where they can't be."""
        costs = np.full((len(rows), len(others)), np.inf)
        for r, c in np.argwhere(self._possible(rows, others, gateway, at_ns, reached)).tolist():
            row, other = rows[r], others[c]
            found = self._cost(row, other, gateway, at_ns)
            if found is None:
                continue
            costs[r, c] = found
            if not other.live and found > SAME_TRACK:  # so far as nobody else is them already
                guessers = self._guessers.get(other.id, {}).values()
                taken = sum(one.perhaps[other.id] for one in guessers)
                left = 1.0 - taken + row.perhaps.get(other.id, 0.0)
                costs[r, c] -= 2 * math.log(min(1.0, max(LEAST_LEFT, left)))
        return costs

    def _possible(
        self, rows: list[_Person], others: list[_Person], gateway: str, at_ns: int, reached: Bools
    ) -> Bools:
        """Tell (rows, others) which pairs need a closer look: of a whole mine's, very few do."""
        seen = [_seen_now(other, at_ns) for other in others]
        open_rows, unseen = (
            [at_ns <= row.open_until_ns for row in rows],
            [one is None for one in seen],
        )
        possible = np.outer(open_rows, unseen) & reached
        here = [c for c, track in enumerate(seen) if track is not None]
        if here:
            ones = [row.live[gateway].now for row in rows]
            twos = [track.now for track in seen if track is not None]
            possible[:, here] = may_be_beside(ones, twos)
        named = [c for c, other in enumerate(others) if other.named_by]
        for r, row in enumerate(rows):
            if row.named_by:  # then names decide, and nothing else
                possible[r, named] = [row.worker == others[c].worker for c in named]
        return np.asarray(possible)

    def _cost(self, row: _Person, other: _Person, gateway: str, at_ns: int) -> float | None:
        """Tell what it costs that two are one, in -2 log likelihood; none where they can't be."""
        if other.id in row.others:
            return None
        track = row.live[gateway]
        theirs = _seen_now(other, at_ns)
        if row.named_by and other.named_by:
            then = other.last.seen if theirs is None else theirs.now
            same = row.worker == other.worker and reachable(track.now, then)
            return SAME_NAME if same else None
        if theirs is not None:
            return beside(track.now, theirs.now)
        return self._cost_of_a_gap(row, other, track) if at_ns <= row.open_until_ns else None

    def _cost_of_a_gap(self, row: _Person, away: _Person, track: Track) -> float | None:
        """Tell `_cost` for somebody who is out of view."""
        is_known = track.carrier in away.carriers
        is_old = track.born_ns - away.last.seen_ns > HAND_OVER_S * 1e9
        if is_old and not is_known:
            return None
        seen = away.last.seen
        if is_known and reachable(track.birth, seen):
            return SAME_TRACK
        first = track.birth if track.born_ns >= away.last.seen_ns else track.now
        if is_old or not reachable(seen, first):
            return None
        return after_a_gap(seen, first)

    def _guess(self, row: _Person, of: dict[int, float], others: list[_Person], at_ns: int) -> None:
        """Note of whom somebody new may be one, always of elder ones; later only cross out."""
        track = next(iter(row.live.values()))
        if at_ns <= row.open_until_ns:
            perhaps = of | {
                one.id: of.get(one.id, 0.0)
                for one in others
                if not one.live
                and one.id < row.id
                and one.id not in row.others
                and not (row.named_by and one.named_by)
                and track.born_ns - one.last.seen_ns < PERHAPS_S * 1e9
                and reachable(track.birth, one.last.seen)
            }
            self._guess_that(row, perhaps)
            return
        perhaps = dict(row.perhaps)
        for id in row.perhaps:
            one = self._people.get(id)
            elsewhere = one is not None and any(
                not reachable(theirs.now, track.now) for theirs in one.live.values()
            )
            if one is None or elsewhere or id in row.others or (row.named_by and one.named_by):
                del perhaps[id]
        self._guess_that(row, perhaps)

    def _merge(self, one: _Person, two: _Person) -> None:
        """Make one of two, under the older's `id`."""
        kept, gone = (one, two) if one.id < two.id else (two, one)
        worker, perhaps = gone.worker, gone.perhaps
        self._drop(gone)
        kept.here_since_ns = min(
            person.here_since_ns for person in (kept, gone) if person.live or not kept.live
        )
        for track in gone.live.values():
            self._hold(kept, track)
        if gone.last.seen_ns > kept.last.seen_ns:
            kept.last = gone.last
        if gone.named_by or not kept.worker:
            self._call(kept, worker)
            kept.worker_probability, kept.named_by = gone.worker_probability, gone.named_by
        self._spoken_of(kept, gone.carriers)
        kept.followed_s += gone.followed_s
        kept.certain = kept.certain or gone.certain
        kept.open_until_ns = min(kept.open_until_ns, gone.open_until_ns)
        kept.others |= gone.others
        if gone.id in kept.perhaps or kept.id in perhaps:
            self._guess_that(kept, {})
        apart = [self._people[id] for id in gone.others if id in self._people]
        for person in apart:
            person.others.discard(gone.id)
            person.others.add(kept.id)
        concerned = {one.id: one for one in (kept, *apart)} | self._guessers.get(gone.id, {})
        for person in concerned.values():
            guessed = dict(person.perhaps)
            if gone.id in guessed:
                share = guessed.pop(gone.id)
                guessed[kept.id] = max(share, guessed.get(kept.id, 0.0))
            same = {person.id, *person.others}
            self._guess_that(person, {k: v for k, v in guessed.items() if k not in same})
        kept.near_since_ns.clear()

    # -- telling

    def _told(self, person: _Person, at_ns: int, silent_since_ns: Mapping[str, int]) -> MinePerson:
        last = person.last
        speaking = [t for name, t in person.live.items() if name not in silent_since_ns]
        state: Whereabouts = "in_view"
        since_ns, carriers = person.here_since_ns, [track.carrier for track in speaking]
        if speaking:
            newest_ns = max(track.now.at_ns for track in speaking)
            ahead_ns = int(AHEAD_S * 1e9)
            then_ns = max(newest_ns - ahead_ns, min(at_ns, newest_ns + ahead_ns))
            mean, covariance = fused(
                [predict(track.now, then_ns, UNREST_M2_S3) for track in speaking]
            )
        else:
            seen = last.seen
            mean, covariance = seen.mean, seen.covariance
            if person.live:
                state, carriers = "unknown", [track.carrier for track in person.live.values()]
                since_ns = max(silent_since_ns[name] for name in person.live)
            else:
                state, since_ns, carriers = "out_of_view", person.left_at_ns, [last.carrier]
        sure = person.certain and person.followed_s >= BRIEF_S and not person.perhaps
        if speaking:
            sure = sure and any(track.certain for track in speaking)
        (a, b), (c, d) = covariance[:2, :2].tolist()
        x, y, vx, vy = mean.tolist()
        return MinePerson(
            id=person.id,
            state=state,
            since_ns=since_ns,
            seen_at_ns=max([last.seen_ns, *(track.seen_ns for track in speaking)]),
            xyz_m=(x, y, last.z_m),
            covariance_m2=((a, b), (c, d)),
            velocity_m_s=(vx, vy),
            tracks=tuple(sorted(carriers)),
            worker=person.worker,
            worker_probability=person.worker_probability,
            certainty="certainly" if sure else "possibly",
            perhaps=tuple(sorted(person.perhaps)),
            seen_now=any(track.is_seen for track in speaking),
        )
