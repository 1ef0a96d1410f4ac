"""The tables beside a journal: what is written so often that no alarm may ever wait for it.

Knows nothing about what is in a row, but that its first four columns are its key and the fourth is
its time. In SQLite each has a file of its own; on a server it is cut into pieces by time
(`partitions.py`).
"""

from dataclasses import dataclass

from control_room.journal.database import Database, JournalError, Place, Session, beside

VERSION = 1
"""Of the SQLite files, as `user_version`."""
KEY = 4
"""So many columns at the beginning of a row are its key."""
TIME = 3
"""The column with its time, UTC ns."""

SideRow = tuple[object, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SideTable:
    """One such table."""

    name: str
    many: str
    """What is in it, as it is said to people."""
    ending: str
    """Of the SQLite file beside the journal's."""
    columns: str
    """As `CREATE TABLE` has them, without the key."""
    key: tuple[str, ...]
    """In the order in which they are looked for."""
    time: str
    """The name of the column `TIME`."""
    expires: str
    """The column with the time by which a row is forgotten."""
    indexes: tuple[str, ...] = ()
    """One statement each."""
    sqlite_indexes: tuple[str, ...] = ()
    """Those that pieces by time make needless."""
    insert: str
    """Puts a row in, or where there is one of that key what is to be done then."""
    piece_ns: int
    """So much time lies in one piece on a server."""
    lasts_ns: int = 0
    """A row may expire so much later than its time."""
    lock: int
    """The server's advisory lock for who changes the table itself."""

    def place_of(self, journal: Place) -> Place:
        """Tell where it lies, of a journal."""
        return journal if isinstance(journal, str) else beside(journal, self.ending)

    def prepare(self, database: Database) -> None:
        """Make the table; raises `JournalError`."""
        if not database.read(self._is_there):
            database.write(self._make)

    def check(self, database: Database) -> None:
        """Raise `JournalError` unless the table is there; changes nothing."""
        if not database.read(self._is_there):
            raise JournalError(f"there are no {self.many} in it")

    def make(self, session: Session) -> None:
        """Make the table where there is none."""
        columns = f"{self.columns}, PRIMARY KEY ({', '.join(self.key)})"
        if session.kind == "sqlite":
            session.change(f"CREATE TABLE {self.name} ({columns}) WITHOUT ROWID")
            for index in self.sqlite_indexes:
                session.change(index)
        else:
            session.change(f"CREATE TABLE {self.name} ({columns}) PARTITION BY RANGE ({self.time})")
            # For rows of gateways whose clocks are far off.
            session.change(f"CREATE TABLE {self.name}_default PARTITION OF {self.name} DEFAULT")
        for index in self.indexes:
            session.change(index)

    def forget(self, session: Session, table: str, before_ns: int, most: int) -> int:
        """Forget so many rows that expired before then, of this or a piece of it; gives how many.

        The oldest first.
        """
        key = ", ".join(self.key)
        return session.change(
            f"DELETE FROM {table} WHERE ({key}) IN (SELECT {key} FROM {table} "
            f"WHERE {self.expires} < ? ORDER BY {self.expires} LIMIT ?)",
            before_ns,
            most,
        )

    def _is_there(self, session: Session) -> bool:
        if session.kind == "postgresql":
            return bool(session.rows("SELECT 1 WHERE to_regclass(?) IS NOT NULL", self.name))
        ((version,),) = session.rows("PRAGMA user_version")
        if version > VERSION:
            raise JournalError(f"it is of version {version}, and this Lamproom knows {VERSION}")
        return bool(version == VERSION)

    def _make(self, session: Session) -> None:
        if session.kind == "postgresql":  # two control rooms may begin at once
            session.rows(f"SELECT pg_advisory_xact_lock({self.lock})")
        if self._is_there(session):
            return
        self.make(session)
        if session.kind == "sqlite":
            session.change(f"PRAGMA user_version = {VERSION}")
