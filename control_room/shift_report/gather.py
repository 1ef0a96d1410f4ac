"""Everything that a shift report tells, gathered from a journal that may be in use.

Knows nothing about pages. What lies beside the journal (positions, conditions) may be missing: that
is told, and the rest all the same.
"""

import contextlib
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import chain

from control_room.journal.conditions import CONDITIONS
from control_room.journal.database import Database, JournalError, Place
from control_room.journal.query import open_for
from control_room.journal.reading import open_to_read
from control_room.shift_report.acts import ActTable, act_table, forgotten_before_ns
from control_room.shift_report.alarm_table import Alarm, AlarmTable, add_landmarks, alarm_table
from control_room.shift_report.followed import (
    MOST_AT_ONCE,
    add_followed,
    sites_of_positions,
)
from control_room.shift_report.heads import SiteHeads
from control_room.shift_report.load import Load, load_of
from control_room.shift_report.room_life import RoomLife
from control_room.shift_report.span import Span
from control_room.shift_report.told import (
    MOST_KEYS,
    GatewayTold,
    HeadsTold,
    RoomTold,
    places,
    stretches,
)
from control_room.shift_report.watched import Watched
from scene.errors import LamproomError

MOST_SITES = 64
MISSING_KINDS = ("messages_missing", "message_refused")


class UnknownSiteError(LamproomError):
    """The journal has never heard of a site; names those that it knows."""


@dataclass(slots=True, kw_only=True)
class Gathered:
    """A shift."""

    span: Span
    site: str | None
    """The only site that is told of; none: all."""
    made_at_ns: int
    room: RoomLife
    sites: list[SiteHeads] = field(default_factory=list)
    more_sites: frozenset[str] = frozenset()
    """Those of which there is something, too many to be told of."""
    watched: Watched
    alarms: AlarmTable
    load: Load
    acts: ActTable
    too_many: bool = False
    """Whether the journal has more sites or gateways than are gone through."""
    forgotten_ns: int | None = None
    """Alarms from before then that were over are forgotten."""
    no_conditions: str = ""
    """Why there are none."""
    no_positions: str = ""
    missing: dict[str, int] = field(default_factory=dict)
    """Alarms that tell of messages that were lost or refused, by kind."""


def gather(
    place: Place, span: Span, *, site: str | None, operators: int | None, now_ns: int
) -> Gathered:
    """Read all; raises `JournalError` where the journal itself can't be read.

    Raises `UnknownSiteError`.
    """
    room, watched = RoomLife(span), Watched(span)
    heads, more = dict[str, SiteHeads](), set[str]()
    missing: dict[str, int] = {}
    too_many = False
    with contextlib.ExitStack() as stack:
        alarms_database = stack.enter_context(contextlib.closing(open_for(place, "alarms")))
        conditions, no_conditions = _beside(stack, lambda: _open_conditions(place))
        positions, no_positions = _beside(stack, lambda: open_for(place, "positions"))
        if site is not None:
            known = known_sites(alarms_database, conditions, positions, span)
            _check_site(site, known, no_conditions)
        if conditions is None:
            room.add_all(())
        else:
            room.add_all(stretches(conditions, RoomTold, "", "", span))
            too_many = _add_heads(conditions, span, site, heads, more)
            too_many = _add_gateways(conditions, span, site, watched) or too_many

        def also(alarm: Alarm) -> None:
            until_ns = span.to_ns if alarm["cleared_at_ns"] is None else alarm["cleared_at_ns"]
            watched.hint(alarm, until_ns)
            _room_for(alarm["site"], span, heads, more)
            if alarm["kind"] in MISSING_KINDS:
                missing[alarm["kind"]] = missing.get(alarm["kind"], 0) + 1

        alarms = alarm_table(alarms_database, span, site, also)
        if conditions is not None:
            add_landmarks(conditions, alarms.rows, span)
        if positions is not None:
            too_many = _add_followed(positions, span, site, heads, more) or too_many
        return Gathered(
            span=span,
            site=site,
            made_at_ns=now_ns,
            room=room,
            sites=[heads[name] for name in sorted(heads)],
            more_sites=frozenset(more),
            too_many=too_many,
            watched=watched,
            alarms=alarms,
            load=load_of(
                alarms_database,
                span,
                site,
                operators=operators or room.operators,
                rated_ns=room.heard_ns,
            ),
            acts=act_table(alarms_database, span, site),
            forgotten_ns=forgotten_before_ns(alarms_database),
            no_conditions=no_conditions,
            no_positions=no_positions,
            missing=missing,
        )


def known_sites(
    alarms: Database, conditions: Database | None, positions: Database | None, span: Span
) -> set[str]:
    """Name the sites of all alarms and conditions, and of positions within the span.

    Raises `JournalError`.
    """
    found = {row[0] for row in alarms.rows("SELECT DISTINCT site FROM alarm")}
    if conditions is not None:
        for what in ("heads", "gateway", "roadway"):
            found |= {name for name, _ in places(conditions, what, None)}
    return found if positions is None else found | sites_of_positions(positions, span)


def _check_site(site: str, known: set[str], no_conditions: str) -> None:
    if site not in known:
        names = ", ".join(sorted(known)[:MOST_SITES]) or "none yet"
        more = f" (some may be missing: {no_conditions})" if no_conditions else ""
        raise UnknownSiteError(
            f"--site: the journal knows no site {site!r}; it knows {names}{more}"
        )


def _open_conditions(place: Place) -> Database:
    return open_to_read(CONDITIONS.place_of(place), CONDITIONS.check)


def _beside(
    stack: contextlib.ExitStack, opens: Callable[[], Database]
) -> tuple[Database | None, str]:
    try:
        return stack.enter_context(contextlib.closing(opens())), ""
    except JournalError as error:
        return None, str(error).removesuffix("; give another --journal")


def _room_for(name: str, span: Span, heads: dict[str, SiteHeads], more: set[str]) -> None:
    """Have a site told of, or counted among those that are too many."""
    if name not in heads:
        if len(heads) < MOST_SITES:
            heads[name] = SiteHeads(span, name)
        else:
            more.add(name)


def _add_heads(
    conditions: Database,
    span: Span,
    site: str | None,
    heads: dict[str, SiteHeads],
    more: set[str],
) -> bool:
    """Add head-counts; tells whether there are more sites than are gone through."""
    found = places(conditions, "heads", site)
    for name, _ in found:
        told = stretches(conditions, HeadsTold, name, "", span)
        first = next(told, None)
        if first is None:
            continue
        _room_for(name, span, heads, more)
        if name in heads:
            heads[name].add_all(chain((first,), told))
    return len(found) >= MOST_KEYS


def _add_gateways(conditions: Database, span: Span, site: str | None, watched: Watched) -> bool:
    """Add how gateways were; tells whether there are more of them than are gone through."""
    found = places(conditions, "gateway", site)
    for name, gateway in found:
        watched.add_all(name, gateway, stretches(conditions, GatewayTold, name, gateway, span))
    return len(found) >= MOST_KEYS


def _add_followed(
    positions: Database,
    span: Span,
    site: str | None,
    heads: dict[str, SiteHeads],
    more: set[str],
) -> bool:
    """Add who had a place; tells whether there are more sites than are gone through."""
    names = {site} if site is not None else sites_of_positions(positions, span)
    for name in sorted(names):
        _room_for(name, span, heads, more)
    for name, counted in heads.items():
        add_followed(positions, name, counted, span)
    return len(names) >= MOST_AT_ONCE
