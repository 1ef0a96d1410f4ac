"""Points of a picture that can be found again in a neighbour's picture, and which belong together.

Knows nothing about lenses, rotations or rigs.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from scene.arrays import Bytes, Floats, Ints
from scene.messages import YuvImage

MAX_FEATURES = 8000
CONTRAST_THRESHOLD = 0.02
"""Half of OpenCV's: a dark heading has little contrast, and false finds don't match anyway."""
RATIO = 0.8
"""Lowe's ratio: the best match must be so much nearer than the second best (IJCV 2004)."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Features:
    """What was found in one camera's picture."""

    points_px: Floats
    """(N, 2), pixel centres at integers."""
    descriptors: NDArray[np.float32]
    """(N, 128) RootSIFT (Arandjelovic, Zisserman, CVPR 2012), unit length."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Matches:
    """Points that two cameras may have in common; some of them are wrong."""

    first: int
    second: int
    first_px: Floats
    """(M, 2) in the first camera."""
    second_px: Floats
    """(M, 2) in the second camera."""


def still_luma(images: list[YuvImage]) -> Bytes:
    """Give the (H, W) luma of what stands still: the median of several pictures of one camera."""
    if len(images) < 3:
        return images[0].y
    middle = np.median(np.stack([image.y for image in images]), axis=0)
    return np.asarray(middle, np.uint8)


def find(luma: Bytes) -> Features:
    """Find points in (H, W) luma: local contrast (CLAHE), then SIFT at full resolution."""
    even = cv2.createCLAHE(clipLimit=3.0, tileGridSize=(8, 8)).apply(np.ascontiguousarray(luma))
    # Precise upscaling, or all points lie a quarter of a pixel too far to the left and top.
    sift = cv2.SIFT.create(
        nfeatures=MAX_FEATURES, contrastThreshold=CONTRAST_THRESHOLD, enable_precise_upscale=True
    )
    found, descriptors = sift.detectAndCompute(even, None)
    if descriptors is None or len(found) == 0:
        return Features(
            points_px=np.zeros((0, 2)), descriptors=np.zeros((0, 128), dtype=np.float32)
        )
    points = np.array([point.pt for point in found], float)
    # A corner with two orientations comes twice; both may match.
    order = np.lexsort((points[:, 1], points[:, 0]))
    root = np.sqrt(np.asarray(descriptors, np.float32))
    root /= np.maximum(np.linalg.norm(root, axis=1, keepdims=True), 1e-6)
    return Features(points_px=points[order], descriptors=root[order])


def match(first: Features, second: Features) -> tuple[Floats, Floats]:
    """Give (M, 2) points of the first and of the second picture that are each other's best match.

    Both must also pass the ratio test; a point that comes up twice is kept once.
    """
    if len(first.points_px) < 2 or len(second.points_px) < 2:
        return np.zeros((0, 2)), np.zeros((0, 2))
    likeness = first.descriptors @ second.descriptors.T
    forward, forward_ok = best_columns(likeness, RATIO)
    backward, backward_ok = best_columns(likeness.T, RATIO)
    a = np.arange(len(forward))
    keep = forward_ok & (backward[forward] == a) & backward_ok[forward]
    points = np.column_stack([first.points_px[a[keep]], second.points_px[forward[keep]]])
    points = np.unique(points.round(3), axis=0)
    return points[:, :2], points[:, 2:]


def best_columns(likeness: NDArray[np.float32], ratio: float) -> tuple[Ints, NDArray[np.bool_]]:
    """Find each row's best column (N,), and whether it passes Lowe's ratio test (N,).

    `likeness` (N, M) holds cosines; -1 stands for what can't be a match.
    """
    rows = np.arange(len(likeness))
    best = likeness.argmax(axis=1)
    top = likeness[rows, best]
    rest = likeness.copy()
    rest[rows, best] = -1.0
    second = rest.max(axis=1)
    # Of unit vectors, the squared distance is 2 - 2 cos.
    return best, (top > -1) & ((1 - top) < ratio**2 * (1 - second))
