"""Frames of one instant in, panorama out.

Knows nothing about where frames come from or who looks at the panorama, nor of people on it.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from scene.arrays import Bools, Bytes, read_only
from scene.messages import Frame, Panorama, YuvImage
from scene.rig import Rig
from scene.site import PanoramaConfig
from stitching.compose import Patch, compose, plan_patches
from stitching.exposure import Exposure
from stitching.maps import camera_map
from stitching.seams import NOBODY, fade, mid_overlap

LOOK_EVERY = 25
"""Panoramas between two looks at the exposure."""
PLANS_KEPT = 4


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Plan:
    """How the panorama is painted by the cameras that are present."""

    patches: list[Patch]
    painter: Bytes
    unseen: Bools


class Stitcher:
    """Paints panoramas of one rig: tables are computed once, each frame is looked up.

    Seams lie in the middle of overlaps. A camera without a frame leaves what only it sees grey
    and `unseen`; its neighbours paint the rest.
    """

    def __init__(self, rig: Rig, panorama: PanoramaConfig) -> None:
        self.problems: dict[str, str] = {}
        """Why a camera's last frame could not be used, by camera."""
        self._rig = rig
        self._geometry = rig.id
        self._names = [camera.name for camera in rig.cameras]
        self._blend_px = panorama.blend_px
        self.maps = [camera_map(camera, rig.surface) for camera in rig.cameras]
        self.exposure = Exposure(self.maps, [camera.size_px for camera in rig.cameras])
        self._painted = 0
        self._plan_for = lru_cache(maxsize=PLANS_KEPT)(self._make_plan)
        self._plan_for(tuple(True for _ in self._names))

    def stitch(self, frames: Iterable[Frame]) -> Panorama:
        """Paint one instant's frames, at most one per camera; raises nothing for missing ones."""
        frames = list(frames)
        images = self._usable(frames)
        self._adapt(images)
        plan = self._plan_for(tuple(index in images for index in range(len(self._names))))
        picture = compose(plan.patches, images, self._rig.surface.size_px)
        return Panorama(
            captured_at_ns=max((frame.captured_at_ns for frame in frames), default=0),
            image=YuvImage(y=read_only(picture.y), u=read_only(picture.u), v=read_only(picture.v)),
            painter=plan.painter,
            unseen=plan.unseen,
            geometry=self._geometry,
        )

    def _usable(self, frames: list[Frame]) -> dict[int, YuvImage]:
        """Pick the pictures that fit the rig, by camera index; remember why others don't."""
        images: dict[int, YuvImage] = {}
        self.problems = {}
        for frame in frames:
            problem = self.problem_of(frame)
            if problem:
                self.problems[frame.camera] = problem
            else:
                images[self._names.index(frame.camera)] = frame.image
        for name in self._names:
            if self._names.index(name) not in images:
                self.problems.setdefault(name, "there is no frame of it")
        return images

    def problem_of(self, frame: Frame) -> str:
        """Tell why a frame does not fit the rig, so that it has no place; else empty."""
        if frame.camera not in self._names:
            return "it is not in the rig; run `lamproom calibrate` again for all cameras"
        width, height = self._rig.camera(frame.camera).size_px
        image = frame.image
        if image.size_px != (width, height):
            return (
                f"its picture is {image.size_px[0]} x {image.size_px[1]}, the rig was calibrated "
                f"at {width} x {height}; set the camera back, or run `lamproom calibrate` again"
            )
        chroma = ((height + 1) // 2, (width + 1) // 2)
        if image.u.shape != chroma or image.v.shape != chroma:
            return f"its chroma planes are {image.u.shape} and {image.v.shape}, not {chroma}"
        return ""

    def _adapt(self, images: dict[int, YuvImage]) -> None:
        """Follow the light slowly: look now and then, then refresh one camera per panorama."""
        step = self._painted % LOOK_EVERY
        if step == 0:
            self.exposure.look({index: image.y for index, image in images.items()})
        if self._painted == 0:
            for index in range(len(self._names)):
                self.exposure.refresh(index)
        elif step < len(self._names):
            self.exposure.refresh(step)
        self._painted += 1

    def _make_plan(self, present: tuple[bool, ...]) -> Plan:
        size = self._rig.surface.size_px
        labels = mid_overlap(self.maps, list(present), size)
        weights = fade(self.maps, list(present), labels, self._blend_px)
        return Plan(
            patches=plan_patches(self.maps, self.exposure.gains, weights, size),
            painter=read_only(labels),
            unseen=read_only(np.asarray(labels == NOBODY)),
        )
