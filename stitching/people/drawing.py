"""Draw insets over a panorama, and grey what nobody can see because somebody stands in the way.

Knows nothing about who is where: only tables and opacities.
"""

import cv2
import numpy as np

from scene.arrays import Bytes
from scene.messages import Inset, YuvImage
from stitching.composition.backend import GREY
from stitching.maps import Maps

CHROMA_MIDDLE = 0.5


def draw(picture: YuvImage, inset: Inset, image: YuvImage, gain: float) -> None:
    """Draw one inset over the panorama's planes, in place, from its camera's picture.

    `gain` is what that picture is to be multiplied with.
    """
    x0, y0 = inset.corner_px
    height, width = inset.opacity.shape
    found = cv2.remap(image.y, inset.luma_x, inset.luma_y, cv2.INTER_LINEAR)
    _blend(
        picture.y[y0 : y0 + height, x0 : x0 + width],
        np.asarray(cv2.convertScaleAbs(found, alpha=gain), np.uint8),
        inset.opacity,
    )
    half = width // 2, height // 2
    x, y, opacity = (
        cv2.resize(table, half, interpolation=cv2.INTER_AREA)
        for table in (inset.luma_x, inset.luma_y, inset.opacity)
    )
    spots = (x - CHROMA_MIDDLE) / 2, (y - CHROMA_MIDDLE) / 2
    rows, columns = slice(y0 // 2, y0 // 2 + half[1]), slice(x0 // 2, x0 // 2 + half[0])
    for source, plane in ((image.u, picture.u), (image.v, picture.v)):
        found = cv2.remap(source, *spots, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        lit = cv2.addWeighted(found, gain, found, 0, GREY * (1 - gain))
        _blend(plane[rows, columns], np.asarray(lit, np.uint8), np.asarray(opacity, np.float32))


def _blend(under: Bytes, over: Bytes, opacity: Maps) -> None:
    under[:] = cv2.blendLinear(over, np.ascontiguousarray(under), opacity, 1 - opacity)
