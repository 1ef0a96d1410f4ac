"""Journal of alarms: every word of a gateway and every act of an operator, stored durably.

Knows nothing about MQTT or browsers, or in which database it is stored. A message that arrives
twice is stored once, because (site, gateway, alarm, state) is the key. A gateway may forget only
what is stored here.
"""

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from control_room.heads_file import Heads
from control_room.journal.audit import (
    RETENTION,
    AuditEntry,
    Head,
    act_entry,
    append,
    as_body,
    head_of,
)
from control_room.journal.database import Place, Session, beside, open_database
from control_room.journal.entries import Entries, columns_of
from control_room.journal.heads import HeadKeeper
from control_room.journal.reading import open_to_read
from control_room.journal.schema import ANOMALY, VERSION, JournalError, check, prepare, stand
from control_room.lifecycle import CONTROL_ROOM, Act, Action, Key
from scene.messages import Anomaly

STORE = """
INSERT INTO change VALUES (?,?,?,?,?,?,?,?,?,?)
ON CONFLICT (site, gateway, alarm, state) DO UPDATE SET
    kind = excluded.kind, severity = excluded.severity, body = excluded.body,
    captured_at_ns = excluded.captured_at_ns
WHERE excluded.captured_at_ns > change.captured_at_ns
"""
"""Puts a gateway's word in; of one state the newest stays."""

_AFTER: dict[Action, str] = {
    "acknowledge": "acknowledged = {0}",
    "shelve": "shelved = {0}",
    # Back on the list it is as new: the operator who shelved it may have gone home (ISA-18.2).
    "unshelve": "shelved = NULL, acknowledged = NULL",
    # Who says that it has been dealt with has seen it.
    "end": "ending = {0}, acknowledged = COALESCE(acknowledged, {0})",
}

_FORGOTTEN = """
SELECT site, gateway, alarm FROM alarm AS a
WHERE open = 0 AND raised_at_ns < ? AND stored_at_ns < ? AND cleared_at_ns < ? AND NOT EXISTS (
    SELECT 1 FROM act WHERE act.site = a.site AND act.gateway = a.gateway
                            AND act.alarm = a.alarm AND act.at_ns >= ?
) ORDER BY raised_at_ns LIMIT ?
"""
FORGOTTEN_AT_ONCE = 100
"""So many alarms are forgotten in one go: new ones wait no longer than that takes."""
FORGET_PAUSE_S = 0.01
"""Between two goes, so that who waits for the database gets it."""
HEADS_SETTLE_S = 2.0
"""So long is waited at the end for the audit's heads."""


class Journal(Entries):
    """The alarms of one control room; may be used from several threads."""

    def __init__(
        self, place: Place, *, required: bool = False, sign: Callable[[str], str] | None = None
    ) -> None:
        """Open or create the journal; none keeps it in memory, for a replay.

        A journal of an older version is brought up to date. Raises `JournalError` that names the
        file or server. A server that is away is no error unless it is `required`: reading and
        writing are, until it is back.
        """
        self.place = place
        """Where it lies."""
        heads_file = beside(place, ".heads")
        self._heads = HeadKeeper(Heads(heads_file, sign)) if heads_file else None
        super().__init__(open_database(place, prepare, required=required))
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
            row = (*columns_of(key), act.action, act.by, act.reason, act.at_ns, act.until_ns)
            session.change("INSERT INTO act VALUES (?,?,?,?,?,?,?,?,?)", head.number, *row)
            session.change(
                f"UPDATE alarm SET {_AFTER[act.action].format(head.number)} "
                "WHERE site = ? AND gateway = ? AND alarm = ?",
                *columns_of(key),
            )
            return head

        self._keep_head(act.at_ns, self._database.write(work))

    def reopen(self, key: Key) -> None:
        """Have an alarm as if it had not been cleared: its gateway, gone for a while, still has it.

        Nobody counts as having seen it. Raises `JournalError`.
        """

        def work(session: Session) -> None:
            which = "WHERE site = ? AND gateway = ? AND alarm = ?"
            session.change(f"DELETE FROM change {which} AND state = 'cleared'", *columns_of(key))
            session.change(
                "UPDATE alarm SET over = 0, cleared_at_ns = NULL, acknowledged = NULL, "
                f"shelved = NULL {which}",
                *columns_of(key),
            )

        self._database.write(work)

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

    def forget_all(self) -> None:
        """Forget every alarm at once; only what is in memory, a replay's, can be so emptied."""
        assert self.place is None

        def work(session: Session) -> None:
            for table in ("change", "alarm", "act"):
                session.change(f"DELETE FROM {table}")

        self._database.write(work)

    def check_writable(self) -> None:
        """Raise `JournalError` unless it can be written now, a full disk included.

        What the journal holds stays as it is.
        """
        with contextlib.suppress(_TakenBack):
            self._database.write(_try_to_write)

    def head(self) -> Head:
        """Give the newest entry of the audit; raises `JournalError`."""
        return self._database.read(head_of)

    @contextlib.contextmanager
    def apart(self) -> Iterator[Entries]:
        """Open a connection of its own to ask for much: no alarm waits behind what is asked there.

        A journal that is in memory only has no other. Raises `JournalError`.
        """
        if self.place is None:
            yield self
            return
        with contextlib.closing(open_to_read(self.place, check)) as database:
            yield Entries(database)

    def close(self) -> None:
        """Close the file or the connection."""
        self._database.close()
        if self._heads is not None:
            self._heads.settle(HEADS_SETTLE_S)

    def _begin_heads(self, heads: HeadKeeper) -> None:
        """Have the head kept of a chain that has none elsewhere, such as an older journal's."""
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


_TRIAL = "CREATE TEMPORARY TABLE trial AS SELECT 1 AS number"


class _TakenBack(Exception):
    """What was written is not to stay."""


def _try_to_write(session: Session) -> None:
    if session.kind == "sqlite":  # there only what stays comes to the disk
        session.change(f"PRAGMA user_version = {VERSION}")
        return
    # In a file of its own: on a full disk there is room left within the others, but not for long.
    ((may,),) = session.rows("SELECT has_database_privilege(current_database(), 'TEMPORARY')")
    session.change(_TRIAL if may else "UPDATE journal_version SET version = version")
    raise _TakenBack


def _store(
    session: Session, changes: Sequence[tuple[Key, Anomaly]], stored_at_ns: int
) -> list[bool]:
    rows = [
        (
            *columns_of(key),
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
    fresh = [done == 1 for done in session.change_each(STORE, rows)]
    new = [change for change, is_new in zip(changes, fresh, strict=True) if is_new]
    stand(session, [(columns_of(key), anomaly) for key, anomaly in new], stored_at_ns)
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
