"""Which camera paints each pixel of the panorama, and how neighbours fade into each other.

Knows nothing about pictures or people. Seams are plain labels, so that others than `mid_overlap`
may lay them.
"""

from collections.abc import Iterable

import cv2
import numpy as np

from scene.arrays import Bools, Bytes
from stitching.composition.backend import Box
from stitching.maps import CameraMap, Maps

NOBODY = 255
FAINT = 1 / 128
"""A weight below this is not worth a look-up."""


def mid_overlap(maps: list[CameraMap], present: list[bool], size_px: tuple[int, int]) -> Bytes:
    """Lay seams in the middle of overlaps: whose picture's middle is nearest paints.

    Gives (H, W) camera indices, `NOBODY` where no camera that is present looks.
    """
    width, height = size_px
    labels = np.full((height, width), NOBODY, np.uint8)
    closest = np.zeros((height, width), np.float32)
    for index, camera in enumerate(maps):
        if not present[index]:
            continue
        x0, y0, x1, y1 = camera.box
        nearer = camera.closeness > closest[y0:y1, x0:x1]
        labels[y0:y1, x0:x1][nearer] = index
        np.maximum(closest[y0:y1, x0:x1], camera.closeness, out=closest[y0:y1, x0:x1])
    return labels


class Fading:
    """Turns labels into weights: linear over `blend_px` across a seam, nothing at a picture's edge.

    Weights are over each camera's box and add up to 1 wherever anybody looks.
    """

    def __init__(self, maps: list[CameraMap], blend_px: int, size_px: tuple[int, int]) -> None:
        self.blend_px = blend_px
        self._maps, self._size_px = maps, size_px
        self._inner = [_inner(camera, blend_px) for camera in maps]

    def weights(self, present: Iterable[bool], labels: Bytes) -> list[Maps]:
        """Compute all weights for labels (H, W)."""
        weights = [np.zeros(camera.seen.shape, np.float32) for camera in self._maps]
        self.refresh(weights, present, labels, (0, 0, *self._size_px))
        return weights

    def refresh(
        self, weights: list[Maps], present: Iterable[bool], labels: Bytes, box: Box
    ) -> None:
        """Write the weights inside a box anew, in place; those outside are as they were."""
        x0, y0, x1, y1 = box
        reach = self.blend_px // 2 + 1
        left, top = max(x0 - reach, 0), max(y0 - reach, 0)
        near = labels[top : y1 + reach, left : x1 + reach]
        parts = []
        for index, here in enumerate(present):
            camera = self._maps[index]
            a, b = max(x0, camera.box[0]), min(x1, camera.box[2])
            if not here or a >= b:
                continue
            ramp = self._ramp(np.asarray(near == index))
            ramp = ramp[y0 - top : y1 - top, a - left : b - left]
            rows, columns = slice(y0 - camera.box[1], y1 - camera.box[1]), a - camera.box[0]
            part = rows, slice(columns, columns + b - a)
            weights[index][part] = ramp * self._inner[index][part]
            parts.append((weights[index][part], slice(a - x0, b - x0)))
        _normalise(parts, (y1 - y0, x1 - x0))

    def _ramp(self, mine: Bools) -> Maps:
        share = mine.astype(np.float32)
        if self.blend_px < 2:
            return share
        size = self.blend_px, self.blend_px
        return np.asarray(cv2.blur(share, size, borderType=cv2.BORDER_REPLICATE), np.float32)


def _inner(camera: CameraMap, blend_px: int) -> Maps:
    """Give how far a pixel lies within what the camera sees, 0..1, over its box."""
    seen = camera.seen.astype(np.uint8)
    if blend_px < 2:
        return seen.astype(np.float32)
    inside = cv2.distanceTransform(seen, cv2.DIST_L2, 3)
    return np.asarray(np.minimum(1, inside * (2 / blend_px)) * seen, np.float32)


def _normalise(parts: list[tuple[Maps, slice]], shape: tuple[int, int]) -> None:
    """Make weights add up to 1, in place, and leave out what is not worth a look-up."""
    for faint in (FAINT, 0.0):
        total = np.zeros(shape, np.float32)
        for weight, columns in parts:
            total[:, columns] += weight
        total = np.maximum(total, 1e-9)
        for weight, columns in parts:
            np.divide(weight, total[:, columns], out=weight)
            if faint:
                weight[weight < faint] = 0


def painter_of(
    maps: list[CameraMap], weights: list[Maps], size_px: tuple[int, int], box: Box
) -> Bytes:
    """Tell which camera has most weight in each pixel of a box; `NOBODY` where none has any."""
    x0, y0, x1, y1 = box
    most = np.zeros((y1 - y0, x1 - x0), np.float32)
    painter = np.full(most.shape, NOBODY, np.uint8)
    for index, (camera, weight) in enumerate(zip(maps, weights, strict=True)):
        a, b = max(x0, camera.box[0]), min(x1, camera.box[2])
        if a >= b:
            continue
        columns = slice(a - x0, b - x0)
        here = weight[
            y0 - camera.box[1] : y1 - camera.box[1], a - camera.box[0] : b - camera.box[0]
        ]
        more = here > most[:, columns]
        painter[:, columns][more] = index
        np.maximum(most[:, columns], here, out=most[:, columns])
    return painter
