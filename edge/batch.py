"""Holds what is heard for a moment, so that all of it is done in one go.

Knows nothing about what that is. Whoever does each thing as it comes spends more of the processor
on being woken and on cold memory than on the things themselves (`tests/bench/recording.py`).
"""

import threading
from collections import deque
from collections.abc import Callable

EVERY_S = 0.2
MOST_BYTES = 32_000_000
"""Where more waits, as on a disk that hangs, whoever brings something is held up."""


class Batch:
    """Does what it was given in that order, in a thread of its own; thread-safe."""

    def __init__(self) -> None:
        """Begin."""
        self._waiting: deque[tuple[int, Callable[[], None]]] = deque()
        self._bytes = 0
        self.trouble: Exception | None = None
        """What one of the things raised; the others are done all the same."""
        self._doing = threading.Lock()
        self._counting = threading.Lock()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="batch", daemon=True)
        self._thread.start()

    def put(self, size: int, do: Callable[[], None]) -> None:
        """Have something done soon that holds so many bytes; after the end it is never done."""
        if self._over.is_set():
            return
        with self._counting:
            self._waiting.append((size, do))
            self._bytes += size
            too_much = self._bytes > MOST_BYTES
        if too_much:
            self._do()

    def close(self) -> None:
        """Do what waits, and end."""
        self._over.set()
        self._thread.join()
        self._do()

    def _run(self) -> None:
        while not self._over.wait(EVERY_S):
            self._do()

    def _do(self) -> None:
        with self._doing:
            while self._waiting:
                with self._counting:
                    size, do = self._waiting.popleft()
                    self._bytes -= size
                try:
                    do()
                except Exception as error:
                    self.trouble = error
