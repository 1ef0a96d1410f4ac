"""The journal's tables, and how an older journal becomes a present one.

Knows nothing about what is asked of them. `change` holds what gateways said and `act` what people
did: nothing there is ever lost. `alarm` says where each alarm stands now, one row each, so that
looking takes no longer however long the history is; its `rank` is the place in `SEVERITIES`.
"""

import sqlite3

from pydantic import TypeAdapter

from control_room.lifecycle import SEVERITIES, is_latched
from scene.errors import LamproomError
from scene.messages import Anomaly

ANOMALY: TypeAdapter[Anomaly] = TypeAdapter(Anomaly)
VERSION = 2
"""In the file as `user_version`. 1 (written as 0) had `change` and `acknowledgement` only."""

_TABLES = (
    """
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
    ) WITHOUT ROWID""",
    """
    CREATE TABLE act (
        number INTEGER PRIMARY KEY,
        site TEXT NOT NULL,
        gateway TEXT NOT NULL,
        alarm TEXT NOT NULL,
        action TEXT NOT NULL,
        by TEXT NOT NULL,
        reason TEXT NOT NULL,
        at_ns INTEGER NOT NULL,
        until_ns INTEGER
    )""",
    "CREATE INDEX act_by_alarm ON act (site, gateway, alarm)",
    """
    CREATE TABLE alarm (
        site TEXT NOT NULL,
        gateway TEXT NOT NULL,
        alarm TEXT NOT NULL,
        kind TEXT NOT NULL,
        place TEXT NOT NULL,
        rank INTEGER NOT NULL,
        latched INTEGER NOT NULL,
        over INTEGER NOT NULL,
        raised_at_ns INTEGER NOT NULL,
        stored_at_ns INTEGER NOT NULL,
        cleared_at_ns INTEGER,
        acknowledged INTEGER,
        shelved INTEGER,
        ending INTEGER,
        open INTEGER GENERATED ALWAYS AS (NOT over OR (latched AND acknowledged IS NULL)) VIRTUAL,
        PRIMARY KEY (site, gateway, alarm)
    ) WITHOUT ROWID""",
    "CREATE INDEX alarm_open ON alarm (open, over, rank, raised_at_ns DESC)",
    "CREATE INDEX alarm_by_raise ON alarm (raised_at_ns)",
    "CREATE INDEX alarm_by_store ON alarm (stored_at_ns)",
    "CREATE INDEX alarm_shelved ON alarm (shelved) WHERE shelved IS NOT NULL",
    "CREATE INDEX alarm_ending ON alarm (ending) WHERE ending IS NOT NULL AND NOT over",
)

# An alarm that got worse asks anew for somebody; once it is cleared, a late raise changes nothing.
_STAND = """
INSERT INTO alarm (
    site, gateway, alarm, kind, place, rank, latched, over, raised_at_ns, stored_at_ns,
    cleared_at_ns
) VALUES (?,?,?,?,?,?,?,?,?,?,?)
ON CONFLICT DO UPDATE SET
    acknowledged = CASE WHEN excluded.rank < rank THEN NULL ELSE acknowledged END,
    shelved = CASE WHEN excluded.rank < rank OR excluded.over THEN NULL ELSE shelved END,
    kind = excluded.kind, place = excluded.place, rank = excluded.rank,
    latched = excluded.latched, over = excluded.over, raised_at_ns = excluded.raised_at_ns,
    cleared_at_ns = excluded.cleared_at_ns
WHERE excluded.over OR NOT over
"""


class JournalError(LamproomError):
    """The journal can't be opened or written; names the file."""


class UnfitAlarmError(JournalError):
    """No disk is to blame: what was given can't be stored anywhere."""


def stand(
    db: sqlite3.Connection, place: tuple[str, str, str], anomaly: Anomaly, stored_at_ns: int
) -> None:
    """Note where an alarm stands after a word on it; `place` is site, gateway and alarm."""
    over = anomaly.state == "cleared"
    row = (
        anomaly.kind,
        anomaly.camera or anomaly.zone or "",
        SEVERITIES.index(anomaly.severity),
        is_latched(anomaly.kind),
        over,
        anomaly.raised_at_ns,
        stored_at_ns,
        anomaly.captured_at_ns if over else None,
    )
    db.execute(_STAND, (*place, *row))


def prepare(db: sqlite3.Connection) -> None:
    """Make the tables, or bring those of an older journal up to date, all or nothing.

    Raises `JournalError` for a newer or broken journal, and what `sqlite3` raises.
    """
    with db:
        db.execute("BEGIN IMMEDIATE")
        (version,) = db.execute("PRAGMA user_version").fetchone()
        if version > VERSION:
            raise JournalError(f"it is of version {version}, and this Lamproom knows {VERSION}")
        if version == VERSION:
            return
        for table in _TABLES:
            db.execute(table)
        if db.execute("SELECT 1 FROM sqlite_master WHERE name = 'acknowledgement'").fetchone():
            _take_over(db)
        db.execute(f"PRAGMA user_version = {VERSION}")


def _take_over(db: sqlite3.Connection) -> None:
    """Fill the new tables from version 1, which knew neither who acknowledged nor why."""
    for *place, stored_at_ns, body in db.execute(
        # As in that version an alarm was first stored with whichever word came first.
        """
        SELECT c.site, c.gateway, c.alarm,
               (SELECT MIN(stored_at_ns) FROM change
                WHERE (site, gateway, alarm) = (c.site, c.gateway, c.alarm)),
               c.body
        FROM change AS c ORDER BY c.site, c.gateway, c.alarm, c.state
        """
    ).fetchall():
        site, gateway, alarm = place
        try:
            anomaly = ANOMALY.validate_json(body)
        except ValueError:
            raise JournalError(f"its alarm {alarm} of {gateway} can't be read") from None
        stand(db, (site, gateway, alarm), anomaly, stored_at_ns)
    db.execute(
        """
        INSERT INTO act (site, gateway, alarm, action, by, reason, at_ns)
        SELECT site, gateway, alarm, 'acknowledge', 'operator', '', acknowledged_at_ns
        FROM acknowledgement
        """
    )
    db.execute(
        """
        UPDATE alarm SET acknowledged = act.number FROM act
        WHERE (act.site, act.gateway, act.alarm) = (alarm.site, alarm.gateway, alarm.alarm)
        """
    )
    db.execute("DROP TABLE acknowledgement")
    db.execute("DROP INDEX IF EXISTS change_by_time")
