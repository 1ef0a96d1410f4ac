"""Alarms on disk until the control room has said that it stored them.

Knows nothing about MQTT. SQLite with `synchronous=FULL`: an alarm that `put` has returned from
survives SIGKILL and power cuts. Several processes may use one outbox at the same time. A disk that
hangs keeps nobody: see `PATIENCE_S`.
"""

import contextlib
import fcntl
import os
import sqlite3
import stat
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from delivery.aside import Aside, StalledError
from scene.clock import Clock
from scene.errors import LamproomError
from scene.messages import AlarmState, Anomaly

FILE = "outbox.sqlite"
BALLAST_BYTES = 2_000_000
"""Kept in reserve on the disk, and freed for alarms when the disk is full."""
CHECKPOINT_PAGES = 64
"""The write-ahead log stays this short (256 KB), so that a nearly full disk holds many alarms."""
MAX_RESCUED = 200_000
"""So many of the newest rows of a damaged outbox are looked at."""
MAX_CRITICAL = 1000
"""So many of the newest critical alarms are watched for their receipt."""
SET_NS = 1_000_000_000
"""A clock that is off by less than this was not set."""
KEEP_RECEIPTED_S = 24 * 3600.0
"""Receipted alarms are kept so long, so that one handed over twice isn't sent twice."""
PATIENCE_S = 1.5
"""Who uses the outbox waits no longer for a disk that does not answer: who sends alarms must say
once in 3.5 s that it is alive, and an alarm must go out, also when it can't be kept."""

_ANOMALY: TypeAdapter[Anomaly] = TypeAdapter(Anomaly)
_TABLE = """
CREATE TABLE IF NOT EXISTS alarm (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL,
    state TEXT NOT NULL,
    captured_at_ns INTEGER NOT NULL,
    raised_at_ns INTEGER NOT NULL,
    put_at_ns INTEGER NOT NULL,
    receipted_at_ns INTEGER,
    body TEXT NOT NULL,
    UNIQUE (id, state)
);
CREATE INDEX IF NOT EXISTS waiting ON alarm (number) WHERE receipted_at_ns IS NULL;
"""
_PUT = """
INSERT INTO alarm (id, state, captured_at_ns, raised_at_ns, put_at_ns, body)
VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT (id, state) DO UPDATE SET
    captured_at_ns = excluded.captured_at_ns, raised_at_ns = excluded.raised_at_ns,
    put_at_ns = excluded.put_at_ns, body = excluded.body, receipted_at_ns = NULL
WHERE excluded.captured_at_ns > captured_at_ns OR excluded.raised_at_ns != raised_at_ns
"""

T = TypeVar("T")


