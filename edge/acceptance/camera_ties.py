"""Points that two cameras both show, matched in what stands still before them.

Knows nothing about limits, or how far cameras are turned. Descriptors of points match by chance
between cameras strung along a roadway. So each picture is carried over the panorama's surface to
how the other camera would show it, and patches of that are sought near where they should be.
"""

import itertools
from collections.abc import Mapping, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from scene.arrays import Bools, Bytes, Floats
from scene.geometry import CameraModel, distort, rays
from scene.messages import YuvImage
from scene.rig import Surface
from stitching.calibration.features import Matches, still_luma

MOST_PICTURES = 7
EVERY_PX, GLANCE_PX = 8, 40
"""Every so many pixels lines of sight are followed; and at first, to see whether two overlap."""
LEAST_SHARED = 8
"""Of the points of a first glance."""
LEVELS = 4
"""Of a picture, each half as fine as the one before: coarse views are compared with coarse ones."""
COARSEST, SMEARED = 8.0, 4.0
"""Pixels of one camera in a pixel of the other, and how many times as many along as across."""
FINEST = 0.35
HALF_PX = 12
REACH = 1 / 28
"""Of the picture's width: by more than 2 degrees, as most lenses have it."""
MOST_POINTS = 500
LEAST_CONTRAST, LEAST_LIKENESS, CLEAR_BY, PEAK_PX = 5.0, 0.55, 0.08, 4
"""Of a patch, its standard deviation; of a find, its normalised cross-correlation, and by how much
it is better than all others but its neighbours."""
Maps = NDArray[np.float32]


class StillPictures:
    """Keeps a few pictures of each camera: their median has nobody in it."""

    def __init__(self) -> None:
        self._images: dict[str, list[YuvImage]] = {}

    def add(self, images: Mapping[str, YuvImage]) -> None:
        """Take one instant's pictures by camera; the first few count."""
        for name, image in images.items():
            kept = self._images.setdefault(name, [])
            if len(kept) < MOST_PICTURES:
                kept.append(image)

    def ties(self, cameras: Sequence[CameraModel], surface: Surface) -> tuple[Matches, ...]:
        """Match every two cameras, hung as is thought best; places are numbers in `cameras`."""
        even = cv2.createCLAHE(clipLimit=3.0, tileGridSize=(8, 8))
        lumas = {
            name: np.asarray(even.apply(np.ascontiguousarray(still_luma(images))), np.uint8)
            for name, images in self._images.items()
        }
        known = [i for i, camera in enumerate(cameras) if camera.name in lumas]
        found = []
        for i, j in itertools.combinations(known, 2):
            first, second = (cameras[i], cameras[j])
            luma_i, luma_j = lumas[first.name], lumas[second.name]
            a, b = _matched(first, second, surface, luma_i, luma_j)
            d, c = _matched(second, first, surface, luma_j, luma_i)
            if len(a) + len(c):
                first_px, second_px = np.concatenate([a, c]), np.concatenate([b, d])
                found.append(Matches(first=i, second=j, first_px=first_px, second_px=second_px))
        return tuple(found)


def _matched(
    first: CameraModel, second: CameraModel, surface: Surface, luma: Bytes, other: Bytes
) -> tuple[Floats, Floats]:
    """Give (M, 2) pixels of the first camera, and those of the second that show the same."""
    glance = _place(first, second, surface, GLANCE_PX)
    a: list[tuple[float, float]] = []
    b: list[Floats] = []
    if np.isfinite(glance).all(axis=2).sum() >= LEAST_SHARED:
        carried, places, good = _carried(first, second, surface, other)
        for x, y in _corners(carried, good):
            found = _sought(luma, carried, x, y, max(8, round(first.size_px[0] * REACH)))
            if found is not None:
                a.append(found)
                b.append(places[y, x])
    return np.array(a, float).reshape(-1, 2), np.array(b, float).reshape(-1, 2)


