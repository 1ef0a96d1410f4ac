"""Hear everything that gateways and control rooms say, decoded.

Knows nothing about what is done with it.
"""

import threading
from collections.abc import Callable

from delivery.guard import Guard
from delivery.lane import Lane
from delivery.link import Link
from scene.errors import WireError
from scene.topics import LIVE_PREFIX, TOPICS, Address, topic_filter
from scene.wire import Envelope

MAX_SENDERS = 10_000
"""Counting of gaps stops for senders beyond this: there can't be so many in a mine."""


class Subscriber:
    """Subscribes to every row of `TOPICS`; callbacks run in the connection's thread."""

    def __init__(
        self,
        connection: Link,
        prefix: str = LIVE_PREFIX,
        *,
        on_message: Callable[[Address, Envelope], None],
        on_bad: Callable[[str, WireError], None] | None = None,
        on_gap: Callable[[Address, int], None] | None = None,
        guard: Guard | None = None,
        lane: Lane | None = None,
    ) -> None:
        """Start to hear; `on_bad` takes the topic and what is wrong with a message.

        `on_gap` takes where messages are missing, and how many, before the next one is handed over;
        `guard` checks signatures, and without one nobody's are. With a `lane` positions come in its
        thread, thinned; what it passes over counts as heard.
        """
        self._on_message = on_message
        self._on_bad = on_bad
        self._on_gap = on_gap
        self._guard = guard or Guard()
        self._lane = lane
        self._lock = threading.Lock()
        self._last: dict[tuple[str, str, str], tuple[int, int]] = {}
        """Run and number of the last message."""
        self.missed: dict[tuple[str, str, str], int] = {}
        """By (site, gateway, type): how many messages were sent and never heard."""
        if lane is not None:
            lane.start(self._hear)
        for topic, row in TOPICS.items():
            hear = self._hear if lane is None or topic != "positions" else lane.put
            connection.subscribe(topic_filter(topic, prefix=prefix), row.qos, hear)

    def _hear(self, topic: str, payload: bytes, retained: bool, passed_over: int = 0) -> None:
        if not payload:
            return  # the broker was told to forget a message; nothing is said by it
        if self._lane is not None and topic.endswith("/state"):
            # A gateway that says goodbye must not be heard to speak after that.
            self._lane.settle(topic.removesuffix("state") + "positions")
        try:
            read = self._guard.read(topic, payload, retained=retained)
        except WireError as error:
            if self._on_bad is not None:
                self._on_bad(topic, error)
            return
        if read is None:
            return  # heard before
        address, envelope = read
        if not retained and TOPICS[address.topic].sender == "gateway":
            self._count(address, envelope, passed_over)
        self._on_message(address, envelope)

    def _count(self, address: Address, envelope: Envelope, passed_over: int) -> None:
        """Count the numbers that were jumped, but for those that the lane has passed over.

        Another run is a new start, counted from 1; without runs a number that goes back is one.
        """
        if envelope.seq == 0:
            return  # a last will
        sender = (address.site, address.gateway, envelope.type)
        with self._lock:
            last = self._last.get(sender)
            if last is None and len(self._last) >= MAX_SENDERS:
                return
            same_run = last is not None and last[0] == envelope.run
            if last is not None and envelope.run and (envelope.run, envelope.seq) <= last:
                return  # came twice: a broker or bridge says again what may not have arrived
            self._last[sender] = (envelope.run, envelope.seq)
            if last is None or (not same_run and not envelope.run):
                return
            jumped = envelope.seq - 1 - (last[1] if same_run else 0) - passed_over
            if jumped <= 0:
                return
            self.missed[sender] = self.missed.get(sender, 0) + jumped
        if self._on_gap is not None:
            self._on_gap(address, jumped)
