"""What the web server says about callers, but not all of it: whoever calls could fill the disk.

Knows nothing about what went wrong.
"""

import logging

from control_room.access.pace import Buckets
from scene.clock import SystemClock

BURST, PER_S = 20, 0.1


class _Sparing(logging.Filter):
    """Lets so many records pass."""

    def __init__(self) -> None:
        super().__init__()
        self._pace = Buckets(SystemClock(), burst=BURST, per_s=PER_S)

    def filter(self, _record: logging.LogRecord) -> bool:
        """Tell whether a record is said."""
        if self._pace.wait_s("") > 0.0:
            return False
        self._pace.take("")
        return True


_SPARING = _Sparing()


def say_sparingly() -> None:
    """Limit what uvicorn says from now on, tracebacks too; of the same there are many."""
    logging.getLogger("uvicorn.error").addFilter(_SPARING)
