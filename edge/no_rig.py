"""A gateway that is not calibrated yet: it tells how its cameras are, and that it looks for nobody.

Knows nothing about panorama, people or how a rig is found. Somebody has just hung the cameras, or
a rig file is lost: silence would look like a gateway that is off, and no alarm like nobody there.
"""

import contextlib
from collections.abc import Sequence
from dataclasses import replace

from edge import log
from edge.cameras.process import CameraHandle, start_cameras, stop_cameras
from edge.cameras.source import is_live
from edge.cameras.watch import ALARM_OF, CameraWatch
from edge.frame_ring import NOTHING
from edge.options import RunOptions
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
UNWATCHED = "this gateway waits for a rig file, and nothing there watches this any more"


def wait_for_rig(context: Context, outlet: LineOutlet) -> bool:
    """Tell how the cameras are until there is a rig file that fits the site, or the end.

    Does nothing where there is one already; tells whether it waited. The site file counts as it is
    now: whoever mends what keeps the rig from being used need not start the gateway anew.
    """
    waiting = _Waiting(context.options)
    if not may_wait_for_rig(waiting.site):
        return False
    while not context.stopped() and not _wait(context, outlet, waiting):
        pass  # the site has other cameras now
    return True


def _wait(context: Context, outlet: LineOutlet, waiting: "_Waiting") -> bool:
    """Wait with the cameras that the site has now; False when it has others."""
    clock, before = SystemClock(), _watched(waiting.site)
    live = [config for config in waiting.site.cameras if is_live(config)]
    watch = CameraWatch(waiting.site.limits.camera, clock)
    waiting.take_over(outlet, watch, {config.name for config in live})
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
                    return True
                if _watched(waiting.site) != before:
                    return False
                outlet.send(_beat(watch, clock.now_ns(), waiting.why))
                waiting.tell(outlet)
            context.rest(LOOK_EVERY_S)
        return True
    finally:
        stop_cameras(cameras)


def _watched(site: Site) -> tuple[object, ...]:
    """Give what of a site cameras are watched by."""
    return site.cameras, site.limits.camera


class _Waiting:
    """Looks whether there is a rig file now, and says why it can't be used."""

    def __init__(self, options: RunOptions) -> None:
        self._options = options
        self._told = False
        self.site = options.site()
        self.why = self._no_rig()

    def take_over(self, outlet: LineOutlet, watch: CameraWatch, cameras: set[str]) -> None:
        """Carry on the alarms about cameras and about the rig that stand; clear what is over.

        Another trouble of the gateway says nothing of the rig: nobody would hear of that.
        """
        for alarm in outlet.active():
            if alarm.kind == KIND and alarm.evidence.startswith(NOBODY):
                self._told = True
                continue
            of_camera = alarm.kind in ALARM_OF.values()
            if of_camera and alarm.camera in cameras:
                watch.adopt(alarm)
            elif of_camera or alarm.kind == KIND:
                now_ns = SystemClock().now_ns()
                outlet.send(
                    replace(alarm, state="cleared", captured_at_ns=now_ns, evidence=UNWATCHED)
                )

    def tell(self, outlet: LineOutlet) -> None:
        """Raise the alarm, once."""
        if not self._told:
            self._told = True
            log.say(self.why, "warning")
            outlet.send(system_alarm(KIND, SystemClock().now_ns(), self.why))

    def is_over(self) -> bool:
        """Tell whether there is one that fits the site."""
        with contextlib.suppress(LamproomError):  # somebody is at it
            self.site = self._options.site_as_written()
        if not self.site.rig.file.exists():
            self.why = self._no_rig()
            return False
        try:
            check_ready(self.site)
        except LamproomError as error:
            self.why = f"{NOBODY}: {error}"
            return False
        log.say(f"there is a rig file now: {self.site.rig.file}; people are looked for")
        return True

    def _no_rig(self) -> str:
        what_to_do = f"lamproom calibrate {self._options.site_file}"
        return f"{NOBODY}: there is no rig file {self.site.rig.file}; run `{what_to_do}`"


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
