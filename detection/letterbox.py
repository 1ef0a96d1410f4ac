"""Fit a camera's picture into a network's input, and boxes back into camera pixels.

Knows nothing about what the network finds.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from scene.arrays import Bytes, Floats
from scene.messages import YuvImage

PADDING = 114 / 255
"""Grey around the picture, as Ultralytics pads."""

# ITU-R BT.601, limited range: what video decoders assume when a camera does not say.
LUMA = 255 / 219
RED_FROM_V = 1.402 * 255 / 224
GREEN_FROM_U, GREEN_FROM_V = -0.344136 * 255 / 224, -0.714136 * 255 / 224
BLUE_FROM_U = 1.772 * 255 / 224


@dataclass(frozen=True, slots=True, kw_only=True)
class Letterbox:
    """Where a picture lies within the network's input; all in pixels."""

    camera_size: tuple[int, int]
    """Width, height."""
    input_size: tuple[int, int]
    """Width, height."""
    picture_size: tuple[int, int]
    """The shrunk or grown picture within the input."""
    left: int
    top: int


def fit(
    camera_size: tuple[int, int], input_size: tuple[int, int], *, stride: int | None = None
) -> Letterbox:
    """Place a picture in the middle of the input, as large as it can be, its shape kept.

    With `stride` the input is only as large as the picture needs, rounded up to whole strides
    (for models with a dynamic input size).

    >>> fit((1280, 720), (640, 640)).top
    140
    >>> fit((1280, 720), (640, 640), stride=32).input_size
    (640, 384)
    """
    width, height = camera_size
    scale = min(input_size[0] / width, input_size[1] / height)
    picture = (max(1, round(width * scale)), max(1, round(height * scale)))
    if stride is not None:
        input_size = (_whole(picture[0], stride), _whole(picture[1], stride))
    left = round((input_size[0] - picture[0]) / 2 - 0.1)
    top = round((input_size[1] - picture[1]) / 2 - 0.1)
    return Letterbox(
        camera_size=camera_size, input_size=input_size, picture_size=picture, left=left, top=top
    )


def _whole(length: int, stride: int) -> int:
    return -(-length // stride) * stride


def fill(box: Letterbox, image: YuvImage, tensor: NDArray[np.float32]) -> None:
    """Write a picture as RGB, 0..1, into `tensor` (3, H, W) of the input's size.

    The planes are scaled first and converted then: a tenth of the work of the other way.
    """
    width, height = box.picture_size
    y, u, v = (
        np.asarray(cv2.resize(plane, (width, height), interpolation=cv2.INTER_LINEAR), np.uint8)
        for plane in (image.y, image.u, image.v)
    )
    inside = tensor[:, box.top : box.top + height, box.left : box.left + width]
    if inside.shape != tensor.shape:
        tensor[...] = PADDING
    inside[0] = _lit(y, v, RED_FROM_V)
    inside[1] = _lit(y, u, GREEN_FROM_U)
    inside[1] += (np.multiply(v, np.float32(1), dtype=np.float32) - 128) * (GREEN_FROM_V / 255)
    inside[2] = _lit(y, u, BLUE_FROM_U)
    np.clip(inside, 0, 1, out=inside)


def _lit(luma: Bytes, chroma: Bytes, factor: float) -> NDArray[np.float32]:
    """Add one chroma plane to the luma (H, W), in one pass; black is 0, white 1."""
    away = -(16 * LUMA + 128 * factor) / 255
    lit = cv2.addWeighted(luma, LUMA / 255, chroma, factor / 255, away, dtype=cv2.CV_32F)
    return np.asarray(lit, np.float32)


def to_camera(box: Letterbox, boxes: Floats) -> Floats:
    """Take boxes (N, 4) `x1 y1 x2 y2` from the input back to camera pixels, cut at the border.

    In the input a box over the first pixel ends at 0 and 1; in the camera integer values are
    pixel centres, so there it ends at -0.5 and 0.5.
    """
    corner = np.array([box.left, box.top, box.left, box.top], np.float64)
    camera = np.array([*box.camera_size, *box.camera_size], np.float64)
    picture = np.array([*box.picture_size, *box.picture_size], np.float64)
    edges: Floats = np.clip((boxes - corner) * (camera / picture), 0, camera) - 0.5
    return edges
