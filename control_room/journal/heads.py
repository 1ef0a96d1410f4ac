"""Keeps the audit's heads in a second place, beside all who act: that disk may hang.

Knows nothing about acts. What can't be written waits, so much of it as fits; the newest head
vouches for all before it.
"""

import contextlib
import sys
import threading
from collections import deque

from control_room.heads_file import Heads
from control_room.journal.audit import Head
from delivery.aside import NewestAside

MOST_WAITING = 1000
HANGS_S = 5.0
"""A file that has not taken a head for so long is said to hang."""


class HeadKeeper:
    """Hands heads to a thread of its own: who acts neither waits for it nor fails with it."""

    def __init__(self, heads: Heads) -> None:
        self._heads = heads
        self._waiting: deque[tuple[int, Head]] = deque(maxlen=MOST_WAITING)
        self._lock = threading.Lock()
        self._aside = NewestAside("audit-heads")
        self._trouble = ""

    def keep(self, at_ns: int, head: Head) -> None:
        """Have a head kept; never waits."""
        with self._lock:
            self._waiting.append((at_ns, head))
        if self._aside.busy_s > HANGS_S:
            self._say(f"the disk of {self._heads.file} hangs: the audit's heads are not kept there")
        self._aside.do(self._write)

    def begin(self, at_ns: int, head: Head) -> None:
        """Have the head of a chain that is there already kept, unsigned, where none is kept.

        Never waits. That chain may be an older journal's, or somebody's who took the heads away.
        """

        def first() -> None:
            with contextlib.suppress(OSError):  # said when the next one can't be kept either
                if not self._heads.file.exists():
                    self._heads.keep([(at_ns, head)], found=True)

        self._aside.do(first)

    def settle(self, limit_s: float) -> bool:
        """Wait until all that came is written or refused; tells whether it was within the limit."""
        return self._aside.settle(limit_s)

    def _write(self) -> None:
        with self._lock:
            waiting = dict.fromkeys(self._waiting)  # in their order
        if not waiting:
            return
        try:
            self._heads.keep(waiting)
        except OSError as error:
            self._say(f"the audit's heads can't be kept in {self._heads.file}: {error.strerror}")
            return
        self._trouble = ""
        with self._lock:
            while self._waiting and self._waiting[0] in waiting:
                self._waiting.popleft()

    def _say(self, trouble: str) -> None:
        if trouble != self._trouble:
            self._trouble = trouble
            print(f"lamproom: {trouble}", file=sys.stderr, flush=True)
