"""Everything that a shift report tells, gathered from a journal that may be in use.

Knows nothing about pages. What lies beside the journal (positions, conditions) may be missing: that
is told, and the rest all the same.
"""

import contextlib
from collections.abc import Callable
from dataclasses import dataclass, field

from control_room.journal_conditions import check_conditions, conditions_place
from control_room.journal_database import Database, JournalError, Place
from control_room.journal_query import open_for
from control_room.journal_reading import open_to_read
from control_room.shift_report.acts import ActTable, act_table, forgotten_before_ns
from control_room.shift_report.alarm_table import Alarm, AlarmTable, add_landmarks, alarm_table
from control_room.shift_report.followed import add_followed, sites_of_positions
from control_room.shift_report.heads import SiteHeads
from control_room.shift_report.load import Load, load_of
from control_room.shift_report.room_life import RoomLife
from control_room.shift_report.span import Span
from control_room.shift_report.told import (
    GatewayTold,
    HeadsTold,
    RoomTold,
    places,
    stretches,
)
from control_room.shift_report.watched import Watched

MOST_SITES = 64
MISSING_KINDS = ("messages_missing", "message_refused")


@dataclass(slots=True, kw_only=True)
class Gathered:
    """A shift."""

    span: Span
    site: str | None
    """The only site that is told of; none: all."""
    made_at_ns: int
    room: RoomLife
    sites: list[SiteHeads] = field(default_factory=list)
    watched: Watched
    alarms: AlarmTable
    load: Load
    acts: ActTable
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
    """Read all; raises `JournalError` where the journal itself can't be read."""
    room, watched = RoomLife(span), Watched(span)
    heads: dict[str, SiteHeads] = {}
    missing: dict[str, int] = {}
    with contextlib.ExitStack() as stack:
        alarms_database = stack.enter_context(contextlib.closing(open_for(place, "alarms")))
        conditions, no_conditions = _beside(stack, lambda: _open_conditions(place))
        positions, no_positions = _beside(stack, lambda: open_for(place, "positions"))
        if conditions is None:
            room.add_all(())
        else:
            room.add_all(stretches(conditions, RoomTold, "", "", span))
            _add_conditions(conditions, span, site, heads, watched)

        def also(alarm: Alarm) -> None:
            until_ns = span.to_ns if alarm["cleared_at_ns"] is None else alarm["cleared_at_ns"]
            watched.hint(alarm, until_ns)
            if alarm["site"] not in heads and len(heads) < MOST_SITES:
                heads[alarm["site"]] = SiteHeads(span, alarm["site"])
            if alarm["kind"] in MISSING_KINDS:
                missing[alarm["kind"]] = missing.get(alarm["kind"], 0) + 1

        alarms = alarm_table(alarms_database, span, site, also)
        if conditions is not None:
            add_landmarks(conditions, alarms.rows, span)
        if positions is not None:
            _add_followed(positions, span, site, heads)
        return Gathered(
            span=span,
            site=site,
            made_at_ns=now_ns,
            room=room,
            sites=[heads[name] for name in sorted(heads)],
            watched=watched,
            alarms=alarms,
            load=load_of(
                alarms_database,
                span,
                site,
                operators=operators or room.operators,
                rated_ns=room.states.covered_ns() if room.is_told else span.long_ns,
            ),
            acts=act_table(alarms_database, span, site),
            forgotten_ns=forgotten_before_ns(alarms_database),
            no_conditions=no_conditions,
            no_positions=no_positions,
            missing=missing,
        )


def _open_conditions(place: Place) -> Database:
    return open_to_read(conditions_place(place), check_conditions)


def _beside(
    stack: contextlib.ExitStack, opens: Callable[[], Database]
) -> tuple[Database | None, str]:
    try:
        return stack.enter_context(contextlib.closing(opens())), ""
    except JournalError as error:
        return None, str(error).removesuffix("; give another --journal")


def _add_conditions(
    conditions: Database,
    span: Span,
    site: str | None,
    heads: dict[str, SiteHeads],
    watched: Watched,
) -> None:
    for name, _ in places(conditions, "heads", site)[:MOST_SITES]:
        counted = SiteHeads(span, name)
        counted.add_all(stretches(conditions, HeadsTold, name, "", span))
        if counted.is_told:
            heads[name] = counted
    for name, gateway in places(conditions, "gateway", site):
        watched.add_all(name, gateway, stretches(conditions, GatewayTold, name, gateway, span))


def _add_followed(
    positions: Database, span: Span, site: str | None, heads: dict[str, SiteHeads]
) -> None:
    names = {site} if site is not None else sites_of_positions(positions, span)
    for name in sorted(names - heads.keys()):
        if len(heads) < MOST_SITES:
            heads[name] = SiteHeads(span, name)
    for name, counted in heads.items():
        add_followed(positions, name, counted, span)
