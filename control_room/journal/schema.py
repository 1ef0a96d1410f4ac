"""The journal's tables, and how an older journal becomes a present one.

Knows nothing about what is asked of them. `change` holds what gateways said, `act` what people did
with alarms and `audit` all that people did, as a chain. `alarm` says where each alarm stands now,
one row each, so that looking takes no longer however long the history is; its `rank` is the place
in `SEVERITIES`. An act and its audit entry have the same number.
"""

import contextlib
from collections.abc import Iterator, Sequence

from pydantic import TypeAdapter

from control_room.journal.audit import AUDIT_TABLE, act_entry, append
from control_room.journal.database import (
    Database,
    JournalError,
    Place,
    Session,
    UnfitAlarmError,
    open_database,
)
from control_room.lifecycle import SEVERITIES, Act, Key, is_latched
from scene.messages import Anomaly

__all__ = ["ANOMALY", "VERSION", "JournalError", "UnfitAlarmError", "prepare", "stand"]

ANOMALY: TypeAdapter[Anomaly] = TypeAdapter(Anomaly)
PATIENCE_S = 600.0
"""So long at most a server may take to bring an older table's indexes into order, once."""
VERSION = 3
"""In an SQLite file as `user_version`, on a server in `journal_version`. 1 (written as 0) had
`change` and `acknowledgement` only, 2 no `audit`. PostgreSQL begins with 3."""

_GIVE = (
    "no journal: that is the file which `lamproom control-room --journal` writes on its own "
    "machine (state/journal.sqlite where nothing else is said); give it as --journal"
)

_TABLES = (
    """
    CREATE TABLE IF NOT EXISTS change (
        site {text} NOT NULL,
        gateway {text} NOT NULL,
        alarm {text} NOT NULL,
        state {text} NOT NULL,
        kind {text} NOT NULL,
        severity {text} NOT NULL,
        raised_at_ns {number} NOT NULL,
        captured_at_ns {number} NOT NULL,
        stored_at_ns {number} NOT NULL,
        body {text} NOT NULL,
        PRIMARY KEY (site, gateway, alarm, state)
    ) {by_key}""",
    """
    CREATE TABLE act (
        number {number} PRIMARY KEY,
        site {text} NOT NULL,
        gateway {text} NOT NULL,
        alarm {text} NOT NULL,
        action {text} NOT NULL,
        by {text} NOT NULL,
        reason {text} NOT NULL,
        at_ns {number} NOT NULL,
        until_ns {number}
    )""",
    "CREATE INDEX act_by_alarm ON act (site, gateway, alarm)",
    """
    CREATE TABLE alarm (
        site {text} NOT NULL,
        gateway {text} NOT NULL,
        alarm {text} NOT NULL,
        kind {text} NOT NULL,
        place {text} NOT NULL,
        rank {number} NOT NULL,
        latched {number} NOT NULL,
        over {number} NOT NULL,
        raised_at_ns {number} NOT NULL,
        stored_at_ns {number} NOT NULL,
        cleared_at_ns {number},
        acknowledged {number},
        shelved {number},
        ending {number},
        open {number} GENERATED ALWAYS AS (
            CASE WHEN over = 0 OR (latched = 1 AND acknowledged IS NULL) THEN 1 ELSE 0 END
        ) STORED,
        zone {text},
        worker {text},
        track {number},
        PRIMARY KEY (site, gateway, alarm)
    ) {by_key}""",
    "CREATE INDEX alarm_open ON alarm (open, over, rank, raised_at_ns DESC)",
    "CREATE INDEX alarm_by_raise ON alarm (raised_at_ns)",
    "CREATE INDEX alarm_by_store ON alarm (stored_at_ns)",
    "CREATE INDEX alarm_shelved ON alarm (shelved) WHERE shelved IS NOT NULL",
    "CREATE INDEX alarm_ending ON alarm (ending) WHERE ending IS NOT NULL AND over = 0",
)

_SINCE_3 = (
    AUDIT_TABLE,
    "CREATE INDEX alarm_by_worker ON alarm (worker, raised_at_ns) WHERE worker IS NOT NULL",
)
# Acts are written in the order of time, so that a BRIN index, some kB for a million of them, tells
# in which pages those of a day lie.
_AUDIT_BY_TIME = "CREATE INDEX IF NOT EXISTS audit_by_time ON audit USING brin (at_ns)"
_FROM_2_TO_3 = (
    "ALTER TABLE alarm ADD COLUMN zone {text}",
    "ALTER TABLE alarm ADD COLUMN worker {text}",
    "ALTER TABLE alarm ADD COLUMN track INTEGER",
    # An index with other words on its rows than the question's is not used.
    "DROP INDEX alarm_ending",
    "CREATE INDEX alarm_ending ON alarm (ending) WHERE ending IS NOT NULL AND over = 0",
)

