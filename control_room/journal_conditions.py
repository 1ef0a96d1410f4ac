"""How the control room, its gateways and head-counts were, written down as stretches of time.

Knows nothing about what is in a condition. A stretch is kept for as long as what it says was looked
at again and again: where no stretch lies, nobody looked, and nobody may take that for all is well.
Like positions, it lies in a file of its own or goes through a connection of its own, and no alarm
ever waits for it.
"""

import threading
import time
import traceback
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from control_room.journal_database import (
    CONDITIONS,
    Database,
    JournalError,
    Place,
    Session,
    UnfitAlarmError,
    beside,
    open_database,
)
from scene.clock import Clock

KEEP_DAYS = 90.0
LOOK_S = 5.0
"""So often is looked; whoever counts a large mine slowly is asked less often."""
FIRST_S = 2.0
"""The first look waits so long: who has just started has alarms to take."""
MOST_SHARE = 0.05
"""Looking takes at most this share of the time."""
GAP_S = 15.0
"""Longer than this between two looks (or twenty times what one takes), and nobody knows what was
between."""
STRETCH_NS = 6 * 3600 * 10**9
"""No stretch is longer: so who asks for a time needs to look back no further."""
MOST_KEYS = 2000
"""So many gateways and sites; more is a mistake or an attack."""
MOST_ROWS = 20_000
"""Rows that could not be written yet; then the oldest are dropped, which leaves a gap."""
PRUNE_EVERY_S = 3600.0
AT_ONCE = 1000
CLOCK_OFF_NS = 2 * 10**9
"""By so much our clock may be set while a stretch goes on."""

VERSION = 1
_TABLES = (
    """
    CREATE TABLE condition (
        what TEXT NOT NULL,
        site TEXT NOT NULL,
        gateway TEXT NOT NULL,
        from_ns {number} NOT NULL,
        until_ns {number} NOT NULL,
        body TEXT NOT NULL,
        PRIMARY KEY (what, site, gateway, from_ns)
    ) {by_key}""",
    "CREATE INDEX condition_by_until ON condition (until_ns)",
)
_UPSERT = """
INSERT INTO condition VALUES (?,?,?,?,?,?)
ON CONFLICT (what, site, gateway, from_ns) DO UPDATE SET
    until_ns = excluded.until_ns, body = excluded.body
WHERE excluded.until_ns > condition.until_ns
"""
_FORGET = """
DELETE FROM condition WHERE (what, site, gateway, from_ns) IN (
    SELECT what, site, gateway, from_ns FROM condition WHERE until_ns < ?
    ORDER BY until_ns LIMIT ?
)
"""

