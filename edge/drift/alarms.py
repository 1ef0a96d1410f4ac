"""Raises and clears the alarms of cameras that have moved, over a restart of the gateway too.

Knows nothing about pictures or looks: what they add up to is told in a camera's state.
"""

from collections import deque
from dataclasses import replace

from edge.drift.state import CameraDrift
from edge.drift.unplaced import NOT_PLACED
from scene.alarms import ALARMS
from scene.messages import Anomaly

KIND = "camera_moved"
CLEAR_AFTER_S = 10.0
"""An alarm that comes and goes stays one alarm until all has been well for so long."""


class MovedAlarms:
    """At most one alarm for each camera."""

    def __init__(self) -> None:
        self._changes: deque[Anomaly] = deque()
        self.said = 0
        """How many alarms have been raised, cleared or said anew so far."""
        self._raised: dict[str, Anomaly] = {}
        self._bad_s: dict[str, float] = {}

    def adopt(self, alarm: Anomaly, now_s: float) -> bool:
        """Carry on an alarm of the run before; tells whether it is one of these."""
        if alarm.kind != KIND or alarm.camera is None or alarm.camera in self._raised:
            return False
        self._raised[alarm.camera], self._bad_s[alarm.camera] = alarm, now_s
        return True

    def update(self, name: str, state: CameraDrift, text: str, at_ns: int, now_s: float) -> None:
        """Raise or clear a camera's alarm; `text` says why it is not trusted, if it is not.

        One that stands is said anew when from now on its camera places nobody, or people again.
        """
        raised = self._raised.get(name)
        # An alarm stands, too, while nothing shows that all is well: not looked at yet, or dark.
        if state.moved or not state.is_well:
            self._bad_s[name] = now_s
        if state.moved and raised is None:
            self._raised[name] = _anomaly(name, state, text, at_ns)
            self._say(self._raised[name])
        elif raised is not None and state.moved:
            if state.places_nobody != (NOT_PLACED in raised.evidence):
                again = _anomaly(name, state, text, at_ns)
                self._raised[name] = replace(again, id=raised.id, raised_at_ns=raised.raised_at_ns)
                self._say(self._raised[name])
        elif raised is not None and now_s - self._bad_s[name] >= CLEAR_AFTER_S:
            del self._raised[name]
            evidence = f"camera {name}: {state.is_well}, by {CLEAR_AFTER_S:.0f} s"
            self._say(replace(raised, state="cleared", captured_at_ns=at_ns, evidence=evidence))

    def changes(self) -> tuple[Anomaly, ...]:
        """Take the alarms that were raised or cleared since the last call."""
        return tuple(self._changes.popleft() for _ in range(len(self._changes)))

    def _say(self, alarm: Anomaly) -> None:
        self._changes.append(alarm)
        self.said += 1


def _anomaly(name: str, state: CameraDrift, text: str, at_ns: int) -> Anomaly:
    sure = state.turned is not None
    return Anomaly(
        id=f"{KIND}-{name}-{at_ns // 1_000_000}",
        kind=KIND,
        severity=ALARMS[KIND].severity,
        state="active",
        captured_at_ns=at_ns,
        raised_at_ns=at_ns,
        probability=1.0 if sure else 0.5,
        certainty="certainly" if sure else "possibly",
        camera=name,
        evidence=f"camera {name}: {text}",
    )
