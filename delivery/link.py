"""What a publisher or subscriber may ask of a connection to a broker, real or in memory.

Knows nothing about MQTT libraries.
"""

from collections.abc import Callable
from typing import Protocol

OnMessage = Callable[[str, bytes, bool], None]
"""Takes topic, payload, and whether the broker had kept the message (retained)."""

OnResult = Callable[[bool, str], None]
"""Takes whether the broker took a QoS 1 message, and its reason if it did not."""


class Link(Protocol):
    """A connection to a broker; `delivery.mqtt.Connection` or `delivery.memory.MemoryConnection`.

    A message that can't be sent now is not kept: `publish` says so, and whoever needs it to arrive
    sends it again. So nothing grows while a broker is away.
    """

    @property
    def connected(self) -> bool:
        """Whether messages go out now."""
        ...

    @property
    def trouble(self) -> str:
        """What somebody has to mend soon, though messages still go out; mostly empty."""
        ...

    def publish(
        self,
        topic: str,
        payload: bytes,
        *,
        qos: int,
        retain: bool,
        on_result: OnResult | None = None,
    ) -> bool:
        """Send without ever waiting; tells whether the message was taken for sending.

        `on_result` is called once, from another thread, when the broker has answered a QoS 1
        message that was taken.
        """
        ...

    def subscribe(self, filter: str, qos: int, on_message: OnMessage) -> None:
        """Hear all topics that fit `filter`, now and after every reconnection."""
        ...

    def on_connect(self, hook: Callable[[], None]) -> None:
        """Call `hook` after every connection, from another thread; soon, if connected already."""
        ...

    def renew_will(self, topic: str, payload: bytes) -> None:
        """Leave another last will; connects anew for it, so that hooks are called."""
        ...

    def close(self) -> None:
        """Send what was taken (at most a second), say goodbye and stop; never raises."""
        ...
