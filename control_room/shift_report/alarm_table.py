"""The alarms of the span: one pass over them, counts by kind, and the rows to print.

Knows nothing about pages. However many alarms there are, only so many rows are kept: those that
nobody has acknowledged come before all others.
"""

import heapq
from array import array
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from control_room.journal.database import Database
from control_room.lifecycle import SEVERITIES, is_latched
from control_room.shift_report.alarm_choice import alarms_of
from control_room.shift_report.span import Span
from control_room.shift_report.told import Stretch, places, roadways
from scene.landmarks import by_landmark, chainage_of, nearest
from scene.messages import SiteDescription

MOST_ROWS = 300
MOST_KINDS, MOST_GATEWAYS = 100, 1000
MOST_ACTS = 12
"""So many acts on one alarm are printed."""
AT_ONCE = 50

Alarm = dict[str, Any]
"""As `journal.query` gives it."""
Landmark = tuple[str, str]
"""In English and Chinese."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """What somebody did with an alarm."""

    action: str
    by: str
    reason: str
    at_ns: int
    until_ns: int | None


@dataclass(slots=True, kw_only=True)
class AlarmRow:
    """One alarm to print."""

    alarm: Alarm
    landmark: Landmark | None = None
    acts: list[Done] = field(default_factory=list)
    more_acts: int = 0


@dataclass(slots=True, kw_only=True)
class KindCount:
    """How many alarms of a kind there were."""

    kind: str
    raised: int = 0
    """In the span, or heard in it from a clock that is ahead."""
    before: int = 0
    """Raised before, and active, heard or waiting in it."""
    waiting: int = 0
    """That still ask for somebody."""
    untouched: int = 0
    """That nobody ever acknowledged; `waiting` among them."""
    active: int = 0
    """That are not over."""
    shelved: int = 0
    ack_s: "array[float]" = field(default_factory=lambda: array("d"))

    def median_ack_s(self) -> float | None:
        """Give the time to an acknowledgement, half of them took longer; none without any."""
        return median(self.ack_s) if self.ack_s else None


@dataclass(slots=True, kw_only=True)
class AlarmTable:
    """All of it."""

    rows: list[AlarmRow] = field(default_factory=list)
    count: int = 0
    kinds: dict[str, KindCount] = field(default_factory=dict)
    late: int = 0
    """Raised or heard in the span, and heard more than `LATE_S` after they were raised."""
    latest_s: float = 0.0

    @property
    def waiting(self) -> int:
        """How many still ask for somebody."""
        return sum(one.waiting for one in self.kinds.values())

    @property
    def raised(self) -> int:
        """How many were raised in the span."""
        return sum(one.raised for one in self.kinds.values())


LATE_S = 30.0


def alarm_table(
    database: Database, span: Span, site: str | None, also: Callable[[Alarm], None]
) -> AlarmTable:
    """Go through all alarms that were active, heard or waiting in the span; `also` is shown each.

    Raises `JournalError`.
    """
    told = AlarmTable()

    def counted() -> Iterator[Alarm]:
        for alarm in alarms_of(database, span, site):
            also(alarm)
            _count(told, alarm, span)
            yield alarm

    kept = heapq.nsmallest(MOST_ROWS, counted(), key=_order)
    told.rows = [AlarmRow(alarm=alarm) for alarm in kept]
    _add_acts(database, told.rows)
    return told


def waits(alarm: Alarm) -> bool:
    """Tell whether an alarm still asks for somebody."""
    if alarm["acknowledged_at_ns"] is not None:
        return False
    return bool(alarm["state"] == "active" or is_latched(alarm["kind"]))


def _order(alarm: Alarm) -> tuple[int, int, int, str]:
    seen = alarm["acknowledged_at_ns"] is not None
    place = 0 if waits(alarm) else 1 if alarm["state"] == "active" else 2 if not seen else 3
    key = f"{alarm['site']}/{alarm['gateway']}/{alarm['alarm']}"
    return place, SEVERITIES.index(alarm["severity"]), alarm["raised_at_ns"], key


def _count(told: AlarmTable, alarm: Alarm, span: Span) -> None:
    told.count += 1
    kind = alarm["kind"]
    if kind not in told.kinds and len(told.kinds) >= MOST_KINDS:
        kind = "…"
    one = told.kinds.setdefault(kind, KindCount(kind=kind))
    if alarm["raised_at_ns"] >= span.from_ns:
        one.raised += 1
    else:
        one.before += 1
    if max(alarm["raised_at_ns"], alarm["stored_at_ns"]) >= span.from_ns:
        late_s = (alarm["stored_at_ns"] - alarm["raised_at_ns"]) / 1e9
        told.late += late_s > LATE_S
        told.latest_s = max(told.latest_s, late_s)
    one.waiting += waits(alarm)
    one.active += alarm["state"] == "active"
    one.shelved += alarm["shelved_at_ns"] is not None
    if alarm["acknowledged_at_ns"] is None:
        one.untouched += 1
    else:
        one.ack_s.append(acknowledged_after_s(alarm))


def acknowledged_after_s(alarm: Alarm) -> float:
    """Tell how long an alarm waited for somebody, by the control room's clock alone."""
    return max(0.0, float(alarm["acknowledged_at_ns"] - alarm["stored_at_ns"]) / 1e9)


