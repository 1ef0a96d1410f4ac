"""What a gateway hears over MQTT: operators' orders, tags and machines of the mine.

Knows nothing about what is done with it. A message that can't be read, or is not believed, is left
out and told of, for each topic and reason once.
"""

import threading
from collections import deque
from collections.abc import Callable

from delivery.guard import guard_of
from delivery.link import Link
from delivery.mqtt import say
from delivery.signing import RefusedError
from scene.clock import SystemClock
from scene.errors import WireError, printable
from scene.messages import Order
from scene.site import Site
from scene.topics import LIVE_PREFIX, TOPICS, topic_filter
from scene.wire import Message

HEARD = ("order", "tags", "machines")
MOST_KEPT = 1000
"""So many messages may wait to be taken; the oldest make room."""
MOST_TOLD = 100
"""So many bad messages are told of; a flood of further ones is not."""


class Inlet:
    """Hears one site's systems and operators; `take` never waits."""

    def __init__(self, site: Site, connection: Link, log: Callable[[str], None] = say) -> None:
        """Start to hear; raises `SigningError` for a key file that can't be used."""
        memory = site.state_folder / "heard-by-inlet.json"
        self._guard = guard_of(site.signing, SystemClock(), memory, log)
        self._messages: deque[Message] = deque(maxlen=MOST_KEPT)
        self._lock = threading.Lock()
        self._log = log
        self._told: set[tuple[str, str]] = set()
        """Topics whose bad messages were told of, and why they were bad."""
        for topic in HEARD:
            wanted = topic_filter(topic, prefix=LIVE_PREFIX, site=site.site, gateway=site.gateway)
            connection.subscribe(wanted, TOPICS[topic].qos, self._hear)

    def take(self) -> tuple[Message, ...]:
        """Give what has come since the last time, oldest first."""
        with self._lock:
            taken = tuple(self._messages)
            self._messages.clear()
        return taken

    def _hear(self, topic: str, payload: bytes, retained: bool) -> None:
        if not payload:
            return
        try:
            read = self._guard.read(topic, payload, retained=retained)
            if read is None:
                return
            address, envelope = read
            if isinstance(envelope.body, Order) and envelope.body.alarm != address.id:
                raise WireError(f"the order is about {envelope.body.alarm!r}")
        except WireError as error:
            told = (topic, str(error))
            if told not in self._told and len(self._told) < MOST_TOLD:
                self._told.add(told)
                why = "refused" if isinstance(error, RefusedError) else "not understood"
                text = f"{topic}: a message was {why}: {error}"
                self._log(printable(text, 500))
            return
        with self._lock:
            self._messages.append(envelope.body)
