"""Pictures to train on, with their labels; what a folder does not label, a teacher may.

Knows nothing about how they are augmented. A teacher lends its boxes only: its weights stay out of
what is trained.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from detection.detector import Detector
from detection.evaluate import yuv_of_bgr
from detection.labelled import (
    CLASS_OF_LABEL,
    TRAINED_KINDS,
    Folder,
    label_file_of,
    pictures_of,
    read_labels,
)
from scene.arrays import Bytes
from scene.errors import ModelError
from scene.messages import Frame

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Labelled:
    """A picture on disk."""

    path: Path
    boxes: Floats
    """(N, 4) `x1 y1 x2 y2`, each as a part of the picture's size."""
    classes: NDArray[np.int64]
    """(N,) indices into `TRAINED_KINDS`."""
    known: tuple[bool, ...]
    """Per trained kind: False where its absence from the labels means nothing."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Picture:
    """A decoded picture."""

    rgb: Bytes
    """(H, W, 3)."""
    boxes_px: Floats
    """(N, 4) `x1 y1 x2 y2`."""
    classes: NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Set:
    """One folder's pictures."""

    folder: Folder
    pictures: tuple[Labelled, ...]
    by_teacher: int = 0
    """How many of the boxes a teacher gave."""

    @property
    def weight(self) -> float:
        """How often each picture is drawn, against weight 1."""
        return self.folder.weight


def read_set(
    folder: Folder,
    *,
    without: Sequence[str] = (),
    teacher: Detector | None = None,
    step: Callable[[int, int], None] = lambda done, total: None,
) -> Set:
    """Read a folder's labels; `step` is told how many pictures are done, of how many.

    Kinds that the folder does not label are taken from the `teacher`, where it finds some; where it
    finds none, they stay unknown. Raises ModelError.
    """
    paths = pictures_of(folder.path, without=without)
    pictures, by_teacher = [], 0
    for number, path in enumerate(paths):
        one, taught = _labelled(path, folder, teacher)
        pictures.append(one)
        by_teacher += taught
        step(number + 1, len(paths))
    return Set(folder=folder, pictures=tuple(pictures), by_teacher=by_teacher)


def _labelled(path: Path, folder: Folder, teacher: Detector | None) -> tuple[Labelled, int]:
    """Read one picture's labels; tells how many boxes the teacher added."""
    boxes, numbers = read_labels(label_file_of(path, folder.path), (1, 1))
    keep = np.array([number in CLASS_OF_LABEL for number in numbers.tolist()], bool)
    boxes = boxes[keep]
    classes = np.array([CLASS_OF_LABEL[number] for number in numbers[keep].tolist()], np.int64)
    known, taught = list(folder.known), 0
    if teacher is not None and not all(known):
        own = np.array(folder.known)[classes]
        found, kinds = _taught(path, teacher, folder)
        boxes = np.vstack([boxes[own], found])
        classes, taught = np.concatenate([classes[own], kinds]), len(kinds)
        for kind in np.unique(kinds).tolist():
            known[kind] = True
    one = Labelled(path=path, boxes=boxes, classes=classes, known=tuple(known))
    return one, taught


def _taught(path: Path, teacher: Detector, folder: Folder) -> tuple[Floats, NDArray[np.int64]]:
    """Give boxes (N, 4) as parts of the size, and classes (N,), of what is not labelled."""
    bgr = _read(path)
    frame = Frame(camera=path.name, captured_at_ns=0, image=yuv_of_bgr(bgr))
    size = np.array([bgr.shape[1], bgr.shape[0]] * 2, np.float64)
    boxes, classes = [np.empty((0, 4), np.float32)], [np.empty(0, np.int64)]
    for answer in teacher.detect([frame]):
        for kind, name in enumerate(TRAINED_KINDS):
            if not folder.known[kind]:
                found = answer.of_kind(name).boxes_px
                boxes.append(((found + 0.5) / size).astype(np.float32))
                classes.append(np.full(len(found), kind, np.int64))
    return np.vstack(boxes), np.concatenate(classes)


def _read(path: Path) -> Bytes:
    bgr = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if bgr is None:
        raise ModelError(f"{path}: not a picture, or cut off")
    return bgr.astype(np.uint8, copy=False)


def decoded(labelled: Labelled, longest_px: int) -> Picture:
    """Decode a picture, shrunk to at most `longest_px`."""
    bgr = _read(labelled.path)
    height, width = bgr.shape[:2]
    scale = min(1.0, longest_px / max(height, width))
    if scale < 1:
        size = (round(width * scale), round(height * scale))
        bgr = cv2.resize(bgr, size, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)
    rgb = np.ascontiguousarray(bgr[:, :, ::-1])
    size_px = np.array([rgb.shape[1], rgb.shape[0]] * 2, np.float32)
    return Picture(rgb=rgb, boxes_px=labelled.boxes * size_px, classes=labelled.classes)
