"""Where people were, thinned by time, for those who ask later.

Knows nothing about alarms, which never wait for it: positions are written in batches by a thread
of their own, into a file of their own or through a connection of their own, and dropped when the
database can't keep up. What is not written is told, for a gap must not look like nobody there.
"""

import math
import queue
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable
from itertools import islice

from control_room.journal_database import (
    POSITIONS,
    Database,
    JournalError,
    Place,
    Session,
    UnfitAlarmError,
    beside,
    open_database,
)
from control_room.journal_thinning import EVERY_S, MOST_PEOPLE, Row, Thinning
from scene.clock import Clock
from scene.messages import Positions, SiteDescription, ZoneDescription
from scene.topics import Address
from scene.wire import Envelope

KEEP_DAYS = 30.0
LOOK_S = 1.0
"""Of each gateway one message in so long is looked at: a change is written so late at most."""
BATCH_S = 2.0
PRUNE_EVERY_S = 3600.0
AT_ONCE = 1000
"""So many rows are written or forgotten in one go, so that nobody waits long for the rest."""
MOST_WAITING = 1000
"""Messages that nobody has looked at yet."""
MOST_ROWS = 100_000
"""Rows that could not be written yet: half an hour of a hundred people, some 30 MB."""

VERSION = 1
_TABLES = (
    """
    CREATE TABLE position (
        site TEXT NOT NULL,
        gateway TEXT NOT NULL,
        track {number} NOT NULL,
        at_ns {number} NOT NULL,
        worker TEXT,
        zones TEXT NOT NULL,
        x_m DOUBLE PRECISION NOT NULL,
        y_m DOUBLE PRECISION NOT NULL,
        sigma_m DOUBLE PRECISION NOT NULL,
        posture TEXT NOT NULL,
        certainty TEXT NOT NULL,
        seen_at_ns {number} NOT NULL,
        PRIMARY KEY (at_ns, site, gateway, track)
    ) {by_key}""",
    "CREATE INDEX position_by_worker ON position (worker, at_ns) WHERE worker IS NOT NULL",
)
_INSERT = "INSERT INTO position VALUES (?,?,?,?,?,?,?,?,?,?,?,?) ON CONFLICT DO NOTHING"
_FORGET = """
DELETE FROM position WHERE (at_ns, site, gateway, track) IN (
    SELECT at_ns, site, gateway, track FROM position WHERE at_ns < ? ORDER BY at_ns LIMIT ?
)
"""


def positions_place(place: Place) -> Place:
    """Tell where the positions of a journal lie."""
    return place if isinstance(place, str) else beside(place, POSITIONS)


def prepare_positions(database: Database) -> None:
    """Make the table; raises `JournalError`."""
    if not database.read(_is_there):
        database.write(_make)


def check_positions(database: Database) -> None:
    """Raise `JournalError` unless the table is there; changes nothing."""
    if not database.read(_is_there):
        raise JournalError("there are no positions in it")


def _is_there(session: Session) -> bool:
    if session.kind == "postgresql":
        return bool(session.rows("SELECT 1 WHERE to_regclass('position') IS NOT NULL"))
    ((version,),) = session.rows("PRAGMA user_version")
    if version > VERSION:
        raise JournalError(f"it is of version {version}, and this Lamproom knows {VERSION}")
    return bool(version == VERSION)


def _make(session: Session) -> None:
    if session.kind == "postgresql":  # two control rooms may begin at once
        session.rows("SELECT pg_advisory_xact_lock(7651231)")
    if _is_there(session):
        return
    for table in _TABLES:
        session.change(table)
    if session.kind == "sqlite":
        session.change(f"PRAGMA user_version = {VERSION}")


