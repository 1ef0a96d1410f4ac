"""A gateway that is not calibrated yet: it tells how its cameras are, and that it looks for nobody.

Knows nothing about panorama, people or how a rig is found. Somebody has just hung the cameras, or
a rig file is lost: silence would look like a gateway that is off, and no alarm like nobody there.
"""

from collections.abc import Sequence

from edge import log
from edge.camera_process import CameraHandle, start_cameras, stop_cameras
from edge.camera_source import is_live
from edge.camera_watch import ALARM_OF, CameraWatch
from edge.frame_ring import NOTHING
from edge.outlet import LineOutlet
from edge.run import check_ready, may_wait_for_rig
from edge.service import Context
from scene.alarms import system_alarm
from scene.clock import SystemClock
from scene.errors import LamproomError
from scene.messages import Frame, GatewayHealth
from scene.site import Site
from scene.topics import HEARTBEAT_S

LOOK_EVERY_S = 0.1
KIND = "gateway_trouble"
NOBODY = "this gateway is not calibrated: it looks for nobody and shows no panorama"


def wait_for_rig(context: Context, outlet: LineOutlet) -> None:
    """Tell how the cameras are until there is a rig file that fits the site, or the end.

    Does nothing where there is one already.
    """
    site = context.options.site()
    if not may_wait_for_rig(site):
        return
    clock = SystemClock()
    watch = CameraWatch(site.limits.camera, clock)
    waiting = _Waiting(site, f"lamproom calibrate {context.options.site_file}")
    told = False
    for alarm in outlet.active():
        told = told or alarm.kind == KIND
        if alarm.kind in ALARM_OF.values():
            watch.adopt(alarm)
    live = [config for config in site.cameras if is_live(config)]
    cameras = start_cameras(live, clock, kept=context.cameras)
    newest = dict.fromkeys((camera.name for camera in cameras), NOTHING)
    due_s = 0.0
    try:
        while not context.stopped():
            context.alive()
            watch.look(cameras, _new_frames(cameras, newest))
            for anomaly in watch.changes():
                outlet.send(anomaly)
            if clock.monotonic_s() >= due_s:
                due_s = clock.monotonic_s() + HEARTBEAT_S
                if waiting.is_over():
                    return
                outlet.send(_beat(watch, clock.now_ns(), waiting.why))
                if not told:
                    told = True
                    log.say(waiting.why, "warning")
                    outlet.send(system_alarm(KIND, clock.now_ns(), waiting.why))
            context.rest(LOOK_EVERY_S)
    finally:
        stop_cameras(cameras)


class _Waiting:
    """Looks whether there is a rig file now, and says why it can't be used."""

    def __init__(self, site: Site, what_to_do: str) -> None:
        self._site, self._what_to_do = site, what_to_do
        self.why = f"{NOBODY}: there is no rig file {site.rig.file}; run `{what_to_do}`"

    def is_over(self) -> bool:
        """Tell whether there is one that fits the site."""
        if not self._site.rig.file.exists():
            return False
        try:
            check_ready(self._site)
        except LamproomError as error:
            self.why = f"{NOBODY}: {error}"
            return False
        log.say(f"there is a rig file now: {self._site.rig.file}; people are looked for")
        return True


def _new_frames(cameras: Sequence[CameraHandle], newest: dict[str, int]) -> list[Frame]:
    """Take what is new: a picture that stays the same is told of, too."""
    frames = []
    for camera in cameras:
        found = camera.latest(newest[camera.name])
        if found is not None:
            frame, newest[camera.name] = found
            frames.append(frame)
    return frames


def _beat(watch: CameraWatch, now_ns: int, why: str) -> GatewayHealth:
    """Write a heartbeat; what is covered is left open, which counts as unseen."""
    return GatewayHealth(
        captured_at_ns=now_ns,
        cameras=watch.health(),
        panorama_fps=0.0,
        detection_fps=0.0,
        detection_age_s=None,
        detection_provider="",
        degraded=why,
    )
