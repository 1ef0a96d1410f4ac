"""The muster: how many are where, who is missing, and what nobody can see.

Knows nothing about MQTT or how people are told apart. A count never looks complete where cameras
can't see: it says "at least".
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from pydantic import TypeAdapter

from control_room.clock_majority import AGREE_S, majority
from control_room.evidence_words import in_chinese
from control_room.mine_person import NAME_SURE, MinePerson, Whereabouts
from control_room.roadway_seen import Blind, blind_stretches, metres_of, seen_within, tells
from control_room.roster import Worker
from control_room.whole_mine import MineGateway, TaggedWorker
from location.zones import FAR, MIN_SIGMA_M, probability_inside
from scene.landmarks import chainages_of, nearest
from scene.messages import XYZ, Certainty, Landmark, SiteDescription, ZoneDescription

LIKELY, SURE = 0.5, 0.9
"""Who is in an area this likely is counted there; this surely, in the "at least" too."""
TAG_FRESH_S = 600.0
"""Whose tag was heard within this is underground, where there is no roster."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where somebody was seen last."""

    xyz_m: XYZ
    chainage_m: float | None
    """Along the gateway's roadway; none while that roadway is not known."""
    zone: str | None
    gateway: str
    """Whose cameras saw it; empty for a tag's place, which no camera saw."""
    seen_at_ns: int
    landmark: Landmark | None = None
    """The nearest support or mark of that roadway."""