def _add_acts(database: Database, rows: list[AlarmRow]) -> None:
    sql = (
        "SELECT action, by, reason, at_ns, until_ns FROM act "
        "WHERE site = ? AND gateway = ? AND alarm = ? ORDER BY number"
    )
    for start in range(0, len(rows), AT_ONCE):
        some = rows[start : start + AT_ONCE]
        keys = [(r.alarm["site"], r.alarm["gateway"], r.alarm["alarm"]) for r in some]
        found = database.read(lambda session: session.rows_each(sql, keys))  # noqa: B023
        for row, acts in zip(some, found, strict=True):
            row.acts = [
                Done(action=a, by=by, reason=why, at_ns=at_ns, until_ns=until_ns)
                for a, by, why, at_ns, until_ns in acts[:MOST_ACTS]
            ]
            row.more_acts = max(0, len(acts) - MOST_ACTS)


def add_landmarks(conditions: Database, rows: Iterable[AlarmRow], span: Span) -> None:
    """Say of alarms that have a place by which support or mark it was; raises `JournalError`."""
    known: dict[tuple[str, str], list[Stretch[SiteDescription]]] = {}
    there = set(places(conditions, "roadway", None))
    for row in rows:
        alarm = row.alarm
        key, xyz_m = (alarm["site"], alarm["gateway"]), place_of(alarm)
        if key not in there or xyz_m is None:
            continue
        if key not in known:
            if len(known) >= MOST_GATEWAYS:
                continue
            known[key] = roadways(conditions, *key, span)
        site = _then(known[key], alarm["raised_at_ns"])
        row.landmark = None if site is None else _landmark(site, xyz_m)


def place_of(alarm: Alarm) -> tuple[float, float, float] | None:
    """Tell where an alarm was raised; none where that is not known."""
    for lead in ("raised_", ""):
        place = tuple(alarm[f"{lead}{axis}_m"] for axis in "xyz")
        if None not in place:
            return place
    return None


def _then(told: list[Stretch[SiteDescription]], at_ns: int) -> SiteDescription | None:
    """Give the description that held then; before the first one, the first one."""
    held = [one for one in told if one.from_ns <= at_ns]
    return (held[-1] if held else told[0]).told if told else None


def _landmark(site: SiteDescription, xyz_m: tuple[float, float, float]) -> Landmark | None:
    chainage_m = chainage_of(site, xyz_m)
    near = None if chainage_m is None else nearest(site.landmarks, chainage_m)
    if near is None or chainage_m is None:
        return None
    return by_landmark(near, chainage_m), by_landmark(near, chainage_m, "zh")
