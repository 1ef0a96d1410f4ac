"""Why what a gateway says may not arrive, or what it hears may not be true, and the alarm for it.

Knows nothing about MQTT: it is told what brokers answered and what was refused.
"""

import re
import threading
from collections.abc import Callable
from dataclasses import replace

from delivery.signing import RefusedError
from scene.alarms import system_alarm
from scene.clock import Clock
from scene.errors import printable
from scene.messages import Anomaly

KIND = "delivery_trouble"
REFUSED_S = 60.0
"""A message that was refused is told of for so long."""
REPLAYS = 3
"""So many old messages within that time are somebody's doing; fewer may be a broker's."""
WELL_S = 10.0
"""The alarm is cleared after so long without trouble."""
FOLLOW_S = 30.0
"""When the reasons change, the alarm says so, but no more often than this."""
MOST_EVIDENCE = 400
MOST_CAUSES = 100
SAID_FOR_S = 3600.0
"""Why messages were refused is said once, and again when it comes back after so long."""


class Troubles:
    """Collects reasons; thread-safe."""

    def __init__(self, clock: Clock, log: Callable[[str], None] = lambda _text: None) -> None:
        """`log` is told once of each reason why messages are refused."""
        self._clock, self._log = clock, log
        self._lock = threading.Lock()
        self._blocked: dict[str, str] = {}
        self._others: dict[str, str] = {}
        self._refused: tuple[str, float] | None = None
        self._replays: list[float] = []
        self._said: dict[str, float] = {}
        """Why messages were refused, and when that was last so."""
        self._bad_at_s = self._told_at_s = -WELL_S
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
        self._say(topic, error, now_s)
        with self._lock:
            if error.replayed:
                self._replays = [at_s for at_s in self._replays if now_s - at_s < REFUSED_S]
                self._replays.append(now_s)
                if len(self._replays) < REPLAYS:
                    return
                self._replays = self._replays[-REPLAYS:]
            text = f"a message was refused: {topic}: {error}"
            self._refused = (printable(text, MOST_EVIDENCE), now_s)

    def _say(self, topic: str, error: RefusedError, now_s: float) -> None:
        cause = str(error)
        with self._lock:
            if cause not in self._said and len(self._said) >= MOST_CAUSES:
                return
            before_s, self._said[cause] = self._said.get(cause), now_s
        if before_s is None or now_s - before_s >= SAID_FOR_S:
            self._log(printable(f"{topic}: a message was refused: {error}", MOST_EVIDENCE))

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
        self.raised = raised
        self._bad_at_s = self._told_at_s = self._clock.monotonic_s()

    def changes(self) -> tuple[Anomaly, ...]:
        """Raise the alarm when there is a reason, clear it when long there was none.

        When the reasons become others it is said again, with those.
        """
        reasons, now_s, now_ns = self.reasons(), self._clock.monotonic_s(), self._clock.now_ns()
        if reasons:
            self._bad_at_s = now_s
        evidence = "; ".join(reasons)[:MOST_EVIDENCE]
        if reasons and self.raised is None:
            self.raised, self._told_at_s = system_alarm(KIND, now_ns, evidence), now_s
            return (self.raised,)
        if reasons and self.raised is not None and self._is_other(evidence, now_s):
            at_ns = max(now_ns, self.raised.captured_at_ns + 1)
            self.raised = replace(self.raised, captured_at_ns=at_ns, evidence=evidence)
            self._told_at_s = now_s
            return (self.raised,)
        if not reasons and self.raised is not None and now_s - self._bad_at_s >= WELL_S:
            before, self.raised = self.raised, None
            return (cleared(before, now_ns, f"No trouble for {WELL_S:g} s."),)
        return ()

    def _is_other(self, evidence: str, now_s: float) -> bool:
        """Tell whether the alarm is to be said again: others are the reasons, and not just now."""
        before = "" if self.raised is None else self.raised.evidence
        late = now_s - self._told_at_s >= FOLLOW_S
        return late and _without_figures(evidence) != _without_figures(before)


def _without_figures(evidence: str) -> str:
    """Leave out the seconds that pass, and which alarm a message was about."""
    return re.sub(r"\S*\d\S*", "", evidence)


def cleared(alarm: Anomaly, now_ns: int, evidence: str) -> Anomaly:
    """Give the clearing of an alarm, later than its last word whatever the clock says."""
    at_ns = max(now_ns, alarm.captured_at_ns + 1)
    return replace(alarm, state="cleared", captured_at_ns=at_ns, evidence=evidence)
