"""The clock of a control room that shows a recording: it tells the recording's time.

Knows nothing about recordings. Seconds run as everywhere, so that what is paced by them goes on.
"""

import contextlib
import threading
import time
from collections.abc import Iterator


class RecordedClock:
    """Stands where it is set; any thread may ask."""

    def __init__(self, now_ns: int) -> None:
        self._now_ns = now_ns
        self._then = threading.local()

    def set(self, now_ns: int) -> None:
        """Go to an instant, also back."""
        self._now_ns = now_ns

    @contextlib.contextmanager
    def as_of(self, at_ns: int) -> Iterator[None]:
        """Let this thread alone see an earlier instant, and seconds that fit it."""
        self._then.ns = at_ns
        try:
            yield
        finally:
            del self._then.ns

    def now_ns(self) -> int:
        """Tell the recording's UTC time, integer nanoseconds."""
        return int(getattr(self._then, "ns", self._now_ns))

    def monotonic_s(self) -> float:
        """Tell seconds from an arbitrary start."""
        return time.monotonic() - (self._now_ns - self.now_ns()) / 1e9

    def sleep(self, duration_s: float) -> None:
        """Wait."""
        time.sleep(max(0.0, duration_s))
