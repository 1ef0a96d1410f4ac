"""What cameras show where nobody stands: to tell a body from what is behind it.

Knows nothing about the panorama. It only helps to draw: what differs from the remembered background
is more surely the body, and nothing is left out for looking like it.
"""

from collections.abc import Mapping, Sequence

import cv2
import numpy as np

from scene.arrays import Bools
from scene.messages import YuvImage
from stitching.maps import Maps
from stitching.people.bodies import Bodies

RATE = 0.1
"""Share of a new look in the running mean."""
LOOK_NS = 400_000_000
LUMA, CHROMA = 8.0, 3.0
"""Grey levels, averaged over a place of the coarse picture, that make a difference."""


class Background:
    """Remembers each camera's coarse picture without people."""

    def __init__(self, shapes: Sequence[tuple[int, int]]) -> None:
        """Take the rows and columns of each camera's coarse picture."""
        self._means: list[Maps] = [np.full((*shape, 3), np.nan, np.float32) for shape in shapes]
        self._looked_at_ns = [0] * len(shapes)

    def look(self, images: Mapping[int, YuvImage], bodies: Bodies, at_ns: int) -> None:
        """Take in pictures by camera index, now and then, where nobody is."""
        for index, image in images.items():
            if abs(at_ns - self._looked_at_ns[index]) >= LOOK_NS:
                self._looked_at_ns[index] = at_ns
                mean = self._means[index]
                now = _shrunk(image, mean.shape[:2])
                free = bodies.core[index] == 0
                old = np.where(np.isnan(mean), now, mean)
                mean[free] = (old + RATE * (now - old))[free]

    def differs(self, index: int, image: YuvImage) -> Bools:
        """Tell where (rows, columns) a camera shows something else than before.

        Where nothing is remembered yet, it does.
        """
        away = np.abs(_shrunk(image, self._means[index].shape[:2]) - self._means[index])
        same = (away[..., 0] < LUMA) & (away[..., 1] < CHROMA) & (away[..., 2] < CHROMA)
        return np.asarray(~same)


def _shrunk(image: YuvImage, shape: tuple[int, ...]) -> Maps:
    size = shape[1], shape[0]
    planes = (image.y, image.u, image.v)
    small = [cv2.resize(plane, size, interpolation=cv2.INTER_AREA) for plane in planes]
    return np.stack(small, axis=-1).astype(np.float32)
