"""Watches whether people are really looked for, and says why not.

Knows nothing about cameras or what was found. Intervals come from the monotonic clock only.
"""

import threading
from collections import deque

from scene.clock import Clock

WINDOW_S = 3.0
BLIND_AFTER_S = 3.0
"""Without a searched set of frames for so long nobody is looking."""
START_LIMIT_S = 10.0
"""The first search may take so long (the model warms up, cameras connect) without an alarm."""
SLOWEST_S = 0.75
"""With more time than this between two searches somebody who walks is 1 m further on, and who lies
is found too rarely to be followed: falls have been missed at 1 search a second."""
SLOW_OVER = 4
"""So many searches the time between them is averaged over."""
SLOW_AFTER_S = 5.0
"""A machine that is busy for a moment is no alarm."""


class Rate:
    """How often something happens, over the last seconds; safe between threads."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._times_s: deque[float] = deque(maxlen=1000)
        self._lock = threading.Lock()

    def tick(self) -> None:
        """Note that it happened now."""
        with self._lock:
            self._times_s.append(self._clock.monotonic_s())

    def per_s(self) -> float:
        """Tell how often a second, over the last `WINDOW_S`."""
        now_s = self._clock.monotonic_s()
        with self._lock:
            recent = [time_s for time_s in self._times_s if now_s - time_s <= WINDOW_S]
        if len(recent) < 2:
            return 0.0
        return (len(recent) - 1) / max(now_s - recent[0], 1e-3)


class DetectionWatch:
    """`fed` and `searched` may be called from any thread; `look` once a second or more often."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._start_s = clock.monotonic_s()
        self._fed_s: float | None = None
        self._searched_s: float | None = None
        self._searches_s: deque[float] = deque(maxlen=SLOW_OVER + 1)
        self._slow_since_s: float | None = None
        self.rate = Rate(clock)
        self.blind = True
        """Whether nobody is looking: nothing may then count as covered. As last looked at."""

    def fed(self) -> None:
        """Note that frames were there to be searched."""
        self._fed_s = self._clock.monotonic_s()

    def searched(self) -> None:
        """Note that a set of frames has been searched."""
        self._searched_s = self._clock.monotonic_s()
        self._searches_s.append(self._searched_s)
        self.rate.tick()

    def look(self) -> str:
        """Judge; gives why people are not found, empty while all is well or has just begun."""
        now_s = self._clock.monotonic_s()
        quiet_s = now_s - (self._start_s if self._searched_s is None else self._searched_s)
        slow = self._slow(now_s)
        self.blind = self._searched_s is None or quiet_s > BLIND_AFTER_S or bool(slow)
        limit_s = START_LIMIT_S if self._searched_s is None else BLIND_AFTER_S
        if quiet_s > limit_s:
            waits = self._fed_s is not None and now_s - self._fed_s <= BLIND_AFTER_S
            why = "detection gives no answer" if waits else "no pictures come together"
            return f"nobody has been looked for in {quiet_s:.0f} s: {why}"
        return slow

    def _slow(self, now_s: float) -> str:
        """Tell that detection has been too slow for a while."""
        last = self._searches_s.copy()
        period_s = (now_s - last[0]) / SLOW_OVER if len(last) > SLOW_OVER else 0.0
        if period_s <= SLOWEST_S:
            self._slow_since_s = None
            return ""
        if self._slow_since_s is None:
            self._slow_since_s = now_s
        if now_s - self._slow_since_s <= SLOW_AFTER_S:
            return ""
        return (
            f"detection takes {period_s:.1f} s per set of pictures, with more than {SLOWEST_S:g} s "
            "nobody can be followed; give it a smaller model, more threads or a faster machine"
        )
