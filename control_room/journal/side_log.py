"""Writes rows beside a journal in a thread of its own, a batch at a time, and forgets old ones.

Knows nothing about what is in a row. What can't be written yet waits in memory, so much of it as
fits; what is dropped is counted and told, for a gap must not look like nobody there.
"""

import threading
import time
import traceback
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterable
from itertools import islice

from control_room.journal.database import (
    JournalError,
    Place,
    Session,
    UnfitAlarmError,
    open_database,
)
from control_room.journal.partitions import (
    divide,
    drop_pieces,
    is_divided,
    make_pieces,
    starts_ahead,
    starts_for,
)
from control_room.journal.side_table import KEY, TIME, SideRow, SideTable
from scene.clock import Clock

PRUNE_EVERY_S = 3600.0
PRUNE_SOON_S = 60.0
"""While rows can't be written."""
TELL_LOSS_EVERY_S = 60.0
PATIENCE_S = 10.0
"""So long at most a server may take for a batch: only rows wait behind it."""
CLOCKS_APART_NS = 3600 * 10**9
"""So far ahead of the server's may this computer's clock be without a word."""
AT_ONCE = 1000
"""So many rows are written or forgotten in one go, so that nobody waits long for the rest."""


class SideLog(ABC):
    """Writes down what `_gather` finds; close it at the end. Subclasses set their own up first."""

    def __init__(
        self,
        table: SideTable,
        place: Place,
        clock: Clock,
        say: Callable[[str], None],
        *,
        keep_days: float,
        most_rows: int,
        first_s: float,
        prune_more: Callable[[], object] = lambda: None,
    ) -> None:
        """Open the database beside the journal's; raises `JournalError`.

        At most `most_rows` wait; `first_s` is waited before the first rows are gathered.
        `prune_more` is called, in the log's own thread, whenever old rows are forgotten.
        """
        self._table, self._place, self._clock, self._say = table, place, clock, say
        self._prune_more = prune_more
        self._keep_ns = round(keep_days * 86400e9)
        self._most_rows, self._pause_s = most_rows, first_s
        self._rows: dict[SideRow, SideRow] = {}
        self._made: set[int] = set()
        self._trouble = ""
        self._uncut = ""
        self._said: deque[str] = deque(maxlen=20)
        self.dropped = self._dropped_told = 0
        """So many rows or messages were not written and never will be."""
        self._loss_due_s = self._prune_due_s = clock.monotonic_s()
        self._gather_due_s = time.monotonic() + first_s
        self._database = open_database(
            table.place_of(place), table.prepare, required=False, lasting=False
        )
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"{table.name}-log", daemon=True)
        self._thread.start()

    @abstractmethod
    def _gather(self) -> tuple[Iterable[SideRow], float]:
        """Give what is to be written, and how long to wait before the next time."""

    def close(self) -> None:
        """Gather and write once more, and stop."""
        self._closing.set()
        self._thread.join(timeout=10.0)
        self._database.close()

    def _run(self) -> None:
        last = False
        while not last:
            last = self._closing.wait(self._pause_s)
            try:
                self._take()
                self._write_or_say()
                if self._clock.monotonic_s() >= self._prune_due_s:
                    pause_s = PRUNE_SOON_S if self._trouble else PRUNE_EVERY_S
                    self._prune_due_s = self._clock.monotonic_s() + pause_s
                    self._prune()  # also where a full disk takes no rows: it makes room
            except Exception:  # whatever else goes wrong
                traceback.print_exc()

    def _take(self) -> None:
        """Gather what is to be written."""
        try:
            rows, self._pause_s = self._gather()
            self._rows.update((row[:KEY], row) for row in rows)
        except Exception:  # what comes later is still worth a row
            traceback.print_exc()
        self._gather_due_s = time.monotonic() + self._pause_s
        while len(self._rows) > self._most_rows:
            del self._rows[next(iter(self._rows))]
            self.dropped += 1

    def _write_or_say(self) -> None:
        try:
            self._write()
        except JournalError as error:
            if str(error) != self._trouble:
                self._say(f"{self._table.many} are not written down: {error}")
            self._trouble = str(error)

    def _write(self) -> None:
        while self._rows:
            batch = [*islice(self._rows.values(), AT_ONCE)]
            self._make_pieces(batch)
            self._insert(batch)
            for row in batch:
                del self._rows[row[:KEY]]
        if self._uncut:  # the server is there, for it took the rows
            self._say_once(
                f"{self._table.many} lie in one piece, and are forgotten slowly: {self._uncut}"
            )
            self._uncut = ""
        if self._trouble:
            self._say(f"{self._table.many} are written down again; {self.dropped} never will be")
            self._dropped_told = self.dropped
        self._trouble = ""
        self._tell_loss()

    def _tell_loss(self) -> None:
        """Say what was lost though the database was there: a gap is not nobody there."""
        now_s, lost = self._clock.monotonic_s(), self.dropped - self._dropped_told
        if lost and now_s >= self._loss_due_s:
            self._loss_due_s, self._dropped_told = now_s + TELL_LOSS_EVERY_S, self.dropped
            self._say(f"{self._table.many} are not written down as fast as they come: {lost} lost")

    def _insert(self, batch: list[SideRow]) -> None:
        try:
            self._database.write(
                lambda session: session.change_all(self._table.insert, batch), within_s=PATIENCE_S
            )
        except UnfitAlarmError:
            if len(batch) == 1:
                self.dropped += 1
                return
            for row in batch:  # the others can be stored
                self._insert([row])

    def _make_pieces(self, batch: list[SideRow]) -> None:
        """Make the pieces for these rows; where that fails the default piece takes them."""
        times_ns = [row[TIME] for row in batch]
        now_ns = self._clock.now_ns()
        self._make(starts_for(self._table, [at for at in times_ns if type(at) is int], now_ns))

    def _make(self, starts: set[int]) -> None:
        new = starts - self._made
        if not new or self._database.kind != "postgresql":
            return
        self._made |= new  # also where it fails: it is tried again with the next forgetting
        try:
            self._database.write(
                lambda session: make_pieces(session, self._table, new), within_s=PATIENCE_S
            )
        except JournalError as error:
            self._uncut = str(error)

    def _prune(self) -> None:
        """Forget what is too old, and make the pieces that will be needed."""
        now_ns = self._clock.now_ns()
        self._made.clear()
        steps = (self._divide, self._make_ahead, self._forget, lambda _now_ns: self._prune_more())
        for step in steps:
            try:
                step(now_ns)
            except JournalError as error:  # said, and tried again in an hour
                self._say_once(f"old {self._table.many} can't be forgotten now: {error}")

    def _divide(self, now_ns: int) -> None:
        if self._database.kind == "sqlite":
            return
        if self._database.read(lambda session: is_divided(session, self._table)):
            return
        failed, ended = list[JournalError](), threading.Event()

        def work() -> None:
            try:
                divide(self._place, self._table, now_ns)
            except JournalError as error:
                failed.append(error)
            finally:
                ended.set()

        # Beside, for it may take an hour: what comes meanwhile waits here.
        threading.Thread(target=work, name=f"{self._table.name}-divide", daemon=True).start()
        while not ended.wait(self._pause_s):
            if self._closing.is_set():
                return
            self._take()
        if failed:
            raise failed[0]

    def _make_ahead(self, now_ns: int) -> None:
        if self._keep_ns:
            self._make(starts_ahead(self._table, now_ns))

    def _forget(self, now_ns: int) -> None:
        now_ns = self._both_say(now_ns)
        before_ns = now_ns - self._keep_ns
        everything = None if self._keep_ns else now_ns
        for name in drop_pieces(self._database, self._table, before_ns, all_to_ns=everything):
            done = AT_ONCE
            while done == AT_ONCE and not self._closing.is_set():
                done = self._database.write(
                    lambda session: self._table.forget(session, name, before_ns, AT_ONCE),  # noqa: B023
                    within_s=PATIENCE_S,
                )
                self._closing.wait(0.05)
                if time.monotonic() >= self._gather_due_s:
                    self._take()
                    self._write_or_say()

    def _both_say(self, now_ns: int) -> int:
        """Give the earlier time of this computer's and the server's clock.

        A clock that is a year ahead must not cost all that was ever written.
        """
        if self._database.kind == "sqlite":
            return now_ns
        theirs_ns = self._database.read(_server_ns)
        if now_ns - theirs_ns > CLOCKS_APART_NS:
            self._say_once(
                f"this computer's clock is more than an hour ahead of the database server's; old "
                f"{self._table.many} are forgotten by the server's: set the one that is wrong"
            )
        return min(now_ns, theirs_ns)

    def _say_once(self, sentence: str) -> None:
        if sentence not in self._said:
            self._said.append(sentence)
            self._say(sentence)


def _server_ns(session: Session) -> int:
    sql = "SELECT CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000000000 AS BIGINT)"
    return int(session.rows(sql)[0][0])