_NOWHERE = Place(xyz_m=(0.0, 0.0, 0.0), chainage_m=None, zone=None, gateway="", seen_at_ns=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Somebody:
    """One person whom the cameras know of."""

    id: int
    worker: str | None
    certainty: Certainty
    state: Whereabouts
    since_ns: int
    last: Place
    perhaps: tuple[int, ...] = ()
    tracks: tuple[tuple[str, int], ...] = ()
    """Gateways that speak of them, with their numbers there; of who is away, the last that did."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Missing:
    """A worker who should be there and whom no camera shows now."""

    worker: str
    why: Whereabouts | None
    """None: no camera has shown them since the listening began."""
    last: Place | None
    tag: Place | None = None
    """Where their tag was heard last: a hint, never a place of theirs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AreaCount:
    """Heads in one zone, or (`zone` none) outside all of them."""

    zone: str | None
    people: int
    """Whom cameras show there now."""
    at_least: int
    """Those of them who are certainly somebody, and certainly there."""
    workers: tuple[str, ...]
    unnamed: int
    last_seen: int
    """Who was seen there last, and is not in view now; `lost_numbers` among them."""
    metres_seen: int
    metres: int
    """Of roadway that the area touches; 0 outside all zones."""
    lost_numbers: int = 0
    """Of `last_seen`, those without a name: one person may be several of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Uncounted:
    """A gateway that speaks and has cameras that are well, and yet finds nobody: why it says so."""

    gateway: str
    why: str
    why_zh: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Muster:
    """The whole answer, of one instant."""

    site: str
    at_ns: int
    listening_since_ns: int | None
    """What was before is not in it."""
    complete: bool
    """Whether every metre is seen, and every gateway speaks and says what it sees: only then is a
    count one of all."""
    everybody: bool
    """Whether it is complete, it is known who should be there, nobody of them is missing, and
    nobody is out of view."""
    people: int
    """In view now."""
    at_least: int
    """Of those, certainly as many different people."""
    out_of_view: int
    """Everybody and every number that was followed and is no more; `lost_numbers` among them."""
    unknown: int
    """Whose gateway is silent."""
    unnamed: int
    """In view without a name: a missing worker may be one of them."""
    metres_seen: int
    metres: int
    areas: tuple[AreaCount, ...]
    here: tuple[Somebody, ...]
    away: tuple[Somebody, ...]
    """Out of view or unknown."""
    missing: tuple[Missing, ...]
    expected: int
    """How many should be there, by the roster or by tags."""
    expected_by: str
    """`roster`, `tags`, or empty: nobody says who should be there."""
    blind: tuple[Blind, ...]
    silent: tuple[tuple[str, int], ...]
    """Gateways that say nothing, and since when; `never_heard` and `passed_over` among them."""
    never_heard: tuple[str, ...] = ()
    """Gateways that should speak, and of which not one word was heard since the listening began."""
    passed_over: tuple[str, ...] = ()
    """Gateways that are not listened to, as there are too many."""
    uncounted: tuple[Uncounted, ...] = ()
    """Gateways where nobody can be counted: detection is too slow, or they are not calibrated."""
    own_clock_off_s: float = 0.0
    """By how much the clock of who counts is slow, by the vote of the gateways' clocks."""
    clocks_off: tuple[tuple[str, float], ...] = ()
    """Gateways whose clock is slow by so many seconds, by the same vote; all gateways' times are
    put right here."""
    clocks: tuple[tuple[str, float, float], ...] = ()
    """Of each gateway that was heard, by how many seconds its clock is slow, and how far its last
    messages differ from that; the way of a message, too, makes a clock look slow."""
    lost_numbers: int = 0
    """Of `out_of_view`, those without a name. They are no head-count: who is lost and found again
    has a new number, so that one person may be several of them, and may be in view, too."""
    seen: int = 0
    """Of `people`, those whom a camera shows: the others' places are only foretold just now."""
    seen_at_least: int = 0
    """Of `seen`, certainly as many different people."""
    replay: bool = False
    """Whether a recording is counted: then it says nothing of who is underground now."""


_MUSTER: TypeAdapter[Muster] = TypeAdapter(Muster)


def muster(
    people: Sequence[MinePerson],
    gateways: Sequence[MineGateway],
    roster: Sequence[Worker],
    at_ns: int,
    *,
    site: str = "",
    tags: Sequence[TaggedWorker] = (),
    listening_since_ns: int | None = None,
    never_heard: Mapping[str, int] | None = None,
) -> Muster:
    """Count heads; without a roster, those whose tags were heard of late should be there.

    Whom the tag system calls otherwise than the roster does has the roster's name here.
    `never_heard` are gateways that should speak and never did, and since when they are waited for.
    """
    never_heard = never_heard or {}
    people = _named(people, roster)
    descriptions = {g.gateway: g.description for g in gateways if g.description is not None}
    zones = _zones(descriptions.values())
    inside = _inside(people, zones)
    known = _somebodies(people, descriptions, zones, inside)
    here = tuple(one for one in known if one.state == "in_view")
    away = tuple(one for one in known if one.state != "in_view")
    metres = metres_of(gateways)
    silent = tuple(
        (g.gateway, g.silent_since_ns) for g in gateways if g.silent_since_ns is not None
    )
    silent = tuple(sorted((*silent, *never_heard.items())))
    expected, by = tuple(roster), "roster" if roster else ""
    if not expected:
        fresh = {one.worker for one in tags if at_ns - one.at_ns <= TAG_FRESH_S * 1e9}
        expected = tuple(Worker(name=name) for name in sorted(fresh))
        by = "tags" if expected else ""
    missing = _missing(expected, people, known, tags, at_ns)
    seen = sum(metre.seen for metre in metres)
    complete = all(map(tells, gateways)) and not silent and seen == len(metres) > 0
    in_view = [person for person in people if person.state == "in_view"]
    different, seen_now = _different(in_view), [one for one in in_view if one.seen_now]
    within = seen_within(metres, [zone.polygon_m for zone in zones])
    areas = [
        _area(zone.name, chances, known, different, counts)
        for zone, chances, counts in zip(zones, _by_zone(inside, len(zones)), within, strict=True)
    ]
    areas.append(_outside(known, different))
    own_clock_off_s, clocks_off = _clocks_off(gateways)
    return Muster(
        site=site,
        at_ns=at_ns,
        listening_since_ns=listening_since_ns,
        complete=complete,
        everybody=complete and bool(expected) and not missing and not away,
        people=len(here),
        at_least=len(different),
        out_of_view=sum(one.state == "out_of_view" for one in away),
        unknown=sum(one.state == "unknown" for one in away),
        unnamed=sum(one.worker is None for one in here),
        metres_seen=seen,
        metres=len(metres),
        areas=tuple(areas),
        here=here,
        away=away,
        missing=missing,
        expected=len(expected),
        expected_by=by,
        blind=blind_stretches(metres),
        silent=silent,
        never_heard=tuple(sorted(never_heard)),
        passed_over=tuple(g.gateway for g in gateways if g.passed_over),
        uncounted=tuple(_uncounted(gateways)),
        own_clock_off_s=own_clock_off_s,
        clocks_off=clocks_off,
        clocks=tuple((g.gateway, *g.clock) for g in gateways if g.clock is not None),
        lost_numbers=_lost_numbers(away),
        seen=len(seen_now),
        seen_at_least=min(len(_different(seen_now)), len(different)),
    )


def _clocks_off(
    gateways: Sequence[MineGateway],
) -> tuple[float, tuple[tuple[str, float], ...]]:
    """Tell by how much the listener's clock is slow, and each gateway's that is not as most are."""
    off_s = {one.gateway: one.clock_off_s for one in gateways if one.clock is not None}
    most = majority(tuple(off_s.values()))
    if not most.ours_is_off:
        return 0.0, tuple((name, slow_s) for name, slow_s in off_s.items() if slow_s)
    others = ((name, round(slow_s - most.off_s, 1)) for name, slow_s in off_s.items() if slow_s)
    return -round(most.off_s, 1), tuple((name, s) for name, s in others if abs(s) > AGREE_S)


def to_json(told: Muster) -> dict[str, Any]:
    """Give the muster as plain JSON values."""
    found: dict[str, Any] = _MUSTER.dump_python(told, mode="json")
    return found


def from_json(text: str | bytes) -> Muster:
    """Read a muster back; raises `ValueError` where it is none."""
    return _MUSTER.validate_json(text)


def _named(people: Sequence[MinePerson], roster: Sequence[Worker]) -> list[MinePerson]:
    """Call people as the roster does, also where the tag system knows only the tag."""
    names = {also: worker.name for worker in roster for also in worker.also}
    return [
        replace(person, worker=names[person.worker]) if person.worker in names else person
        for person in people
    ]


def _uncounted(gateways: Iterable[MineGateway]) -> Iterable[Uncounted]:
    """Give those whose pictures nobody is found in, though they come: coverage is gone then."""
    for one in gateways:
        if one.silent_since_ns is not None or one.health is None or any(one.health.coverage):
            continue
        why = one.health.degraded
        if why and any(camera.state == "ok" for camera in one.health.cameras):
            yield Uncounted(gateway=one.gateway, why=why, why_zh=in_chinese(why))


def _zones(descriptions: Iterable[SiteDescription]) -> list[ZoneDescription]:
    """Gather the zones of all gateways, each once."""
    found: dict[tuple[Any, ...], ZoneDescription] = {}
    for description in descriptions:
        for zone in description.zones:
            if len(zone.polygon_m) >= 3:
                found.setdefault((zone.name, zone.polygon_m), zone)
    return sorted(found.values(), key=lambda zone: (zone.name, zone.polygon_m))


Chances = dict[int, float]
"""How likely somebody is inside, by the zone's or the person's place in the list; 0 is left out."""


def _inside(people: Sequence[MinePerson], zones: Sequence[ZoneDescription]) -> list[Chances]:
    """Tell of everybody which zones they may be in: of a whole mine's that is mostly none."""
    if not people or not zones:
        return [{} for _ in people]
    corners = [np.array(zone.polygon_m) for zone in zones]
    low = np.array([corner.min(axis=0) for corner in corners])
    high = np.array([corner.max(axis=0) for corner in corners])
    places = np.array([person.xyz_m[:2] for person in people])[:, None]
    spread = [person.covariance_m2[0][0] + person.covariance_m2[1][1] for person in people]
    # One side of a zone can't be missed by more than so many sigma, and still hold anything.
    reach = FAR * np.sqrt(np.maximum(spread, 0.0))[:, None, None] + FAR * MIN_SIGMA_M
    near = np.all((places >= low - reach) & (places <= high + reach), axis=2)
    found: list[Chances] = [{} for _ in people]
    for n, zone in np.argwhere(near).tolist():
        person = people[n]
        chance = probability_inside(person.xyz_m[:2], person.covariance_m2, zones[zone].polygon_m)
        if chance > 0:
            found[n][zone] = chance
    return found


def _by_zone(inside: Sequence[Chances], zones: int) -> list[Chances]:
    found: list[Chances] = [{} for _ in range(zones)]
    for n, chances in enumerate(inside):
        for zone, chance in chances.items():
            found[zone][n] = chance
    return found


def _zone_of(chances: Chances, zones: Sequence[ZoneDescription]) -> str | None:
    """Name the zone that somebody is in most likely; none outside all."""
    best = max(chances, key=chances.__getitem__, default=None)
    return zones[best].name if best is not None and chances[best] >= LIKELY else None


def _somebodies(
    people: Sequence[MinePerson],
    descriptions: dict[str, SiteDescription],
    zones: Sequence[ZoneDescription],
    inside: Sequence[Chances],
) -> list[Somebody]:
    by_gateway: dict[str, list[int]] = {}
    for n, person in enumerate(people):
        by_gateway.setdefault(person.tracks[0][0] if person.tracks else "", []).append(n)
    places: list[Place] = [_NOWHERE] * len(people)
    for gateway, here in by_gateway.items():
        description = descriptions.get(gateway)
        marks = () if description is None else description.landmarks
        where: list[float | None] = [None] * len(here)
        if description is not None:
            where = chainages_of(description, [people[n].xyz_m for n in here])
        for n, chainage_m in zip(here, where, strict=True):
            places[n] = Place(
                xyz_m=people[n].xyz_m,
                chainage_m=chainage_m,
                zone=_zone_of(inside[n], zones),
                gateway=gateway,
                seen_at_ns=people[n].seen_at_ns,
                landmark=None if chainage_m is None else nearest(marks, chainage_m),
            )
    return [
        Somebody(
            id=person.id,
            worker=person.worker,
            certainty=person.certainty,
            state=person.state,
            since_ns=person.since_ns,
            perhaps=person.perhaps,
            tracks=person.tracks,
            last=place,
        )
        for person, place in zip(people, places, strict=True)
    ]


def _different(people: Sequence[MinePerson]) -> frozenset[int]:
    """Give those who are different people for certain, by `id`: who may be one of them is none."""
    ids = {person.id for person in people}
    return frozenset(
        person.id
        for person in people
        if person.certainty == "certainly"
        or (bool(person.perhaps) and not ids.intersection(person.perhaps))
    )


def _area(
    name: str,
    chances: Chances,
    known: Sequence[Somebody],
    different: frozenset[int],
    metres: tuple[int, int],
) -> AreaCount:
    inside = [n for n, chance in chances.items() if chance >= LIKELY]
    surely = {known[n].id for n in inside if chances[n] >= SURE}
    return _count(name, [known[n] for n in inside], surely & different, metres)


def _outside(known: Sequence[Somebody], different: frozenset[int]) -> AreaCount:
    out = [one for one in known if one.last.zone is None]
    return _count(None, out, different, (0, 0))


def _count(
    zone: str | None,
    inside: Sequence[Somebody],
    different: Collection[int],
    metres: tuple[int, int],
) -> AreaCount:
    """Count those inside; `different` are who is certainly somebody, whatever the area."""
    here = [one for one in inside if one.state == "in_view"]
    return AreaCount(
        zone=zone,
        people=len(here),
        at_least=sum(one.id in different for one in here),
        workers=tuple(sorted(one.worker for one in here if one.worker is not None)),
        unnamed=sum(one.worker is None for one in here),
        last_seen=len(inside) - len(here),
        lost_numbers=_lost_numbers(inside),
        metres_seen=metres[0],
        metres=metres[1],
    )


def _lost_numbers(people: Iterable[Somebody]) -> int:
    return sum(one.state == "out_of_view" and one.worker is None for one in people)


def _missing(
    expected: Sequence[Worker],
    people: Sequence[MinePerson],
    known: Sequence[Somebody],
    tags: Sequence[TaggedWorker],
    at_ns: int,
) -> tuple[Missing, ...]:
    """Tell who is not surely in view; who was named doubtfully is still missing."""
    found = []
    for worker in expected:
        mine = [n for n, person in enumerate(people) if person.worker in worker.names]
        if any(people[n].state == "in_view" and _surely_named(people[n]) for n in mine):
            continue
        last = max((known[n] for n in mine), key=lambda one: one.last.seen_at_ns, default=None)
        tag = max(
            (one for one in tags if one.worker in worker.names),
            key=lambda one: one.at_ns,
            default=None,
        )
        found.append(
            Missing(
                worker=worker.name,
                why=None if last is None else last.state,
                last=None if last is None else last.last,
                tag=None
                if tag is None
                else Place(
                    xyz_m=(*tag.xy_m, 0.0),
                    chainage_m=None,
                    zone=None,
                    gateway="",
                    seen_at_ns=min(tag.at_ns, at_ns),
                ),
            )
        )
    return tuple(found)


def _surely_named(person: MinePerson) -> bool:
    return person.worker_probability is None or person.worker_probability >= NAME_SURE
