"""Pictures for people who would rather look: panoramas and camera frames with what was found.

Knows nothing about the pipeline; it draws what it is given.
"""

from pathlib import Path

import cv2
import numpy as np

from edge.pipeline import Picture
from scene.arrays import Bytes
from scene.errors import LamproomError
from scene.messages import KINDS, Detections, Frame, YuvImage

EVERY_NS = 1_000_000_000
COLOURS = {"upright": (80, 220, 80), "crouching": (0, 200, 255), "lying": (60, 60, 255)}


class PictureBook:
    """Writes `panorama-00001.000s.png` and `cam1-00001.000s.png` once a second of camera time."""

    def __init__(self, folder: Path) -> None:
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise LamproomError(
                f"--pictures {folder}: there can't be such a folder: {error.strerror}; "
                "give another one"
            ) from None
        self._folder = folder
        self._first_ns: int | None = None
        self._due_ns = 0

    def add(
        self, picture: Picture, frames: tuple[Frame, ...], people: tuple[Detections, ...]
    ) -> None:
        """Write this instant, if it is due."""
        at_ns = picture.panorama.captured_at_ns
        if self._first_ns is None:
            self._first_ns = at_ns
        if at_ns < self._due_ns:
            return
        self._due_ns = at_ns + EVERY_NS
        stamp = f"{(at_ns - self._first_ns) / 1e9:09.3f}s"
        self._write(f"panorama-{stamp}.png", tagged(picture))
        for frame in frames:
            finds = [found for found in people if found.camera == frame.camera]
            self._write(f"{frame.camera}-{stamp}.png", boxed(frame, finds))

    def _write(self, name: str, canvas: Bytes) -> None:
        if not cv2.imwrite(str(self._folder / name), canvas):
            raise LamproomError(
                f"--pictures {self._folder}: {name} can't be written; free space on its disk, "
                "or give another folder"
            )


def bgr_of(image: YuvImage) -> Bytes:
    """Turn an I420 picture into (H, W, 3) blue, green, red."""
    planes = np.concatenate([image.y.ravel(), image.u.ravel(), image.v.ravel()])
    height, width = image.y.shape
    return np.asarray(
        cv2.cvtColor(planes.reshape(height * 3 // 2, width), cv2.COLOR_YUV2BGR_I420), np.uint8
    )


def tagged(picture: Picture) -> Bytes:
    """Draw everybody's tag onto the panorama; unseen parts are hatched."""
    canvas = bgr_of(picture.panorama.image)
    rows, columns = np.indices(picture.panorama.unseen.shape)
    canvas[picture.panorama.unseen & ((rows + columns) % 16 < 2)] = (90, 90, 90)
    for person in picture.positions.people:
        if person.panorama_xy is None or person.panorama_head_xy is None:
            continue
        foot, head = np.array(person.panorama_xy), np.array(person.panorama_head_xy)
        half = max(8.0, float(foot[1] - head[1]) * 0.22)
        colour = COLOURS[person.posture]
        box = np.rint([head[0] - half, head[1], foot[0] + half, foot[1]]).astype(int).tolist()
        corner, end = box[:2], box[2:]
        cv2.rectangle(canvas, corner, end, colour, 2)
        text = f"{person.track} x{person.xyz_m[0]:.1f} y{person.xyz_m[1]:.1f} {person.posture}"
        place = (corner[0], max(12, corner[1] - 5))
        cv2.putText(canvas, text, place, cv2.FONT_HERSHEY_SIMPLEX, 0.45, colour, 1, cv2.LINE_AA)
    return canvas


def boxed(frame: Frame, finds: list[Detections]) -> Bytes:
    """Draw a camera's finds onto its frame."""
    canvas = bgr_of(frame.image)
    for found in finds:
        for box, score, kind in zip(found.boxes_px, found.scores, found.kinds, strict=True):
            x1, y1, x2, y2 = (round(float(value)) for value in box)
            colour = ((80, 220, 80), (220, 200, 60), (60, 60, 255), (200, 60, 255))[int(kind)]
            cv2.rectangle(canvas, (x1, y1), (x2, y2), colour, 2)
            text = f"{KINDS[int(kind)]} {score:.2f}"
            place = (x1, max(12, y1 - 4))
            cv2.putText(canvas, text, place, cv2.FONT_HERSHEY_SIMPLEX, 0.45, colour, 1)
    return canvas
