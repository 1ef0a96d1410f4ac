"""Journal of alarms: every word of a gateway and every act of an operator, stored durably.

Knows nothing about MQTT or browsers, or in which database it is stored. A message that arrives
twice is stored once, because (site, gateway, alarm, state) is the key. A gateway may forget only
what is stored here.
"""

import contextlib
import time
from collections.abc import Mapping, Sequence
from typing import Any

from control_room.alarm_rate import Raise
from control_room.journal_audit import (
    RETENTION,
    AuditEntry,
    Head,
    Heads,
    act_entry,
    append,
    as_body,
    head_of,
)
from control_room.journal_database import Place, Row, Session, beside, open_database
from control_room.journal_heads import HeadKeeper
from control_room.journal_schema import ANOMALY, JournalError, prepare, stand
from control_room.lifecycle import CONTROL_ROOM, SEVERITIES, Act, Action, Entry, Key
from scene.messages import Anomaly

_STORE = """
INSERT INTO change VALUES (?,?,?,?,?,?,?,?,?,?)
ON CONFLICT (site, gateway, alarm, state) DO UPDATE SET
    kind = excluded.kind, severity = excluded.severity, body = excluded.body,
    captured_at_ns = excluded.captured_at_ns
WHERE excluded.captured_at_ns > change.captured_at_ns
"""

_AFTER: dict[Action, str] = {
    "acknowledge": "acknowledged = {0}",
    "shelve": "shelved = {0}",
    # Back on the list it is as new: the operator who shelved it may have gone home (ISA-18.2).
    "unshelve": "shelved = NULL, acknowledged = NULL",
    # Who says that it has been dealt with has seen it.
    "end": "ending = {0}, acknowledged = COALESCE(acknowledged, {0})",
}

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
_FORGOTTEN = """
SELECT site, gateway, alarm FROM alarm AS a
WHERE open = 0 AND raised_at_ns < ? AND stored_at_ns < ? AND cleared_at_ns < ? AND NOT EXISTS (
    SELECT 1 FROM act WHERE act.site = a.site AND act.gateway = a.gateway
                            AND act.alarm = a.alarm AND act.at_ns >= ?
) ORDER BY raised_at_ns LIMIT ?
"""
_RAISES = "SELECT site, gateway, alarm, kind, rank, place, stored_at_ns FROM alarm"
_WORST_FIRST = "ORDER BY a.rank, a.raised_at_ns DESC LIMIT ?"

FORGOTTEN_AT_ONCE = 100
"""So many alarms are forgotten in one go: new ones wait no longer than that takes."""
FORGET_PAUSE_S = 0.01
"""Between two goes, so that who waits for the database gets it."""
HEADS_SETTLE_S = 2.0
"""So long is waited at the end for the audit's heads."""
MAX_UNSEEN, NO_LIMIT = 500, 2**62
"""Of alarms that are over, so many at most are listed as open; of active ones all."""


