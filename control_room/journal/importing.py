"""Copies a journal out of SQLite into PostgreSQL: all of it once, however often that is cut off.

Knows nothing about progress bars. The audit goes first and in one piece, for it is a chain and a
control room may add to its end at any time; then alarms, conditions and positions, a batch at a
time. How far it is, is written with each batch in the same transaction, so that who goes on after
a kill neither repeats nor passes over anything; and doing all of it again changes nothing.
"""

import contextlib
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from control_room.heads_file import Heads
from control_room.journal.audit import Head, faults_of, head_of
from control_room.journal.conditions import CONDITIONS
from control_room.journal.database import (
    Database,
    JournalError,
    Row,
    Session,
    UnfitAlarmError,
    open_database,
)
from control_room.journal.import_alarms import ALARM, Item, put_alarms, with_words
from control_room.journal.import_files import copy_beside, heads_of
from control_room.journal.partitions import divide, make_pieces, starts_ahead, starts_for
from control_room.journal.positions import POSITIONS
from control_room.journal.reading import open_to_read
from control_room.journal.schema import check, prepare
from control_room.journal.side_table import TIME, SideTable
from scene.clock import Clock

AT_ONCE = 2000
PATIENCE_S = 3600.0
"""So long at most a server may take for one transaction: the whole audit is one."""
PARTS = ("acts", "alarms", "conditions", "positions")
"""In the order in which they are copied."""
MOST_NAMED = 20

_PROGRESS = """
CREATE TABLE IF NOT EXISTS journal_import (
    source {text} NOT NULL, part {text} NOT NULL, after {text} NOT NULL,
    PRIMARY KEY (source, part)
)"""
_NOTE = """
INSERT INTO journal_import VALUES (?,?,?)
ON CONFLICT (source, part) DO UPDATE SET after = excluded.after
"""
_FOR_GOOD = "SET LOCAL synchronous_commit = on"


@dataclass(slots=True)
class Copied:
    """What became of one part."""

    part: str
    rows: int = 0
    """Of the source, so far as this run went through them."""
    new: int = 0
    """So many of them were not in the target."""
    unfit: list[str] = field(default_factory=list)
    """The first ones that no server takes, and why."""
    left_out: int = 0
    is_done: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """What became of the whole."""

    parts: tuple[Copied, ...]
    head: Head
    faults: tuple[str, ...]
    """Of the audit, as `lamproom journal verify` tells them."""
    missing: tuple[str, ...]
    """Files beside the journal that are not there."""


Tell = Callable[[Copied], None]
"""Is told after each batch."""


def count(source: Path) -> dict[str, int]:
    """Count the rows of each part; raises `JournalError` where it is no journal."""
    counts = dict.fromkeys(PARTS, 0)
    for part, table in (("acts", "audit"), ("alarms", "alarm")):
        with contextlib.closing(open_to_read(source, check)) as database:
            ((counts[part],),) = database.rows(f"SELECT COUNT(*) FROM {table}")
    for side in (CONDITIONS, POSITIONS):
        with contextlib.suppress(JournalError), contextlib.closing(_open(side, source)) as database:
            ((counts[side.many],),) = database.rows(f"SELECT COUNT(*) FROM {side.name}")
    return counts


def import_journal(source: Path, target: str, clock: Clock, tell: Tell) -> Imported:
    """Copy all of it; what is there already stays as it is.

    Raises `JournalError`: where the source is no journal of this version, where the server is
    away, or where the target has acts of its own.
    """
    with contextlib.ExitStack() as stack:
        alarms = stack.enter_context(contextlib.closing(open_to_read(source, check, any_text=True)))
        database = stack.enter_context(
            contextlib.closing(open_database(target, _prepare, lasting=False))
        )
        copying = _Import(
            source=source, target=target, alarms=alarms, database=database, clock=clock, tell=tell
        )
        return copying.run()