Key = tuple[str, str, str]
"""What, site and gateway."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """How something is now."""

    what: str
    """`room`, `heads`, `gateway` or `roadway`."""
    site: str
    gateway: str
    body: str
    """JSON in ASCII."""
    same: str = ""
    """What must be equal for it to be the same condition; empty: the body."""

    @property
    def key(self) -> Key:
        """Of what it is the condition."""
        return self.what, self.site, self.gateway


@dataclass(slots=True, kw_only=True)
class _Stretch:
    condition: Condition
    from_ns: int
    until_ns: int
    looked_s: float

    def row(self) -> tuple[object, ...]:
        return (*self.condition.key, self.from_ns, self.until_ns, self.condition.body)


def conditions_place(place: Place) -> Place:
    """Tell where the conditions of a journal lie."""
    return place if isinstance(place, str) else beside(place, CONDITIONS)


def prepare_conditions(database: Database) -> None:
    """Make the table; raises `JournalError`."""
    if not database.read(_is_there):
        database.write(_make)


def check_conditions(database: Database) -> None:
    """Raise `JournalError` unless the table is there; changes nothing."""
    if not database.read(_is_there):
        raise JournalError("there are no conditions in it")


def _is_there(session: Session) -> bool:
    if session.kind == "postgresql":
        return bool(session.rows("SELECT 1 WHERE to_regclass('condition') IS NOT NULL"))
    ((version,),) = session.rows("PRAGMA user_version")
    if version > VERSION:
        raise JournalError(f"it is of version {version}, and this Lamproom knows {VERSION}")
    return bool(version == VERSION)


def _make(session: Session) -> None:
    if session.kind == "postgresql":  # two control rooms may begin at once
        session.rows("SELECT pg_advisory_xact_lock(7651232)")
    if _is_there(session):
        return
    for table in _TABLES:
        session.change(table)
    if session.kind == "sqlite":
        session.change(f"PRAGMA user_version = {VERSION}")


class Stretches:
    """Makes stretches of looks; to be used by one thread."""

    def __init__(self, gap_s: float = GAP_S) -> None:
        self._gap_s = gap_s
        self._open: dict[Key, _Stretch] = {}
        self._changed: dict[tuple[object, ...], tuple[object, ...]] = {}

    def look(
        self, found: Iterable[Condition], now_ns: int, now_s: float, *, gap_s: float = 0.0
    ) -> None:
        """Take what was found now, by the UTC and the monotonic clock."""
        gap_s = max(gap_s, self._gap_s)
        for one in found:
            before = self._open.get(one.key)
            if before is None and len(self._open) >= MOST_KEYS:
                continue
            goes_on = before is not None and _follows(before, now_ns, now_s, gap_s)
            if before is not None and goes_on:  # what was so before was so until it changed
                before.until_ns, before.looked_s = now_ns, now_s
                self._note(before)
                if _same(before, one) and now_ns - before.from_ns < STRETCH_NS:
                    continue
            fresh = _Stretch(condition=one, from_ns=now_ns, until_ns=now_ns, looked_s=now_s)
            self._open[one.key] = fresh
            self._note(fresh)
        old = [key for key, one in self._open.items() if now_s - one.looked_s > gap_s]
        for key in old:
            del self._open[key]

    def take(self) -> list[tuple[object, ...]]:
        """Give the rows that have changed since last time."""
        rows = [*self._changed.values()]
        self._changed.clear()
        return rows

    def _note(self, stretch: _Stretch) -> None:
        self._changed[*stretch.condition.key, stretch.from_ns] = stretch.row()


def _same(before: _Stretch, one: Condition) -> bool:
    was = before.condition
    return (was.same or was.body) == (one.same or one.body)


def _follows(before: _Stretch, now_ns: int, now_s: float, gap_s: float) -> bool:
    """Tell whether somebody looked not long ago, and nobody has set the clock since."""
    passed_s = now_s - before.looked_s
    off_ns = now_ns - before.until_ns - passed_s * 1e9
    return passed_s <= gap_s and now_ns >= before.until_ns and abs(off_ns) <= CLOCK_OFF_NS


class ConditionLog:
    """Looks every few seconds, in a thread of its own, and writes down; close it at the end."""

    def __init__(
        self,
        place: Place,
        clock: Clock,
        say: Callable[[str], None],
        look: Callable[[], Iterable[Condition]],
        *,
        look_s: float = LOOK_S,
        keep_days: float = KEEP_DAYS,
    ) -> None:
        """Open the database beside the journal's; raises `JournalError`."""
        self._clock, self._say, self._look = clock, say, look
        self._look_s = look_s
        self._keep_ns = round(keep_days * 86400e9)
        self._stretches = Stretches()
        self._rows: dict[tuple[object, ...], tuple[object, ...]] = {}
        self._trouble = ""
        self.dropped = 0
        """So many rows were not written and never will be."""
        self._prune_due_s = clock.monotonic_s()
        self._database = open_database(
            conditions_place(place), prepare_conditions, required=False, lasting=False
        )
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="condition-log", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Look and write once more, and stop."""
        self._closing.set()
        self._thread.join(timeout=10.0)
        self._database.close()

    def _run(self) -> None:
        pause_s, last = min(self._look_s, FIRST_S), False
        while not last:
            last = self._closing.wait(pause_s)
            try:
                pause_s = self._look_once()
                self._write()
                if self._clock.monotonic_s() >= self._prune_due_s:
                    self._prune_due_s = self._clock.monotonic_s() + PRUNE_EVERY_S
                    self._prune()
            except JournalError as error:
                if str(error) != self._trouble:
                    self._say(f"conditions are not written down: {error}")
                self._trouble = str(error)
            except Exception:  # whatever else goes wrong, what comes later is still worth a row
                traceback.print_exc()
                pause_s = self._look_s

    def _look_once(self) -> float:
        """Look; gives how long to wait before the next look."""
        began_s = time.thread_time()
        found = [*self._look()]
        pause_s = max(self._look_s, (time.thread_time() - began_s) / MOST_SHARE)
        self._stretches.look(
            found, self._clock.now_ns(), self._clock.monotonic_s(), gap_s=3 * pause_s
        )
        return pause_s

    def _write(self) -> None:
        for row in self._stretches.take():
            self._rows[row[:4]] = row
        while len(self._rows) > MOST_ROWS:
            del self._rows[next(iter(self._rows))]
            self.dropped += 1
        while self._rows:
            batch = [*self._rows.values()][:AT_ONCE]
            self._insert(batch)
            for row in batch:
                del self._rows[row[:4]]
        if self._trouble:
            self._say(f"conditions are written down again; {self.dropped} never will be")
        self._trouble = ""

    def _insert(self, batch: list[tuple[object, ...]]) -> None:
        try:
            self._database.write(lambda session: session.change_all(_UPSERT, batch))
        except UnfitAlarmError:
            if len(batch) == 1:
                self.dropped += 1
                return
            for row in batch:  # the others can be stored
                self._insert([row])

    def _prune(self) -> None:
        before_ns = self._clock.now_ns() - self._keep_ns
        while not self._closing.is_set():
            done = self._database.write(lambda session: session.change(_FORGET, before_ns, AT_ONCE))
            if done < AT_ONCE:
                return
            time.sleep(0.05)
