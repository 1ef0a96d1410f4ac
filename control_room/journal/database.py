"""The databases a journal can live in, an SQLite file or a PostgreSQL server, spoken to in one SQL.

Knows nothing about alarms. SQL is written with `?` for values and `{number}` and the like for the
few words that differ. Nobody waits long: a file that somebody else holds, a server that is away or
hangs, is a `JournalError` within seconds.
"""

import contextlib
import socket
import sqlite3
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import parse_qsl, urlsplit

from scene.errors import LamproomError

T = TypeVar("T")
Row = tuple[Any, ...]
Place = Path | str | None
"""An SQLite file, the address of a PostgreSQL database, or none for memory only."""

SCHEMES = ("postgresql", "postgres")
_ADVICE = {
    "disk is full": "make room on its disk; gateways keep their alarms meanwhile",
    "readonly database": "see why its disk or file can only be read (`mount`, `ls -l`)",
    "disk I/O error": "its disk fails or is full: look at it (`dmesg`, `df`)",
    "database is locked": "something else holds it, a copy or a backup: let that end",
}
"""What to do about what SQLite says."""
LOCKED_S = 1.0
"""So long at most a write waits for somebody else who holds the file (a copy, a repair): meanwhile
nobody watches the gateways, and what was not stored comes again."""
ANSWER_S = 3.0
"""A server that has not answered for so long counts as away, for the same reason."""
AGAIN_S = 1.0
"""So often a server that is away is tried again, in a thread that nobody waits for."""


class JournalError(LamproomError):
    """The journal can't be opened, read or written; names the file or server."""


class UnfitAlarmError(JournalError):
    """No disk is to blame: what was given can't be stored anywhere."""


def place_of(text: str) -> Path | str:
    """Read what `--journal` was given; raises `JournalError`, which never shows a password.

    >>> place_of("state/journal.sqlite")
    PosixPath('state/journal.sqlite')
    >>> place_of("postgresql://lamproom@db.mine/journal")
    'postgresql://lamproom@db.mine/journal'
    """
    try:
        parts = urlsplit(text)
        secret = parts.password is not None or any(
            "password" in name for name, _ in parse_qsl(parts.query, keep_blank_values=True)
        )
    except ValueError:
        return Path(text)
    if parts.scheme not in SCHEMES:
        return Path(text)
    if secret:
        raise JournalError(
            "--journal: no password in the address, where everybody on this computer can read it; "
            "put it into ~/.pgpass or the file that PGPASSFILE names"
        )
    return text


def beside(place: Place, ending: str) -> Path | None:
    """Name a file that lies beside the journal; of a server's, in `state/` of this computer.

    >>> beside("postgresql://db.mine/journal", ".heads")
    PosixPath('state/journal.heads')
    """
    if place is None:
        return None
    if isinstance(place, str):
        return Path("state") / f"journal{ending}"
    return place.with_name(place.name + ending)


class Session:
    """What can be said to a database within one transaction."""

    def __init__(self, connection: Any, kind: str, translate: Callable[[str], str]) -> None:
        self._connection = connection
        self._translate = translate
        self.kind = kind
        """`sqlite` or `postgresql`."""
        self.answers = 0
        """So many were waited for."""

    def alone(self, table: str) -> None:
        """Be the only one who writes to a table, until the transaction ends."""
        if self.kind == "postgresql":  # in SQLite only one ever writes
            self.answers += 1
            self._connection.execute(f"LOCK TABLE {table} IN EXCLUSIVE MODE")

    def order_by_bytes(self, table: str) -> None:
        """Have the texts of a table in the order of their bytes, as SQLite has them."""
        if self.kind == "sqlite":
            return
        found = self.rows(
            "SELECT attname FROM pg_attribute WHERE attrelid = to_regclass(?) AND attnum > 0 "
            """AND attcollation NOT IN (0, CAST('"C"' AS regcollation)) AND NOT attisdropped""",
            table,
        )
        if found:
            each = (f'ALTER {name} TYPE TEXT COLLATE "C"' for (name,) in found)
            self.change(f"ALTER TABLE {table} {', '.join(each)}")

    def rows(self, sql: str, *values: object) -> list[Row]:
        """Ask for rows."""
        self.answers += 1
        found: list[Row] = self._connection.execute(self._translate(sql), values).fetchall()
        return found

    def rows_each(self, sql: str, rows: Sequence[Sequence[object]]) -> list[list[Row]]:
        """Ask the same with each row of values."""
        if self.kind == "sqlite":
            return [self.rows(sql, *row) for row in rows]
        self.answers += len(rows)
        with self._connection.pipeline():  # all sent at once: a server may be far away
            found = [self._connection.execute(self._translate(sql), row) for row in rows]
        return [one.fetchall() for one in found]

    def change(self, sql: str, *values: object) -> int:
        """Change something; tells how many rows."""
        self.answers += 1
        return int(self._connection.execute(self._translate(sql), values).rowcount)

    def change_each(self, sql: str, rows: Sequence[Sequence[object]]) -> list[int]:
        """Do the same change with each row of values; tells how many rows each time changed."""
        if self.kind == "sqlite":
            return [self.change(sql, *row) for row in rows]
        self.answers += len(rows)
        with self._connection.pipeline():  # all sent at once: a server may be far away
            done = [self._connection.execute(self._translate(sql), row) for row in rows]
        return [int(one.rowcount) for one in done]

    def change_all(self, sql: str, rows: Sequence[Sequence[object]]) -> int:
        """Do the same change with each row of values; tells how many rows changed in all."""
        self.answers += len(rows)
        cursor = self._connection.cursor()
        cursor.executemany(self._translate(sql), rows)
        return int(cursor.rowcount)


