"""How many alarms each operator got over the span: rate, floods, who alarmed most.

Knows nothing about plots. Limits and what counts are those of `alarm_rate.py`: every alarm raised
counts, by when the control room heard of it.
"""

from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass, field

from control_room.alarm_rate import (
    ACCEPTABLE_PER_HOUR,
    FLOOD_PER_10_MIN,
    MOST_PER_HOUR,
    OFFENDERS,
    STANDING_S,
    TEN_MIN_S,
)
from control_room.journal.database import Database, Row
from control_room.lifecycle import SEVERITIES
from control_room.shift_report.span import NS, Span

PAGE = 2000
TEN_MIN_NS = TEN_MIN_S * NS
LEAST_RATED_S = 600.0
"""A rate over less time says nothing."""
MOST_OFFENDERS = 5000
MOST_STANDING, MOST_COUNTED = 20, 500

Offender = tuple[str, str, str, str]
"""Kind, site, gateway, place."""


@dataclass(slots=True, kw_only=True)
class Load:
    """The load of one operator position."""

    operators: int
    operators_told: bool
    """Whether somebody said how many there are."""
    rated_s: float
    """Over so much time rates are taken; 0: nobody knows of any in which alarms could come in."""
    tens: list[Counter[str]]
    """By severity, in each 10 minutes of the span."""
    count: int = 0
    worst_10_min: int = 0
    """The most in any 10 minutes, all operators together."""
    worst_at_ns: int = 0
    """When those began."""
    offenders: Counter[Offender] = field(default_factory=Counter)
    standing: list[tuple[Offender, int]] = field(default_factory=list)
    """Active at the end for more than 24 h, and heard of first then."""
    more_standing: int = 0
    """So many more, at least."""
    offenders_left: bool = False
    """Whether there were more than are counted, so that the list may be wrong."""

    @property
    def per_hour(self) -> float | None:
        """Alarms per hour and operator; none where the time is too short to tell."""
        if self.rated_s < LEAST_RATED_S:
            return None
        return self.count / (self.rated_s / 3600) / self.operators

    @property
    def floods(self) -> int:
        """How many of the 10 minutes were a flood."""
        return sum(one.total() > FLOOD_PER_10_MIN * self.operators for one in self.tens)

    @property
    def is_flood(self) -> bool:
        """Whether any 10 minutes were one."""
        return self.worst_10_min > FLOOD_PER_10_MIN * self.operators

    @property
    def verdict(self) -> str:
        """`green`, `amber` or `red`; empty where there is no rate to judge."""
        rate = self.per_hour
        if self.is_flood or (rate is not None and rate > MOST_PER_HOUR):
            return "red"
        if rate is None:
            return ""
        return "green" if rate <= ACCEPTABLE_PER_HOUR else "amber"


def load_of(
    database: Database,
    span: Span,
    site: str | None,
    *,
    operators: int | None,
    rated_ns: int,
) -> Load:
    """Work it out; `rated_ns` is for how long it is known that alarms could come in.

    Raises `JournalError`.
    """
    told = Load(
        operators=operators or 1,
        operators_told=operators is not None,
        rated_s=rated_ns / NS,
        tens=[Counter() for _ in range(-(-span.long_ns // TEN_MIN_NS))],
    )
    recent: deque[int] = deque()
    for at_ns, row_site, gateway, _, kind, rank, place in _raised(database, span, site):
        told.count += 1
        told.tens[(at_ns - span.from_ns) // TEN_MIN_NS][SEVERITIES[rank]] += 1
        offender = (kind, row_site, gateway, place)
        if offender in told.offenders or len(told.offenders) < MOST_OFFENDERS:
            told.offenders[offender] += 1
        else:
            told.offenders_left = True
        recent.append(at_ns)
        while at_ns - recent[0] >= TEN_MIN_NS:
            recent.popleft()
        if len(recent) > told.worst_10_min:
            told.worst_10_min, told.worst_at_ns = len(recent), recent[0]
    told.offenders = Counter(dict(told.offenders.most_common(OFFENDERS)))
    _add_standing(database, told, span, site)
    return told


def _raised(database: Database, span: Span, site: str | None) -> Iterator[Row]:
    """Give the alarms that were first stored in the span, in that order."""
    after: tuple[object, ...] = (span.from_ns, "", "", "")
    only, values = ("", ()) if site is None else ("AND site = ?", (site,))
    while True:
        page = database.rows(
            "SELECT stored_at_ns, site, gateway, alarm, kind, rank, place FROM alarm "
            "WHERE stored_at_ns >= ? AND stored_at_ns < ? "
            f"AND (stored_at_ns, site, gateway, alarm) > (?,?,?,?) {only} "
            "ORDER BY stored_at_ns, site, gateway, alarm LIMIT ?",
            (after[0], span.to_ns, *after, *values, PAGE),
        )
        yield from page
        if len(page) < PAGE:
            return
        after = tuple(page[-1][:4])


def _add_standing(database: Database, told: Load, span: Span, site: str | None) -> None:
    """Find what had been active for more than a day at the end."""
    only, values = ("", ()) if site is None else ("AND site = ?", (site,))
    rows = database.rows(
        "SELECT kind, site, gateway, place, stored_at_ns FROM alarm WHERE stored_at_ns < ? "
        f"AND (cleared_at_ns IS NULL OR cleared_at_ns >= ?) {only} "
        "ORDER BY stored_at_ns, site, gateway, alarm LIMIT ?",
        (span.to_ns - STANDING_S * NS, span.to_ns, *values, MOST_COUNTED),
    )
    told.standing = [((row[0], row[1], row[2], row[3]), row[4]) for row in rows[:MOST_STANDING]]
    told.more_standing = max(0, len(rows) - MOST_STANDING)
