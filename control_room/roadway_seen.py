"""Which metres of a mine's roadways its gateways see between them, and since when the rest not.

Knows nothing about people.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache

import numpy as np

from control_room.whole_mine import MineGateway
from scene.arrays import Bools, Floats, Ints
from scene.floor import Floor
from scene.floor_config import FloorConfig
from scene.floor_metres import metres_touched
from scene.landmarks import floor_of
from scene.messages import XY

SAME_WAY = 0.95
"""Cosine between two directions that are alike, there or back: two lines are one roadway where
they are, and each lies on the other's floor. A branch leaves another line by more."""
SAME_LEVEL_M = 2.0
"""And no further apart in height than this: roadways cross above one another."""
NEXT_M = 0.01
"""A line's direction at a place is that of so short a piece of it."""
WITHIN = (0.02, 0.5, 0.98)
"""Where each metre is asked whether another line's metres see it, too; its middle is its place."""
SAME_TIME_S = 5.0
NOWHERE = -(2**31)
"""Of a metre: on another line's floor there is none."""
MOST_PAIRS = 70_000
"""Of so many pairs of roadways it is remembered where they meet; some 2 kB each."""
MOST_LINES, MOST_AREAS = 512, 4096
"""Of so many roadways it is remembered what was told of them and what came of that, and of so many
areas which metres they touch."""
ALONG_X = Floor(FloorConfig(centre_line_m=((0.0, 0.0, 0.0), (1.0, 0.0, 0.0))))
"""Where the roadway of a gateway lies that tells of metres and not of its floor."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Blind:
    """A stretch that no camera sees: nobody knows who is there."""

    from_x_m: float
    """Chainage along the roadway of the first of `gateways`: on a straight one along x, its x."""
    to_x_m: float
    gateways: tuple[str, ...]
    """Whose cameras should see it."""
    since_ns: int | None
    """None where that is not known, and where it is `never_seen`."""
    never_seen: bool = False
    """Whether no camera has seen it since its gateway started: it was not lost at any time."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Metre:
    """One metre of roadway."""

    floor: Floor
    """Of the first of `gateways`."""
    from_m: int
    """Chainage on it where the metre starts."""
    gateways: tuple[str, ...]
    seen: bool
    since_ns: int | None
    """Since when it is not seen; none while it is, where that is not known, and if `never_seen`."""
    never_seen: bool = False
    """Whether its gateways have never seen it since they started."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Told:
    """What one gateway says of one metre."""

    gateway: str
    seen: bool
    since_ns: int | None
    never_seen: bool


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Line:
    """A centre line, and what the gateways that share it say of its metres."""

    floor: Floor
    told: dict[int, list[_Told]] = field(default_factory=dict)
    untold: list[_Told] = field(default_factory=list)
    """What holds of the metres of its floor of which not one of them tells."""

    def metres_at(self, other: "_Line") -> list[list[int | None]]:
        """Tell in which of its metres the spots of another line's metres lie, three each."""
        found = _metres_at(self.floor, other.floor, tuple(other.told)).tolist()
        return [
            [metre if metre != NOWHERE and metre in self.told else None for metre in spots]
            for spots in found
        ]


def _spots(metres: Iterable[int]) -> Floats:
    """Give the chainages (3 N,) `WITHIN` metres."""
    return np.asarray((np.array(list(metres))[:, None] + np.array(WITHIN)).ravel())


def _places(floor: Floor, chainage_m: Floats) -> Floats:
    """Give mine positions (N, 3) on a floor's line."""
    return floor.at(chainage_m, np.zeros(len(chainage_m)))


def _ways(floor: Floor, chainage_m: Floats) -> Floats:
    """Give unit directions (N, 2) of a floor's line there."""
    ahead, behind = (_places(floor, chainage_m + step) for step in (NEXT_M, -NEXT_M))
    step = (ahead - behind)[:, :2]
    return np.asarray(step / np.linalg.norm(step, axis=1, keepdims=True))


@lru_cache(maxsize=MOST_LINES)
def _places_of(floor: Floor, metres: tuple[int, ...]) -> Floats:
    return _places(floor, _spots(metres))


