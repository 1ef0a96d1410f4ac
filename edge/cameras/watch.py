"""Watches whether each camera can be trusted, and says when that changes.

Knows nothing about processes, the panorama or what a camera shows. Intervals come from the
monotonic clock only: setting the machine's clock raises no alarm and hides none.
"""

import zlib
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from edge.cameras.process import OVER, CameraHandle
from edge.frame_ring import NOTHING, SourceState, SourceStatus
from scene.alarms import ALARMS
from scene.clock import Clock
from scene.limits import CameraLimits
from scene.messages import Anomaly, CameraHealth, CameraState, Frame

FROZEN_AFTER_S = 3.0
LOOK_AT_PICTURE_EVERY_S = 0.25
FPS_WINDOW_S = 3.0
START_LIMIT_S = 10.0
"""A camera that is still connecting after the start is not alarmed about for so long."""
LEFT_OUT_AFTER_S = 3.0
LEFT_OUT_TIMES = 5
"""A camera whose pictures have been in no instant for so long, and in none of so many, is of no use
though they come. (One instant before a gap in our own work says little.)"""
CLEAR_AFTER_S = 10.0
"""An alarm that comes and goes stays one alarm until all has been well for so long."""

NO_PROBLEMS: Mapping[str, str] = MappingProxyType({})
ALARM_OF: dict[CameraState, str] = {
    "lost": "camera_lost",
    "stalled": "camera_stalled",
    "frozen": "camera_stalled",
}


@dataclass(slots=True, kw_only=True)
class Facts:
    """What a camera is judged by; times are of the monotonic clock."""

    since_s: float
    """When it was first looked for."""
    came_s: float
    """When its newest picture came; before the first one as `since_s`."""
    has_shown: bool = False
    looked_s: float
    """When its picture was last looked at, whether it is another one than before..."""
    changed_s: float
    """... and when it last was."""
    left_out_s: float | None = None
    """Since when its pictures have been in no instant."""
    left_out_times: int = 0
    unfit: str = ""
    """Why its picture can't be used."""
    source: SourceState = "connecting"
    said: str = ""
    corrupt_frames: int = 0


class CameraWatch:
    """Health of all cameras; `look` is to be called several times a second."""

    def __init__(self, limits: CameraLimits, clock: Clock) -> None:
        self._limits = limits
        self._clock = clock
        self._watched: dict[str, _Watched] = {}
        self._changes: list[Anomaly] = []
        self._adopted: dict[str, Anomaly] = {}

    def adopt(self, alarm: Anomaly) -> bool:
        """Carry on an alarm of the run before, until all has been well for long; before `look`.

        Tells whether it is one of this watch's; of two about one camera the first one stays.
        """
        if alarm.kind not in ALARM_OF.values() or alarm.camera is None:
            return False
        return self._adopted.setdefault(alarm.camera, alarm) is alarm

    def look(
        self,
        cameras: Sequence[CameraHandle],
        frames: Sequence[Frame],
        unfit: Mapping[str, str] = NO_PROBLEMS,
    ) -> None:
        """Note what has come from each camera; `frames` are one instant's, if there is a new one.

        `unfit` says, by camera, why its frame among these can't be used. Every camera is to be
        given every time.
        """
        now_s = self._clock.monotonic_s()
        for camera in cameras:
            watched = self._watched.get(camera.name)
            if watched is None:
                watched = _Watched(camera.name, now_s, self._adopted.get(camera.name))
                self._watched[camera.name] = watched
            watched.note(camera.times(), camera.status(), now_s)
        used = {frame.camera: frame for frame in frames}
        for name, watched in self._watched.items():
            if name in used:
                watched.look_at(used[name], unfit.get(name, ""), now_s)
            elif used:
                watched.leave_out(now_s)
        self.judge({})

    def judge(self, facts: Mapping[str, Facts]) -> None:
        """Judge every camera by what is known of it; what is given takes that one's place."""
        now_s = self._clock.monotonic_s()
        for name, one in facts.items():
            watched = self._watched.get(name) or _Watched(name, now_s, self._adopted.get(name))
            self._watched[name], watched.facts = watched, one
        for watched in self._watched.values():
            watched.judge(self._limits, now_s)
        self.stand()

    def stand(self) -> None:
        """Raise and clear what is to be, all cameras being as last judged."""
        now_s, now_ns = self._clock.monotonic_s(), self._clock.now_ns()
        for watched in self._watched.values():
            self._changes += watched.alarms(now_s, now_ns)

    @property
    def facts(self) -> Mapping[str, Facts]:
        """What each camera was judged by."""
        return {name: watched.facts for name, watched in self._watched.items()}

    @property
    def states(self) -> tuple[CameraState, ...]:
        """How each camera is, as last judged."""
        return tuple(watched.state for watched in self._watched.values())

    def health(self) -> tuple[CameraHealth, ...]:
        """Tell each camera's health, in the order of the cameras."""
        return tuple(watched.health() for watched in self._watched.values())

    def changes(self) -> tuple[Anomaly, ...]:
        """Take the alarms that were raised or cleared since the last call."""
        changes, self._changes = tuple(self._changes), []
        return changes


