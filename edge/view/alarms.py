"""Raises and clears the alarms of cameras that can't see, see badly or have lost their light.

Knows nothing about looks: it is told what stands now, and why.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from edge.view.camera import Blind
from scene.alarms import system_alarm
from scene.messages import Anomaly

KIND_OF: Mapping[Blind, str] = {"obscured": "camera_obscured", "dark": "camera_dark"}
DUSTY, LIGHT_LOST = "camera_dusty", "light_lost"
KINDS = (*KIND_OF.values(), DUSTY, LIGHT_LOST)
NO_CAMERA = ""
"""For an alarm about the site's light."""

_Key = tuple[str, str]
"""Kind and camera."""


class ViewAlarms:
    """At most one alarm of a kind for each camera."""

    def __init__(self) -> None:
        self._raised: dict[_Key, Anomaly] = {}
        self._changes: list[Anomaly] = []

    def adopt(self, alarm: Anomaly) -> bool:
        """Carry on an alarm of the run before; tells whether it is one of these."""
        key = (alarm.kind, alarm.camera or NO_CAMERA)
        if alarm.kind not in KINDS or key in self._raised:
            return False
        self._raised[key] = alarm
        return True

    def update(self, standing: Mapping[_Key, tuple[Sequence[str], str]], at_ns: int) -> None:
        """Raise what stands and is new, clear what stands no more.

        `standing` has the cameras that each is about, and its evidence. When one of them is not in
        what was said the alarm is said anew.
        """
        for key, (cameras, text) in standing.items():
            raised = self._raised.get(key)
            if raised is None:
                self._say(key, _anomaly(key, text, at_ns))
            elif not set(cameras) <= _cameras_in(raised.evidence):
                again = replace(raised, captured_at_ns=at_ns, evidence=_evidence(key, text))
                self._say(key, again)
        for key in [key for key in self._raised if key not in standing]:
            raised = self._raised.pop(key)
            worse = raised.camera is not None and any(one == raised.camera for _, one in standing)
            what = _evidence(key, "it can't see at all now" if worse else OVER[raised.kind])
            self._changes.append(
                replace(raised, state="cleared", captured_at_ns=at_ns, evidence=what)
            )

    def changes(self) -> tuple[Anomaly, ...]:
        """Take the alarms that were raised or cleared since the last call."""
        changes, self._changes = tuple(self._changes), []
        return changes

    def _say(self, key: _Key, alarm: Anomaly) -> None:
        self._raised[key] = alarm
        self._changes.append(alarm)


OVER = {
    "camera_obscured": "it sees again",
    "camera_dark": "it sees again",
    DUSTY: "its view is clear again",
    LIGHT_LOST: "the light is as usual",
}


def _cameras_in(evidence: str) -> set[str]:
    """Read which cameras an evidence is about: they stand before its first colon."""
    return set(evidence.partition(":")[0].removeprefix("camera ").split(", "))


def _evidence(key: _Key, text: str) -> str:
    _, camera = key
    return text if camera == NO_CAMERA else f"camera {camera}: {text}"


def _anomaly(key: _Key, text: str, at_ns: int) -> Anomaly:
    kind, camera = key
    return system_alarm(kind, at_ns, _evidence(key, text), camera=camera or None)
