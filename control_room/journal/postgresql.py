"""A journal's database on a PostgreSQL server.

Knows nothing about alarms. The server may be away at any time: then everything is a `JournalError`
at once, and a thread of its own brings the connection back. Passwords come from PGPASSFILE,
~/.pgpass or PGPASSWORD, as libpq reads them
(https://www.postgresql.org/docs/current/libpq-pgpass.html), and are never in what is printed.
"""

import contextlib
import os
import sys
import threading
import time
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar

from control_room.journal.database import (
    AGAIN_S,
    ANSWER_S,
    LOCKED_S,
    Database,
    JournalError,
    Prepare,
    Session,
    deadline,
)

if TYPE_CHECKING:
    import psycopg

T = TypeVar("T")
OF_CONNECTION = {
    "connect_timeout": round(ANSWER_S),
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": round(ANSWER_S * 1000),
    "client_encoding": "UTF8",
}
SLOW_S = 0.2
"""A server that takes longer for an answer, on the average, counts as away: with some six answers
at every look and five for each alarm, alarms would come seconds late."""
LINGERS = 0.7
"""So much less counts each piece of work than the one after it: one that is slow is none."""


_ADVICE = {
    "certificate verify failed": (
        "the server's certificate has expired, is for another host name, or was not signed by "
        "sslrootcert: look with `openssl s_client -starttls postgres -connect HOST:PORT`, put a "
        "new one (ssl_cert_file) on the server and reload it"
    ),
    "does not match host name": (
        "give the host name that the certificate is for, or put one for this name on the server"
    ),
    "server does not support SSL": "switch TLS on there (ssl = on in postgresql.conf)",
    "Connection refused": "start PostgreSQL there, or mend host and port in --journal",
    "could not translate host name": "mend the host name in --journal, or the name service",
    "No space left on device": (
        "make room on the server's disk; gateways keep their alarms meanwhile"
    ),
    "could not extend file": "make room on the server's disk; gateways keep their alarms meanwhile",
    "read-only transaction": (
        "the server only reads now, as a standby does, or was set so: give --journal the one that "
        "writes (of several, `?target_session_attrs=read-write` finds it)"
    ),
    "too many connections": "raise the role's CONNECTION LIMIT; a control room takes up to 8",
    "too many clients already": (
        "raise max_connections in postgresql.conf, or end what else holds them; a control room "
        "takes up to 8"
    ),
    "remaining connection slots": (
        "raise max_connections in postgresql.conf, or end what else holds them; a control room "
        "takes up to 8"
    ),
    "password authentication failed": "mend the password in ~/.pgpass or PGPASSFILE's file",
    "no password supplied": "put the password into ~/.pgpass or PGPASSFILE's file (chmod 600)",
}
"""What to do about what libpq and the server say."""


class Pace:
    """How long a server takes for an answer, lately."""

    def __init__(self) -> None:
        self._took_s = self._answers = 0.0

    def note(self, took_s: float, answers: int) -> None:
        """Take that so many answers took so long; what was before counts less and less."""
        self._took_s = LINGERS * self._took_s + took_s
        self._answers = LINGERS * self._answers + answers

    @property
    def is_slow(self) -> bool:
        """Whether alarms would wait too long behind it."""
        return self._took_s > SLOW_S * max(1.0, self._answers)

    @property
    def why(self) -> str:
        """Say how slow."""
        return f"it takes {self._took_s / max(1.0, self._answers):.1f} s for an answer"