# An alarm that got worse asks anew for somebody; once it is cleared, a late raise changes nothing.
# A name that was known once is not forgotten when a later word has none.
_STAND = """
INSERT INTO alarm (
    site, gateway, alarm, kind, place, rank, latched, over, raised_at_ns, stored_at_ns,
    cleared_at_ns, zone, worker, track
) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?)
ON CONFLICT (site, gateway, alarm) DO UPDATE SET
    acknowledged = CASE WHEN excluded.rank < alarm.rank THEN NULL ELSE alarm.acknowledged END,
    shelved = CASE WHEN excluded.rank < alarm.rank OR excluded.over = 1 THEN NULL
              ELSE alarm.shelved END,
    kind = excluded.kind, place = excluded.place, rank = excluded.rank,
    latched = excluded.latched, over = excluded.over, raised_at_ns = excluded.raised_at_ns,
    cleared_at_ns = excluded.cleared_at_ns, zone = COALESCE(excluded.zone, alarm.zone),
    worker = COALESCE(excluded.worker, alarm.worker),
    track = COALESCE(excluded.track, alarm.track)
WHERE excluded.over = 1 OR alarm.over = 0
"""


def stand(
    session: Session,
    words: Sequence[tuple[tuple[str, str, str], Anomaly]],
    stored_at_ns: int,
) -> None:
    """Note where alarms stand after words on them, each with its site, gateway and alarm."""
    session.change_each(_STAND, [_stand_row(*word, stored_at_ns) for word in words])


def _stand_row(
    place: tuple[str, str, str], anomaly: Anomaly, stored_at_ns: int
) -> tuple[object, ...]:
    over = anomaly.state == "cleared"
    return (
        *place,
        anomaly.kind,
        anomaly.camera or anomaly.zone or "",
        SEVERITIES.index(anomaly.severity),
        int(is_latched(anomaly.kind)),
        int(over),
        anomaly.raised_at_ns,
        stored_at_ns,
        anomaly.captured_at_ns if over else None,
        anomaly.zone,
        anomaly.worker,
        anomaly.track,
    )


def prepare(database: Database) -> None:
    """Make the tables, or bring those of an older journal up to date, all or nothing.

    Raises `JournalError` for a newer or broken journal.
    """
    if database.read(_version) != VERSION:
        database.write(_bring_up_to_date)


def make_fit_for_search(place: Place) -> None:
    """Have a server's older journal answer in the order of SQLite, and find acts by their time.

    On a connection of its own, and a table at a time, so that alarms do not wait. Raises
    `JournalError`; until it is done all is answered the same, but in another order and slower.
    """
    if not isinstance(place, str):
        return
    with contextlib.closing(open_database(place, check)) as database:
        if database.read(_is_fit_for_search):
            return
        for table in ("change", "act", "alarm", "audit"):
            database.write(lambda session: session.order_by_bytes(table), within_s=PATIENCE_S)  # noqa: B023
        database.write(lambda session: session.change(_AUDIT_BY_TIME), within_s=PATIENCE_S)


def _is_fit_for_search(session: Session) -> bool:
    return bool(session.rows("SELECT 1 WHERE to_regclass('audit_by_time') IS NOT NULL"))


def check(database: Database) -> None:
    """Raise `JournalError` unless the tables are there, in this version; changes nothing."""
    version = database.read(_version)
    if version != VERSION:
        raise JournalError(
            f"it is of version {version}, and not {VERSION}; a control room that is started with "
            "it brings it up to date"
        )


def _version(session: Session) -> int:
    """Tell the version of the tables, 0 without any.

    Raises `JournalError` for a newer one, and for a file of ours that is no journal.
    """
    if session.kind == "sqlite":
        ((version,),) = session.rows("PRAGMA user_version")
        _refuse_what_else(session, version)
    elif session.rows("SELECT 1 WHERE to_regclass('journal_version') IS NOT NULL"):
        ((version,),) = session.rows("SELECT version FROM journal_version")
    else:
        version = 0
    if version > VERSION:
        raise JournalError(f"it is of version {version}, and this Lamproom knows {VERSION}")
    return int(version)


