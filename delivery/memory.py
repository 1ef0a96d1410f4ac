"""A broker in memory, with the same connection as a real one, for tests and single processes.

Knows nothing about sockets. Messages are handed over in the publisher's own thread.
"""

import threading
from collections.abc import Callable

from delivery.link import OnMessage, OnResult
from scene.topics import topic_fits


class MemoryBroker:
    """Topics, retained messages, last wills; `online = False` plays a broker that is away."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._connections: list[MemoryConnection] = []
        self.retained: dict[str, bytes] = {}
        self.refused: set[str] = set()
        """Topics that the broker takes from nobody ("not authorized")."""
        self.trouble = ""
        """What connections say that somebody has to mend soon."""
        self._online = True

    def connection(self, will: tuple[str, bytes] | None = None) -> "MemoryConnection":
        """Open a connection."""
        connection = MemoryConnection(self, will)
        with self._lock:
            self._connections.append(connection)
        return connection

    @property
    def online(self) -> bool:
        """Whether the broker can be reached."""
        return self._online

    @online.setter
    def online(self, online: bool) -> None:
        with self._lock:
            came_back = online and not self._online
            self._online = online
            connections = list(self._connections)
        if came_back:
            for connection in connections:
                connection.reconnected()

    def deliver(self, topic: str, payload: bytes, retain: bool) -> None:
        """Hand a message to everybody who wants it."""
        with self._lock:
            if retain and payload:
                self.retained[topic] = payload
            elif retain:
                self.retained.pop(topic, None)
            connections = list(self._connections)
        for connection in connections:
            connection.take(topic, payload, retained=False)

    def drop(self, connection: "MemoryConnection", *, cut: bool) -> None:
        """Forget a connection; one that was cut leaves its last will."""
        with self._lock:
            if connection not in self._connections:
                return
            self._connections.remove(connection)
        if cut and connection.will is not None:
            self.deliver(*connection.will, retain=True)


class MemoryConnection:
    """A connection to a `MemoryBroker`; see `delivery.link.Link`."""

    def __init__(self, broker: MemoryBroker, will: tuple[str, bytes] | None) -> None:
        self._broker = broker
        self.will = will
        self._open = True
        self._subscriptions: list[tuple[str, OnMessage]] = []
        self._hooks: list[Callable[[], None]] = []

    @property
    def connected(self) -> bool:
        """Whether messages go out now."""
        return self._open and self._broker.online

    @property
    def trouble(self) -> str:
        """What somebody has to mend soon: what the broker was given as `trouble`."""
        return self._broker.trouble

    def publish(
        self,
        topic: str,
        payload: bytes,
        *,
        qos: int,
        retain: bool,
        on_result: OnResult | None = None,
    ) -> bool:
        """Hand a message over; tells whether it was taken."""
        if not self.connected:
            return False
        taken = topic not in self._broker.refused
        if taken:
            self._broker.deliver(topic, payload, retain)
        if on_result is not None and qos > 0:
            on_result(taken, "Success" if taken else "Not authorized")
        return True

    def subscribe(self, filter: str, qos: int, on_message: OnMessage) -> None:
        """Hear all topics that fit `filter`, those that are kept first."""
        self._subscriptions.append((filter, on_message))
        for topic, payload in list(self._broker.retained.items()):
            if self.connected and topic_fits(filter, topic):
                on_message(topic, payload, True)

    def on_connect(self, hook: Callable[[], None]) -> None:
        """Call `hook` after every connection; now, if connected already."""
        self._hooks.append(hook)
        if self.connected:
            hook()

    def renew_will(self, topic: str, payload: bytes) -> None:
        """Leave another last will; calls the hooks, as a new connection does."""
        self.will = topic, payload
        if self.connected:
            self.reconnected()

    def reconnected(self) -> None:
        """Hear what is kept again and call the hooks, as after a real reconnection."""
        for hook in list(self._hooks):
            hook()
        for topic, payload in list(self._broker.retained.items()):
            self.take(topic, payload, retained=True)

    def take(self, topic: str, payload: bytes, *, retained: bool) -> None:
        """Take a message from the broker."""
        for filter, on_message in list(self._subscriptions):
            if self.connected and topic_fits(filter, topic):
                on_message(topic, payload, retained)

    def cut(self) -> None:
        """Vanish without a goodbye: the broker publishes the last will."""
        self._open = False
        self._broker.drop(self, cut=True)

    def close(self) -> None:
        """Say goodbye and stop."""
        self._open = False
        self._broker.drop(self, cut=False)