def _place(first: CameraModel, second: CameraModel, surface: Surface, every_px: int) -> Floats:
    """Tell where the second camera shows what a grid of the first one's pixels shows.

    (h, w, 2) pixels; NaN where it does not.
    """
    width, height = first.size_px
    u, v = np.meshgrid(np.arange(0.0, width, every_px), np.arange(0.0, height, every_px))
    pixels = np.column_stack([u.ravel(), v.ravel()])
    spots = surface.panorama_from_sight(first.centre_m, rays(first, pixels))
    seen: Bools = np.asarray(np.isfinite(spots).all(axis=1))
    seen[seen] = surface.inside(spots[seen])
    places = np.full((len(pixels), 2), np.nan)
    ahead = surface.in_camera(second, spots[seen])
    shown = distort(second, ahead)
    shown[np.arctan2(np.hypot(*ahead.T[:2]), ahead[:, 2]) > second.max_angle_rad] = np.nan
    shown[((shown < 0) | (shown > np.array(second.size_px) - 1)).any(axis=1)] = np.nan
    places[seen] = shown
    return places.reshape(*u.shape, 2)


def _carried(
    first: CameraModel, second: CameraModel, surface: Surface, other: Bytes
) -> tuple[Bytes, Maps, Bytes]:
    """Carry the second camera's (H, W) luma to how the first would show it.

    Gives it, where each pixel comes from, and which of them (1) are neither smeared nor too coarse.
    """
    grid = _place(first, second, surface, EVERY_PX)
    along, down = (np.gradient(grid, axis=axis) / EVERY_PX for axis in (1, 0))
    size = np.maximum(np.linalg.norm(along, axis=2), np.linalg.norm(down, axis=2))
    area = np.sqrt(abs(along[..., 0] * down[..., 1] - along[..., 1] * down[..., 0]))
    good = (size < COARSEST) & (area > FINEST) & (area > size / SMEARED)
    width, height = first.size_px
    x, y = np.meshgrid(np.arange(width) / EVERY_PX, np.arange(height) / EVERY_PX)

    def fine(coarse: Floats) -> Maps:
        filled = np.nan_to_num(np.asarray(coarse, float), nan=-16.0).astype(np.float32)
        return np.asarray(
            cv2.remap(
                filled,
                x.astype(np.float32),
                y.astype(np.float32),
                cv2.INTER_LINEAR,
                borderMode=cv2.BORDER_REPLICATE,
            ),
            np.float32,
        )

    places, sizes = fine(grid), fine(size)
    level = np.clip(np.rint(np.log2(np.maximum(sizes, 1.0))), 0, LEVELS - 1)
    carried = np.zeros((height, width), np.uint8)
    for number in range(LEVELS):
        picture = other if not number else cv2.GaussianBlur(other, (0, 0), 0.5 * 2.0**number)
        seen = cv2.remap(picture, places[..., 0], places[..., 1], cv2.INTER_LINEAR)
        carried = np.where(level == number, seen, carried)
    return np.asarray(carried, np.uint8), places, (fine(good) > 0.99).astype(np.uint8)


def _corners(picture: Bytes, good: Bytes) -> list[tuple[int, int]]:
    inner = cv2.erode(good, np.ones((2 * HALF_PX + 1, 2 * HALF_PX + 1), np.uint8), borderValue=0)
    found = cv2.goodFeaturesToTrack(picture, MOST_POINTS, 0.01, 8, mask=inner)
    if found is None:
        return []
    return [(int(x), int(y)) for x, y in np.rint(found.reshape(-1, 2))]


def _sought(luma: Bytes, carried: Bytes, x: int, y: int, reach: int) -> tuple[float, float] | None:
    """Find the one place near (x, y) where a patch of `carried` is in `luma`."""
    patch = carried[y - HALF_PX : y + HALF_PX + 1, x - HALF_PX : x + HALF_PX + 1]
    far, (height, width) = HALF_PX + reach, luma.shape
    if not (far <= x < width - far and far <= y < height - far) or patch.std() < LEAST_CONTRAST:
        return None
    around = luma[y - far : y + far + 1, x - far : x + far + 1]
    likeness = np.asarray(cv2.matchTemplate(around, patch, cv2.TM_CCOEFF_NORMED), float)
    row, column = np.unravel_index(int(likeness.argmax()), likeness.shape)
    best = float(likeness[row, column])
    at_edge = min(row, column) == 0 or max(row, column) == 2 * reach
    if best < LEAST_LIKENESS or at_edge:
        return None
    rows, columns = (slice(max(0, at - PEAK_PX), at + PEAK_PX + 1) for at in (row, column))
    likeness[rows, columns] = -1
    if likeness.max() > best - CLEAR_BY:
        return None
    return float(x + column - reach), float(y + row - reach)
