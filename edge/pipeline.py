"""The whole product on one screen: frames to people, positions, panorama and anomalies.

Knows nothing about processes, queues, MQTT or where frames come from.
"""

import threading
from collections.abc import Sequence
from dataclasses import dataclass

from detection.detector import open_detector
from scene.floor import Floor
from location.on_panorama import with_panorama
from location.tracker import Tracker
from location.watch import Watch
from scene.messages import Anomaly, Detections, Frame, Panorama, Positions
from scene.rig import Rig
from scene.site import Site
from stitching.stitcher import Stitcher

Frames = tuple[Frame, ...]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Picture:
    """One instant as the control room gets it."""

    panorama: Panorama
    positions: Positions
    """Predicted to the panorama's very instant."""
    anomalies: tuple[Anomaly, ...]
    """What changed: alarms raised or cleared."""


class Pipeline:
    """The stages of one gateway, wired together.

    `see` may run in another thread than `show`, and less often: positions are predicted to the
    panorama's instant.
    """

    def __init__(self, site: Site, rig: Rig) -> None:
        self.detector = open_detector(site.detection)
        self._tracker = Tracker(rig, Floor(site.floor))
        self._stitcher = Stitcher(rig, site.panorama)
        self._watch = Watch(site)
        self._rig = rig
        self._tracking = threading.Lock()

    def see(self, frames: Frames) -> tuple[Detections, ...]:
        """Find the people in one instant's frames and follow them in mine metres.

        Frames that don't fit the rig are left out: what is found there has no right place.
        """
        people = self.detector.detect([f for f in frames if not self._stitcher.problem_of(f)])
        with self._tracking:
            self._tracker.update(people)
        return people

    def show(self, frames: Frames) -> Picture:
        """Make the panorama of one instant, with everybody's position and what is wrong."""
        positions = self.locate(max(frame.captured_at_ns for frame in frames))
        panorama = self._stitcher.stitch(frames)
        return Picture(
            panorama=panorama,
            positions=positions,
            anomalies=self._watch.update(positions),
        )

    def unfit(self, frames: Frames) -> dict[str, str]:
        """Say, by camera, why frames don't fit the rig; mostly empty."""
        problems = {frame.camera: self._stitcher.problem_of(frame) for frame in frames}
        return {camera: why for camera, why in problems.items() if why}

    def adopt(self, alarms: Sequence[Anomaly]) -> None:
        """Give alarms about people, active since before the start, back to the rules."""
        self._watch.adopt(alarms)

    def locate(self, at_ns: int) -> Positions:
        """Predict everybody to one instant."""
        with self._tracking:
            people = self._tracker.positions(at_ns)
        return Positions(
            captured_at_ns=at_ns,
            people=with_panorama(people, self._rig.surface),
        )
