"""What is shown of a camera that gives no picture: its last one, grey and stamped with its age.

Knows nothing about why it gives none. One that gives pictures and yet can't see is shown alike.
"""

import cv2
import numpy as np

from scene.arrays import Bools, Bytes
from scene.messages import Frame, YuvImage
from stitching.composition.backend import GREY

DIM = 0.6
"""Contrast that is left of an old picture."""
FADED_TO = 90
INK, INK_BELOW = 235, 16
FONT = cv2.FONT_HERSHEY_SIMPLEX


class OldPictures:
    """Keeps every camera's newest picture, and greys it once when it is needed."""

    def __init__(self) -> None:
        self._last: dict[int, Frame] = {}
        self._grey: dict[int, YuvImage] = {}

    def keep(self, index: int, frame: Frame) -> None:
        """Remember a picture that fits the rig."""
        self._last[index] = frame
        self._grey.pop(index, None)

    def has(self, index: int) -> bool:
        """Tell whether there ever was one."""
        return index in self._last

    def grey(self, index: int) -> YuvImage:
        """Give the last picture without colour and with little contrast."""
        if index not in self._grey:
            self._grey[index] = greyed(self._last[index].image)
        return self._grey[index]

    def stamp(
        self, luma: Bytes, unseen: Bools, index: int, place: tuple[int, int, int], at_ns: int
    ) -> None:
        """Write the camera's name and how old its picture is onto (H, W) luma, in place.

        `place` is the middle of where it shows, x and y, and how wide that is. What is not
        `unseen` (H, W) stays as it is.
        """
        frame = self._last[index]
        age_s = max(0.0, (at_ns - frame.captured_at_ns) / 1e9)
        write(luma, unseen, f"{frame.camera} {_age(age_s)} old", place)


def greyed(image: YuvImage) -> YuvImage:
    """Give a picture without colour and with little contrast."""
    luma = cv2.convertScaleAbs(image.y, alpha=DIM, beta=FADED_TO * (1 - DIM))
    return YuvImage(
        y=np.asarray(luma, np.uint8),
        u=np.full_like(image.u, GREY),
        v=np.full_like(image.v, GREY),
    )


def write(luma: Bytes, unseen: Bools, text: str, place: tuple[int, int, int]) -> None:
    """Write a short text onto (H, W) luma, in place, where it is `unseen` (H, W).

    `place` is the middle, x and y, and how wide there is room.
    """
    x, y, width = place
    scale = float(np.clip(width / 300, 0.45, 1.2))
    (wide, high), below = cv2.getTextSize(text, FONT, scale, 2)
    left = int(np.clip(x - wide // 2, 4, max(4, luma.shape[1] - wide - 4)))
    base = int(np.clip(y + high // 2, high + 4, max(high + 4, luma.shape[0] - below - 4)))
    part = slice(base - high - 4, base + below + 1), slice(left - 4, left + wide + 5)
    label = np.full_like(luma[part], INK_BELOW)
    cv2.putText(label, text, (4, high + 4), FONT, scale, INK, 2, cv2.LINE_AA)
    np.copyto(luma[part], label, where=unseen[part])


def _age(age_s: float) -> str:
    """Say an age in few words.

    >>> _age(12.3), _age(200), _age(9000)
    ('12 s', '3 min', '2.5 h')
    """
    if age_s < 120:
        return f"{age_s:.0f} s"
    return f"{age_s / 60:.0f} min" if age_s < 7200 else f"{age_s / 3600:.1f} h"
