"""Hear everything that gateways and control rooms say, decoded.

Knows nothing about what is done with it.
"""

import threading
from collections.abc import Callable

from delivery.link import Link
from scene.errors import WireError
from scene.topics import LIVE_PREFIX, TOPICS, Address, parse_topic, topic_filter
from scene.wire import Envelope, decode

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
    ) -> None:
        """Start to hear; `on_bad` takes the topic and what is wrong with a message."""
        self._on_message = on_message
        self._on_bad = on_bad
        self._lock = threading.Lock()
        self._last_seq: dict[tuple[str, str, str], int] = {}
        self.missed: dict[tuple[str, str, str], int] = {}
        """By (site, gateway, type): how many messages were sent and never heard."""
        for topic, row in TOPICS.items():
            connection.subscribe(topic_filter(topic, prefix=prefix), row.qos, self._hear)

    def _hear(self, topic: str, payload: bytes, retained: bool) -> None:
        if not payload:
            return  # the broker was told to forget a message; nothing is said by it
        try:
            address, envelope = parse_topic(topic), decode(payload)
            if envelope.type != TOPICS[address.topic].message:
                raise WireError(f"a message of type {envelope.type} does not belong there")
            if TOPICS[address.topic].sender == "gateway" and envelope.gateway != address.gateway:
                raise WireError(f"gateway {envelope.gateway!r} speaks for another one")
        except WireError as error:
            if self._on_bad is not None:
                self._on_bad(topic, error)
            return
        if not retained and TOPICS[address.topic].sender == "gateway":
            self._count(address, envelope)
        self._on_message(address, envelope)

    def _count(self, address: Address, envelope: Envelope) -> None:
        """Count the numbers that were jumped; a number that goes back is a sender's new start."""
        sender = (address.site, address.gateway, envelope.type)
        with self._lock:
            last = self._last_seq.get(sender)
            if last is None and len(self._last_seq) >= MAX_SENDERS:
                return
            self._last_seq[sender] = envelope.seq
            if last is not None and envelope.seq > last + 1:
                self.missed[sender] = self.missed.get(sender, 0) + envelope.seq - last - 1
