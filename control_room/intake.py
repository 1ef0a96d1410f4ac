"""Hands alarms to the room together when many come at once, so that one write to disk holds them.

Knows nothing about what is done with them. A gateway that comes back after hours sends a thousand
alarms a second; a disk makes a hundred writes certain in that time.
"""

import math
import queue
import sys
import threading
import time
import traceback
from collections.abc import Callable, Sequence

from scene.topics import Address
from scene.wire import Envelope

MOST_TOGETHER = 256
MOST_WAITING = 10_000
"""What comes beyond is dropped: it is not receipted, so its gateway sends it again."""

Said = tuple[Address, Envelope]


class Intake:
    """Passes messages on, alarms in a thread of its own; close it when the connection is closed."""

    def __init__(
        self,
        hear: Callable[[Address, Envelope], None],
        hear_alarms: Callable[[Sequence[Said]], None],
    ) -> None:
        self._hear_others = hear
        self._hear_alarms = hear_alarms
        self._waiting: queue.Queue[Said | None] = queue.Queue(MOST_WAITING)
        self._since_s: float | None = None
        """Since when some are being handed over, by the monotonic clock."""
        self._thread = threading.Thread(target=self._run, name="alarm-intake", daemon=True)
        self._thread.start()

    def held_s(self) -> float:
        """Tell for how long the alarms that are handed over now have been; for ever by nobody."""
        since_s = self._since_s
        if not self._thread.is_alive():
            return math.inf
        return 0.0 if since_s is None else time.monotonic() - since_s

    def hear(self, address: Address, envelope: Envelope) -> None:
        """Take one message; an alarm is handed over soon, everything else at once."""
        if address.topic != "alarm":
            self._hear_others(address, envelope)
            return
        try:
            self._waiting.put_nowait((address, envelope))
        except queue.Full:
            return

    def close(self) -> None:
        """Hand over what has come, and stop."""
        self._waiting.put(None)
        self._thread.join(timeout=10.0)

    def _run(self) -> None:
        more = True
        while more:
            together, one = [], self._waiting.get()
            while one is not None:
                together.append(one)
                if len(together) == MOST_TOGETHER:
                    break
                try:
                    one = self._waiting.get_nowait()
                except queue.Empty:
                    break
            more = one is not None
            if together:
                self._since_s = time.monotonic()
                try:
                    self._hear_alarms(together)
                except Exception:  # the next ones must not wait for whoever mends this
                    traceback.print_exc(file=sys.stderr)
                self._since_s = None
