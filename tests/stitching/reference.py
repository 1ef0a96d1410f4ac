"""A slow compositor in double precision, straight from the definition: what backends must match."""

import numpy as np

from scene.arrays import Bytes, Floats
from scene.messages import YuvImage
from stitching.composition.backend import GREY, UNSEEN_LUMA
from stitching.exposure import UNIT, GainMaps
from stitching.maps import OUTSIDE, CameraMap, Maps


def composed(
    maps: list[CameraMap],
    gains: list[GainMaps],
    weights: list[Maps],
    images: dict[int, YuvImage],
    size_px: tuple[int, int],
) -> tuple[Floats, Floats, Floats]:
    """Give y, u and v of the panorama, not rounded."""
    width, height = size_px
    y, total = np.zeros((height, width)), np.zeros((height, width))
    u, v, parts = (np.zeros((height // 2, width // 2)) for _ in range(3))
    for index, image in images.items():
        one, gain, weight = maps[index], gains[index], weights[index].astype(float)
        x0, y0, x1, y1 = one.box
        luma, chroma = np.s_[y0:y1, x0:x1], np.s_[y0 // 2 : y1 // 2, x0 // 2 : x1 // 2]
        y[luma] += weight * gain.luma / UNIT * looked_up(image.y, one.luma_x, one.luma_y)
        total[luma] += weight
        quarter = weight.reshape(len(weight) // 2, 2, -1, 2).mean(axis=(1, 3))
        for plane, painted in ((image.u, u), (image.v, v)):
            found = looked_up(plane, one.chroma_x, one.chroma_y)
            found = np.where(one.chroma_x == OUTSIDE, GREY, found)
            painted[chroma] += quarter * gain.chroma / UNIT * (found - GREY)
        parts[chroma] += quarter
    known = np.where(parts > 0, parts, 1)
    return (
        np.where(total > 0, np.clip(y / np.where(total > 0, total, 1), 0, 255), UNSEEN_LUMA),
        np.clip(GREY + u / known, 0, 255),
        np.clip(GREY + v / known, 0, 255),
    )


def looked_up(plane: Bytes, x: Maps, y: Maps) -> Floats:
    """Sample a plane bilinearly."""
    rows, columns = plane.shape
    left = np.clip(np.floor(x), 0, columns - 2).astype(int)
    top = np.clip(np.floor(y), 0, rows - 2).astype(int)
    a, b = np.clip(x.astype(float) - left, 0, 1), np.clip(y.astype(float) - top, 0, 1)
    value = plane.astype(float)
    upper = value[top, left] * (1 - a) + value[top, left + 1] * a
    lower = value[top + 1, left] * (1 - a) + value[top + 1, left + 1] * a
    return np.asarray(upper * (1 - b) + lower * b)
