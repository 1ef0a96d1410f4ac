"""Clocks to be handed around, so that a night shift replays in a minute.

Knows nothing about frames or messages.
"""

import threading
import time
from typing import Protocol


class Clock(Protocol):
    """What a stage may ask about time."""

    def now_ns(self) -> int:
        """Tell UTC time, integer nanoseconds since the Unix epoch."""
        ...

    def monotonic_s(self) -> float:
        """Tell seconds from an arbitrary start that never jump."""
        ...

    def sleep(self, duration_s: float) -> None:
        """Wait; returns at once for a duration of 0 or less."""
        ...


class SystemClock:
    """The machine's own clocks."""

    def now_ns(self) -> int:
        """Tell UTC time, integer nanoseconds since the Unix epoch."""
        return time.time_ns()

    def monotonic_s(self) -> float:
        """Tell seconds from an arbitrary start that never jump."""
        return time.monotonic()

    def sleep(self, duration_s: float) -> None:
        """Wait; returns at once for a duration of 0 or less."""
        if duration_s > 0:
            time.sleep(duration_s)


class ReplayClock:
    """A clock that stands still until it is told the time; sleeping moves it on.

    >>> clock = ReplayClock(now_ns=1_000_000_000)
    >>> clock.sleep(0.5); clock.now_ns()
    1500000000
    """

    def __init__(self, now_ns: int = 0) -> None:
        self._now_ns = now_ns
        self._lock = threading.Lock()

    def now_ns(self) -> int:
        """Tell the replayed UTC time, integer nanoseconds."""
        return self._now_ns

    def monotonic_s(self) -> float:
        """Tell the replayed time in seconds."""
        return self._now_ns / 1e9

    def sleep(self, duration_s: float) -> None:
        """Move the clock on by `duration_s` without waiting."""
        self.set(self._now_ns + max(0, round(duration_s * 1e9)))

    def set(self, now_ns: int) -> None:
        """Set the replayed time; it never goes back."""
        with self._lock:
            self._now_ns = max(self._now_ns, now_ns)