class PostgresDatabase(Database):
    """One connection to a server, brought back whenever it is lost."""

    kind = "postgresql"

    def __init__(
        self,
        url: str,
        prepare: Prepare,
        *,
        required: bool,
        lasting: bool = True,
        reading: bool = False,
    ) -> None:
        """Connect; raises `JournalError` that names the server. `reading` never changes anything.

        Unless it is `required`, a server that does not let us in is tried again and again: a
        control room that starts before its database still shows alarms. There a server that
        answers slowly counts as away as well, for alarms wait behind every answer; not so for
        positions (not `lasting`), for which nobody waits.
        """
        self._reading = reading
        self._pace = Pace() if lasting and not required else None
        self._psycopg = _driver()
        self.name = _printable(url)
        self._url = url
        self._prepare = prepare
        self._lasting = lasting
        self._lock = threading.RLock()
        self._connection: psycopg.Connection[tuple[Any, ...]] | None = None
        self._why_away = ""
        self._closing = threading.Event()
        self._coming_back: threading.Thread | None = None
        try:
            self._connect()
        except JournalError:
            self._closing.set()
            raise
        except self._psycopg.Error as error:
            self._why_away = _line(error)
            if required:
                raise JournalError(f"{self.name}: {self._why_away}") from None
            print(f"lamproom: {self.name}: {self._why_away}", file=sys.stderr, flush=True)
            self._come_back()

    def write(self, work: Callable[[Session], T], *, within_s: float | None = None) -> T:
        """Do `work` in one transaction."""
        try:
            with self._lock:
                return self._say(work, whole=True, within_s=within_s)
        except (self._psycopg.DataError, ValueError, OverflowError) as error:
            raise self._unfit(_line(error)) from None
        except self._psycopg.Error as error:
            raise self._unwritten(_line(error)) from None

    def read(self, work: Callable[[Session], T]) -> T:
        """Ask."""
        try:
            with self._lock:
                return self._say(work, whole=False)
        except (self._psycopg.Error, ValueError) as error:
            raise self._unread(_line(error)) from None

    def close(self) -> None:
        """Close the connection."""
        self._closing.set()
        with self._lock:
            self._drop()
        if self._coming_back is not None:
            self._coming_back.join(timeout=2 * ANSWER_S)

    def _say(
        self, work: Callable[[Session], T], *, whole: bool, within_s: float | None = None
    ) -> T:
        connection = self._connection
        if connection is None:
            raise self._psycopg.OperationalError(f"the server is away: {self._why_away}")
        session, began_s = Session(connection, self.kind, in_postgresql), time.monotonic()
        try:
            with (
                deadline(os.dup(connection.fileno()), within_s or ANSWER_S) as cut,
                connection.transaction() if whole else contextlib.nullcontext(),
            ):
                found = work(session)
        except self._psycopg.Error as error:
            hung = cut.is_set()
            self._why_away = f"no answer for {within_s or ANSWER_S:g} s" if hung else _line(error)
            # A server that only reads is the wrong one of two; the right one may be found anew.
            if hung or connection.closed or error.sqlstate == "25006":
                self._drop()
                self._come_back()
            if hung:  # what libpq says then is that the server closed the connection
                raise self._psycopg.OperationalError(self._why_away) from None
            raise
        if self._pace is not None and within_s is None:
            ends = 2 if whole else 0  # BEGIN and COMMIT
            self._pace.note(time.monotonic() - began_s, session.answers + ends)
            if self._pace.is_slow:
                self._why_away = self._pace.why
                self._drop()
                self._come_back()
        return found

    def _connect(self) -> None:
        connection = self._psycopg.connect(
            self._url, autocommit=True, application_name="lamproom", **OF_CONNECTION
        )
        try:
            pace, began_s = Pace(), time.monotonic()
            with deadline(os.dup(connection.fileno()), ANSWER_S):
                (encoding,) = connection.execute("SHOW server_encoding").fetchall()[0]
                commit = "on" if self._lasting else "off"
                connection.execute(f"SET synchronous_commit = {commit}")
                connection.execute(f"SET lock_timeout = {round(LOCKED_S * 1000)}")
                if self._reading:
                    connection.execute("SET default_transaction_read_only = on")
            pace.note(time.monotonic() - began_s, 3)
            if self._pace is not None:
                if pace.is_slow:
                    raise self._psycopg.OperationalError(pace.why)
                self._pace = pace
            if encoding != "UTF8":
                raise JournalError(
                    f"{self.name}: the database is in {encoding}; make one in UTF8, or names in "
                    "Chinese can't be stored"
                )
        except BaseException:
            connection.close()
            raise
        with self._lock:
            self._connection = connection
            try:
                self._prepare(self)
            except JournalError as error:
                self._drop()
                raise JournalError(f"{self.name}: {error}; give another --journal") from None

    def _drop(self) -> None:
        if self._connection is not None:
            with contextlib.suppress(self._psycopg.Error):
                self._connection.close()
        self._connection = None

    def _come_back(self) -> None:
        if self._coming_back is not None and self._coming_back.is_alive():
            return
        self._coming_back = threading.Thread(
            target=self._try_again, name="journal-reconnect", daemon=True
        )
        self._coming_back.start()

    def _try_again(self) -> None:
        while not self._closing.wait(AGAIN_S):
            try:
                self._connect()
            except (self._psycopg.Error, JournalError) as error:
                self._why_away = _line(error)
            else:
                break
        if self._closing.is_set():
            with self._lock:
                self._drop()


@cache
def in_postgresql(sql: str) -> str:
    """Write a statement as PostgreSQL, and psycopg, have it."""
    words = {"number": "BIGINT", "text": 'TEXT COLLATE "C"', "by_key": "", "find": "STRPOS"}
    return sql.format(**words).replace("?", "%s")


def _driver() -> Any:
    try:
        import psycopg
    except ImportError as error:
        raise JournalError(
            f"--journal: for PostgreSQL install lamproom with its extra `postgresql` ({error})"
        ) from None
    return psycopg


def _printable(url: str) -> str:
    """Name the database as it may be printed; raises `JournalError` without repeating the text."""
    from psycopg import ProgrammingError
    from psycopg.conninfo import conninfo_to_dict

    try:
        parts = conninfo_to_dict(url)
    except ProgrammingError:
        raise JournalError(
            "--journal: is no address of a database; give postgresql://user@host:port/name"
        ) from None
    user = f"{parts['user']}@" if parts.get("user") else ""
    port = f":{parts['port']}" if parts.get("port") else ""
    return f"postgresql://{user}{parts.get('host', '')}{port}/{parts.get('dbname', '')}"


def _line(error: Exception) -> str:
    """Give what went wrong as one line, and what to do where that is known."""
    said = " ".join(str(error).split()) or type(error).__name__
    advice = next((what for word, what in _ADVICE.items() if word in said), "")
    return f"{said.removesuffix('.')}; {advice}" if advice else said
