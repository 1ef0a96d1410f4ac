"""What each viewer still has to be sent, alarms first.

Knows nothing about what is said. Whoever tells all viewers wakes the loop that sends once, not once
for each of them.
"""

import asyncio
import contextlib
from collections import deque

URGENT = ("alarm",)
"""What goes before all else that waits."""
ANEW = "snapshot"
"""What makes moot all that waits: everything is as it says."""
MAX_WAITING = 1000
"""A viewer with so many messages unsent is cut off; its page comes back and starts afresh."""
MAX_WAITING_POSITIONS = 40
"""A viewer with so many messages unsent gets no further positions until it has caught up."""


class Bell:
    """Wakes those for whom something has come; may be rung from any thread."""

    def __init__(self) -> None:
        """Wake nobody yet."""
        self._rung: deque[asyncio.Event] = deque()
        self._is_on_its_way = False

    def ring(self, loop: asyncio.AbstractEventLoop, some: asyncio.Event) -> None:
        """Set an event soon in its loop, always the same one."""
        self._rung.append(some)
        if not self._is_on_its_way:
            self._is_on_its_way = True
            with contextlib.suppress(RuntimeError):  # the server has just stopped
                loop.call_soon_threadsafe(self._wake)

    def _wake(self) -> None:
        self._is_on_its_way = False  # before we look: who comes now rings again
        while self._rung:
            self._rung.popleft().set()


class Mailbox:
    """What one viewer still has to be sent; filled from any thread, emptied in `loop`."""

    def __init__(self, loop: asyncio.AbstractEventLoop, bell: Bell | None = None) -> None:
        """Be woken by `bell`, together with others."""
        self._loop, self._bell = loop, bell or Bell()
        self._urgent: deque[str] = deque()
        self._texts: deque[str] = deque()
        self._some = asyncio.Event()
        self._overfull = False

    def put(self, about: str, text: str) -> None:
        """Add a text; one that is only about positions is dropped when many are waiting."""
        if about == ANEW:
            self._urgent.clear()
            self._texts.clear()
        waiting = len(self._urgent) + len(self._texts)
        if about == "positions" and waiting > MAX_WAITING_POSITIONS:
            return
        if waiting >= MAX_WAITING:
            self._overfull = True
        elif about in (*URGENT, ANEW):  # alarms that come after it must not be read before it
            self._urgent.append(text)
        else:
            self._texts.append(text)
        self._bell.ring(self._loop, self._some)

    async def next(self) -> str | None:
        """Wait for the next text; none when the viewer is too far behind."""
        while not (self._urgent or self._texts):
            self._some.clear()
            if self._urgent or self._texts:
                break
            await self._some.wait()
        if self._overfull:
            return None
        return (self._urgent or self._texts).popleft()
