"""One line when the broker is lost, with the reason, and one when it is back.

A connection tells of each step by itself: lost, why the next attempt failed, connected. Knows
nothing about MQTT.
"""

import threading
from collections.abc import Callable

REASON_S = 1.0
"""The line waits so long at most for the reason, which the next attempt to connect gives."""


class BrokerLoss:
    """Takes what a connection logs (`log`, from any thread) and whether it stands (`look`)."""

    def __init__(self, say: Callable[[str], None], outcome: str) -> None:
        """Start; `outcome` says what the loss means to whoever reads."""
        self._say, self._outcome = say, outcome
        self._lock = threading.Lock()
        self._waiting: list[str] = []
        """What the connection has said since it was looked at last."""
        self._watched = False
        self._since_s: float | None = None
        self._told = False

    def log(self, text: str) -> None:
        """Take what the connection says; until the first `look` it is said as it is."""
        with self._lock:
            if self._watched:
                self._waiting.append(text)
                return
        self._say(text)

    def look(self, connected: bool, now_s: float) -> None:
        """Say what is new; to be called several times a second. The first time it stands."""
        with self._lock:
            self._watched = True
        if self._since_s is None and not connected:
            self._since_s, self._told = now_s, False
        if self._since_s is None:
            for text in self._take():
                self._say(text)
            return
        late = connected or now_s - self._since_s >= REASON_S
        if not self._told and (late or len(self._waiting) > 1):
            # Where it is back already, "connected" was said last.
            said = self._take()[: -1 if connected else None]
            self._told = True
            self._say(f"LOST THE BROKER: {self._outcome} ({(said or ['trying again'])[-1]})")
        if connected:
            self._take()  # "connected", which is said below
            self._since_s = None
            self._say("the broker is back")
        elif self._told:
            for text in self._take():
                self._say(text)

    def _take(self) -> list[str]:
        with self._lock:
            waiting, self._waiting = self._waiting, []
        return waiting
