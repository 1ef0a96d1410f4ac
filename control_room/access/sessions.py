"""Sessions: who has logged in with which browser, kept over a restart of the control room.

Knows nothing about passwords, cookies or roles' meaning. What a browser holds is random; stored is
its SHA-256, so that who reads the file can't use it. Memory counts; the file is only read at the
start, and a disk that can't be written to keeps nobody from logging in.
"""

import contextlib
import hashlib
import secrets
import sqlite3
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from control_room.access.roles import ROLES, Role
from scene.clock import Clock

Source = Literal["local", "oidc"]

ACT_S = 13 * 3600.0
"""So long after logging in somebody may act: a shift of 12 h and handing over."""
ACT_UNUSED_S = 3600.0
"""Acting also ends when no page of theirs has been open for so long."""
LOOK_UNUSED_S = 7 * 86_400.0
"""Looking goes on while a page is open, for ever: a wall screen must not go dark, nor a
dispatcher's alarms stop at the end of a shift."""
OIDC_LOOK_S = 24 * 3600.0
"""Of people from elsewhere at most so long: here nobody hears that they have left."""
WRITE_EVERY_S = 60.0
WAIT_S = 5.0
"""So long for somebody else who holds the file."""
MOST_EACH, MOST = 20, 5000
"""Sessions of one user, and of all; the oldest ends."""