class OutboxError(LamproomError):
    """The outbox can't be opened or written; names the file and what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """What waits for a receipt."""

    count: int
    since_ns: int | None
    """When the oldest of them was put there; none without one."""


class Outbox:
    """The alarms of one gateway that nobody has receipted; may be used from several threads."""

    def __init__(
        self, folder: Path, clock: Clock, *, patience_s: float | None = PATIENCE_S
    ) -> None:
        """Open or create the outbox in `folder`; raises `OutboxError`.

        Every other method raises it, too, when the disk does not answer for `patience_s` (none:
        waits for ever), and at once while it still does not. What was under way then is done once
        it does, before anything else: nothing is ever done in another order than it was asked for.
        That goes for the opening as well: there is an outbox even when its disk hangs.

        A damaged file is set aside under another name (`set_aside`), never deleted, and what can
        still be read of it is carried over.
        """
        self._folder = folder
        self._file = folder / FILE
        self._ballast = folder / "ballast"
        self._clock = clock
        self._patience_s = patience_s
        self._disk = Aside("outbox")
        self._db: sqlite3.Connection
        self._is_open = False
        self._lock = threading.Lock()
        self._seen_s: dict[tuple[int, int], float] | None = None
        """When critical alarms were first seen waiting, on the monotonic clock."""
        self._oldest: tuple[int, float] | None = None
        """When the oldest that waits was put, by the clock of then and by the monotonic one."""
        self.set_aside: Path | None = None
        """Where a damaged outbox was put, if one was found."""
        with contextlib.suppress(StalledError):
            self._disk.do(self._open, patience_s)

    def put(self, alarm: Anomaly) -> bool:
        """Keep an alarm; on return it is on the disk. Tells whether it was new.

        The same alarm in the same state is kept once; a newer message about it replaces the older
        one and waits for a receipt again. Raises `OutboxError` when the disk does not take it.
        """
        row = _row_of(alarm, self._clock.now_ns())
        return self._write(lambda db: db.execute(_PUT, row).rowcount == 1)

    def pending(self, newest_first: bool = True, limit: int | None = None) -> list[Anomaly]:
        """List the alarms without a receipt."""
        order = "DESC" if newest_first else "ASC"
        return self._select(f"WHERE receipted_at_ns IS NULL ORDER BY number {order} LIMIT ?", limit)

    def active(self, limit: int | None = None) -> list[Anomaly]:
        """List the alarms that were raised and not cleared, receipted or not, newest first."""
        return self._select(
            "WHERE state = 'active' AND NOT EXISTS (SELECT 1 FROM alarm AS later "
            "WHERE later.id = alarm.id AND later.state = 'cleared' "
            "AND later.raised_at_ns >= alarm.raised_at_ns) ORDER BY number DESC LIMIT ?",
            limit,
        )

    def over(self, limit: int | None = None) -> list[str]:
        """List the ids of alarms whose clearing has been receipted, newest first."""
        found = self._select(
            "WHERE state = 'cleared' AND receipted_at_ns IS NOT NULL ORDER BY number DESC LIMIT ?",
            limit,
        )
        return [alarm.id for alarm in found]

    def is_cleared(self, alarm: Anomaly) -> bool:
        """Tell whether an alarm has been cleared, receipted or not."""
        where = "WHERE id = ? AND state = 'cleared' AND raised_at_ns >= ? LIMIT ?"
        return bool(self._select(where, 1, alarm.id, alarm.raised_at_ns))

    def waiting(self) -> Waiting:
        """Count the alarms without a receipt, and tell since when the oldest has waited."""
        # Number and count come from the index alone, however many wait.
        sql = (
            "SELECT count, (SELECT put_at_ns FROM alarm WHERE number = oldest) FROM "
            "(SELECT COUNT(*) AS count, MIN(number) AS oldest FROM alarm "
            "WHERE receipted_at_ns IS NULL)"
        )
        count, put_at_ns = self._do(lambda db: db.execute(sql).fetchone())
        with self._lock:
            return Waiting(count=count, since_ns=put_at_ns and self._since_ns(put_at_ns))

    def _since_ns(self, put_at_ns: int) -> int:
        """Tell since when the oldest has waited, in the time of a clock that was set meanwhile."""
        now_ns, now_s = self._clock.now_ns(), self._clock.monotonic_s()
        if self._oldest is None or self._oldest[0] != put_at_ns:
            self._oldest = (put_at_ns, now_s - max(0.0, (now_ns - put_at_ns) / 1e9))
        since_ns = now_ns - round((now_s - self._oldest[1]) * 1e9)
        return put_at_ns if abs(since_ns - put_at_ns) < SET_NS else since_ns

    def overdue(self, after_s: float) -> Anomaly | None:
        """Give the newest critical alarm, active, that has waited for a receipt for so long.

        To be asked again and again: it counts by the monotonic clock from when it was first seen
        here, for a clock that is set must neither hide an alarm nor make it look old. What an
        earlier run left counts from when it was put.
        """
        sql = (
            "SELECT number, put_at_ns FROM alarm WHERE receipted_at_ns IS NULL AND state = 'active'"
            " AND CASE WHEN json_valid(body) THEN json_extract(body, '$.severity') END = 'critical'"
            " AND NOT EXISTS (SELECT 1 FROM alarm AS later WHERE later.id = alarm.id "
            "AND later.state = 'cleared' AND later.raised_at_ns >= alarm.raised_at_ns) "
            f"ORDER BY number DESC LIMIT {MAX_CRITICAL}"
        )
        found = self._do(lambda db: db.execute(sql).fetchall())
        with self._lock:
            now_s, now_ns = self._clock.monotonic_s(), self._clock.now_ns()
            before, self._seen_s = self._seen_s, {}
            for key in found:
                waited_s = 0.0 if before is not None else max(0.0, (now_ns - key[1]) / 1e9)
                self._seen_s[key] = (before or {}).get(key, now_s - waited_s)
            due = [number for (number, _), at_s in self._seen_s.items() if now_s - at_s > after_s]
        return (
            next(iter(self._select("WHERE number = ? LIMIT ?", 1, due[0])), None) if due else None
        )

    def receipt(self, id: str, state: AlarmState, captured_at_ns: int | None = None) -> bool:
        """Note that the control room has stored an alarm; tells whether it was waiting for it."""
        return self.receipts([(id, state, captured_at_ns)]) == 1

    def receipts(self, of: Iterable[tuple[str, AlarmState, int | None]]) -> int:
        """Note many receipts at once; tells how many alarms had waited for one.

        Each is id, state and the instant of the word that is stored: a newer word on the same
        alarm waits on. None of an instant stands for any word.
        """
        now_ns = self._clock.now_ns()
        rows = [(now_ns, id, state, word_ns, word_ns) for id, state, word_ns in of]
        sql = (
            "UPDATE alarm SET receipted_at_ns = ? "
            "WHERE id = ? AND state = ? AND receipted_at_ns IS NULL "
            "AND (? IS NULL OR captured_at_ns <= ?)"
        )
        # A receipt that a power cut takes back costs one more sending, so it isn't waited for.
        return self._write(
            lambda db: sum(db.execute(sql, row).rowcount for row in rows), synced=False
        )

    def forget_old(self) -> int:
        """Delete what was receipted more than a day ago; tells how much. Active alarms stay."""
        before_ns = self._clock.now_ns() - round(KEEP_RECEIPTED_S * 1e9)
        sql = (
            "DELETE FROM alarm WHERE receipted_at_ns < ? AND (state = 'cleared' OR EXISTS "
            "(SELECT 1 FROM alarm AS later WHERE later.id = alarm.id "
            "AND later.state = 'cleared' AND later.receipted_at_ns < ?))"
        )
        return self._write(lambda db: db.execute(sql, (before_ns, before_ns)).rowcount)

    def close(self) -> None:
        """Close the file, once its disk answers."""
        with contextlib.suppress(StalledError):
            self._disk.do(self._close_file, self._patience_s)

    def _close_file(self) -> None:
        if self._is_open:
            self._db.close()

    # ---- reading and writing ----

    def _select(self, where: str, limit: int | None, *values: object) -> list[Anomaly]:
        sql = f"SELECT body FROM alarm {where}"
        rows = self._do(
            lambda db: db.execute(sql, (*values, -1 if limit is None else limit)).fetchall()
        )
        return list(_readable(row[0] for row in rows))

    def _write(self, change: Callable[[sqlite3.Connection], T], *, synced: bool = True) -> T:
        def commit(db: sqlite3.Connection) -> T:
            if not synced:
                db.execute("PRAGMA synchronous=NORMAL")
            try:
                with db:
                    db.execute("BEGIN IMMEDIATE")
                    return change(db)
            finally:
                if not synced:
                    db.execute("PRAGMA synchronous=FULL")

        return self._do(commit)

    def _do(self, work: Callable[[sqlite3.Connection], T]) -> T:
        def done() -> T:
            db = self._follow_the_file()
            try:
                return work(db)
            except sqlite3.Error as error:
                if not _means_full(error) or not self._free_ballast():
                    raise
                return work(db)

        try:
            return self._disk.do(done, self._patience_s)
        except StalledError:
            raise OutboxError(
                f"{self._file}: its disk has not answered for {self._patience_s:g} s; mend it"
            ) from None
        except (sqlite3.Error, OSError) as error:
            raise OutboxError(
                f"{self._file}: the outbox can't be used: {error}; {self._remedy(error)}"
            ) from None

    def _remedy(self, error: Exception) -> str:
        if isinstance(error, sqlite3.Error) and _means_full(error):
            return "free space on its disk"
        if isinstance(error, sqlite3.Error) and _means_damaged(error):
            return "start again: the file will be set aside"
        return "mend the disk or state_folder"

    # ---- opening ----

    def _open(self) -> sqlite3.Connection:
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._db = self._opened()
            self._is_open = True
        except OSError as error:
            raise OutboxError(
                f"{self._file}: the outbox can't be opened: {error}; mend state_folder"
            ) from None
        return self._db

    def _opened(self) -> sqlite3.Connection:
        with _alone(self._folder):
            try:
                db = self._connect_somehow()
            except sqlite3.Error as error:
                if not _means_damaged(error):
                    raise OutboxError(
                        f"{self._file}: the outbox can't be opened: {error}; {self._remedy(error)}"
                    ) from None
                rescued = self._put_aside()
                try:
                    db = self._connect()
                    with db:
                        db.execute("BEGIN IMMEDIATE")
                        for alarm in rescued:
                            db.execute(_PUT, _row_of(alarm, self._clock.now_ns()))
                except sqlite3.Error as second:
                    raise OutboxError(
                        f"{self._file}: the outbox can't be opened: {second}; "
                        f"{self._remedy(second)}"
                    ) from None
                print(
                    f"lamproom: {self._file} was damaged ({error}); set aside as "
                    f"{self.set_aside}, {len(rescued)} waiting alarms saved",
                    file=sys.stderr,
                    flush=True,
                )
            self._fill_ballast()
        return db

    def _connect_somehow(self) -> sqlite3.Connection:
        """Connect; on a full disk there may be no room for the log that SQLite needs first."""
        try:
            return self._connect()
        except sqlite3.Error as error:
            if not _may_mean_full(error) or not self._free_ballast():
                raise
            return self._connect()

    def _connect(self) -> sqlite3.Connection:
        inode = self._file_made()
        db = sqlite3.connect(self._file, timeout=5.0, isolation_level=None, check_same_thread=False)
        try:
            db.execute("PRAGMA journal_mode=WAL")
            db.execute("PRAGMA synchronous=FULL")
            db.execute(f"PRAGMA wal_autocheckpoint={CHECKPOINT_PAGES}")
            for statement in _TABLE.split(";")[:-1]:
                db.execute(statement)
            found = db.execute("PRAGMA quick_check(1)").fetchone()
            if found != ("ok",):
                raise sqlite3.DatabaseError(f"malformed: {found and found[0]}")
            db.execute(
                "SELECT id, state, captured_at_ns, raised_at_ns, put_at_ns, "
                "receipted_at_ns, body FROM alarm LIMIT 1"
            ).fetchone()
            self._inode = os.stat(self._file).st_ino
            if inode not in (None, self._inode):
                raise sqlite3.OperationalError("it was replaced while it was opened")
        except (sqlite3.Error, OSError):
            db.close()
            raise
        return db

    def _file_made(self) -> int | None:
        """Make the file if it is not there; gives its number, so that it is known as the same."""
        # Not by opening it: closing it again would take SQLite's locks from others in this process.
        with contextlib.suppress(OSError):  # SQLite says why
            with contextlib.suppress(FileExistsError):
                os.mknod(self._file, stat.S_IFREG | 0o644)
            return os.stat(self._file).st_ino
        return None

    def _put_aside(self) -> list[Anomaly]:
        """Rename a damaged file; gives the waiting alarms that could still be read."""
        rescued = _rescued(self._file)
        number = 1
        while (aside := self._folder / f"{FILE}.damaged-{number}").exists():
            number += 1
        os.rename(self._file, aside)
        for suffix in ("-wal", "-shm"):
            with contextlib.suppress(FileNotFoundError):
                os.rename(f"{self._file}{suffix}", f"{aside}{suffix}")
        self.set_aside = aside
        return rescued

    def _follow_the_file(self) -> sqlite3.Connection:
        """Open again if another process has set the file aside, or somebody has deleted it."""
        if not self._is_open:  # it could not be opened before
            return self._open()
        try:
            same = os.stat(self._file).st_ino == self._inode
        except FileNotFoundError:
            same = False
        if same:
            return self._db
        self._is_open = False
        self._db.close()
        return self._open()

    def _fill_ballast(self) -> None:
        with contextlib.suppress(OSError):
            if self._ballast.exists() and self._ballast.stat().st_size == BALLAST_BYTES:
                return
            fd = os.open(self._ballast, os.O_CREAT | os.O_WRONLY, 0o600)
            try:
                os.posix_fallocate(fd, 0, BALLAST_BYTES)
            except OSError:
                os.unlink(self._ballast)  # no room to spare
            finally:
                os.close(fd)

    def _free_ballast(self) -> bool:
        with contextlib.suppress(OSError):
            os.unlink(self._ballast)
            return True
        return False


def _row_of(alarm: Anomaly, now_ns: int) -> tuple[Any, ...]:
    return (
        alarm.id,
        alarm.state,
        alarm.captured_at_ns,
        alarm.raised_at_ns,
        now_ns,
        _ANOMALY.dump_json(alarm).decode(),
    )


def _rescued(file: Path) -> list[Anomaly]:
    """Read what can be read of a damaged outbox, row by row: a bad page costs its own rows."""
    found: list[Anomaly] = []
    with (
        contextlib.suppress(sqlite3.Error),
        contextlib.closing(sqlite3.connect(file, timeout=1.0, isolation_level=None)) as damaged,
    ):
        (last,) = damaged.execute("SELECT seq FROM sqlite_sequence").fetchone() or (0,)
        for number in range(max(1, int(last) - MAX_RESCUED), int(last) + 1):
            with contextlib.suppress(sqlite3.Error):
                sql = "SELECT body FROM alarm WHERE number = ? AND receipted_at_ns IS NULL"
                found += _readable(damaged.execute(sql, (number,)).fetchone() or ())
    return found


def _readable(bodies: Iterable[Any]) -> Iterator[Anomaly]:
    for body in bodies:
        with contextlib.suppress(ValidationError):
            yield _ANOMALY.validate_json(body)


def _means_full(error: sqlite3.Error) -> bool:
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in (sqlite3.SQLITE_FULL,)


def _may_mean_full(error: sqlite3.Error) -> bool:
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    return code in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN)


def _means_damaged(error: sqlite3.Error) -> bool:
    code = getattr(error, "sqlite_errorcode", None)
    if code is None:  # our own finding
        return "malformed" in str(error)
    # A column that is missing is SQLITE_ERROR: the file is somebody else's.
    return code & 0xFF in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR)


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Let one process at a time open the outbox, so that a damaged one is set aside once."""
    fd = os.open(folder / "outbox.lock", os.O_CREAT | os.O_RDWR, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        yield
    finally:
        os.close(fd)
