"""Why what a gateway says may not arrive, or what it hears may not be true, and the alarm for it.

Knows nothing about MQTT: it is told what brokers answered and what was refused.
"""

import threading
from dataclasses import replace

from delivery.signing import RefusedError
from scene.alarms import system_alarm
from scene.clock import Clock
from scene.messages import Anomaly

KIND = "delivery_trouble"
REFUSED_S = 60.0
"""A message that was refused is told of for so long."""
REPLAYS = 3
"""So many old messages within that time are somebody's doing; fewer may be a broker's."""
WELL_S = 10.0
"""The alarm is cleared after so long without trouble."""
MOST_EVIDENCE = 400


class Troubles:
    """Collects reasons; thread-safe."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._blocked: dict[str, str] = {}
        self._others: dict[str, str] = {}
        self._refused: tuple[str, float] | None = None
        self._replays: list[float] = []
        self._bad_at_s = -WELL_S
        self.raised: Anomaly | None = None
        """The alarm as it stands."""

    def blocked(self, kind: str, reason: str) -> None:
        """Note that the broker does not take a kind of message."""
        with self._lock:
            self._blocked[kind] = reason

    def taken(self, kind: str) -> None:
        """Note that the broker takes a kind of message."""
        with self._lock:
            self._blocked.pop(kind, None)

    def refused(self, topic: str, error: RefusedError) -> None:
        """Note that a message to us was not believed."""
        now_s = self._clock.monotonic_s()
        with self._lock:
            if error.replayed:
                self._replays = [at_s for at_s in self._replays if now_s - at_s < REFUSED_S]
                self._replays.append(now_s)
                if len(self._replays) < REPLAYS:
                    return
                self._replays = self._replays[-REPLAYS:]
            text = f"a message was refused: {topic}: {error}"[:MOST_EVIDENCE]
            said = "".join(letter if letter.isprintable() else "?" for letter in text)
            self._refused = (said, now_s)

    def set(self, what: str, reason: str) -> None:
        """Note anything else by name; an empty reason takes it away."""
        with self._lock:
            if reason:
                self._others[what] = reason
            else:
                self._others.pop(what, None)

    def reasons(self) -> tuple[str, ...]:
        """Give all reasons as they are now."""
        with self._lock:
            found = [
                f"the broker does not take our {kind} messages: {reason}"
                for kind, reason in sorted(self._blocked.items())
            ]
            found += [reason for _, reason in sorted(self._others.items())]
            if self._refused is not None:
                text, at_s = self._refused
                if self._clock.monotonic_s() - at_s < REFUSED_S:
                    found.append(text)
        return tuple(found)

    def carry_on(self, raised: Anomaly) -> None:
        """Go on with an alarm that an earlier run raised."""
        self.raised, self._bad_at_s = raised, self._clock.monotonic_s()

    def changes(self) -> tuple[Anomaly, ...]:
        """Raise the alarm when there is a reason, clear it when long there was none."""
        reasons, now_s, now_ns = self.reasons(), self._clock.monotonic_s(), self._clock.now_ns()
        if reasons:
            self._bad_at_s = now_s
        if reasons and self.raised is None:
            self.raised = system_alarm(KIND, now_ns, "; ".join(reasons)[:MOST_EVIDENCE])
            return (self.raised,)
        if not reasons and self.raised is not None and now_s - self._bad_at_s >= WELL_S:
            cleared = replace(
                self.raised,
                state="cleared",
                captured_at_ns=max(now_ns, self.raised.captured_at_ns + 1),
                evidence=f"No trouble for {WELL_S:g} s.",
            )
            self.raised = None
            return (cleared,)
        return ()
