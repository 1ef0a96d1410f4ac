"""Frames of one instant in, panorama out.

Knows nothing about where frames come from or who looks at the panorama. Of people it wants to know
where they are, so that no seam runs through them.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from functools import lru_cache

import numpy as np

from scene.arrays import read_only
from scene.messages import Detections, Frame, Panorama, Position, YuvImage
from scene.ribbon import Ribbon
from scene.rig import Rig
from scene.site import PanoramaConfig
from stitching.cells import cells_of
from stitching.composition.backends import open_backend
from stitching.exposure import Exposure
from stitching.maps import camera_map
from stitching.old_pictures import OldPictures, greyed, write
from stitching.people.bodies import Bodies
from stitching.people.insets import Insets, Standing
from stitching.seams.fading import Fading
from stitching.seams.painting import Painting
from stitching.seams.search import SeamSearch

LOOK_EVERY = 25
"""Panoramas between two looks at the exposure."""
PAINTINGS_KEPT = 4


class Stitcher:
    """Paints panoramas of one rig: tables are computed once, each frame is looked up.

    Seams lie where cameras agree, and go round people. A camera without a frame leaves what
    only it sees `unseen`: grey, or, if the site wants that, its last picture, greyed and stamped
    with its age; its neighbours paint the rest. So does a camera that is known to be blind, whose
    picture is shown greyed and stamped: lamps in the dark are better seen than not.
    """

    def __init__(self, rig: Rig, panorama: PanoramaConfig) -> None:
        self.problems: dict[str, str] = {}
        """Why a camera's last frame could not be used, by camera."""
        self._rig = rig
        self._geometry = rig.id
        self._names = [camera.name for camera in rig.cameras]
        self._show_last = panorama.missing == "last"
        sizes_px, size_px = [camera.size_px for camera in rig.cameras], rig.surface.size_px
        self.maps = [camera_map(camera, rig.surface) for camera in rig.cameras]
        self.exposure = Exposure(self.maps, sizes_px)
        self._backend = open_backend(panorama, self.maps, self.exposure.gains, sizes_px, size_px)
        self.runs_on = self._backend.runs_on
        """What paints, in words."""
        self.degraded = self._backend.degraded
        """Why it is not what the site asks for; mostly empty."""
        self._cells = cells_of(self.maps, sizes_px, size_px)
        self._fading = Fading(self.maps, panorama.blend_px, size_px)
        self._search = SeamSearch(self._cells, self.maps)
        self._insets = (
            Insets(rig, rig.surface, self._cells, self.exposure)
            if isinstance(rig.surface, Ribbon)
            else None
        )
        self._old = OldPictures()
        self._painted = 0
        self._painting_for = lru_cache(maxsize=PAINTINGS_KEPT)(self._make_painting)
        self._painting_for(tuple("present" for _ in self._names))

    def stitch(
        self,
        frames: Iterable[Frame],
        people: Sequence[Position] = (),
        finds: Sequence[Detections] = (),
        blind: Collection[str] = (),
    ) -> Panorama:
        """Paint one instant's frames, at most one per camera; raises nothing for missing ones.

        `people`, predicted to that instant, and `finds`, what the detector found last, are kept
        clear of seams; on a ribbon, people are drawn upright, as insets. What only the `blind`
        cameras look at is `unseen`, whatever their pictures show.
        """
        frames = list(frames)
        at_ns = max((frame.captured_at_ns for frame in frames), default=0)
        usable = self._usable(frames, blind)
        veiled = {index: image for index, image in usable.items() if self._names[index] in blind}
        images = {index: image for index, image in usable.items() if index not in veiled}
        self._adapt(images)
        self._lay_seams(images)
        states = tuple(
            "stale" if index in veiled else self._state(index, images)
            for index in range(len(self._names))
        )
        painting = self._painting_for(states)
        standing = self._follow(painting, people, finds, images, at_ns)
        old = {
            index: greyed(veiled[index]) if index in veiled else self._old.grey(index)
            for index in painting.stale
        }
        picture = painting.recipe.paint(images | old)
        for index, place in painting.stale.items():
            if index in veiled:
                write(picture.y, painting.unseen, f"{self._names[index]} can't see", place)
            else:
                self._old.stamp(picture.y, painting.unseen, index, place, at_ns)
        panorama = Panorama(
            captured_at_ns=at_ns,
            image=picture,
            painter=painting.painter,
            unseen=painting.unseen,
            geometry=self._geometry,
        )
        if self._insets and standing:
            panorama = self._insets.draw(panorama, standing, painting.hidden, images)
        planes = YuvImage(y=read_only(picture.y), u=read_only(picture.u), v=read_only(picture.v))
        return replace(panorama, image=planes)

    def _follow(
        self,
        painting: Painting,
        people: Sequence[Position],
        finds: Sequence[Detections],
        images: dict[int, YuvImage],
        at_ns: int,
    ) -> Standing | None:
        """Move seams off people, if they must; tells who is drawn upright."""
        somebody = people or any(len(found.boxes_px) for found in finds)
        seams = painting.seams
        if not (self._insets or somebody) and np.array_equal(seams.labels, seams.base):
            return None  # there is nothing to go round, and no way back to go
        bodies = Bodies(self._rig.cameras, self._cells, people, finds, at_ns)
        standing = self._insets.look(bodies, images, at_ns) if self._insets else None
        if standing or len(images) > 1:
            painting.follow(bodies, at_ns, standing.bits if standing else 0)
        return standing

    def _state(self, index: int, images: dict[int, YuvImage]) -> str:
        if index in images:
            return "present"
        return "stale" if self._show_last and self._old.has(index) else "missing"

    def _usable(self, frames: list[Frame], blind: Collection[str]) -> dict[int, YuvImage]:
        """Pick the pictures that fit the rig, by camera index; remember why others don't."""
        images: dict[int, YuvImage] = {}
        self.problems = {}
        for frame in frames:
            problem = self.problem_of(frame)
            if problem:
                self.problems[frame.camera] = problem
            else:
                index = self._names.index(frame.camera)
                images[index] = frame.image
                if self._show_last and frame.camera not in blind:
                    self._old.keep(index, frame)
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
                self._refresh(index)
        elif step < len(self._names):
            self._refresh(step)
        self._painted += 1

    def _lay_seams(self, images: dict[int, YuvImage]) -> None:
        """Look for better seams now and then, a step at a time, while all cameras are there."""
        if not 1 < len(images) == len(self._names):
            return
        painting = self._painting_for(("present",) * len(self._names))
        if self._painted % LOOK_EVERY == 1:
            lumas = {index: image.y for index, image in images.items()}
            self._search.look(lumas, self.exposure.gains, painting.seams.base)
        found = self._search.step()
        if found is not None:
            painting.rebase(found)

    def _refresh(self, index: int) -> None:
        self.exposure.refresh(index)
        self._backend.gains_changed(index)

    def _make_painting(self, states: tuple[str, ...]) -> Painting:
        present, stale = ([state == word for state in states] for word in ("present", "stale"))
        return Painting(
            self.maps,
            self._cells,
            self._fading,
            self._backend,
            present=present,
            stale=stale,
            upright=self._insets is not None,
        )
