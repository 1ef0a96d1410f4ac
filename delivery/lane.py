"""Takes positions out of the way of all else: of each gateway the newest, a few times a second.

Knows nothing about what positions say, nor who hears them. A hundred gateways send a thousand a
second, and each is a signature to check and a text to read; but nobody sees more than a few of them
a second, and the newest says all that those before it did. So what comes meanwhile is passed over
unread, in a thread of its own that rests as long as it works: alarms and heartbeats do not wait for
it, and when there is too much, positions come later, which is told. `Lane` is for readers who show
what is now; whoever keeps every word has none.
"""

import contextlib
import heapq
import sys
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass

EVERY_S = 0.2
"""So often each gateway's positions are passed on; a page draws its plan no more often."""
MOST_PER_S = 250
"""Nor more of all gateways together: of a hundred each comes every 0.4 s, as a page draws a crowd,
and with any number of gateways it costs the same."""
REST_S = 0.05
"""What is due within so long is passed on together."""
SLICE_S = 0.05
"""Nor is more passed on together than takes so long: the first of them waits for the last."""
LATE_S = 0.5
"""Later than this after they were due is too late: the processor can't keep up."""
TOLD_OVER_S = 10.0
MOST_EVERY_S = 1.0
"""No gateway waits longer than this by intention, however many topics there are: what is more than
can be read comes late, and that is told."""
QUIET_S = 60.0
"""A gateway that has said nothing for so long takes no turn from the others."""
MOST_TOPICS = 10_000
"""More gateways than this are a mistake or an attack; so many may wait."""

Hear = Callable[[str, bytes, bool, int], None]
"""Takes topic, payload, whether the broker had kept it, and how many before it were passed over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shed:
    """How far positions were behind of late."""

    late_s: float
    """The most, within `TOLD_OVER_S`; 0 while that is little."""
    left_out: int
    """So many messages were passed over then because of that, and not only to spare the reader."""


NOTHING_SHED = Shed(late_s=0.0, left_out=0)


@dataclass(slots=True, kw_only=True)
class _Waiting:
    """The newest message of one topic."""

    due_s: float
    payload: bytes
    retained: bool
    passed_over: int = 0
    left_out: int = 0
    """Of those, the ones that were due already."""


class Lane:
    """Passes the newest message of each topic on; close it when the connection is closed."""

    def __init__(self) -> None:
        """Take nothing yet."""
        self.together: Callable[[], AbstractContextManager[None]] = contextlib.nullcontext
        """Entered round what is passed on at once."""
        self._hear: Hear | None = None
        self._lock = threading.Lock()
        self._passing = threading.Lock()
        """Held while a message is passed on, so that `settle` knows that none is under way."""
        self._waiting: dict[str, _Waiting] = {}
        self._order: list[tuple[float, str]] = []
        self._passed_s: dict[str, float] = {}
        """When the last of each topic was passed on, those first that were longest ago."""
        self._late: deque[tuple[float, float, int]] = deque()
        """When, by how much, and how many were left out."""
        self._some = threading.Event()
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="positions-lane", daemon=True)

    def start(self, hear: Hear) -> None:
        """Pass on to `hear` from now on."""
        self._hear = hear
        self._thread.start()

    def put(self, topic: str, payload: bytes, retained: bool) -> None:
        """Take a message; never waits for whoever hears it."""
        now_s = time.monotonic()
        with self._lock:
            before = self._waiting.get(topic)
            if before is not None:
                before.payload, before.retained = payload, retained
                before.passed_over += 1
                before.left_out += now_s > before.due_s
                return
            if len(self._waiting) >= MOST_TOPICS:
                return
            every_s = min(MOST_EVERY_S, max(EVERY_S, len(self._passed_s) / MOST_PER_S))
            due_s = max(now_s, self._passed_s.get(topic, 0.0) + every_s)
            self._waiting[topic] = _Waiting(due_s=due_s, payload=payload, retained=retained)
            heapq.heappush(self._order, (due_s, topic))
            first = self._order[0][1] == topic
        if first:
            self._some.set()

    def settle(self, topic: str) -> None:
        """Pass on what waits of a topic, so that what is heard next comes after it."""
        with self._passing:
            self._pass_on(topic)

    def shed(self) -> Shed:
        """Tell how far behind positions were within the last seconds."""
        with self._lock:
            now_s = time.monotonic()
            while self._late and now_s - self._late[0][0] > TOLD_OVER_S:
                self._late.popleft()
            # What still waits is late, too: the thread may hang.
            waits_s = now_s - min((one.due_s for one in self._waiting.values()), default=now_s)
            late_s = max([waits_s, *(late_s for _, late_s, _ in self._late)])
            left_out = sum(left_out for *_, left_out in self._late)
        return NOTHING_SHED if late_s <= LATE_S else Shed(late_s=late_s, left_out=left_out)

    def close(self) -> None:
        """Stop; what waits is not passed on."""
        self._closing = True
        self._some.set()
        if self._thread.ident is not None:
            self._thread.join(timeout=10.0)

    def _run(self) -> None:
        while not self._closing:
            with self._lock:
                self._some.clear()
                due_s = self._order[0][0] if self._order else None
            now_s = time.monotonic()
            if due_s is None or due_s > now_s:
                self._some.wait(None if due_s is None else max(REST_S, due_s - now_s))
                continue
            try:
                self._round(now_s)
            except Exception:  # positions must go on all the same
                traceback.print_exc(file=sys.stderr)
            # At most half of the time, by the clock on the wall: where others want the processor,
            # too, it takes longer, and they get more of it.
            time.sleep(max(REST_S, min(1.0, time.monotonic() - now_s)))

    def _round(self, now_s: float) -> None:
        with self.together():
            while (topic := self._due(now_s)) is not None:
                with self._passing:
                    self._pass_on(topic)
                if time.monotonic() - now_s > SLICE_S:
                    return

    def _due(self, now_s: float) -> str | None:
        """Take the topic whose turn it is; none where nobody's was at that time."""
        with self._lock:
            if not self._order or self._order[0][0] > now_s:
                return None
            return heapq.heappop(self._order)[1]

    def _pass_on(self, topic: str) -> None:
        now_s = time.monotonic()
        with self._lock:
            one = self._waiting.pop(topic, None)
            if one is None or self._hear is None:
                return  # settled before
            self._passed_s.pop(topic, None)
            self._passed_s[topic] = now_s
            while now_s - next(iter(self._passed_s.values())) > QUIET_S:
                del self._passed_s[next(iter(self._passed_s))]
            if now_s - one.due_s > LATE_S:
                self._late.append((now_s, now_s - one.due_s, one.left_out))
        try:
            self._hear(topic, one.payload, one.retained, one.passed_over)
        except Exception:  # the next ones must not wait for whoever mends this
            traceback.print_exc(file=sys.stderr)
