"""Signs of life of a service that begins its real work late, after it has waited for something.

Knows nothing about the work. A process that has given signs of life is held to seconds by its
supervisor; loading a model takes longer, and gets as long here as in a process that is new.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from edge.running import REGULAR_S, REGULAR_SIGNS, START_LIMIT_S

EVERY_S = 0.5


@contextmanager
def late_start(
    alive: Callable[[], None], limit_s: float = START_LIMIT_S
) -> Iterator[Callable[[], None]]:
    """Give signs of life until the work does, or has taken `limit_s`, or the block ends.

    Gives what the work is to call for its own signs.
    """
    own_s: list[float] = []
    over = threading.Event()
    until_s = time.monotonic() + limit_s

    def work_is_alive() -> None:
        if len(own_s) < REGULAR_SIGNS:
            own_s.append(time.monotonic())
        alive()

    def is_regular() -> bool:
        """Tell whether the work gives signs as a supervisor expects them of a new process."""
        return len(own_s) == REGULAR_SIGNS and time.monotonic() - own_s[0] >= REGULAR_S

    def stand_in() -> None:
        while not is_regular() and time.monotonic() < until_s:
            alive()
            if over.wait(EVERY_S):
                return

    standing_in = threading.Thread(target=stand_in, name="late-start", daemon=True)
    standing_in.start()
    try:
        yield work_is_alive
    finally:
        over.set()
        standing_in.join()