_TABLES = """
CREATE TABLE IF NOT EXISTS sessions (key TEXT PRIMARY KEY, name TEXT NOT NULL, role TEXT NOT NULL,
    source TEXT NOT NULL, stamp TEXT NOT NULL, began_ns INTEGER NOT NULL, used_ns INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS secret (one INTEGER PRIMARY KEY CHECK (one = 1), value BLOB NOT NULL);
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """One login of one browser."""

    key: str
    """SHA-256 of what the browser holds, hexadecimal."""
    name: str
    role: Role
    source: Source
    stamp: str
    """Of the user when the session began (`users_file.User.stamp`)."""
    began_ns: int
    used_ns: int
    """UTC nanoseconds, as all times here: they must mean something after a restart."""


class Sessions:
    """All sessions; may be used from several threads."""

    def __init__(self, file: Path | None, clock: Clock, say: Callable[[str], None]) -> None:
        """Read what there is; a file that can't be used is moved aside, or done without.

        Who has alarms to see must not wait for somebody to mend it: all log in again.
        """
        self._clock, self._say, self._file = clock, say, file
        self._sessions: dict[str, Session] = {}
        self._lock, self._disk = threading.Lock(), threading.Lock()
        self._written_s = clock.monotonic_s()
        self._said = ""
        self._db: sqlite3.Connection | None = None
        self.secret = secrets.token_bytes(32)
        if file is not None:
            self._begin(file)

    def start(self, name: str, role: Role, source: Source, stamp: str) -> str:
        """Begin a session; gives what the browser is to hold."""
        token, now_ns = secrets.token_urlsafe(32), self._clock.now_ns()
        made = Session(
            key=_key(token), name=name, role=role, source=source, stamp=stamp,
            began_ns=now_ns, used_ns=now_ns,
        )  # fmt: skip
        with self._lock:
            mine = [one for one in self._sessions.values() if one.name == name]
            surplus = [one.key for one in mine[: max(0, len(mine) + 1 - MOST_EACH)]]
            if len(self._sessions) >= MOST:
                surplus.append(min(self._sessions.values(), key=lambda one: one.used_ns).key)
            self._sessions[made.key] = made
        self._store([made])
        self.end(surplus)
        return token

    def find(self, token: str) -> Session | None:
        """Find the session of what a browser holds, and note that it is in use."""
        return self.use(_key(token))

    def use(self, key: str) -> Session | None:
        """Note that a session is in use; none if it is over."""
        now_ns = self._clock.now_ns()
        with self._lock:
            session = self._sessions.get(key)
            if session is None or is_over(session, now_ns):
                return None
            if not may_act(session, now_ns):  # a pause that was too long is not made good
                session = replace(session, began_ns=min(session.began_ns, now_ns - _ns(ACT_S)))
            session = replace(session, used_ns=now_ns)
            self._sessions[key] = session
            return session

    def all(self) -> list[Session]:
        """Give all sessions."""
        with self._lock:
            return list(self._sessions.values())

    def end(self, keys: list[str]) -> None:
        """End sessions."""
        with self._lock:
            gone = [key for key in keys if self._sessions.pop(key, None)]
        if gone:
            self._write("DELETE FROM sessions WHERE key = ?", [(key,) for key in gone])

    def tick(self) -> None:
        """End what is over, and write down now and then what is in use."""
        now_ns, now_s = self._clock.now_ns(), self._clock.monotonic_s()
        self.end([one.key for one in self.all() if is_over(one, now_ns)])
        if now_s - self._written_s >= WRITE_EVERY_S:
            self.write_down()

    def write_down(self) -> None:
        """Write down all sessions."""
        self._written_s = self._clock.monotonic_s()
        self._store(self.all())

    def close(self) -> None:
        """Write down all sessions and close the file."""
        self.write_down()
        with self._disk:
            if self._db is not None:
                self._db.close()
            self._db = None

    def _store(self, sessions: list[Session]) -> None:
        rows = [
            (one.key, one.name, one.role, one.source, one.stamp, one.began_ns, one.used_ns)
            for one in sessions
        ]
        self._write("INSERT OR REPLACE INTO sessions VALUES (?, ?, ?, ?, ?, ?, ?)", rows)

    def _write(self, sql: str, rows: Sequence[tuple[str | int, ...]]) -> None:
        with self._disk:
            if self._db is None:
                return
            try:
                with self._db:
                    self._db.executemany(sql, rows)
                self._said = ""
            except sqlite3.Error as error:
                text = f"{self._file}: sessions can't be stored ({error}): a restart ends them"
                if text != self._said:
                    self._said = text
                    self._say(text)

    def _begin(self, file: Path) -> None:
        try:
            try:
                self._db = self._read(file)
            except sqlite3.OperationalError:  # locked, full, unreadable: nothing says it is broken
                raise
            except (sqlite3.DatabaseError, TypeError, ValueError) as error:
                aside = _move_aside(file)
                self._say(f"{file}: is damaged ({error}): moved to {aside}; all log in again")
                self._db = self._read(file)
        except (OSError, sqlite3.Error) as error:
            self._say(f"{file}: sessions can't be kept there ({error}): a restart ends them")

    def _read(self, file: Path) -> sqlite3.Connection:
        """Open the file and read it; raises `OSError`, `sqlite3.Error`, and others if damaged."""
        db = _opened(file)
        try:
            with db:
                db.execute("INSERT OR IGNORE INTO secret VALUES (1, ?)", (self.secret,))
                (secret,) = db.execute("SELECT value FROM secret").fetchone()
                rows = db.execute(
                    "SELECT key, name, role, source, stamp, began_ns, used_ns FROM sessions"
                    " ORDER BY began_ns"
                ).fetchall()
            if not isinstance(secret, bytes) or len(secret) < 32:
                raise ValueError("its secret is none")
            found = [_session(row) for row in rows]
        except BaseException:
            db.close()
            raise
        self.secret = secret
        self._sessions = {session.key: session for session in found}
        return db


def may_act(session: Session, now_ns: int) -> bool:
    """Tell whether somebody logged in lately enough to act. A clock set back ends nothing."""
    fresh = now_ns - session.began_ns < _ns(ACT_S)
    return fresh and now_ns - session.used_ns < _ns(ACT_UNUSED_S)


def acts_until_ns(session: Session) -> int:
    """Tell until when somebody may act if a page of theirs stays open."""
    return session.began_ns + _ns(ACT_S)


def is_over(session: Session, now_ns: int) -> bool:
    """Tell whether somebody may not even look any more."""
    if session.source == "oidc" and now_ns - session.began_ns >= _ns(OIDC_LOOK_S):
        return True
    return now_ns - session.used_ns >= _ns(LOOK_UNUSED_S)


def _key(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).hexdigest()


def _ns(seconds: float) -> int:
    return round(seconds * 1e9)


def _session(row: tuple[Any, ...]) -> Session:
    """Read a row; raises `ValueError` for one that none of us wrote."""
    key, name, role, source, stamp, began_ns, used_ns = row
    texts = (key, name, role, source, stamp)
    if not all(isinstance(one, str) for one in texts) or role not in ROLES:
        raise ValueError("a session is none")
    if not isinstance(began_ns, int) or not isinstance(used_ns, int):
        raise ValueError("a session has no times")
    return Session(
        key=key, name=name, role=role, source=source, stamp=stamp,
        began_ns=began_ns, used_ns=used_ns,
    )  # fmt: skip


def _move_aside(file: Path) -> Path:
    """Give a file another name, and what SQLite has beside it; raises `OSError`."""
    aside = file.with_name(f"{file.name}.damaged")
    for ending in ("", "-wal", "-shm"):
        with contextlib.suppress(FileNotFoundError):
            file.with_name(file.name + ending).replace(aside.with_name(aside.name + ending))
    return aside


def _opened(file: Path) -> sqlite3.Connection:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.touch(mode=0o600)
    file.chmod(0o600)
    db = sqlite3.connect(file, check_same_thread=False, timeout=WAIT_S)
    with contextlib.suppress(sqlite3.Error):  # what is no database shows when it is read
        db.execute("PRAGMA journal_mode = WAL")
        db.executescript(_TABLES)
    return db
