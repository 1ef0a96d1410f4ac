"""Which alarms a report is about: those that were active, heard or waiting in its span.

Knows nothing about counts or pages. A gateway that was cut off tells late, and one whose clock is
wrong tells wrong times: what the control room heard in a shift is told in it, whenever it was.
"""

from collections.abc import Iterator

from control_room.journal.database import Database
from control_room.journal.entries import ENTRIES, ENTRY_WIDTH, entry_of
from control_room.journal.query import Found, alarm_row
from control_room.shift_report.span import Span

PAGE = 500
_ORDER = "a.raised_at_ns, a.site, a.gateway, a.alarm"
_HEARD = "a.stored_at_ns >= ? AND a.stored_at_ns < ?"
_ACTIVE = "a.raised_at_ns < ? AND (a.cleared_at_ns IS NULL OR a.cleared_at_ns >= ?)"
# At the end of the span: nobody had acknowledged it by then, or nobody has since.
_WAITING = """a.stored_at_ns < ? AND (a.open = 1 OR (a.latched = 1 AND a.acknowledged IN
(SELECT number FROM act WHERE at_ns >= ?)))"""
_SELECT = ENTRIES.replace("\nFROM alarm", ", a.zone, a.worker, a.track\nFROM alarm", 1)


def alarms_of(database: Database, span: Span, site: str | None) -> Iterator[Found]:
    """Give each once, in the order in which they were raised, as `journal.query` has them.

    Raises `JournalError`.
    """
    where = f"AND (({_HEARD}) OR ({_ACTIVE}) OR ({_WAITING}))"
    values: list[object] = [span.from_ns, span.to_ns, span.to_ns, span.from_ns]
    values += [span.to_ns, span.to_ns]
    if site is not None:
        where, values = f"{where} AND a.site = ?", [*values, site]
    after: tuple[object, ...] = (-(2**63), "", "", "")
    while True:
        rows = database.rows(
            f"{_SELECT} {where} AND ({_ORDER}) > (?,?,?,?) ORDER BY {_ORDER} LIMIT ?",
            (*values, *after, PAGE),
        )
        for row in rows:
            alarm = alarm_row(entry_of(row[:ENTRY_WIDTH]), *row[ENTRY_WIDTH:])
            after = tuple(alarm[name] for name in ("raised_at_ns", "site", "gateway", "alarm"))
            yield alarm
        if len(rows) < PAGE:
            return
