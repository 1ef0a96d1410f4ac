"""What the journal knows of alarms: how each stands now, and what was done with it.

Knows nothing about how it came to be written, or through which connection it is read.
"""

from collections.abc import Sequence

from control_room.alarm_rate import Raise
from control_room.journal.audit import AuditEntry
from control_room.journal.database import Database, Row
from control_room.journal.schema import ANOMALY
from control_room.lifecycle import SEVERITIES, Act, Action, Entry, Key

_ACTS = ("acknowledged", "shelved", "ending")
# CROSS JOIN keeps `alarm`, with the index that fits, as the outer loop in SQLite.
ENTRIES = f"""
SELECT a.site, a.gateway, a.alarm, c.body, a.stored_at_ns, a.cleared_at_ns,
       {", ".join(f"{x}.action, {x}.by, {x}.reason, {x}.at_ns, {x}.until_ns" for x in _ACTS)},
       r.body
FROM alarm AS a CROSS JOIN change AS c
     LEFT JOIN change AS r ON a.over = 1 AND r.state = 'active'
          AND r.site = a.site AND r.gateway = a.gateway AND r.alarm = a.alarm
     {" ".join(f"LEFT JOIN act AS {x} ON {x}.number = a.{x}" for x in _ACTS)}
WHERE c.site = a.site AND c.gateway = a.gateway AND c.alarm = a.alarm
      AND c.state = CASE WHEN a.over = 1 THEN 'cleared' ELSE 'active' END
"""
ENTRY_WIDTH = 22
"""So many columns has a row of `ENTRIES`."""
_RAISES = "SELECT site, gateway, alarm, kind, rank, place, stored_at_ns FROM alarm"
_WORST_FIRST = "ORDER BY a.rank, a.raised_at_ns DESC, a.site, a.gateway, a.alarm LIMIT ?"

MAX_UNSEEN, NO_LIMIT = 500, 2**62
"""Of alarms that are over, so many at most are listed as open; of active ones all."""


class Entries:
    """Answers of one database; each raises `JournalError`. May be used from several threads."""

    def __init__(self, database: Database) -> None:
        """Ask this database; whoever opened it closes it."""
        self._database = database

    def entry(self, key: Key) -> Entry | None:
        """Tell what is known of one alarm."""
        where = "AND a.site = ? AND a.gateway = ? AND a.alarm = ?"
        found = self._entries(where, *columns_of(key))
        return found[0] if found else None

    def entries(self, keys: Sequence[Key]) -> list[Entry | None]:
        """Tell what is known of several alarms, for the price of one."""
        sql = f"{ENTRIES} AND a.site = ? AND a.gateway = ? AND a.alarm = ?"
        asked = [columns_of(key) for key in keys]
        found = self._database.read(lambda session: session.rows_each(sql, asked))
        return [entry_of(rows[0]) if rows else None for rows in found]

    def open_entries(self) -> list[Entry]:
        """List the alarms that still ask for somebody: active, or latched and not acknowledged.

        The active ones come first, all of them, shelved ones too; then of those that were over
        before anybody saw them the first `MAX_UNSEEN`. The worst come before the others, the
        newest before the older.
        """
        return [
            *self._entries(f"AND a.open = 1 AND a.over = 0 {_WORST_FIRST}", NO_LIMIT),
            *self._entries(f"AND a.open = 1 AND a.over = 1 {_WORST_FIRST}", MAX_UNSEEN),
        ]

    def history(self, limit: int = 100) -> list[Entry]:
        """List the newest alarms, newest first."""
        newest_first = "ORDER BY a.raised_at_ns DESC, a.site DESC, a.gateway DESC, a.alarm DESC"
        return self._entries(f"{newest_first} LIMIT ?", limit)

    def shelved(self) -> list[Entry]:
        """List the alarms that are on the shelf, those whose time is up included."""
        return _in_order(self._entries("AND a.shelved IS NOT NULL"))

    def ending(self) -> list[Entry]:
        """List the active alarms that somebody has ended."""
        return _in_order(self._entries("AND a.ending IS NOT NULL AND a.over = 0"))

    def acts(self, key: Key) -> list[Act]:
        """List all that was ever done with an alarm, the oldest first."""
        rows = self._rows(
            "SELECT action, by, reason, at_ns, until_ns FROM act "
            "WHERE site = ? AND gateway = ? AND alarm = ? ORDER BY number",
            columns_of(key),
        )
        return [act for row in rows if (act := _act(*row)) is not None]

    def audited(self, *what: str, after: int = 0) -> list[AuditEntry]:
        """List the entries of the audit of these kinds, the oldest first, after one's number."""
        marks = ",".join("?" * len(what))
        rows = self._rows(
            "SELECT at_ns, who, what, about, body FROM audit "
            f"WHERE number > ? AND what IN ({marks}) ORDER BY number",
            (after, *what),
        )
        return [
            AuditEntry(at_ns=at_ns, who=who, what=kind, about=about, body=body)
            for at_ns, who, kind, about, body in rows
        ]

    def raised_since(self, since_ns: int) -> list[Raise]:
        """List the alarms that were first stored since then."""
        return self._raises(f"{_RAISES} WHERE stored_at_ns >= ?", since_ns)

    def standing_since(self, since_ns: int) -> list[Raise]:
        """List the active alarms that were first stored before then."""
        return self._raises(f"{_RAISES} WHERE open = 1 AND over = 0 AND stored_at_ns < ?", since_ns)

    def _entries(self, rest: str, *values: object) -> list[Entry]:
        return [entry_of(row) for row in self._rows(f"{ENTRIES} {rest}", values)]

    def _raises(self, sql: str, *values: object) -> list[Raise]:
        return [
            Raise(
                key=Key(site=site, gateway=gateway, alarm=alarm),
                kind=kind,
                severity=SEVERITIES[rank],
                place=place,
                stored_at_ns=stored_at_ns,
            )
            for site, gateway, alarm, kind, rank, place, stored_at_ns in self._rows(sql, values)
        ]

    def _rows(self, sql: str, values: tuple[object, ...]) -> list[Row]:
        return self._database.rows(sql, values)


def entry_of(row: Row) -> Entry:
    """Read a row of `ENTRIES`."""
    last = ANOMALY.validate_json(row[3])
    raised = last if last.state == "active" else None
    return Entry(
        key=Key(site=row[0], gateway=row[1], alarm=row[2]),
        last=last,
        stored_at_ns=row[4],
        cleared_at_ns=row[5],
        acknowledged=_act(*row[6:11]),
        shelved=_act(*row[11:16]),
        ending=_act(*row[16:21]),
        raised=raised if row[21] is None else ANOMALY.validate_json(row[21]),
    )


def _in_order(entries: list[Entry]) -> list[Entry]:
    """Put a few in the order of their keys; asked for one, SQLite would walk through all alarms."""
    return sorted(entries, key=lambda entry: columns_of(entry.key))


def _act(
    action: Action | None, by: str, reason: str, at_ns: int, until_ns: int | None
) -> Act | None:
    if action is None:
        return None
    return Act(action=action, by=by, reason=reason, at_ns=at_ns, until_ns=until_ns)


def columns_of(key: Key) -> tuple[str, str, str]:
    """Give the key as the columns of the tables."""
    return key.site, key.gateway, key.alarm
