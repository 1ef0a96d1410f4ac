"""Watches whether each camera can be trusted, and says when that changes.

Knows nothing about processes, the panorama or what a camera shows. Intervals come from the
monotonic clock only: setting the machine's clock raises no alarm and hides none.
"""

import zlib
from collections import deque
from collections.abc import Sequence

import numpy as np

from edge.camera_process import OVER, CameraHandle
from edge.frame_ring import NOTHING, SourceStatus
from scene.alarms import ALARMS
from scene.clock import Clock
from scene.messages import Anomaly, CameraHealth, CameraState, Frame
from scene.site import CameraLimits

FROZEN_AFTER_S = 3.0
LOOK_AT_PICTURE_EVERY_S = 0.25
FPS_WINDOW_S = 3.0
START_LIMIT_S = 10.0
"""A camera that is still connecting after the start is not alarmed about for so long."""

ALARM_OF: dict[CameraState, str] = {
    "lost": "camera_lost",
    "stalled": "camera_stalled",
    "frozen": "camera_stalled",
}


class CameraWatch:
    """Health of all cameras; `look` is to be called several times a second."""

    def __init__(self, limits: CameraLimits, clock: Clock) -> None:
        self._limits = limits
        self._clock = clock
        self._watched: dict[str, _Watched] = {}
        self._changes: list[Anomaly] = []

    def look(self, cameras: Sequence[CameraHandle], frames: Sequence[Frame]) -> None:
        """Note what has come from each camera; `frames` are pictures of theirs, if there are any.

        Every camera is to be given every time.
        """
        now_s, now_ns = self._clock.monotonic_s(), self._clock.now_ns()
        for camera in cameras:
            watched = self._watched.setdefault(camera.name, _Watched(camera.name, now_s))
            watched.note(camera.times(), camera.status(), now_s)
        for frame in frames:
            if frame.camera in self._watched:
                self._watched[frame.camera].look_at(frame, now_s)
        for watched in self._watched.values():
            watched.judge(self._limits, now_s)
            self._changes += watched.alarms(now_s, now_ns)

    def health(self) -> tuple[CameraHealth, ...]:
        """Tell each camera's health, in the order of the cameras."""
        return tuple(watched.health() for watched in self._watched.values())

    def changes(self) -> tuple[Anomaly, ...]:
        """Take the alarms that were raised or cleared since the last call."""
        changes, self._changes = tuple(self._changes), []
        return changes


class _Watched:
    """What is known of one camera."""

    def __init__(self, name: str, now_s: float) -> None:
        self._name = name
        self._since_s = now_s
        self._state: CameraState = "stalled"
        self._detail = "no picture yet"
        self._has_shown = False
        self._number = NOTHING
        self._came_s = now_s
        self._captured_at_ns: int | None = None
        self._arrivals: deque[tuple[float, int]] = deque(maxlen=1000)
        self._fps = 0.0
        self._status = SourceStatus(state="connecting")
        self._picture = 0
        self._looked_s = -float("inf")
        self._changed_s = now_s
        self._raised: Anomaly | None = None

    def note(self, times: tuple[tuple[int, int], ...], status: SourceStatus, now_s: float) -> None:
        """Note the newest frame's number and time, and what the source says of itself."""
        self._status = status
        if not times or times[-1][0] == self._number:
            return
        if not self._has_shown or self._state in ("stalled", "lost"):
            self._arrivals.clear()
            self._changed_s = now_s
        self._number, self._captured_at_ns = times[-1]
        self._came_s, self._has_shown = now_s, True
        self._arrivals.append((now_s, self._number))

    def look_at(self, frame: Frame, now_s: float) -> None:
        """Note whether the picture is another one than before: all of its luma counts."""
        if now_s - self._looked_s < LOOK_AT_PICTURE_EVERY_S:
            return
        self._looked_s = now_s
        picture = zlib.crc32(np.ascontiguousarray(frame.image.y).data)
        if picture != self._picture:
            self._picture, self._changed_s = picture, now_s

    def judge(self, limits: CameraLimits, now_s: float) -> None:
        """Decide the state."""
        self._fps = self._rate(now_s)
        quiet_s, said = now_s - self._came_s, self._status.detail
        failing = self._status.state in (*OVER, "reconnecting")
        if quiet_s > limits.lost_after_s or (failing and quiet_s > limits.stalled_after_s):
            self._state = "lost"
            self._detail = f"no picture for {quiet_s:.1f} s" + (f": {said}" if said else "")
        elif quiet_s > limits.stalled_after_s or not self._has_shown:
            self._state = "stalled"
            self._detail = f"no picture for {quiet_s:.1f} s" if self._has_shown else "connecting"
        elif self._looked_s - self._changed_s > FROZEN_AFTER_S:
            self._state = "frozen"
            self._detail = f"the same picture for {self._looked_s - self._changed_s:.1f} s"
        else:
            self._state, self._detail = "ok", said
        if self._status.corrupt_frames and self._state == "ok":
            more = f"{self._status.corrupt_frames} damaged frames left out"
            self._detail = f"{self._detail}; {more}" if self._detail else more

    def alarms(self, now_s: float, now_ns: int) -> list[Anomaly]:
        """Give what has to be raised or cleared after the state just decided."""
        kind = ALARM_OF.get(self._state)
        if not self._has_shown:
            starting = self._status.state in ("connecting", "running")
            if self._state != "lost" or (starting and now_s - self._since_s < START_LIMIT_S):
                kind = None
        if self._raised is not None and self._raised.kind == kind:
            return []
        changes = []
        if self._raised is not None:
            evidence = "pictures come again" if kind is None else self._detail
            changes.append(self._anomaly(self._raised.kind, now_ns, self._raised, evidence))
            self._raised = None
        if kind is not None:
            self._raised = self._anomaly(kind, now_ns, None, self._detail)
            changes.append(self._raised)
        return changes

    def health(self) -> CameraHealth:
        """Tell the health as last judged."""
        return CameraHealth(
            name=self._name,
            state=self._state,
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
            id=f"{kind}-{self._name}-{raised_at_ns // 1_000_000}",
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
