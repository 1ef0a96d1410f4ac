"""Which camera paints each pixel of the panorama, and how neighbours fade into each other.

Knows nothing about pictures. Seams are plain labels, so that others than `mid_overlap` may lay
them.
"""

import cv2
import numpy as np

from scene.arrays import Bytes
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


def fade(maps: list[CameraMap], present: list[bool], labels: Bytes, blend_px: int) -> list[Maps]:
    """Give each camera's weight over its box; they add up to 1 wherever anybody looks.

    Weights fall linearly over `blend_px` across a seam, and to nothing at a picture's edge.
    """
    total = np.zeros(labels.shape, np.float32)
    weights = []
    for index, camera in enumerate(maps):
        x0, y0, x1, y1 = camera.box
        weight = np.zeros(camera.seen.shape, np.float32)
        if present[index]:
            mine = (labels[y0:y1, x0:x1] == index).astype(np.float32)
            weight = _softened(mine, camera, blend_px)
            total[y0:y1, x0:x1] += weight
        weights.append(weight)
    rest = np.zeros(labels.shape, np.float32)
    for index, camera in enumerate(maps):
        x0, y0, x1, y1 = camera.box
        share = weights[index] / np.maximum(total[y0:y1, x0:x1], 1e-9)
        weights[index] = np.where(share < FAINT, 0, share).astype(np.float32)
        rest[y0:y1, x0:x1] += weights[index]
    return [
        np.asarray(
            weight / np.maximum(rest[c.box[1] : c.box[3], c.box[0] : c.box[2]], 1e-9), np.float32
        )
        for weight, c in zip(weights, maps, strict=True)
    ]


def _softened(mine: Maps, camera: CameraMap, blend_px: int) -> Maps:
    if blend_px < 2:
        return mine
    ramp = cv2.blur(mine, (blend_px, blend_px), borderType=cv2.BORDER_REPLICATE)
    inside = cv2.distanceTransform(camera.seen.astype(np.uint8), cv2.DIST_L2, 3)
    soft = ramp * np.minimum(1, inside * (2 / blend_px)) * camera.seen
    return np.asarray(soft, np.float32)