@lru_cache(maxsize=MOST_PAIRS)
def _metres_at(ours: Floor, theirs: Floor, metres: tuple[int, ...]) -> Ints:
    """Tell in which metres (N, 3) of our line the spots of their metres lie, or `NOWHERE`.

    Roadways stay where they are, and heads are counted every second.
    """
    places = _places_of(theirs, metres)
    chainage, left = ours.place(places[:, :2]).T
    if np.all(ours.aside_m(left) > 0):
        return np.full((len(metres), len(WITHIN)), NOWHERE, np.int64)
    spots = _spots(metres)
    on_ours = _places(ours, chainage)
    back = theirs.place(on_ours[:, :2])[:, 1]
    held = (ours.aside_m(left) == 0) & (theirs.aside_m(back) == 0)
    held &= np.abs(on_ours[:, 2] - places[:, 2]) <= SAME_LEVEL_M
    alike = np.abs(np.sum(_ways(ours, chainage) * _ways(theirs, spots), axis=1)) >= SAME_WAY
    found = np.where(held & alike, np.floor(chainage), NOWHERE)
    return np.asarray(found, np.int64).reshape(-1, len(WITHIN))


def metres_of(gateways: Sequence[MineGateway]) -> tuple[Metre, ...]:
    """Tell of every metre whether any gateway sees it, along each roadway.

    Gateways that share a centre line count the same metres; where two lines lie on one roadway,
    its metres are those of the first one.
    """
    lines = _lines(gateways)
    near = _near(lines)
    found = list[Metre]()
    for number, line in enumerate(lines):
        others = [other for other in np.flatnonzero(near[number]).tolist() if other != number]
        earlier = tuple(lines[other] for other in others if other < number)
        later = tuple(lines[other] for other in others if other > number)
        found += _own_metres(line, earlier, later)
    return tuple(found)


@lru_cache(maxsize=MOST_LINES)
def _own_metres(
    line: _Line, earlier: tuple[_Line, ...], later: tuple[_Line, ...]
) -> tuple[Metre, ...]:
    """Tell of the metres of a line that lie on no earlier one.

    Mostly nothing has been told anew of a line and those near it, and all is as it was; and a line
    that lies on others as a whole is not compared with any more.
    """
    own = dict(enumerate(line.told.items()))
    for other in earlier:
        if not own:
            return ()
        at = other.metres_at(line)
        own = {index: told for index, told in own.items() if at[index][1] is None}
    beside = [(other, other.metres_at(line)) for other in (*earlier, *later)] if own else []
    found = []
    for index, (from_m, told) in own.items():
        parts = [list(told) for _ in WITHIN]
        for other, at in beside:
            for part, metre in zip(parts, at[index], strict=True):
                part.extend([] if metre is None else other.told[metre])
        found.append(_metre(line.floor, from_m, parts))
    return tuple(found)


def blind_stretches(metres: Iterable[Metre]) -> tuple[Blind, ...]:
    """Put neighbouring unseen metres together that went blind at the same time."""
    stretches: list[Blind] = []
    before: Metre | None = None
    for metre in metres:
        if metre.seen:
            continue
        last = stretches[-1] if stretches else None
        if (
            last is not None
            and before is not None
            and (before.floor, before.from_m + 1) == (metre.floor, metre.from_m)
            and (last.gateways, last.never_seen) == (metre.gateways, metre.never_seen)
            and _same_time(last.since_ns, metre.since_ns)
        ):
            stretches[-1] = replace(last, to_x_m=metre.from_m + 1.0)
        else:
            stretches.append(
                Blind(
                    from_x_m=float(metre.from_m),
                    to_x_m=metre.from_m + 1.0,
                    gateways=metre.gateways,
                    since_ns=metre.since_ns,
                    never_seen=metre.never_seen,
                )
            )
        before = metre
    return tuple(sorted(stretches, key=lambda stretch: stretch.from_x_m))


def seen_within(
    metres: Sequence[Metre], polygons_m: Iterable[Sequence[XY]]
) -> list[tuple[int, int]]:
    """Count the metres that each area touches: seen ones, and all."""
    told: dict[Floor, dict[int, bool]] = {}
    for metre in metres:
        told.setdefault(metre.floor, {})[metre.from_m] = metre.seen
    floors, found = tuple(told), []
    for polygon in polygons_m:
        here = [
            told[floor][metre]
            for floor, at in _touched(floors, tuple(polygon))
            for metre in at
            if metre in told[floor]
        ]
        found.append((sum(here), len(here)))
    return found


@lru_cache(maxsize=MOST_AREAS)
def _touched(
    floors: tuple[Floor, ...], polygon_m: tuple[XY, ...]
) -> tuple[tuple[Floor, frozenset[int]], ...]:
    """List the metres of each floor that an area touches."""
    found = ((floor, metres_touched(floor, polygon_m)) for floor in floors)
    return tuple((floor, metres) for floor, metres in found if metres)


def tells(gateway: MineGateway) -> bool:
    """Tell whether it is known of any metres at all that a gateway should see them."""
    return _floor(gateway) is not None or _has_told(gateway)


def _floor(gateway: MineGateway) -> Floor | None:
    return None if gateway.description is None else floor_of(gateway.description)