class Journal:
    """The alarms of one control room; may be used from several threads."""

    def __init__(self, place: Place, *, required: bool = False) -> None:
        """Open or create the journal; none keeps it in memory, for a replay.

        A journal of an older version is brought up to date. Raises `JournalError` that names the
        file or server. A server that is away is no error unless it is `required`: reading and
        writing are, until it is back.
        """
        self.place = place
        """Where it lies."""
        heads_file = beside(place, ".heads")
        self._heads = HeadKeeper(Heads(heads_file)) if heads_file else None
        self._database = open_database(place, prepare, required=required)
        if self._heads is not None:
            self._begin_heads(self._heads)

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
        return self._database.write(lambda session: _store(session, changes, stored_at_ns))

    def note(self, key: Key, act: Act) -> None:
        """Store what somebody did with an alarm; on return it is on the disk.

        Raises `JournalError`.
        """

        def work(session: Session) -> Head:
            head = append(session, act_entry(key, act))
            row = (*_columns(key), act.action, act.by, act.reason, act.at_ns, act.until_ns)
            session.change("INSERT INTO act VALUES (?,?,?,?,?,?,?,?,?)", head.number, *row)
            session.change(
                f"UPDATE alarm SET {_AFTER[act.action].format(head.number)} "
                "WHERE site = ? AND gateway = ? AND alarm = ?",
                *_columns(key),
            )
            return head

        self._keep_head(act.at_ns, self._database.write(work))

    def audit(
        self,
        *,
        who: str,
        what: str,
        at_ns: int,
        about: str = "",
        body: Mapping[str, Any] | None = None,
    ) -> Head:
        """Write down what a person did other than with an alarm: a log-in, a change of a user.

        `body` is what else is to be known, plain JSON; no secrets. On return it is on the disk and
        can't be changed without being found. Raises `JournalError`.
        """
        entry = AuditEntry(at_ns=at_ns, who=who, what=what, about=about, body=as_body(body or {}))
        head = self._database.write(lambda session: append(session, entry))
        self._keep_head(at_ns, head)
        return head

    def forget(self, before_ns: int, *, now_ns: int) -> int:
        """Forget alarms that were over and seen, and last acted on, before then; gives how many.

        The audit keeps what was done with them, and that they were forgotten. Raises
        `JournalError`.
        """
        total = 0
        while True:
            done, head = self._database.write(
                lambda session: _forget_some(session, before_ns, now_ns, first=total == 0)  # noqa: B023
            )
            if head is not None:
                self._keep_head(now_ns, head)
            total += done
            if done < FORGOTTEN_AT_ONCE:
                return total
            time.sleep(FORGET_PAUSE_S)

    def head(self) -> Head:
        """Give the newest entry of the audit; raises `JournalError`."""
        return self._database.read(head_of)

    def entry(self, key: Key) -> Entry | None:
        """Tell what is known of one alarm."""
        where = "AND a.site = ? AND a.gateway = ? AND a.alarm = ?"
        found = self._entries(where, *_columns(key))
        return found[0] if found else None

    def entries(self, keys: Sequence[Key]) -> list[Entry | None]:
        """Tell what is known of several alarms, for the price of one."""
        sql = f"{ENTRIES} AND a.site = ? AND a.gateway = ? AND a.alarm = ?"
        asked = [_columns(key) for key in keys]
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
        return self._entries("ORDER BY a.raised_at_ns DESC LIMIT ?", limit)

    def shelved(self) -> list[Entry]:
        """List the alarms that are on the shelf, those whose time is up included."""
        return self._entries("AND a.shelved IS NOT NULL")

    def ending(self) -> list[Entry]:
        """List the active alarms that somebody has ended."""
        return self._entries("AND a.ending IS NOT NULL AND a.over = 0")

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
        """Close the file or the connection."""
        self._database.close()
        if self._heads is not None:
            self._heads.settle(HEADS_SETTLE_S)

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

    def _begin_heads(self, heads: HeadKeeper) -> None:
        """Have the head kept of a chain that has none elsewhere: it was an older journal's."""
        with contextlib.suppress(JournalError):  # the server is away
            rows = self._rows(
                "SELECT at_ns, number, hash FROM audit ORDER BY number DESC LIMIT 1", ()
            )
            for at_ns, number, hash in rows:
                heads.begin(at_ns, Head(number=number, hash=hash))

    def _keep_head(self, at_ns: int, head: Head) -> None:
        """Keep the head of the audit elsewhere; the act is done whether or not that works."""
        if self._heads is not None:
            self._heads.keep(at_ns, head)


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


def _store(
    session: Session, changes: Sequence[tuple[Key, Anomaly]], stored_at_ns: int
) -> list[bool]:
    rows = [
        (
            *_columns(key),
            anomaly.state,
            anomaly.kind,
            anomaly.severity,
            anomaly.raised_at_ns,
            anomaly.captured_at_ns,
            stored_at_ns,
            ANOMALY.dump_json(anomaly).decode(),
        )
        for key, anomaly in changes
    ]
    fresh = [done == 1 for done in session.change_each(_STORE, rows)]
    new = [change for change, is_new in zip(changes, fresh, strict=True) if is_new]
    stand(session, [(_columns(key), anomaly) for key, anomaly in new], stored_at_ns)
    return fresh


def _forget_some(
    session: Session, before_ns: int, now_ns: int, *, first: bool
) -> tuple[int, Head | None]:
    places = session.rows(_FORGOTTEN, *[before_ns] * 4, FORGOTTEN_AT_ONCE)
    if not places:
        return 0, None
    head = None
    if first:
        body = as_body({"before_ns": before_ns})
        entry = AuditEntry(at_ns=now_ns, who=CONTROL_ROOM, what=RETENTION, body=body)
        head = append(session, entry)
    for table in ("change", "alarm", "act"):
        sql = f"DELETE FROM {table} WHERE site = ? AND gateway = ? AND alarm = ?"
        session.change_all(sql, places)
    return len(places), head


def _act(
    action: Action | None, by: str, reason: str, at_ns: int, until_ns: int | None
) -> Act | None:
    if action is None:
        return None
    return Act(action=action, by=by, reason=reason, at_ns=at_ns, until_ns=until_ns)


def _columns(key: Key) -> tuple[str, str, str]:
    """Give the key as the columns of the tables."""
    return key.site, key.gateway, key.alarm
