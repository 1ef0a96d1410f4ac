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
from typing import Literal

from control_room.access.roles import AccessError, Role
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
        """Read what there is; raises `AccessError` for a file that is none of ours."""
        self._clock, self._say, self._file = clock, say, file
        self._sessions: dict[str, Session] = {}
        self._lock, self._disk = threading.Lock(), threading.Lock()
        self._written_s = clock.monotonic_s()
        self._said = ""
        self._db = _opened(file) if file else None
        self.secret = self._read()

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

    def _read(self) -> bytes:
        secret = secrets.token_bytes(32)
        if self._db is None:
            return secret
        try:
            with self._db:
                self._db.execute("INSERT OR IGNORE INTO secret VALUES (1, ?)", (secret,))
                secret = bytes(self._db.execute("SELECT value FROM secret").fetchone()[0])
                rows = self._db.execute(
                    "SELECT key, name, role, source, stamp, began_ns, used_ns FROM sessions"
                    " ORDER BY began_ns"
                ).fetchall()
        except sqlite3.Error as error:
            self._db.close()
            raise AccessError(
                f"{self._file}: sessions can't be kept there: {error}; "
                "move the file away: all log in again"
            ) from None
        names = ("key", "name", "role", "source", "stamp", "began_ns", "used_ns")
        for row in rows:
            session = Session(**dict(zip(names, row, strict=True)))
            self._sessions[session.key] = session
        return secret


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


def _opened(file: Path) -> sqlite3.Connection:
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch(mode=0o600)
        file.chmod(0o600)
        db = sqlite3.connect(file, check_same_thread=False, timeout=5.0)
    except (OSError, sqlite3.Error) as error:
        raise AccessError(f"{file}: sessions can't be kept there: {error}") from None
    with contextlib.suppress(sqlite3.Error):  # what is no database shows when it is read
        db.execute("PRAGMA journal_mode = WAL")
        db.executescript(_TABLES)
    return db
