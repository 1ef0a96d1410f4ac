"""The gateway's heartbeat: rates, ages, coverage, and alarms about inference.

Knows nothing about how frames are taken or sent.
"""

from collections.abc import Collection
from dataclasses import replace

from edge.coverage import coverage
from edge.detection_watch import Rate
from scene.alarms import ALARMS
from scene.clock import Clock
from scene.floor import Floor
from scene.messages import Anomaly, CameraHealth, GatewayHealth
from scene.rig import Rig
from scene.site import Site

KIND = "degraded_inference"
CLEAR_AFTER_S = 10.0
"""An alarm that comes and goes stays one alarm until all has been well for so long."""


class HealthReport:
    """Gathers what the heartbeat says."""

    def __init__(self, site: Site, rig: Rig, clock: Clock) -> None:
        self._site = site
        self._rig = rig
        self._floor = Floor(site.floor)
        self._clock = clock
        self._coverage: dict[frozenset[str], tuple[float, tuple[int, ...]]] = {}
        self._raised: Anomaly | None = None
        self._bad_s = 0.0
        self.panorama_rate = Rate(clock)
        self.detected_at_ns: int | None = None
        """Capture time of the newest frames that were searched for people."""

    def report(
        self,
        cameras: tuple[CameraHealth, ...],
        provider: str,
        degraded: str,
        *,
        detection_fps: float,
        unsearched: Collection[str],
        blind: bool,
    ) -> GatewayHealth:
        """Write the heartbeat of this moment.

        What the `unsearched` cameras look at is not covered, and nothing is when detection is
        `blind`: a picture in which nobody is looked for tells of nobody.
        """
        now_ns = self._clock.now_ns()
        healthy = frozenset(
            camera.name
            for camera in cameras
            if camera.state == "ok" and camera.name not in unsearched and not blind
        )
        from_x_m, counts = self._covered_by(healthy)
        age_s = None
        if self.detected_at_ns is not None:
            age_s = round((now_ns - self.detected_at_ns) / 1e9, 3)
        return GatewayHealth(
            captured_at_ns=now_ns,
            cameras=cameras,
            panorama_fps=round(self.panorama_rate.per_s(), 2),
            detection_fps=round(detection_fps, 2),
            detection_age_s=age_s,
            detection_provider=provider,
            degraded=degraded,
            coverage_from_x_m=from_x_m,
            coverage=counts,
        )

    def rehung(self, rig: Rig) -> None:
        """Count coverage by another rig from now on."""
        self._rig, self._coverage = rig, {}

    def adopt(self, alarm: Anomaly) -> bool:
        """Carry on an alarm of the run before; tells whether it is one of this report's."""
        if alarm.kind != KIND or self._raised is not None:
            return False
        self._raised, self._bad_s = alarm, self._clock.monotonic_s()
        return True

    def degradation(self, reason: str) -> tuple[Anomaly, ...]:
        """Raise `degraded_inference` when there is a reason, clear it when long there was none."""
        now_s, now_ns = self._clock.monotonic_s(), self._clock.now_ns()
        if reason:
            self._bad_s = now_s
        if reason and self._raised is None:
            self._raised = Anomaly(
                id=f"{KIND}-{now_ns // 1_000_000}",
                kind=KIND,
                severity=ALARMS[KIND].severity,
                state="active",
                captured_at_ns=now_ns,
                raised_at_ns=now_ns,
                probability=1.0,
                certainty="certainly",
                evidence=reason,
            )
            return (self._raised,)
        if self._raised is None or now_s - self._bad_s < CLEAR_AFTER_S:
            return ()
        raised, self._raised = self._raised, None
        what = f"inference has run as the site file asks for {CLEAR_AFTER_S:.0f} s"
        return (replace(raised, state="cleared", captured_at_ns=now_ns, evidence=what),)

    def _covered_by(self, healthy: frozenset[str]) -> tuple[float, tuple[int, ...]]:
        if healthy not in self._coverage:
            self._coverage[healthy] = coverage(self._rig, self._floor, self._site.floor, healthy)
        return self._coverage[healthy]
