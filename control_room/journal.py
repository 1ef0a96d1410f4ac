"""Journal of alarms: every raise and clear, stored durably before the gateway may forget it.

Knows nothing about MQTT or browsers. SQLite with `synchronous=FULL`; a message that arrives twice
is stored once, because (site, gateway, alarm, state) is the key.
"""

import sqlite3
import threading
from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter

from scene.errors import LamproomError
from scene.messages import Anomaly

_ANOMALY: TypeAdapter[Anomaly] = TypeAdapter(Anomaly)

_TABLES = """
CREATE TABLE IF NOT EXISTS change (
    site TEXT NOT NULL,
    gateway TEXT NOT NULL,
    alarm TEXT NOT NULL,
    state TEXT NOT NULL,
    kind TEXT NOT NULL,
    severity TEXT NOT NULL,
    raised_at_ns INTEGER NOT NULL,
    captured_at_ns INTEGER NOT NULL,
    stored_at_ns INTEGER NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (site, gateway, alarm, state)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS acknowledgement (
    site TEXT NOT NULL,
    gateway TEXT NOT NULL,
    alarm TEXT NOT NULL,
    acknowledged_at_ns INTEGER NOT NULL,
    PRIMARY KEY (site, gateway, alarm)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS change_by_time ON change (raised_at_ns);
"""

_STORE = """
INSERT INTO change VALUES (?,?,?,?,?,?,?,?,?,?)
ON CONFLICT DO UPDATE SET
    kind = excluded.kind, severity = excluded.severity, body = excluded.body,
    captured_at_ns = excluded.captured_at_ns
WHERE excluded.captured_at_ns > captured_at_ns
"""


_WORST = "MIN(CASE c.severity WHEN 'critical' THEN 0 WHEN 'warning' THEN 1 ELSE 2 END)"

MAX_UNSEEN, NO_LIMIT = 500, -1
"""Of alarms that are over, so many at most are listed as open; of active ones all."""


class JournalError(LamproomError):
    """The journal can't be opened or written; names the file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """Which alarm: an alarm's id is unique within its gateway."""

    site: str
    gateway: str
    alarm: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One alarm with all that the journal knows of its life."""

    key: Key
    last: Anomaly
    """The newest word on it; once cleared it stays cleared, whatever arrives late."""
    stored_at_ns: int
    """When the first word on it was stored."""
    cleared_at_ns: int | None
    acknowledged_at_ns: int | None
    """When an operator said that it was seen."""


class Journal:
    """The alarms of one control room; may be used from several threads."""

    def __init__(self, file: Path | None) -> None:
        """Open or create the journal; none keeps it in memory, for a replay.

        Raises `JournalError` that names the file.
        """
        self._name = str(file) if file else ":memory:"
        self._lock = threading.Lock()
        try:
            if file:
                file.parent.mkdir(parents=True, exist_ok=True)
            self._db = sqlite3.connect(self._name, check_same_thread=False, timeout=5.0)
        except (sqlite3.Error, OSError) as error:
            raise JournalError(f"{self._name}: the journal can't be opened: {error}") from None
        try:
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=FULL")
            with self._db:
                self._db.executescript(_TABLES)
        except sqlite3.Error as error:
            self._db.close()
            raise JournalError(
                f"{self._name}: is no journal of Lamproom: {error}; give another --journal"
            ) from None

    def store(self, key: Key, anomaly: Anomaly, *, stored_at_ns: int) -> bool:
        """Store a raise or a clear for good; tells whether it says anything new.

        A later word on the same state, such as a higher severity, replaces the earlier one. On
        return it is on the disk. Raises `JournalError` when it is not.
        """
        row = (
            key.site,
            key.gateway,
            key.alarm,
            anomaly.state,
            anomaly.kind,
            anomaly.severity,
            anomaly.raised_at_ns,
            anomaly.captured_at_ns,
            stored_at_ns,
            _ANOMALY.dump_json(anomaly).decode(),
        )
        return self._write(_STORE, row)

    def acknowledge(self, key: Key, *, acknowledged_at_ns: int) -> bool:
        """Store that an operator has seen an alarm; tells whether it was the first time."""
        sql = "INSERT OR IGNORE INTO acknowledgement VALUES (?,?,?,?)"
        return self._write(sql, (key.site, key.gateway, key.alarm, acknowledged_at_ns))

    def entry(self, key: Key) -> Entry | None:
        """Tell what is known of one alarm."""
        found = self._entries(
            _columns(key), where="WHERE c.site = ? AND c.gateway = ? AND c.alarm = ?"
        )
        return found[0] if found else None

    def open_entries(self) -> list[Entry]:
        """List the alarms that still ask for somebody: active, or never acknowledged.

        The active ones come first, all of them; then of those that were over before anybody saw
        them the first `MAX_UNSEEN`. The worst come before the others, the newest before the older.
        """
        unseen = "HAVING cleared = 1 AND acknowledged IS NULL"
        return [
            *self._entries(having="HAVING cleared = 0", worst_first=True, limit=NO_LIMIT),
            *self._entries(having=unseen, worst_first=True, limit=MAX_UNSEEN),
        ]

    def history(self, limit: int = 100) -> list[Entry]:
        """List the newest alarms, newest first."""
        return self._entries(limit=limit)

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._db.close()

    def _write(self, sql: str, row: tuple[object, ...]) -> bool:
        with self._lock:
            try:
                with self._db:
                    return self._db.execute(sql, row).rowcount == 1
            except (sqlite3.Error, OverflowError) as error:
                raise JournalError(f"{self._name}: the journal can't be written: {error}") from None

    def _entries(
        self,
        values: tuple[object, ...] = (),
        *,
        where: str = "",
        having: str = "",
        worst_first: bool = False,
        limit: int = 1,
    ) -> list[Entry]:
        sql = f"""
            SELECT c.site, c.gateway, c.alarm,
                   MAX(c.state = 'cleared') AS cleared,
                   MIN(c.stored_at_ns),
                   MAX(CASE WHEN c.state = 'cleared' THEN c.captured_at_ns END),
                   a.acknowledged_at_ns AS acknowledged,
                   MAX(CASE WHEN c.state = 'cleared' THEN c.body END),
                   MAX(CASE WHEN c.state = 'active' THEN c.body END)
            FROM change AS c LEFT JOIN acknowledgement AS a USING (site, gateway, alarm)
            {where} GROUP BY c.site, c.gateway, c.alarm {having}
            ORDER BY {_WORST + ", " if worst_first else ""} MAX(c.raised_at_ns) DESC LIMIT ?
        """
        with self._lock:
            try:
                rows = self._db.execute(sql, (*values, limit)).fetchall()
            except sqlite3.Error as error:
                raise JournalError(f"{self._name}: the journal can't be read: {error}") from None
        return [
            Entry(
                key=Key(site=row[0], gateway=row[1], alarm=row[2]),
                last=_ANOMALY.validate_json(row[7] or row[8]),
                stored_at_ns=row[4],
                cleared_at_ns=row[5],
                acknowledged_at_ns=row[6],
            )
            for row in rows
        ]


def _columns(key: Key) -> tuple[str, str, str]:
    """Give the key as the columns of the tables."""
    return key.site, key.gateway, key.alarm
