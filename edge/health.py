"""The gateway's heartbeat: rates, ages, coverage, and alarms about inference.

Knows nothing about how frames are taken or sent.
"""

import threading
from collections import deque

from edge.coverage import coverage
from location.floor import Floor
from scene.alarms import ALARMS
from scene.clock import Clock
from scene.messages import Anomaly, CameraHealth, GatewayHealth
from scene.rig import Rig
from scene.site import Site

WINDOW_S = 3.0


class Rate:
    """How often something happens, over the last seconds; safe between threads."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._times_s: deque[float] = deque(maxlen=1000)
        self._lock = threading.Lock()

    def tick(self) -> None:
        """Note that it happened now."""
        with self._lock:
            self._times_s.append(self._clock.monotonic_s())

    def per_s(self) -> float:
        """Tell how often a second, over the last `WINDOW_S`."""
        now_s = self._clock.monotonic_s()
        with self._lock:
            recent = [time_s for time_s in self._times_s if now_s - time_s <= WINDOW_S]
        if len(recent) < 2:
            return 0.0
        return (len(recent) - 1) / max(now_s - recent[0], 1e-3)


class HealthReport:
    """Gathers what the heartbeat says."""

    def __init__(self, site: Site, rig: Rig, clock: Clock) -> None:
        self._site = site
        self._rig = rig
        self._floor = Floor(site.floor)
        self._clock = clock
        self._coverage: dict[frozenset[str], tuple[float, tuple[int, ...]]] = {}
        self._degraded_since_ns: int | None = None
        self.panorama_rate = Rate(clock)
        self.detection_rate = Rate(clock)
        self.detected_at_ns: int | None = None
        """Capture time of the newest frames that were searched for people."""

    def report(
        self, cameras: tuple[CameraHealth, ...], provider: str, degraded: str
    ) -> GatewayHealth:
        """Write the heartbeat of this moment."""
        now_ns = self._clock.now_ns()
        healthy = frozenset(camera.name for camera in cameras if camera.state == "ok")
        from_x_m, counts = self._covered_by(healthy)
        age_s = None
        if self.detected_at_ns is not None:
            age_s = round((now_ns - self.detected_at_ns) / 1e9, 3)
        return GatewayHealth(
            captured_at_ns=now_ns,
            cameras=cameras,
            panorama_fps=round(self.panorama_rate.per_s(), 2),
            detection_fps=round(self.detection_rate.per_s(), 2),
            detection_age_s=age_s,
            detection_provider=provider,
            degraded=degraded,
            coverage_from_x_m=from_x_m,
            coverage=counts,
        )

    def degradation(self, reason: str) -> tuple[Anomaly, ...]:
        """Raise or clear `degraded_inference` when the reason comes or goes."""
        now_ns = self._clock.now_ns()
        since_ns = self._degraded_since_ns
        if bool(reason) == (since_ns is not None):
            return ()
        self._degraded_since_ns = now_ns if reason else None
        raised_at_ns = now_ns if since_ns is None else since_ns
        return (
            Anomaly(
                id=f"degraded_inference-{raised_at_ns // 1_000_000}",
                kind="degraded_inference",
                severity=ALARMS["degraded_inference"].severity,
                state="active" if reason else "cleared",
                captured_at_ns=now_ns,
                raised_at_ns=raised_at_ns,
                probability=1.0,
                certainty="certainly",
                evidence=reason or "inference runs as the site file asks again",
            ),
        )

    def _covered_by(self, healthy: frozenset[str]) -> tuple[float, tuple[int, ...]]:
        if healthy not in self._coverage:
            self._coverage[healthy] = coverage(self._rig, self._floor, self._site.floor, healthy)
        return self._coverage[healthy]
