"""What of logging in and of users goes into the audit; however many guess, it stays readable.

Knows nothing about passwords or HTTP. Who logs in may not have to wait for a disk that is full or
a database that is away: what can't be written now waits in memory, with its own time, and is
written later. May be used from several threads.
"""

import threading
from collections import Counter, deque
from collections.abc import Callable
from typing import Any, Protocol

from control_room.access.pace import Buckets
from control_room.access.users_file import Users
from control_room.journal.database import JournalError, UnfitAlarmError
from control_room.lifecycle import CONTROL_ROOM
from scene.clock import Clock

BURST, PER_S = 20, 1 / 300
"""So many refused log-ins have an entry of their own; beyond, one every 5 min tells all others."""
MOST_WAITING, MOST_NAMED = 1000, 20
SOMEBODY = "somebody"
"""Who is not known: whoever guesses passwords, or writes to the users file."""


class Write(Protocol):
    """Writes one entry for good, as `Journal.audit` does; raises `JournalError`."""

    def __call__(
        self, *, who: str, what: str, at_ns: int, about: str, body: dict[str, Any]
    ) -> object:
        """Write it."""


class Audited:
    """Hands entries to the audit in their order."""

    def __init__(self, clock: Clock, say: Callable[[str], None]) -> None:
        """Entries wait until `begin`: users are read before there is a journal."""
        self._clock, self._say = clock, say
        self._write: Write | None = None
        self._waiting: deque[dict[str, Any]] = deque()
        self._lock, self._writing = threading.Lock(), threading.Lock()
        self._lost = 0
        self._trouble = ""
        self._pace = Buckets(clock, burst=BURST, per_s=PER_S)
        self._refused, self._from = Counter[str](), Counter[str]()

    def begin(self, write: Write) -> None:
        """Say where entries go."""
        self._write = write

    def note(self, who: str, what: str, about: str = "", **body: Any) -> None:
        """Put an entry down; it is written by the next `flush`."""
        entry = {
            "who": who, "what": what, "at_ns": self._clock.now_ns(), "about": about, "body": body,
        }  # fmt: skip
        with self._lock:
            if len(self._waiting) >= MOST_WAITING:
                self._lost += 1
            else:
                self._waiting.append(entry)

    def refuse(self, name: str, address: str, why: str) -> None:
        """Note a refused log-in as `name`: with an entry, or counted for the next one."""
        with self._lock:
            alone = self._pace.wait_s("") == 0.0
            if alone:
                self._pace.take("")
            else:
                _count(self._refused, name)
                _count(self._from, address)
        if alone:
            self.note(SOMEBODY, "log_in_refused", name, address=address, why=why)

    def tell_of_many(self, *, now: bool = False) -> None:
        """Note in one entry how many were refused lately without one."""
        with self._lock:
            if not self._refused or not (now or self._pace.wait_s("") == 0.0):
                return
            self._pace.take("")
            names, self._refused = dict(self._refused), Counter()
            addresses, self._from = dict(self._from), Counter()
        times = sum(names.values())
        self.note(SOMEBODY, "log_in_refused", times=times, names=names, addresses=addresses)

    def note_changes(self, before: Users, after: Users) -> None:
        """Note what somebody has changed in the users file, not by way of the page."""
        old = {user.name: user for user in before.users}
        new = {user.name: user for user in after.users}
        for name in sorted(old.keys() | new.keys()):
            was, now = old.get(name), new.get(name)
            if was is None or now is None:
                what = "removed" if now is None else "added"
                role = (now or was).role  # type: ignore[union-attr]
                self.note(SOMEBODY, f"user_{what}", name, role=role, by="users file")
            elif (was.role, was.stamp) != (now.role, now.stamp):
                what = "role" if was.role != now.role else "password or logout"
                self.note(
                    SOMEBODY, "user_changed", name, change=what, role=now.role, by="users file"
                )
        for name in sorted(after.logged_out.keys() | before.logged_out.keys()):
            if after.logged_out.get(name) != before.logged_out.get(name):
                self.note(SOMEBODY, "user_changed", name, change="logout", by="users file")

    def flush(self) -> None:
        """Write what waits; what can't be written goes on waiting."""
        with self._writing:
            while self._waiting and self._write is not None:
                try:
                    self._write(**self._waiting[0])
                except UnfitAlarmError:  # else all that follow would wait for ever
                    self._lost += 1
                except JournalError as error:
                    self._complain(str(error))
                    return
                with self._lock:
                    self._waiting.popleft()
            with self._lock:
                lost, self._lost = self._lost, 0
            self._trouble = ""
        if lost:
            self.note(CONTROL_ROOM, "audit_gap", entries=lost)

    def close(self) -> None:
        """Write all that can be written."""
        self.tell_of_many(now=True)
        self.flush()

    def _complain(self, trouble: str) -> None:
        if trouble != self._trouble:
            self._trouble = trouble
            self._say(f"log-ins can't be written into the audit now: {trouble}")


def _count(into: Counter[str], name: str) -> None:
    into[name if name in into or len(into) < MOST_NAMED else "others"] += 1