def _refuse_what_else(session: Session, version: int) -> None:
    """Raise `JournalError` for the other databases of ours, which lie where a journal may."""
    columns = session.rows("SELECT name FROM pragma_table_info('alarm')") if version == 0 else ()
    if ("receipted_at_ns",) in [tuple(column) for column in columns]:
        raise JournalError(f"it is a gateway's outbox (alarms on their way out), and {_GIVE}")
    beside = "SELECT name FROM sqlite_master WHERE name IN ('position', 'condition')"
    for (name,) in session.rows(beside) if version == 1 else ():
        raise JournalError(f"it holds only the {name}s beside a journal, and {_GIVE}")


def _bring_up_to_date(session: Session) -> None:
    if session.kind == "postgresql":  # two control rooms may begin at once
        session.rows("SELECT pg_advisory_xact_lock(7651230)")
    version = _version(session)
    if version == VERSION:
        return
    for table in (*(_TABLES if version < 2 else _FROM_2_TO_3), *_SINCE_3):
        session.change(table)
    if session.kind == "postgresql":
        session.change(_AUDIT_BY_TIME)
        session.change("CREATE TABLE journal_version (version {number} NOT NULL)")
        session.change("INSERT INTO journal_version VALUES (?)", VERSION)
        return
    if session.rows("SELECT 1 FROM sqlite_master WHERE name = 'acknowledgement'"):
        _take_over(session)
    elif version == 2:
        for place, _, anomaly in _words(session):
            stand_for_search(session, place, anomaly)
    _chain_former_acts(session)
    session.change(f"PRAGMA user_version = {VERSION}")


def stand_for_search(session: Session, place: tuple[str, str, str], anomaly: Anomaly) -> None:
    """Note of an alarm of version 2 what searches ask for."""
    session.change(
        """
        UPDATE alarm SET zone = COALESCE(?, zone), worker = COALESCE(?, worker),
                         track = COALESCE(?, track)
        WHERE site = ? AND gateway = ? AND alarm = ?
        """,
        anomaly.zone,
        anomaly.worker,
        anomaly.track,
        *place,
    )


def _words(session: Session) -> Iterator[tuple[tuple[str, str, str], int, Anomaly]]:
    """Give all words on alarms, of each alarm the clearing last, and when it was first stored."""
    for *place, stored_at_ns, body in session.rows(
        # As in version 1 an alarm was first stored with whichever word came first.
        """
        SELECT c.site, c.gateway, c.alarm,
               (SELECT MIN(stored_at_ns) FROM change
                WHERE (site, gateway, alarm) = (c.site, c.gateway, c.alarm)),
               c.body
        FROM change AS c ORDER BY c.site, c.gateway, c.alarm, c.state
        """
    ):
        site, gateway, alarm = place
        try:
            anomaly = ANOMALY.validate_json(body)
        except ValueError:
            raise JournalError(f"its alarm {alarm} of {gateway} can't be read") from None
        yield (site, gateway, alarm), stored_at_ns, anomaly


def _take_over(session: Session) -> None:
    """Fill the new tables from version 1, which knew neither who acknowledged nor why."""
    for place, stored_at_ns, anomaly in _words(session):
        stand(session, [(place, anomaly)], stored_at_ns)
    session.change(
        """
        INSERT INTO act (site, gateway, alarm, action, by, reason, at_ns)
        SELECT site, gateway, alarm, 'acknowledge', 'operator', '', acknowledged_at_ns
        FROM acknowledgement
        """
    )
    session.change(
        """
        UPDATE alarm SET acknowledged = act.number FROM act
        WHERE (act.site, act.gateway, act.alarm) = (alarm.site, alarm.gateway, alarm.alarm)
        """
    )
    session.change("DROP TABLE acknowledgement")
    session.change("DROP INDEX IF EXISTS change_by_time")


def _chain_former_acts(session: Session) -> None:
    """Begin the chain with what was done before there was one; from here on it can't change."""
    for number, site, gateway, alarm, action, by, reason, at_ns, until_ns in session.rows(
        "SELECT number, site, gateway, alarm, action, by, reason, at_ns, until_ns "
        "FROM act ORDER BY number"
    ):
        key = Key(site=site, gateway=gateway, alarm=alarm)
        act = Act(action=action, by=by, reason=reason, at_ns=at_ns, until_ns=until_ns)
        append(session, act_entry(key, act), number=number)
