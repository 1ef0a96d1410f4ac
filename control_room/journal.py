"""Journal of alarms: every word of a gateway and every act of an operator, stored durably.

Knows nothing about MQTT or browsers. SQLite with `synchronous=FULL`; a message that arrives twice
is stored once, because (site, gateway, alarm, state) is the key. A gateway may forget only what is
stored here.
"""

import sqlite3
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from control_room.alarm_rate import Raise
from control_room.journal_schema import (
    ANOMALY,
    JournalError,
    UnfitAlarmError,
    prepare,
    stand,
)
from control_room.lifecycle import SEVERITIES, Act, Action, Entry, Key
from scene.messages import Anomaly

_STORE = """
INSERT INTO change VALUES (?,?,?,?,?,?,?,?,?,?)
ON CONFLICT DO UPDATE SET
    kind = excluded.kind, severity = excluded.severity, body = excluded.body,
    captured_at_ns = excluded.captured_at_ns
WHERE excluded.captured_at_ns > captured_at_ns
"""

_AFTER: dict[Action, str] = {
    "acknowledge": "acknowledged = :act",
    "shelve": "shelved = :act",
    # Back on the list it is as new: the operator who shelved it may have gone home (ISA-18.2).
    "unshelve": "shelved = NULL, acknowledged = NULL",
    # Who says that it has been dealt with has seen it.
    "end": "ending = :act, acknowledged = COALESCE(acknowledged, :act)",
}

_ACTS = ("acknowledged", "shelved", "ending")
# CROSS JOIN keeps `alarm`, with the index that fits, as the outer loop.
_ENTRIES = f"""
SELECT a.site, a.gateway, a.alarm, c.body, a.stored_at_ns, a.cleared_at_ns,
       {", ".join(f"{x}.action, {x}.by, {x}.reason, {x}.at_ns, {x}.until_ns" for x in _ACTS)}
FROM alarm AS a CROSS JOIN change AS c
     ON c.site = a.site AND c.gateway = a.gateway AND c.alarm = a.alarm
     AND c.state = CASE WHEN a.over THEN 'cleared' ELSE 'active' END
     {" ".join(f"LEFT JOIN act AS {x} ON {x}.number = a.{x}" for x in _ACTS)}
"""
_RAISES = "SELECT site, gateway, alarm, kind, rank, place, stored_at_ns FROM alarm"
_WORST_FIRST = "ORDER BY a.rank, a.raised_at_ns DESC LIMIT ?"

LOCKED_S = 1.0
"""So long at most a write waits for somebody else who holds the file (a copy, a repair): meanwhile
nobody watches the gateways, and what was not stored comes again."""
MAX_UNSEEN, NO_LIMIT = 500, -1
"""Of alarms that are over, so many at most are listed as open; of active ones all."""


