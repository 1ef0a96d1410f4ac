"""Puts alarms of one journal into another, which may know them already.

Knows nothing about how far an import is.
"""

from collections.abc import Sequence

from control_room.journal.database import Database, Row, Session
from control_room.journal.journal import STORE

Item = tuple[Row, list[Row]]
"""A row, and those that go with it."""
ALARM = (
    "site, gateway, alarm, kind, place, rank, latched, over, raised_at_ns, stored_at_ns, "
    "cleared_at_ns, acknowledged, shelved, ending, zone, worker, track"
)
_OF_ALARM = "site = {0}.site AND gateway = {0}.gateway AND alarm = {0}.alarm"
# A control room may have heard of an alarm again, and people may have acted on it, before it is
# copied. What it knows then is newer: it keeps that, and only the time of the first word goes back.
_PUT_ALARM = f"""
INSERT INTO alarm ({ALARM}) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)
ON CONFLICT (site, gateway, alarm) DO UPDATE SET
    kind = excluded.kind, place = excluded.place, rank = excluded.rank,
    latched = excluded.latched, over = excluded.over, raised_at_ns = excluded.raised_at_ns,
    cleared_at_ns = excluded.cleared_at_ns,
    acknowledged = COALESCE(alarm.acknowledged, excluded.acknowledged),
    shelved = COALESCE(alarm.shelved, excluded.shelved),
    ending = COALESCE(alarm.ending, excluded.ending),
    zone = COALESCE(excluded.zone, alarm.zone),
    worker = COALESCE(excluded.worker, alarm.worker),
    track = COALESCE(excluded.track, alarm.track)
WHERE alarm.over <= excluded.over
    AND NOT EXISTS (SELECT 1 FROM change WHERE {_OF_ALARM.format("excluded")}
                                           AND captured_at_ns > ?)
    AND NOT EXISTS (SELECT 1 FROM act WHERE {_OF_ALARM.format("excluded")} AND number > ?)
"""
_BETWEEN = "(site, gateway, alarm) >= (?,?,?) AND (site, gateway, alarm) <= (?,?,?)"
_KEYS_THERE = f"SELECT site, gateway, alarm FROM alarm WHERE {_BETWEEN}"
_FIRST_STORED = """
UPDATE alarm SET stored_at_ns = ?
WHERE site = ? AND gateway = ? AND alarm = ? AND stored_at_ns > ?
"""


def with_words(database: Database, page: Sequence[Row]) -> list[Item]:
    """Give alarms, rows of `ALARM` in the order of their keys, with what gateways said of each.

    Raises `JournalError`.
    """
    words: dict[Row, list[Row]] = {tuple(row[:3]): [] for row in page}
    sql = f"SELECT * FROM change WHERE {_BETWEEN}"
    for row in database.rows(sql, (*page[0][:3], *page[-1][:3])):
        words.setdefault(tuple(row[:3]), []).append(row)
    return [(row, words[tuple(row[:3])]) for row in page]


def put_alarms(session: Session, items: Sequence[Item], end: int) -> int:
    """Put alarms in their order in; gives how many were not there.

    `end` is the last act that belongs to them: later ones are of whoever writes meanwhile, and
    where there are any on an alarm it stays as it is.
    """
    first, last = items[0][0][:3], items[-1][0][:3]
    there = {tuple(row) for row in session.rows(_KEYS_THERE, *first, *last)}
    alarms, firsts = list[Sequence[object]](), list[Sequence[object]]()
    for alarm, words in items:
        # Acts that came while this ran are no part of it.
        acts = [None if act is None or act > end else act for act in alarm[11:14]]
        told_ns = max((word[7] for word in words), default=0)
        alarms.append((*alarm[:11], *acts, *alarm[14:], told_ns, end))
        firsts.append((alarm[9], *alarm[:3], alarm[9]))
    session.change_all(STORE, [word for _, words in items for word in words])
    session.change_all(_PUT_ALARM, alarms)
    session.change_all(_FIRST_STORED, firsts)
    return sum(tuple(alarm[:3]) not in there for alarm, _ in items)
