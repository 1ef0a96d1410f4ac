"""A rig in the painted room under a drift watch, on a clock of the test's."""

from pathlib import Path

import numpy as np

from edge.drift.watch import DriftWatch
from edge.health import HealthReport
from scene.arrays import Bytes, Floats
from scene.clock import ReplayClock
from scene.geometry import CameraModel
from scene.messages import Anomaly, CameraHealth, Detections, Frame, YuvImage
from scene.rig import Rig, save_rig
from scene.site import Site, parse_site
from tests.stitching.knocks import eye, knocked, seen
from tests.stitching.views import rig_of

SITE = """
version: 1
site: s
gateway: g
cameras: [{name: cam1, url: "rtsp://c/1"}, {name: cam2, url: "rtsp://c/2"}]
rig: {mount: {xyz_m: [20, -2, 2.5]}}
floor: {centre_line_m: [[0, 0, 0], [40, 0, 0]], right_m: 6}
"""
DARK = np.random.default_rng(0).integers(0, 8, (360, 640)).astype(np.uint8)
HALF = np.full((180, 320), 128, np.uint8)


_VIEWS: dict[tuple[bytes, int, int], Bytes] = {}
"""Pictures of all tests: the room is the same in each."""


def _seen(model: CameraModel, shot: int, people: int) -> Bytes:
    key = model.camera_from_mine.round(9).tobytes(), shot, people
    if key not in _VIEWS:
        _VIEWS[key] = seen(model, shot, people=people)
    return _VIEWS[key]


def two_cameras() -> Rig:
    return rig_of([eye(name="cam1", yaw_deg=20.0), eye(name="cam2", yaw_deg=-20.0)])


class Day:
    """Cameras that film twice a second, and what is said of them."""

    def __init__(self, folder: Path, rig: Rig | None = None) -> None:
        self.folder = folder
        self.rig = rig or two_cameras()
        self.site: Site = parse_site(SITE, name="site.yaml", folder=folder)
        if not self.site.rig.file.exists():
            save_rig(self.rig, self.site.rig.file)
        self.clock = ReplayClock(now_ns=1_700_000_000_000_000_000)
        self.hangs: dict[str, CameraModel] = {one.name: one for one in self.rig.cameras}
        self.shows: dict[str, Bytes] = {}
        self.alarms: list[Anomaly] = []
        self._shot = 0
        self.start()

    def start(self) -> None:
        """Start the gateway, or start it anew."""
        self.watch = DriftWatch(self.site, self.rig, self.clock)

    def knock(self, name: str, by: Floats) -> None:
        """Turn a camera from how it hangs now."""
        self.hangs[name] = knocked(self.hangs[name], by)

    def run(
        self,
        seconds: float,
        *,
        people: int = 0,
        found: dict[str, Detections] | None = None,
        only: tuple[str, ...] | None = None,
    ) -> None:
        for _ in range(round(2 * seconds)):
            self.clock.sleep(0.5)
            self.watch.look(self.frames(people=people, only=only), found or {})
            self.alarms += self.watch.changes()

    def frames(self, *, people: int = 0, only: tuple[str, ...] | None = None) -> tuple[Frame, ...]:
        """Take the next pictures."""
        self._shot += 1
        return tuple(self._frame(name, people) for name in only or self.hangs)

    def until_alarm(self, limit_s: float = 60.0) -> float:
        """Run until the next alarm is said; tells after how many seconds, or fails."""
        count, since_ns = len(self.alarms), self.clock.now_ns()
        while len(self.alarms) == count:
            self.run(0.5)
            assert self.clock.now_ns() - since_ns <= limit_s * 1e9, "no alarm within a minute"
        return (self.clock.now_ns() - since_ns) / 1e9

    def health(self, name: str) -> CameraHealth:
        ok = [
            CameraHealth(name=one.name, state="ok", fps=2.0, last_frame_at_ns=1)
            for one in self.rig.cameras
        ]
        return next(one for one in self.watch.judged(ok) if one.name == name)

    def told(self) -> list[tuple[str | None, str]]:
        return [(alarm.camera, alarm.state) for alarm in self.alarms]

    def _frame(self, name: str, people: int) -> Frame:
        if name in self.shows:
            luma = self.shows[name]
        else:
            luma = _seen(self.hangs[name], self._shot % 6, people)
        image = YuvImage(y=luma, u=HALF, v=HALF)
        return Frame(camera=name, captured_at_ns=self.clock.now_ns(), image=image)


def covered(day: Day, report: HealthReport) -> int:
    """Sum up how many cameras see each metre, by what the watch says of the cameras."""
    cameras = (day.health("cam1"), day.health("cam2"))
    beat = report.report(cameras, "CPU", "", detection_fps=5.0, unsearched=(), blind=False)
    return sum(beat.coverage)
