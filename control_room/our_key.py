"""Notices when another control room speaks with our key, and takes the word back.

Knows nothing about gateways. They believe the newest start of a key: whoever began later, be it
only once and for a moment, makes them deaf for us, until we begin anew, too.
"""

import threading
from collections.abc import Callable

from delivery.link import Link
from delivery.signing import Signer
from delivery.voice import Voice
from scene.clock import Clock
from scene.errors import WireError
from scene.topics import TOPICS, topic_filter
from scene.wire import decode

RENEW_S = 60.0
"""Two that go on with one key would outbid each other for ever: no more often than this."""


class OurKey:
    """Listens to what is said with our key; thread-safe."""

    def __init__(
        self,
        voice: Voice,
        signer: Signer,
        clock: Clock,
        say: Callable[[str], None],
        next_run: Callable[[int], int],
    ) -> None:
        """`next_run` gives a number for a new start, higher than the one that it is given."""
        self._voice, self._key = voice, signer.public_key()
        self._clock, self._say, self._next_run = clock, say, next_run
        self._lock = threading.Lock()
        self._highest = 0
        self._renewed_s = clock.monotonic_s()  # a newcomer waits: who was there first goes on

    def listen(self, connection: Link, prefix: str) -> None:
        """Hear what control rooms say."""
        for topic, row in TOPICS.items():
            if row.sender == "control_room":
                connection.subscribe(topic_filter(topic, prefix=prefix), row.qos, self._hear)

    def take_back(self) -> None:
        """Begin anew if somebody newer was heard; to be called before each word of ours."""
        if self._highest <= self._voice.run:
            return
        now_s = self._clock.monotonic_s()
        with self._lock:
            if now_s - self._renewed_s < RENEW_S:
                return
            self._renewed_s = now_s
            self._voice.renew(self._next_run(self._highest))
        self._say(
            "another control room speaks with our key, and gateways have stopped listening to us; "
            "we speak as after a new start now. End the other one, or give it a key of its own: "
            "`lamproom certs control-room NAME`"
        )

    def _hear(self, topic: str, payload: bytes, retained: bool) -> None:
        if not payload:
            return
        try:
            run = decode(payload).run
        except WireError:
            return
        # The signature last: most of what is heard is our own word, coming back.
        if run > max(self._voice.run, self._highest) and self._key.fits(topic, payload):
            self._highest = run
