"""Puts alarms on the disk beside the loop that raises them, which goes on while a disk hangs.

Knows nothing about where else alarms go. What the disk has not taken yet is kept in memory, in the
order in which it came, and is never called safe. One that can't be written keeps no other waiting.
"""

import contextlib
import threading
from collections.abc import Callable

from delivery.aside import Aside, StalledError
from delivery.outbox import PATIENCE_S, Outbox, OutboxError
from scene.errors import printable
from scene.messages import AlarmState, Anomaly

OPEN_LIMIT_S = 10.0
"""So long a disk may take at a start to tell which alarms are active."""
STALLED = "the disk of the outbox does not answer; mend it"


class AlarmKeeper:
    """Keeps alarms in an outbox; no method but those with a limit waits for the disk."""

    def __init__(self, open_outbox: Callable[[], Outbox], most: int) -> None:
        """Hold at most `most` alarms in memory that the disk does not take; the oldest go first."""
        self._open_outbox, self._most = open_outbox, most
        self._outbox: Outbox | None = None
        self._aside = Aside("alarm-keeper")
        self._lock = threading.Lock()
        self._waiting: dict[tuple[str, AlarmState], Anomaly] = {}
        self._asked = False
        """Whether the thread is to look at what waits."""
        self._error = ""

    @property
    def trouble(self) -> str:
        """Why alarms are not safe on disk now; empty when they are, or will be in a moment."""
        if self._aside.busy_s > PATIENCE_S:
            return self._error or STALLED
        return self._error

    def put(self, alarm: Anomaly) -> None:
        """Take an alarm; a newer word on the same alarm in the same state replaces the older."""
        key = alarm.id, alarm.state
        with self._lock:
            self._waiting.pop(key, None)  # so that it stands behind what came before it
            self._waiting[key] = alarm
            while len(self._waiting) > self._most:
                self._waiting.pop(next(iter(self._waiting)))
        self.try_again()

    def try_again(self) -> None:
        """Try once more what the disk has refused."""
        with self._lock:
            if self._asked or not self._waiting:
                return
            self._asked = True
        self._aside.later(self._store)

    def active(self) -> list[Anomaly]:
        """List the alarms that are active on the disk; none, and `trouble`, when it won't tell."""
        try:
            return self._aside.do(self._active, OPEN_LIMIT_S)
        except StalledError:
            self._error = STALLED
            return []

    def reopen(self) -> None:
        """Open the outbox anew, when there is time; opening it takes its reserve on the disk."""
        self._aside.later(self._reopen)

    def settle(self, limit_s: float) -> bool:
        """Wait for the disk; tells whether everything that was put is safe on it."""
        return self._aside.settle(limit_s) and not self._waiting

    # ---- the thread that may hang ----

    def _opened(self) -> Outbox:
        self._outbox = self._outbox or self._open_outbox()
        return self._outbox

    def _store(self) -> None:
        with self._lock:
            self._asked = False
            waiting = list(self._waiting.items())
        failed = ""
        for key, alarm in waiting:
            try:
                self._opened().put(alarm)
            except Exception as error:  # a mistake of ours, too: the next ones must go on
                self._error = failed = _why(error, alarm.id)
                continue
            with self._lock:
                if self._waiting.get(key) is alarm:  # else a newer word came meanwhile
                    del self._waiting[key]
        self._error = failed

    def _active(self) -> list[Anomaly]:
        try:
            found = self._opened().active()
        except Exception as error:  # as above
            self._error = _why(error, "what is active")
            return []
        if not self._waiting:
            self._error = ""
        return found

    def _reopen(self) -> None:
        outbox, self._outbox = self._outbox, None
        if outbox is not None:
            with contextlib.suppress(Exception):  # the new one counts
                outbox.close()
        self._active()


def _why(error: Exception, what: str) -> str:
    """Say what is wrong: an outbox says it itself, all else is a mistake of ours."""
    if isinstance(error, OutboxError):
        return str(error)
    return printable(f"{what} can't be kept on disk: {type(error).__name__}: {error}", 300)
