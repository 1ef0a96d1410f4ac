"""Who asks for much waits their turn: alarms must not wait behind those who read.

Knows nothing about what is asked.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator

from scene.errors import LamproomError


class BusyError(LamproomError):
    """So many ask at once that nobody else can."""

    def __init__(self, text: str = "many ask at once; ask again in a moment") -> None:
        super().__init__(text)


class Turns:
    """So many at once; others wait in a line that has an end. To be used in one event loop."""

    def __init__(self, at_once: int, *, most_waiting: int) -> None:
        self._free = asyncio.Semaphore(at_once)
        self._waiting, self._most_waiting = 0, most_waiting

    @contextlib.asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Wait one's turn; raises `BusyError` where too many wait already."""
        if self._free.locked() and self._waiting >= self._most_waiting:
            raise BusyError
        self._waiting += 1
        try:
            await self._free.acquire()
        finally:
            self._waiting -= 1
        try:
            yield
        finally:
            self._free.release()
