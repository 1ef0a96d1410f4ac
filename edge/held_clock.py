"""A clock that stands still until it is told to go on, so that one look has one time.

Knows nothing about looks. Live it takes another clock's time again and again; in a second run it is
set to what was written down.
"""

from scene.clock import Clock, SystemClock


class HeldClock:
    """Tells the time that it was last given."""

    def __init__(self, clock: Clock | None = None) -> None:
        self._clock = clock or SystemClock()
        self.hold()

    def hold(self) -> None:
        """Take the other clock's time."""
        self.set(self._clock.monotonic_s(), self._clock.now_ns())

    def set(self, now_s: float, now_ns: int) -> None:
        """Tell these times from now on: monotonic, and UTC."""
        self._now_s, self._now_ns = now_s, now_ns

    def monotonic_s(self) -> float:
        """Tell the held time, monotonic."""
        return self._now_s

    def now_ns(self) -> int:
        """Tell the held time, UTC."""
        return self._now_ns

    def sleep(self, duration_s: float) -> None:
        """Nobody who holds the time sleeps."""
        raise NotImplementedError
