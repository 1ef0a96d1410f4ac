"""A journal opened only to be looked into: nothing is created, migrated or changed.

Knows nothing about alarms. Whoever looks may be another user than the control room, root even; no
file that only they can write may stay behind.
"""

import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn, TypeVar

from control_room.journal.database import (
    LOCKED_S,
    Database,
    JournalError,
    Place,
    Prepare,
    Session,
    in_sqlite,
)

T = TypeVar("T")


def open_to_read(place: Place, check: Prepare, *, any_text: bool = False) -> Database:
    """Open the database; `check` raises `JournalError` where it can't be read, as this does.

    With `any_text` what is no UTF-8 in a file is read all the same, as lone surrogates.
    """
    if isinstance(place, str):
        from control_room.journal.postgresql import PostgresDatabase

        return PostgresDatabase(place, check, required=True, reading=True)
    if place is None:
        raise JournalError("what is kept in memory only can't be opened")
    return SqliteReader(place, check, any_text=any_text)


class SqliteReader(Database):
    """An SQLite file, which may be in use."""

    kind = "sqlite"

    def __init__(self, file: Path, check: Prepare, *, any_text: bool) -> None:
        """Open the file; raises `JournalError` that names it."""
        self.name = str(file)
        self._wal = file.with_name(file.name + "-wal")
        self._file, self._any_text = file, any_text
        self._lock = threading.Lock()
        if not file.is_file():
            raise JournalError(f"{file}: is not there")
        self._db = self._open()
        try:
            check(self)
        except JournalError as error:
            self._db.close()
            raise JournalError(f"{file}: {str(error).removeprefix(f'{file}: ')}") from None

    def _open(self) -> sqlite3.Connection:
        """Open it; one that nobody has open as a file that can't change, or SQLite makes files."""
        self._in_use = self._wal.exists()
        how = "mode=ro" if self._in_use else "immutable=1"
        try:
            db = sqlite3.connect(
                f"{self._file.absolute().as_uri()}?{how}",
                uri=True,
                check_same_thread=False,
                timeout=LOCKED_S,
                isolation_level=None,
            )
        except (sqlite3.Error, OSError) as error:
            raise self._unread(error) from None
        if self._any_text:
            db.text_factory = _any_text
        return db

    def write(self, work: Callable[[Session], T], *, within_s: float | None = None) -> NoReturn:
        """Refuse."""
        raise self._unwritten("it is open for reading only")

    def read(self, work: Callable[[Session], T]) -> T:
        """Ask; where the control room began meanwhile, ask again."""
        with self._lock:
            while True:
                try:
                    found = work(Session(self._db, self.kind, in_sqlite))
                except (sqlite3.Error, ValueError, OverflowError) as error:
                    if self._in_use or not self._wal.exists():
                        raise self._unread(error) from None
                else:
                    if self._in_use or not self._wal.exists():
                        return found
                self._db.close()
                self._db = self._open()

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._db.close()


def _any_text(stored: bytes) -> str:
    return stored.decode("utf-8", "surrogateescape")
