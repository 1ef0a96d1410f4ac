"""How many people had a place in the journal: all that is known of heads where no count is.

Knows nothing about conditions. It is no head-count: who was not seen is not in it, and who was lost
and found again is in it twice.
"""

from collections.abc import Sequence

from control_room.journal.database import Database
from control_room.shift_report.heads import SiteHeads
from control_room.shift_report.series import UNKNOWN
from control_room.shift_report.span import NS, Span

MINUTE_NS = 60 * NS
AT_ONCE_MIN = 20
MOST_ROWS = 200_000
"""In so many minutes; more is a mistake or an attack."""
MOST_AT_ONCE = 100
"""Sites with positions in a few hours."""


def add_followed(
    database: Database, site: str, counted: SiteHeads, span: Span
) -> tuple[int, int] | None:
    """Fill in bins that have no count; gives how many rows and bins, none without such bins.

    Raises `JournalError`.
    """
    unknown = [state == UNKNOWN for state in counted.whole.states.worst()]
    if not any(unknown):
        return None
    rows = filled = 0
    for from_ns in range(span.from_ns, span.to_ns, AT_ONCE_MIN * MINUTE_NS):
        until_ns = min(from_ns + AT_ONCE_MIN * MINUTE_NS, span.to_ns)
        if not any(unknown[index] for index, _ in span.parts(from_ns, until_ns)):
            continue
        found = _per_minute(database, site, from_ns, until_ns)
        if found is None:
            counted.followed_left = True
            continue
        rows += sum(found.values())
        for minute_ns, people in found.items():
            for index, _ in span.parts(minute_ns, minute_ns + MINUTE_NS):
                if unknown[index]:
                    filled += counted.followed.most[index] is None
                    counted.followed.add_at(index, people, people)
    return rows, filled


def _per_minute(
    database: Database, site: str, from_ns: int, until_ns: int
) -> dict[int, int] | None:
    """Count different names, and numbers without one, in each minute that has any.

    None where they are more than `MOST_ROWS`: better nothing than too few.
    """
    pairs: Sequence[tuple[int, str]] = database.rows(
        f"""
        SELECT DISTINCT (at_ns - ?) / {MINUTE_NS},
               COALESCE(worker, gateway || ' #' || CAST(track AS TEXT))
        FROM position WHERE at_ns >= ? AND at_ns < ? AND site = ? LIMIT ?
        """,
        (from_ns, from_ns, until_ns, site, MOST_ROWS),
    )
    if len(pairs) >= MOST_ROWS:
        return None
    found: dict[int, int] = {}
    for minute, _ in pairs:
        at_ns = from_ns + minute * MINUTE_NS
        found[at_ns] = found.get(at_ns, 0) + 1
    return found


def sites_of_positions(database: Database, span: Span) -> set[str]:
    """Name the sites that have positions in the span; raises `JournalError`."""
    found: set[str] = set()
    for from_ns in range(span.from_ns, span.to_ns, 6 * 60 * MINUTE_NS):
        until_ns = min(from_ns + 6 * 60 * MINUTE_NS, span.to_ns)
        rows = database.rows(
            f"SELECT DISTINCT site FROM position WHERE at_ns >= ? AND at_ns < ? "
            f"LIMIT {MOST_AT_ONCE}",
            (from_ns, until_ns),
        )
        found.update(row[0] for row in rows)
    return found