def _prepare(database: Database) -> None:
    for make in (prepare, CONDITIONS.prepare, POSITIONS.prepare):
        make(database)
    database.write(lambda session: session.change(_PROGRESS))


def _open(side: SideTable, source: Path) -> Database:
    return open_to_read(side.place_of(source), side.check, any_text=True)


@dataclass(kw_only=True)
class _Import:
    """One run."""

    source: Path
    target: str
    alarms: Database
    database: Database
    clock: Clock
    tell: Tell

    def __post_init__(self) -> None:
        self._name = _state_of(self.source)
        self._made: set[tuple[str, int]] = set()
        self._end = self.alarms.read(head_of)
        """What people do after this entry, there or here, is no part of it."""

    def run(self) -> Imported:
        """Do all parts."""
        parts, missing = [self._copy_acts()], list[str]()
        parts.append(self._copy_alarms())
        for side in (CONDITIONS, POSITIONS):
            try:
                opened = _open(side, self.source)
            except JournalError as error:
                missing.append(str(error))
                continue
            with contextlib.closing(opened) as database:
                parts.append(self._copy_side(side, database))
        self.database.write(self._end_of_progress)
        heads = [one.head for one in Heads(heads_of(self.target)).read()[0]]
        head, faults = faults_of(self.database, heads)
        return Imported(parts=tuple(parts), head=head, faults=tuple(faults), missing=tuple(missing))

    def _end_of_progress(self, session: Session) -> None:
        session.change(_FOR_GOOD)
        session.change("DELETE FROM journal_import WHERE source = ?", self._name)

    def _copy_acts(self) -> Copied:
        """Copy the audit and its table of acts, with the heads that are kept elsewhere."""
        copied = Copied("acts")
        end = self._end

        def work(session: Session) -> None:
            session.change(_FOR_GOOD)
            session.alone("audit")
            there = head_of(session)
            self._check_chain(session, there, end)
            for page in self._pages(self.alarms, "audit", ("number",), (there.number,)):
                audit = [row for row in page if row[0] <= end.number]
                copied.new += len(audit)
                if audit:
                    session.change_all(f"INSERT INTO audit VALUES ({_marks(7)})", audit)
            for page in self._pages(self.alarms, "act", ("number",), (there.number,)):
                acts = [row for row in page if row[0] <= end.number]
                if acts:
                    session.change_all(f"INSERT INTO act VALUES ({_marks(9)})", acts)
            # Before a control room can begin heads of its own.
            copy_beside(self.source, self.target)

        try:
            self.database.write(work, within_s=PATIENCE_S)
        except UnfitAlarmError as error:
            raise JournalError(f"{self.source}: its audit can't be taken over: {error}") from None
        except OSError as error:
            raise JournalError(
                f"{self.source}: what lies beside it can't be copied: {error}"
            ) from None
        copied.rows = self.alarms.rows("SELECT COUNT(*) FROM audit")[0][0]
        return self._ended(copied)

    def _check_chain(self, session: Session, there: Head, end: Head) -> None:
        """Raise `JournalError` unless one of the two chains begins with the other."""
        number = min(there.number, end.number)
        sql = "SELECT hash FROM audit WHERE number = ?"
        if number and self.alarms.rows(sql, (number,)) != session.rows(sql, number):
            raise JournalError(
                f"{self.database.name}: its audit has {there.number} entries of its own, and two "
                "audits can't become one; import into a database that no control room has written "
                "acts to yet: make a new one (createdb), and start the control room with it when "
                "acts and alarms are copied"
            )

    def _copy_alarms(self) -> Copied:
        key = ("site", "gateway", "alarm")

        def put(session: Session, items: Sequence[Item]) -> int:
            return put_alarms(session, items, self._end.number)

        pages = self._pages(self.alarms, "alarm", key, self._after("alarms"), ALARM)
        items = (with_words(self.alarms, page) for page in pages)
        return self._copy("alarms", items, put, range(3))

    def _copy_side(self, side: SideTable, database: Database) -> Copied:
        now_ns = self.clock.now_ns()
        divide(self.target, side, now_ns)
        self._make(side, starts_ahead(side, now_ns))

        def put(session: Session, items: Sequence[Item]) -> int:
            return session.change_all(side.insert, [row for row, _ in items])

        def items() -> Iterator[list[Item]]:
            for page in self._pages(database, side.name, side.key, self._after(side.many)):
                times_ns = [row[TIME] for row in page if type(row[TIME]) is int]
                self._make(side, starts_for(side, times_ns, now_ns))
                yield [(row, []) for row in page]

        columns = [row[1] for row in database.rows(f"PRAGMA table_info({side.name})")]
        return self._copy(side.many, items(), put, [columns.index(name) for name in side.key])

    def _make(self, side: SideTable, starts: Iterable[int]) -> None:
        new = {(side.name, start) for start in starts} - self._made
        if new:
            self._made |= new
            only = [start for _, start in new]
            self.database.write(
                lambda session: make_pieces(session, side, only), within_s=PATIENCE_S
            )

    def _copy(
        self,
        part: str,
        pages: Iterable[list[Item]],
        put: Callable[[Session, Sequence[Item]], int],
        key: Iterable[int],
    ) -> Copied:
        """Copy what is left of a part, a page at a time; `key` says where in a row its place is."""
        copied, key = Copied(part), tuple(key)

        def store(items: Sequence[Item]) -> None:
            after = json.dumps([items[-1][0][i] for i in key])

            def work(session: Session) -> int:
                new = put(session, items)
                session.change(_NOTE, self._name, part, after)
                return new

            try:
                copied.new += self.database.write(work, within_s=PATIENCE_S)
            except UnfitAlarmError as error:
                if len(items) > 1:  # the others can be stored
                    for item in items:
                        store([item])
                    return
                copied.left_out += 1
                if len(copied.unfit) < MOST_NAMED:
                    named = " ".join(str(items[0][0][i]) for i in key)
                    copied.unfit.append(f"{part}: {named!a} can't be stored: {error}")

        for items in pages:
            store(items)
            copied.rows += len(items)
            self.tell(copied)
        return self._ended(copied)

    def _ended(self, copied: Copied) -> Copied:
        copied.is_done = True
        self.tell(copied)
        return copied

    def _after(self, part: str) -> tuple[object, ...] | None:
        """Tell how far an earlier run came."""
        sql = "SELECT after FROM journal_import WHERE source = ? AND part = ?"
        found = self.database.rows(sql, (self._name, part))
        return tuple(json.loads(found[0][0])) if found else None

    def _pages(
        self,
        database: Database,
        table: str,
        key: Sequence[str],
        after: tuple[object, ...] | None,
        columns: str = "*",
    ) -> Iterator[list[Row]]:
        """Read a table of the source in the order of its key."""
        order = ", ".join(key)
        while True:
            where = "" if after is None else f"WHERE ({order}) > ({_marks(len(key))})"
            page = database.rows(
                f"SELECT {order}, {columns} FROM {table} {where} ORDER BY {order} LIMIT ?",
                (*(after or ()), AT_ONCE),
            )
            if page:
                yield [row[len(key) :] for row in page]
            if len(page) < AT_ONCE:
                return
            after = tuple(page[-1][: len(key)])


def _state_of(source: Path) -> str:
    """Name the source in the state in which it is: of one that has changed all is copied again."""
    parts = [str(source.resolve())]
    for ending in ("", "-wal", ".conditions", ".conditions-wal", ".positions", ".positions-wal"):
        file = source.with_name(source.name + ending)
        with contextlib.suppress(OSError):
            parts.append(f"{file.stat().st_size}:{file.stat().st_mtime_ns}")
    return " ".join(parts)


def _marks(number: int) -> str:
    return ",".join("?" * number)