class _Watched:
    """What is known of one camera."""

    def __init__(self, name: str, now_s: float, raised: Anomaly | None) -> None:
        self._name = name
        self.facts = Facts(
            since_s=now_s,
            came_s=now_s,
            looked_s=now_s - LOOK_AT_PICTURE_EVERY_S - 1,
            changed_s=now_s,
        )
        self.state: CameraState = "stalled"
        self._detail = "no picture yet"
        self._number = NOTHING
        self._captured_at_ns: int | None = None
        self._arrivals: deque[tuple[float, int]] = deque(maxlen=1000)
        self._fps = 0.0
        self._picture = 0
        self._was_quiet = False
        self._raised = raised
        self._bad_s = now_s

    def note(self, times: tuple[tuple[int, int], ...], status: SourceStatus, now_s: float) -> None:
        """Note the newest frame's number and time, and what the source says of itself."""
        facts = self.facts
        facts.source, facts.said = status.state, status.detail
        facts.corrupt_frames = status.corrupt_frames
        if not times or times[-1][0] == self._number:
            return
        if not self.facts.has_shown or self._was_quiet:
            self._arrivals.clear()
            self.facts.changed_s = now_s
            self.facts.left_out_s = None
        self._number, self._captured_at_ns = times[-1]
        self.facts.came_s, self.facts.has_shown = now_s, True
        self._arrivals.append((now_s, self._number))

    def leave_out(self, now_s: float) -> None:
        """Note that an instant was shown without this camera."""
        if self.facts.left_out_s is None:
            self.facts.left_out_s, self.facts.left_out_times = now_s, 0
        self.facts.left_out_times += 1

    def look_at(self, frame: Frame, unfit: str, now_s: float) -> None:
        """Note whether the picture is another one than before: all of its luma counts."""
        self.facts.left_out_s, self.facts.unfit = None, unfit
        if now_s - self.facts.looked_s < LOOK_AT_PICTURE_EVERY_S:
            return
        self.facts.looked_s = now_s
        picture = zlib.crc32(np.ascontiguousarray(frame.image.y).data)
        if picture != self._picture:
            self._picture, self.facts.changed_s = picture, now_s

    def judge(self, limits: CameraLimits, now_s: float) -> None:
        """Decide the state."""
        self._fps, facts = self._rate(now_s), self.facts
        quiet_s = now_s - facts.came_s
        said = facts.said.removeprefix(f"camera {self._name}: ")
        self._was_quiet = quiet_s > limits.stalled_after_s
        failing = facts.source in (*OVER, "reconnecting")
        if quiet_s > limits.lost_after_s or (failing and quiet_s > limits.stalled_after_s):
            self.state = "lost"
            self._detail = f"no picture for {quiet_s:.1f} s" + (f": {said}" if said else "")
        elif quiet_s > limits.stalled_after_s or not facts.has_shown:
            self.state = "stalled"
            self._detail = f"no picture for {quiet_s:.1f} s" if facts.has_shown else "connecting"
        elif facts.unfit:
            self.state, self._detail = "lost", facts.unfit
        elif facts.left_out_s is not None and self._is_left_out(now_s - facts.left_out_s):
            self.state = "stalled"
            self._detail = (
                f"its pictures come but have fitted no instant of the other cameras for "
                f"{now_s - facts.left_out_s:.1f} s: they come late, or its clock is wrong"
            )
        elif facts.looked_s - facts.changed_s > FROZEN_AFTER_S:
            self.state = "frozen"
            self._detail = f"the same picture for {facts.looked_s - facts.changed_s:.1f} s"
        else:
            self.state, self._detail = "ok", said
        if facts.corrupt_frames and (self.state == "ok" or self._was_quiet):
            more = f"{facts.corrupt_frames} damaged frames left out"
            self._detail = f"{self._detail}; {more}" if self._detail else more

    def _is_left_out(self, for_s: float) -> bool:
        return for_s > LEFT_OUT_AFTER_S and self.facts.left_out_times >= LEFT_OUT_TIMES

    def alarms(self, now_s: float, now_ns: int) -> list[Anomaly]:
        """Give what has to be raised or cleared after the state just decided."""
        kind = ALARM_OF.get(self.state)
        if not self.facts.has_shown:
            starting = self.facts.source in ("connecting", "running")
            if self.state != "lost" or (starting and now_s - self.facts.since_s < START_LIMIT_S):
                kind = None
        if self._raised is None:
            return [] if kind is None else [self._raise(kind, now_s, now_ns)]
        # A camera that has shown nothing yet since the start is no better than before it.
        if kind == self._raised.kind or (kind is None and self.state != "ok"):
            self._bad_s = now_s
        is_worse = kind == "camera_lost" and self._raised.kind != kind
        if not is_worse and now_s - self._bad_s < CLEAR_AFTER_S:
            return []
        evidence = "pictures come again" if kind is None else self._detail
        changes = [self._anomaly(self._raised.kind, now_ns, self._raised, evidence)]
        self._raised = None
        return changes if kind is None else [*changes, self._raise(kind, now_s, now_ns)]

    def _raise(self, kind: str, now_s: float, now_ns: int) -> Anomaly:
        self._raised, self._bad_s = self._anomaly(kind, now_ns, None, self._detail), now_s
        return self._raised

    def health(self) -> CameraHealth:
        """Tell the health as last judged."""
        return CameraHealth(
            name=self._name,
            state=self.state,
            fps=round(self._fps, 2),
            last_frame_at_ns=self._captured_at_ns,
            detail=self._detail,
        )

    def _rate(self, now_s: float) -> float:
        while self._arrivals and now_s - self._arrivals[0][0] > FPS_WINDOW_S:
            self._arrivals.popleft()
        if len(self._arrivals) < 2:
            return 0.0
        first_s, first = self._arrivals[0]
        return (self._arrivals[-1][1] - first) / max(now_s - first_s, 1e-3)

    def _anomaly(self, kind: str, now_ns: int, raised: Anomaly | None, evidence: str) -> Anomaly:
        raised_at_ns = now_ns if raised is None else raised.raised_at_ns
        return Anomaly(
            id=f"{kind}-{self._name}-{now_ns // 1_000_000}" if raised is None else raised.id,
            kind=kind,
            severity=ALARMS[kind].severity,
            state="active" if raised is None else "cleared",
            captured_at_ns=now_ns,
            raised_at_ns=raised_at_ns,
            probability=1.0,
            certainty="certainly",
            camera=self._name,
            evidence=f"camera {self._name}: {evidence}",
        )
