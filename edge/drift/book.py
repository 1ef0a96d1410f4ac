"""Keeps what each camera saw when it hung right: read from disk, learned from pictures, renewed.

Knows nothing about verdicts: it is told which pictures show a camera that hangs as told.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np

from delivery.aside import Aside, StalledError
from scene.arrays import Floats
from scene.errors import RigError
from scene.messages import Frame, YuvImage
from scene.rig import Rig, load_rig
from scene.rig_history import former_id, kept_file
from stitching.drift.proposal import carried
from stitching.drift.reference import (
    Reference,
    Small,
    learn,
    shrink,
)
from stitching.drift.reference_file import load_references, save_references

FIRST_PICTURES, FIRST_EVERY_S = 5, 0.5
"""A camera without a reference is to be watched at once..."""
GOOD_PICTURES, GOOD_EVERY_S = 7, 8.0
"""... and is learned once more over a minute, without those who stood about."""
RETRY_S = 15.0
"""A camera that shows too little is tried again after so long."""
PATIENCE_S = 1.0
"""So long is waited for a disk to tell what was learned before."""


def references_file(folder: Path, id: str) -> Path:
    """Tell where the references of a rig lie, in a folder of references."""
    return folder / f"{id}.npz"


def beside(rig_file: Path) -> Path:
    """Tell the folder of references beside a rig file: those that calibration wrote."""
    return rig_file.with_suffix(".references")


def keep_references(
    rig: Rig, images: Mapping[str, Sequence[YuvImage]], rig_file: Path
) -> tuple[str, ...]:
    """Learn from the pictures of a calibration what each camera sees, and keep it beside the rig.

    So a knock is found that happens before the gateway first runs. Tells the cameras that show too
    little to be watched. Raises `RigError` when the file can't be written.
    """
    learned = {
        name: learn(rig.camera(name), [shrink(image.y) for image in pictures])
        for name, pictures in images.items()
    }
    found = {name: one for name, one in learned.items() if one is not None}
    save_references(found, references_file(beside(rig_file), rig.id))
    return tuple(name for name, one in learned.items() if one is None)


@dataclass(slots=True, kw_only=True, eq=False)
class _Lesson:
    """Pictures taken so far for one camera's reference."""

    count: int
    every_s: float
    due_s: float = -float("inf")
    pictures: list[Small] = field(default_factory=list)
    boxes_px: list[Floats] = field(default_factory=list)
    turns: list[Floats] = field(default_factory=list)


class ReferenceBook:
    """The references of one rig's cameras."""

    def __init__(self, rig: Rig, rig_file: Path, state_folder: Path) -> None:
        self.rig = rig
        self.references: dict[str, Reference] = {}
        self.trouble = ""
        """Why references can't be kept; empty when they can."""
        self._rig_file = rig_file
        self.folder = state_folder / "references"
        """Where this gateway keeps its own."""
        self.carried_from = ""
        """Id of the former rig from which references were carried over at the start; or empty."""
        self._lessons: dict[str, _Lesson] = {}
        self._open()

    def rehung(self, rig: Rig) -> frozenset[str]:
        """Go over to another rig: what is known of cameras that are only turned is kept.

        Tells the cameras of which references were stored under that rig.
        """
        old, self.rig = self.rig, rig
        self.references = carried(self.references, old, rig)
        self._lessons = {}
        stored = self._stored(rig)
        self.references = {**self.references, **stored}
        self._forget_unfit()
        self._save()
        return frozenset(stored.keys() & self.references.keys())

    def wants(self, camera: str, now_s: float) -> bool:
        """Tell whether a picture of a camera is to be noted now."""
        lesson = self._lessons.get(camera)
        if lesson is None and camera not in self.references:
            lesson = _Lesson(count=FIRST_PICTURES, every_s=FIRST_EVERY_S)
            self._lessons[camera] = lesson
        return lesson is not None and now_s >= lesson.due_s

    def renew(self, camera: str) -> None:
        """Begin to learn a camera anew, if that is not under way."""
        if camera not in self._lessons:
            self._lessons[camera] = _Lesson(count=GOOD_PICTURES, every_s=GOOD_EVERY_S)

    def drop_lesson(self, camera: str) -> None:
        """Forget the pictures taken: the camera does not hang still."""
        self._lessons.pop(camera, None)

    def note(
        self, frame: Frame, boxes_px: Sequence[Floats], turn: Floats | None, now_s: float
    ) -> None:
        """Take a picture; `turn` (3, 3) is the camera as it hangs from how the rig has it.

        `boxes_px` are people in it, (K, 4) each.
        """
        camera, lesson = self.rig.camera(frame.camera), self._lessons[frame.camera]
        lesson.due_s = now_s + lesson.every_s
        lesson.pictures.append(shrink(frame.image.y))
        lesson.boxes_px.append(np.concatenate([np.zeros((0, 4)), *boxes_px]))
        lesson.turns.append(np.eye(3) if turn is None else turn)
        if len(lesson.pictures) < lesson.count:
            return
        middle = lesson.turns[len(lesson.turns) // 2]
        found = learn(camera, lesson.pictures, lesson.boxes_px, middle.T)
        first = camera.name not in self.references
        del self._lessons[camera.name]
        if found is None:
            if first:
                self._lessons[camera.name] = _Lesson(
                    count=FIRST_PICTURES, every_s=FIRST_EVERY_S, due_s=now_s + RETRY_S
                )
            return
        self.references = {**self.references, camera.name: found}
        if first:
            self.renew(camera.name)
        self._save()

    def _open(self) -> None:
        self.references = self._stored(self.rig)
        if not self.references:
            self.references = self._former()
        self._forget_unfit()

    def _forget_unfit(self) -> None:
        sizes = {camera.name: camera.size_px for camera in self.rig.cameras}
        self.references = {
            name: one for name, one in self.references.items() if sizes.get(name) == one.size_px
        }

    def _stored(self, rig: Rig) -> dict[str, Reference]:
        """Read what was learned under a rig: by this gateway, else by calibration."""
        for folder in (self.folder, beside(self._rig_file)):
            file = references_file(folder, rig.id)
            try:
                found = Aside("references").do(partial(load_references, file), PATIENCE_S)
            except StalledError:
                self.trouble = f"{file}: can't be read: its disk does not answer; mend it"
                continue
            except Exception as error:  # no file may keep a gateway from starting: learn anew
                self.trouble = str(error)
                continue
            if found:
                return found
        return {}

    def _former(self) -> dict[str, Reference]:
        """Carry over what was learned under the rig before, where cameras are only turned."""
        former = former_id(self._rig_file)
        if former is None:
            return {}
        try:
            old = load_rig(kept_file(self._rig_file, former))
        except RigError:
            return {}
        self.carried_from = former
        return carried(self._stored(old), old, self.rig)

    def _save(self) -> None:
        try:
            save_references(self.references, references_file(self.folder, self.rig.id))
            self.trouble = ""
        except RigError as error:
            self.trouble = str(error)
