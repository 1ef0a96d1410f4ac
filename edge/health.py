"""The gateway's heartbeat: rates, ages, coverage, and alarms about inference and itself.

Knows nothing about how frames are taken or sent.
"""

from collections.abc import Collection
from dataclasses import replace

from edge.coverage import NOTHING_GONE, Covered, Gone, Roadway
from edge.detection_watch import Rate
from edge.model_file import model_file
from scene.alarms import system_alarm
from scene.clock import Clock
from scene.floor import Floor
from scene.messages import Anomaly, CameraHealth, GatewayHealth
from scene.rig import Rig
from scene.site import Site

KINDS = {
    "degraded_inference": "inference has run as the site file asks",
    "gateway_trouble": "all that the site file asks for has been in force and watched",
}
"""Alarms of this report, and what is well again when they clear."""
CLEAR_AFTER_S = 10.0
"""An alarm that comes and goes stays one alarm until all has been well for so long."""


class HealthReport:
    """Gathers what the heartbeat says."""

    def __init__(self, site: Site, rig: Rig, clock: Clock) -> None:
        self._site = site
        self._clock = clock
        self._model = model_file(site)
        self._roadway = Roadway(rig, Floor(site.floor), site.floor)
        self._unseen_since_ns: tuple[int | None, ...] = ()
        self._seen_once: tuple[bool, ...] = ()
        self._raised: dict[str, Anomaly] = {}
        self._bad_s: dict[str, float] = {}
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
        gone: Gone = NOTHING_GONE,
    ) -> GatewayHealth:
        """Write the heartbeat of this moment.

        What the `unsearched` cameras look at is not covered, and nothing is when detection is
        `blind`: a picture in which nobody is looked for tells of nobody. Nor is covered what a
        camera used to show in cells of its picture that are `gone`.
        """
        now_ns = self._clock.now_ns()
        healthy = frozenset(
            camera.name
            for camera in cameras
            if camera.state == "ok" and camera.name not in unsearched and not blind
        )
        covered = self._roadway.covered(healthy, gone)
        self._note_unseen(covered, now_ns)
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
            detection_model=self._model.name,
            detection_model_sha256=self._model.sha256,
            degraded=degraded,
            coverage_from_x_m=covered.from_m,
            coverage=covered.cameras,
            coverage_sigma_m=covered.sigma_m,
            coverage_unseen_since_ns=self._unseen_since_ns,
        )

    def roadway_of(self, rig: Rig) -> Roadway:
        """Work out what a rig's cameras see, for `rehung`: takes long, in any thread."""
        config = self._site.floor
        return Roadway(rig, Floor(config), config, like=self._roadway)

    def rehung(self, roadway: Roadway) -> None:
        """Count coverage by another rig's roadway from now on."""
        self._roadway = roadway

    def adopt(self, alarm: Anomaly) -> bool:
        """Carry on an alarm of the run before; tells whether it is one of this report's."""
        if alarm.kind not in KINDS or alarm.kind in self._raised:
            return False
        self._raised[alarm.kind], self._bad_s[alarm.kind] = alarm, self._clock.monotonic_s()
        return True

    def complaints(self, kind: str, reason: str) -> tuple[Anomaly, ...]:
        """Raise one of `KINDS` when there is a reason, clear it when long there was none."""
        now_s, now_ns = self._clock.monotonic_s(), self._clock.now_ns()
        raised = self._raised.get(kind)
        if reason:
            self._bad_s[kind] = now_s
        if reason and raised is None:
            self._raised[kind] = system_alarm(kind, now_ns, reason)
            return (self._raised[kind],)
        if raised is None or now_s - self._bad_s[kind] < CLEAR_AFTER_S:
            return ()
        del self._raised[kind]
        what = f"for {CLEAR_AFTER_S:.0f} s {KINDS[kind]}"
        return (replace(raised, state="cleared", captured_at_ns=now_ns, evidence=what),)

    def _note_unseen(self, covered: Covered, now_ns: int) -> None:
        """Keep, metre by metre, since when nobody looks there; nothing where nobody did yet.

        This run can't say of before it: what it has never seen it must not claim to have lost.
        """
        metres = len(covered.cameras)
        before = self._unseen_since_ns or (None,) * metres
        once = self._seen_once or (False,) * metres
        self._seen_once = tuple(
            count > 0 or seen for count, seen in zip(covered.cameras, once, strict=True)
        )
        self._unseen_since_ns = tuple(
            None if count or not seen else now_ns if since_ns is None else since_ns
            for count, seen, since_ns in zip(covered.cameras, once, before, strict=True)
        )
