"""Lift what is dark or veiled by dust, locally, without making anything up.

Knows nothing about what is in the picture. Local histograms are stretched, each by a monotone
curve whose steepness is limited (CLAHE, Zuiderveld 1994, as OpenCV has it); and only as far as
there is more to be seen than the camera's noise: where a wall is flat, it stays as it was.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from scene.arrays import Bools, Bytes, read_only
from scene.messages import YuvImage

STEEPEST = 2.5
"""CLAHE's clip limit: no grey level is spread further than this."""
TILES = (8, 6)
SHRINK = 4
SPREAD_PX = 7
"""Local contrast is judged over so many pixels of the shrunken picture, each way."""
NOISE_SIGMAS = 1.5
"""Contrast of so many standard deviations of the noise is lifted half-way."""
STRIPE_PX = 24
LEAST_NOISE = 1.0
"""Compressed video hides its noise, and has blocks instead: never trust less than this."""


class LocalContrast:
    """The step, with its scratch memory: one for each thread."""

    def __init__(self) -> None:
        self._curves = cv2.createCLAHE(clipLimit=STEEPEST, tileGridSize=TILES)

    def lifted(self, image: YuvImage, but: Bools | None = None) -> YuvImage:
        """Give the picture with its luma lifted, `but` for some (H, W) pixels; colours stay."""
        luma = self.lift(image.y)
        if but is not None:
            np.copyto(luma, image.y, where=but)
        return YuvImage(y=read_only(luma), u=image.u, v=image.v)

    def lift(self, luma: Bytes) -> Bytes:
        """Give (H, W) luma with more local contrast where there is something to be seen."""
        luma = np.ascontiguousarray(luma)
        stretched = self._curves.apply(luma)
        share = _worth_lifting(luma)
        height, width = luma.shape
        spread = cv2.resize(share, (width, height), interpolation=cv2.INTER_LINEAR)
        return np.asarray(cv2.blendLinear(stretched, luma, spread, 1 - spread), np.uint8)


def noise_sigma(luma: Bytes) -> float:
    """Estimate the noise's standard deviation, grey levels.

    From the response to a kernel that edges and slopes hardly touch (Immerkaer, "Fast noise
    variance estimation", CVIU 1996), but by the median, so that texture hardly counts either.
    """
    kernel = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float32)
    # Every third row and column would break neighbourhoods: take stripes of the picture instead.
    stripes = (
        luma[: luma.shape[0] // 24 * 24]
        .reshape(-1, 24, luma.shape[1])[::3]
        .reshape(-1, luma.shape[1])
    )
    found = cv2.filter2D(stripes, cv2.CV_32F, kernel)
    return max(LEAST_NOISE, float(np.median(np.abs(found))) / 0.6745 / 6)


def _worth_lifting(luma: Bytes) -> NDArray[np.float32]:
    """Give (H/4, W/4) 0..1: how much of the local contrast is more than noise."""
    small = cv2.resize(
        luma, None, fx=1 / SHRINK, fy=1 / SHRINK, interpolation=cv2.INTER_AREA
    ).astype(np.float32)
    size = (2 * SPREAD_PX + 1,) * 2
    mean = cv2.blur(small, size)
    variance = cv2.blur(small * small, size) - mean * mean
    # Averaging 4 x 4 pixels makes independent noise four times smaller; compression's is not.
    noise = NOISE_SIGMAS * noise_sigma(luma) / 2
    variance = np.maximum(variance, 0)
    return np.asarray(variance / (variance + noise**2), np.float32)