class Journal:
    """The alarms of one control room; may be used from several threads."""

    def __init__(self, file: Path | None) -> None:
        """Open or create the journal; none keeps it in memory, for a replay.

        A journal of an older version is brought up to date. Raises `JournalError` that names the
        file.
        """
        self._name = str(file) if file else ":memory:"
        self._lock = threading.Lock()
        try:
            if file:
                file.parent.mkdir(parents=True, exist_ok=True)
            self._db = sqlite3.connect(self._name, check_same_thread=False, timeout=LOCKED_S)
        except (sqlite3.Error, OSError) as error:
            raise JournalError(f"{self._name}: the journal can't be opened: {error}") from None
        try:
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=FULL")
            prepare(self._db)
        except (sqlite3.Error, JournalError) as error:
            self._db.close()
            raise JournalError(
                f"{self._name}: is no journal that can be used: {error}; give another --journal"
            ) from None

    def store(self, key: Key, anomaly: Anomaly, *, stored_at_ns: int) -> bool:
        """Store a raise or a clear for good; tells whether it says anything new.

        A later word on the same state, such as a higher severity, replaces the earlier one. A
        higher severity makes it unacknowledged again, and brings it off the shelf. On return it is
        on the disk. Raises `JournalError` when it is not.
        """
        return self.store_all([(key, anomaly)], stored_at_ns=stored_at_ns)[0]

    def store_all(self, changes: Sequence[tuple[Key, Anomaly]], *, stored_at_ns: int) -> list[bool]:
        """Store several at once, all or none, for the price of one; else like `store`.

        Raises `UnfitAlarmError` when one of them is to blame, not the disk.
        """
        with self._lock:
            try:
                with self._db:
                    return [self._store(key, anomaly, stored_at_ns) for key, anomaly in changes]
            except (sqlite3.DataError, sqlite3.InterfaceError, ValueError, OverflowError) as error:
                raise UnfitAlarmError(f"{self._name}: an alarm can't be stored: {error}") from None
            except sqlite3.Error as error:
                raise self._unwritten(error) from None

    def _store(self, key: Key, anomaly: Anomaly, stored_at_ns: int) -> bool:
        row = (
            *_columns(key),
            anomaly.state,
            anomaly.kind,
            anomaly.severity,
            anomaly.raised_at_ns,
            anomaly.captured_at_ns,
            stored_at_ns,
            ANOMALY.dump_json(anomaly).decode(),
        )
        new = self._db.execute(_STORE, row).rowcount == 1
        if new:
            stand(self._db, _columns(key), anomaly, stored_at_ns)
        return new

    def note(self, key: Key, act: Act) -> None:
        """Store what somebody did with an alarm; on return it is on the disk.

        Raises `JournalError`.
        """
        place = dict(zip(("site", "gateway", "alarm"), _columns(key), strict=True))
        row = (*_columns(key), act.action, act.by, act.reason, act.at_ns, act.until_ns)
        sql = f"""
            UPDATE alarm SET {_AFTER[act.action]}
            WHERE site = :site AND gateway = :gateway AND alarm = :alarm
        """
        with self._lock:
            try:
                with self._db:
                    number = self._db.execute(
                        "INSERT INTO act VALUES (NULL,?,?,?,?,?,?,?,?)", row
                    ).lastrowid
                    self._db.execute(sql, place | {"act": number})
            except (sqlite3.Error, OverflowError) as error:
                raise self._unwritten(error) from None

    def entry(self, key: Key) -> Entry | None:
        """Tell what is known of one alarm."""
        where = "WHERE a.site = ? AND a.gateway = ? AND a.alarm = ?"
        found = self._entries(where, *_columns(key))
        return found[0] if found else None

    def open_entries(self) -> list[Entry]:
        """List the alarms that still ask for somebody: active, or latched and not acknowledged.

        The active ones come first, all of them, shelved ones too; then of those that were over
        before anybody saw them the first `MAX_UNSEEN`. The worst come before the others, the
        newest before the older.
        """
        return [
            *self._entries(f"WHERE a.open = 1 AND a.over = 0 {_WORST_FIRST}", NO_LIMIT),
            *self._entries(f"WHERE a.open = 1 AND a.over = 1 {_WORST_FIRST}", MAX_UNSEEN),
        ]

    def history(self, limit: int = 100) -> list[Entry]:
        """List the newest alarms, newest first."""
        return self._entries("ORDER BY a.raised_at_ns DESC LIMIT ?", limit)

    def shelved(self) -> list[Entry]:
        """List the alarms that are on the shelf, those whose time is up included."""
        return self._entries("WHERE a.shelved IS NOT NULL")

    def ending(self) -> list[Entry]:
        """List the active alarms that somebody has ended."""
        return self._entries("WHERE a.ending IS NOT NULL AND NOT a.over")

    def acts(self, key: Key) -> list[Act]:
        """List all that was ever done with an alarm, the oldest first."""
        rows = self._rows(
            "SELECT action, by, reason, at_ns, until_ns FROM act "
            "WHERE site = ? AND gateway = ? AND alarm = ? ORDER BY number",
            _columns(key),
        )
        return [act for row in rows if (act := _act(*row)) is not None]

    def raised_since(self, since_ns: int) -> list[Raise]:
        """List the alarms that were first stored since then."""
        return self._raises(f"{_RAISES} WHERE stored_at_ns >= ?", since_ns)

    def standing_since(self, since_ns: int) -> list[Raise]:
        """List the active alarms that were first stored before then."""
        return self._raises(f"{_RAISES} WHERE open = 1 AND over = 0 AND stored_at_ns < ?", since_ns)

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._db.close()

    def _entries(self, rest: str, *values: object) -> list[Entry]:
        return [
            Entry(
                key=Key(site=row[0], gateway=row[1], alarm=row[2]),
                last=ANOMALY.validate_json(row[3]),
                stored_at_ns=row[4],
                cleared_at_ns=row[5],
                acknowledged=_act(*row[6:11]),
                shelved=_act(*row[11:16]),
                ending=_act(*row[16:21]),
            )
            for row in self._rows(f"{_ENTRIES} {rest}", values)
        ]

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

    def _rows(self, sql: str, values: tuple[object, ...]) -> list[tuple[Any, ...]]:
        with self._lock:
            try:
                return self._db.execute(sql, values).fetchall()
            except sqlite3.Error as error:
                raise JournalError(f"{self._name}: the journal can't be read: {error}") from None

    def _unwritten(self, error: Exception) -> JournalError:
        return JournalError(f"{self._name}: the journal can't be written: {error}")


def _act(
    action: Action | None, by: str, reason: str, at_ns: int, until_ns: int | None
) -> Act | None:
    if action is None:
        return None
    return Act(action=action, by=by, reason=reason, at_ns=at_ns, until_ns=until_ns)


def _columns(key: Key) -> tuple[str, str, str]:
    """Give the key as the columns of the tables."""
    return key.site, key.gateway, key.alarm
