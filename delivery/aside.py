"""Work that may hang, done beside a caller who must not: a disk can keep a thread for minutes.

Knows nothing about what the work is.
"""

import contextlib
import queue
import threading
import time
import weakref
from collections.abc import Callable
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class StalledError(Exception):
    """The work before takes too long, or this one does; it may still come to its end."""


class _Job(Generic[T]):
    """One piece of work, and how it went."""

    def __init__(self, work: Callable[[], T]) -> None:
        self.work = work
        self.ended = threading.Event()
        self.result: T | None = None
        self.error: Exception | None = None
        self.given_up = False

    def run(self) -> None:
        if self.given_up:  # whoever asked was told so, and asks again
            return
        try:
            self.result = self.work()
        except Exception as error:
            self.error = error
        self.ended.set()


class _Busy:
    """Since when the thread has been at one piece of work, by the monotonic clock."""

    since_s: float | None = None


class Aside:
    """A thread that does one piece of work after the other, in the order in which they came."""

    def __init__(self, name: str) -> None:
        """`name` is the thread's; it ends when nobody holds this object any more."""
        self._jobs: queue.SimpleQueue[_Job[Any] | None] = queue.SimpleQueue()
        self._busy = _Busy()
        threading.Thread(
            target=_work, args=(self._jobs, self._busy), name=name, daemon=True
        ).start()
        weakref.finalize(self, self._jobs.put, None)

    @property
    def busy_s(self) -> float:
        """For how long it has been at one piece of work; 0 when it has nothing to do."""
        since_s = self._busy.since_s
        return 0.0 if since_s is None else time.monotonic() - since_s

    def do(self, work: Callable[[], T], patience_s: float | None) -> T:
        """Have it done and give what it gives, or raise what it raises; none waits for ever.

        Raises `StalledError` after `patience_s`, and at once when what is being done now has taken
        longer than that. Work that was not begun by then is not done later.
        """
        if patience_s is not None and self.busy_s > patience_s:
            raise StalledError
        job = _Job(work)
        self._jobs.put(job)
        if not job.ended.wait(patience_s):
            job.given_up = True
            raise StalledError
        if job.error is not None:
            raise job.error
        return job.result  # type: ignore[return-value]

    def later(self, work: Callable[[], object]) -> None:
        """Have it done, and don't wait; what it raises is dropped."""
        self._jobs.put(_Job(work))

    def settle(self, limit_s: float) -> bool:
        """Wait until all that came so far is done; tells whether it was within `limit_s`."""
        with contextlib.suppress(StalledError):
            self.do(lambda: None, limit_s)
            return True
        return False


class NewestAside:
    """Does work beside the caller; of what waits, only the newest is done."""

    def __init__(self, name: str, *, first: Callable[[], object] | None = None) -> None:
        """`name` is the thread's; `first` is done before all else, and never left out."""
        self._aside = Aside(name)
        self._lock = threading.Lock()
        self._newest: Callable[[], object] | None = None
        if first is not None:
            self._aside.later(first)

    @property
    def busy_s(self) -> float:
        """For how long it has been at one piece of work; 0 when it has nothing to do."""
        return self._aside.busy_s

    def do(self, work: Callable[[], object]) -> None:
        """Have it done, instead of what waits; what it raises is dropped."""
        with self._lock:
            begun, self._newest = self._newest is not None, work
        if not begun:
            self._aside.later(self._do_newest)

    def settle(self, limit_s: float) -> bool:
        """Wait until the newest is done; tells whether it was within `limit_s`."""
        return self._aside.settle(limit_s)

    def _do_newest(self) -> None:
        with self._lock:
            work, self._newest = self._newest, None
        if work is not None:
            work()


def _work(jobs: "queue.SimpleQueue[_Job[Any] | None]", busy: _Busy) -> None:
    while (job := jobs.get()) is not None:
        busy.since_s = time.monotonic()
        job.run()
        busy.since_s = None
        del job  # what it holds must not live until the next one comes
