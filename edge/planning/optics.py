"""Hangs cameras in a section of roadway and looks through them.

Knows nothing about which places are worth a look.
"""

from dataclasses import replace

from edge.planning.file import HungCamera
from edge.planning.gaps import shared_picture
from edge.planning.section import Section
from edge.planning.view import Needs, Spot, View, camera_of, look, needs, reach_m, spot, with_pose
from scene.geometry import CameraModel, pose_from_mount


class Optics:
    """Makes and looks through cameras; keeps what is the same for one lens."""

    def __init__(self, section: Section, detector_px: tuple[int, int]) -> None:
        self.section, self.detector_px = section, detector_px
        plan = section.plan
        self.lenses = {lens.name: lens for lens in plan.lenses}
        self._needs = {lens.name: needs(plan, lens.size_px, detector_px) for lens in plan.lenses}
        self._blank = {
            lens.name: camera_of(section, _anywhere(section, lens.name), lens)
            for lens in plan.lenses
        }

        self._steps: dict[tuple[str, float, float], float] = {}

    def camera(self, hung: HungCamera) -> CameraModel:
        """Make the camera that hangs as described."""
        centre = self.section.point(hung.chainage_m, hung.left_m, hung.height_m)
        pose = pose_from_mount(centre, hung.yaw_deg, hung.pitch_deg, 0.0)
        blank = self._blank[hung.lens or next(iter(self.lenses))]
        return replace(with_pose(blank, pose), name=hung.name)

    def need(self, lens: str) -> Needs:
        """Tell what the detector needs in this lens's pictures."""
        return self._needs[lens]

    def fan_step_deg(self, lens: str, pitch_deg: float, share: float) -> float:
        """Tell how far a fan's neighbours are turned apart that share so much of their width."""
        key = (lens, pitch_deg, share)
        if key not in self._steps:
            first = _anywhere(self.section, lens).model_copy(update={"pitch_deg": pitch_deg})
            low, high = 1.0, 179.0
            for _ in range(12):
                middle = (low + high) / 2
                second = first.model_copy(update={"yaw_deg": -middle})
                _, shared = shared_picture(self.camera(first), self.camera(second))
                low, high = (middle, high) if shared >= share else (low, middle)
            self._steps[key] = low
        return self._steps[key]

    def spot(self, hung: HungCamera) -> Spot:
        """Prepare the point at which it hangs."""
        high = self.section.plan.height_m
        within = max(reach_m(self._blank[name], self._needs[name], high) for name in self.lenses)
        centre = self.section.point(hung.chainage_m, hung.left_m, hung.height_m)
        return spot(self.section, self.section.places, centre, within)

    def view(self, hung: HungCamera, at: Spot | None = None) -> View:
        """Tell what it would show."""
        name = hung.lens or next(iter(self.lenses))
        return look(self.camera(hung), at or self.spot(hung), self._needs[name])


def _anywhere(section: Section, lens: str) -> HungCamera:
    return HungCamera(
        name="camera",
        chainage_m=section.from_m,
        left_m=0.0,
        height_m=1.0,
        yaw_deg=0.0,
        pitch_deg=0.0,
        lens=lens,
    )