class PositionLog:
    """Hears positions and writes down some; close it when nothing comes any more."""

    def __init__(
        self,
        place: Place,
        clock: Clock,
        say: Callable[[str], None],
        *,
        every_s: float | None = EVERY_S,
        keep_days: float = KEEP_DAYS,
        batch_s: float = BATCH_S,
        prune_more: Callable[[], object] = lambda: None,
    ) -> None:
        """Open the database beside the journal's; raises `JournalError`.

        Without `every_s` nothing is written, and old positions are forgotten all the same.
        `prune_more` is called, in the log's own thread, whenever old positions are forgotten.
        """
        self._clock = clock
        self._say = say
        self._keep_ns = round(keep_days * 86400e9)
        self._batch_s = batch_s
        self._prune_more = prune_more
        self._thinning = None if every_s is None else Thinning(every_s=every_s)
        self._looked_s: dict[tuple[str, str], float] = {}
        self._zones: dict[tuple[str, str], tuple[ZoneDescription, ...]] = {}
        self._waiting: queue.Queue[tuple[tuple[str, str], Positions, float]] = queue.Queue(
            MOST_WAITING
        )
        self._rows: deque[Row] = deque()
        self._trouble = ""
        self.dropped = 0
        """So many rows or messages were not written and never will be."""
        self._prune_due_s = clock.monotonic_s()
        self._database = open_database(
            positions_place(place), prepare_positions, required=False, lasting=False
        )
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="position-log", daemon=True)
        self._thread.start()

    def hear(self, address: Address, envelope: Envelope) -> None:
        """Take one MQTT message; never waits."""
        place, body = (address.site, address.gateway), envelope.body
        if isinstance(body, SiteDescription):
            if place in self._zones or len(self._zones) < MOST_PEOPLE:
                self._zones[place] = body.zones
            return
        if not isinstance(body, Positions) or self._thinning is None:
            return
        now_s = self._clock.monotonic_s()
        if now_s - self._looked_s.get(place, -math.inf) < LOOK_S:
            return
        if place not in self._looked_s and len(self._looked_s) >= MOST_PEOPLE:
            return
        self._looked_s[place] = now_s
        try:
            self._waiting.put_nowait((place, body, now_s))
        except queue.Full:
            self.dropped += 1

    def close(self) -> None:
        """Write what has come, and stop."""
        self._closing.set()
        self._thread.join(timeout=10.0)
        self._database.close()

    def _run(self) -> None:
        last = False
        while not last:
            last = self._closing.wait(self._batch_s)
            try:
                self._write()
                if self._clock.monotonic_s() >= self._prune_due_s:
                    self._prune_due_s = self._clock.monotonic_s() + PRUNE_EVERY_S
                    self._prune()
            except JournalError as error:
                if str(error) != self._trouble:
                    self._say(f"positions are not written down: {error}")
                self._trouble = str(error)
            except Exception:  # whatever else goes wrong, later positions are still worth a row
                traceback.print_exc()

    def _write(self) -> None:
        if self._thinning is None:
            return
        now_s = self._clock.monotonic_s()
        while True:
            try:
                place, said, heard_s = self._waiting.get_nowait()
            except queue.Empty:
                break
            zones = self._zones.get(place, ())
            self._rows.extend(self._thinning.rows(place, said, zones, heard_s))
        self._rows.extend(self._thinning.silent(now_s))
        while len(self._rows) > MOST_ROWS:
            self._rows.popleft()
            self.dropped += 1
        while self._rows:
            batch = list(islice(self._rows, AT_ONCE))
            self._insert(batch)
            for _ in batch:
                self._rows.popleft()
        if self._trouble and not self._rows:
            self._say(f"positions are written down again; {self.dropped} never will be")
        self._trouble = ""

    def _insert(self, batch: list[Row]) -> None:
        try:
            self._database.write(lambda session: session.change_all(_INSERT, batch))
        except UnfitAlarmError:
            if len(batch) == 1:
                self.dropped += 1
                return
            for row in batch:  # the others can be stored
                self._insert([row])

    def _prune(self) -> None:
        """Forget what is too old."""
        before_ns = self._clock.now_ns() - self._keep_ns
        while forget_positions(self._database, before_ns) and not self._closing.is_set():
            time.sleep(0.05)
        self._prune_more()


def forget_positions(database: Database, before_ns: int) -> bool:
    """Forget some of the positions from before then; tells whether there may be more.

    Raises `JournalError`.
    """
    done = database.write(lambda session: session.change(_FORGET, before_ns, AT_ONCE))
    return done == AT_ONCE