def _has_told(gateway: MineGateway) -> bool:
    return gateway.health is not None and bool(gateway.health.coverage)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Words:
    """What one gateway says of its roadway; equal where nothing has changed."""

    gateway: str
    floor: Floor | None
    from_x_m: float
    counts: tuple[int, ...]
    """So many cameras see each metre; none told: empty."""
    unseen_since_ns: tuple[int | None, ...]
    silent_since_ns: int | None


def _words_of(gateway: MineGateway) -> _Words:
    health = gateway.health
    return _Words(
        gateway=gateway.gateway,
        floor=_floor(gateway),
        from_x_m=0.0 if health is None else health.coverage_from_x_m,
        counts=() if health is None else health.coverage,
        unseen_since_ns=() if health is None else health.coverage_unseen_since_ns,
        silent_since_ns=gateway.silent_since_ns,
    )


def _lines(gateways: Sequence[MineGateway]) -> list[_Line]:
    """Gather by centre line what all gateways tell; who has none is taken to lie along x."""
    words: dict[object, list[_Words]] = {}
    for gateway in filter(tells, gateways):
        one, description = _words_of(gateway), gateway.description
        key = () if one.floor is None or description is None else description.centre_line_m
        words.setdefault(key, []).append(one)
    return [_line(tuple(found)) for found in words.values()]


@lru_cache(maxsize=MOST_LINES)
def _line(words: tuple[_Words, ...]) -> _Line:
    """Give the line of which these gateways tell: the very same one while they say the same."""
    line = _Line(floor=words[0].floor or ALONG_X)
    for one in words:
        for metre, told in _of_one(one, range(0) if one.floor is None else one.floor.metres):
            line.told.setdefault(metre, []).append(told)
        line.untold.append(_Told(gateway=one.gateway, seen=False, since_ns=None, never_seen=False))
    if line.floor is not ALONG_X:
        for metre in line.floor.metres:
            line.told.setdefault(metre, line.untold)
    return replace(line, told=dict(sorted(line.told.items())))


def _of_one(words: _Words, metres: range) -> Iterator[tuple[int, _Told]]:
    """Tell of one gateway's metres; all are unseen while it is silent or tells of none."""
    first, counts = metres.start, words.counts or (0,) * len(metres)
    if words.counts:
        first = round(words.from_x_m)
    since: Sequence[int | None] = words.unseen_since_ns
    is_told = len(since) == len(counts)
    if not is_told:
        since = [None] * len(counts)
    silent_ns = words.silent_since_ns
    for index, (count, since_ns) in enumerate(zip(counts, since, strict=True)):
        yield (
            first + index,
            _Told(
                gateway=words.gateway,
                seen=count > 0 and silent_ns is None,
                since_ns=silent_ns if count > 0 else since_ns,
                # Before a silence, too, that floor was not seen once.
                never_seen=is_told and not count and since_ns is None,
            ),
        )


def _metre(floor: Floor, from_m: int, parts: Sequence[Sequence[_Told]]) -> Metre:
    """Join gateways' words of the parts of a metre: it is seen where all of its parts are.

    It was lost when the last one that saw it lost it.
    """
    unseen = [part for part in parts if not any(told.seen for told in part)]
    first = unseen[0] if unseen else ()
    lost_ns = [told.since_ns for told in first if not told.never_seen]
    known_ns = [since_ns for since_ns in lost_ns if since_ns is not None]
    return Metre(
        floor=floor,
        from_m=from_m,
        gateways=tuple(dict.fromkeys(told.gateway for told in parts[1])),
        seen=not unseen,
        since_ns=max(known_ns) if 0 < len(known_ns) == len(lost_ns) else None,
        never_seen=bool(unseen) and not lost_ns,
    )


@lru_cache(maxsize=MOST_LINES)
def _box(line: _Line) -> Floats:
    """Give the least and the greatest x and y, (2, 2), of a line's floor and metres."""
    spots = _places_of(line.floor, tuple(line.told))[:, :2]
    both = np.concatenate([spots, np.reshape(line.floor.box_m(0.0), (2, 2))])
    return np.array([both.min(axis=0), both.max(axis=0)])


def _near(lines: Sequence[_Line]) -> Bools:
    """Tell (N, N) whose boxes touch."""
    low, high = np.array([_box(line) for line in lines]).reshape(-1, 2, 2).transpose(1, 0, 2)
    return np.asarray(np.all((low[:, None] <= high) & (low <= high[:, None]), axis=2))


def _same_time(one: int | None, two: int | None) -> bool:
    if one is None or two is None:
        return one is two
    return abs(one - two) <= SAME_TIME_S * 1e9