class Database(ABC):
    """One connection; may be used from several threads."""

    name: str
    """As it may be printed."""
    kind: str
    """`sqlite` or `postgresql`."""

    @abstractmethod
    def write(self, work: Callable[[Session], T], *, within_s: float | None = None) -> T:
        """Do all of `work` in one transaction, or nothing; on return it is on the disk.

        A server may take `within_s` for it. Raises `JournalError`, or `UnfitAlarmError` when a
        value is to blame.
        """

    @abstractmethod
    def read(self, work: Callable[[Session], T]) -> T:
        """Ask; raises `JournalError`."""

    @abstractmethod
    def close(self) -> None:
        """Close the connection."""

    def rows(self, sql: str, values: Iterable[object] = ()) -> list[Row]:
        """Ask for rows; raises `JournalError`."""
        return self.read(lambda session: session.rows(sql, *values))

    def _unwritten(self, error: object) -> JournalError:
        advice = next((what for word, what in _ADVICE.items() if word in str(error)), "")
        said = f"{error}; {advice}" if advice else error
        return JournalError(f"{self.name}: the journal can't be written: {said}")

    def _unread(self, error: object) -> JournalError:
        return JournalError(f"{self.name}: the journal can't be read: {error}")

    def _unfit(self, error: object) -> UnfitAlarmError:
        return UnfitAlarmError(f"{self.name}: an alarm can't be stored: {error}")


Prepare = Callable[[Database], None]
"""Makes the tables of a database that was just opened; raises `JournalError`."""


def open_database(
    place: Place, prepare: Prepare, *, required: bool = True, lasting: bool = True
) -> Database:
    """Open or create the database and its tables; raises `JournalError`.

    A server that is away is no error unless it is `required`: it is tried again until it is there.
    Where not even a power cut may cost anything, it is `lasting`.
    """
    if isinstance(place, str):
        from control_room.journal.postgresql import PostgresDatabase

        return PostgresDatabase(place, prepare, required=required, lasting=lasting)
    return SqliteDatabase(place, prepare, lasting=lasting)


class SqliteDatabase(Database):
    """A file, or nothing but memory."""

    kind = "sqlite"

    def __init__(self, file: Path | None, prepare: Prepare, *, lasting: bool = True) -> None:
        """Open or create the file; raises `JournalError` that names it."""
        self.name = str(file) if file else ":memory:"
        self._lock = threading.Lock()
        try:
            if file:
                file.parent.mkdir(parents=True, exist_ok=True)
            self._db = sqlite3.connect(
                self.name, check_same_thread=False, timeout=LOCKED_S, isolation_level=None
            )
        except (sqlite3.Error, OSError) as error:
            raise JournalError(f"{self.name}: the journal can't be opened: {error}") from None
        try:
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute(f"PRAGMA synchronous={'FULL' if lasting else 'NORMAL'}")
            prepare(self)
        except (sqlite3.Error, JournalError) as error:
            self._db.close()
            raise JournalError(
                f"{self.name}: is no journal that can be used: {error}; give another --journal"
            ) from None

    def write(self, work: Callable[[Session], T], *, within_s: float | None = None) -> T:
        """Do `work` in one transaction; a file takes what time it takes."""
        with self._lock:
            try:
                self._db.execute("BEGIN IMMEDIATE")
                try:
                    result = work(Session(self._db, self.kind, in_sqlite))
                    self._db.execute("COMMIT")
                except BaseException:
                    if self._db.in_transaction:
                        self._db.execute("ROLLBACK")
                    raise
            except (sqlite3.DataError, sqlite3.InterfaceError, ValueError, OverflowError) as error:
                raise self._unfit(error) from None
            except sqlite3.Error as error:
                raise self._unwritten(error) from None
        return result

    def read(self, work: Callable[[Session], T]) -> T:
        """Ask."""
        with self._lock:
            try:
                return work(Session(self._db, self.kind, in_sqlite))
            except (sqlite3.Error, ValueError, OverflowError) as error:
                raise self._unread(error) from None

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._db.close()


@cache
def in_sqlite(sql: str) -> str:
    """Write a statement as SQLite has it."""
    return sql.format(number="INTEGER", text="TEXT", by_key="WITHOUT ROWID", find="INSTR")


@contextlib.contextmanager
def deadline(fileno: int, seconds: float) -> Iterator[threading.Event]:
    """Cut a connection that is used for longer than this; the event tells whether it was."""
    cut, line = threading.Event(), socket.socket(fileno=fileno)

    def hang_up() -> None:
        cut.set()
        with contextlib.suppress(OSError):
            line.shutdown(socket.SHUT_RDWR)

    timer = threading.Timer(seconds, hang_up)
    timer.daemon = True
    timer.start()
    try:
        yield cut
    finally:
        timer.cancel()
        timer.join()
        line.close()
