"""Match what two neighbours show of one spot, and tell by how much they miss each other.

Knows nothing about references or alarms. Works on the panorama's surface, so that it is the same
for a cylinder and a ribbon; what stands in front of the surface misses, too, hence the median.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from scene.arrays import Bools, Bytes, Floats
from scene.geometry import CameraModel
from scene.rig import Surface
from stitching.drift.reference import BLUR_PX, HALF, MIN_LIKENESS, REACH, locate
from stitching.maps import view_of

SAMPLES = 160_000
"""An overlap is looked at in at most so many samples."""
COARSE = 24
"""Panorama pixels between the samples with which overlaps are sought."""
MAX_POINTS = 80
MIN_POINTS = 12
FAR_REACH = 4 * REACH
"""Where neighbours don't meet nearby, they are looked for so far off."""
AGREE = 1.5
"""Samples within which a point agrees with the others."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class OverlapView:
    """Where two cameras see the samples of their overlap."""

    first: str
    second: str
    first_map: tuple[NDArray[np.float32], NDArray[np.float32]]
    """(h, w) columns and rows in the first camera's picture."""
    second_map: tuple[NDArray[np.float32], NDArray[np.float32]]
    both: Bools
    """(h, w) where both see it."""
    px_per_sample: float
    """Of the cameras' own pixels."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Miss:
    """By how much two cameras miss each other in their overlap."""

    first: str
    second: str
    shift_px: Floats
    """(2,) what most points agree on, in cameras' pixels along the panorama's axes."""
    points: int
    """How many agree."""

    @property
    def size_px(self) -> float:
        """Its length."""
        return float(np.linalg.norm(self.shift_px))


def overlap_view(first: CameraModel, second: CameraModel, surface: Surface) -> OverlapView | None:
    """Prepare to compare two cameras; none when they share too little of the panorama."""
    width, height = surface.size_px
    columns = np.arange(0.0, width, COARSE)
    rows = np.arange(0.0, height, COARSE)
    coarse = [
        view_of(camera, surface, columns, rows, margin=0.0).seen for camera in (first, second)
    ]
    ys, xs = np.nonzero(coarse[0] & coarse[1])
    if len(xs) < 6:
        return None
    box = xs.min() * COARSE, ys.min() * COARSE, xs.max() * COARSE, ys.max() * COARSE
    area = max(1, (box[2] - box[0]) * (box[3] - box[1]))
    step = max(1.0, float(np.sqrt(area / SAMPLES)))
    columns, rows = np.arange(box[0], box[2] + 1, step), np.arange(box[1], box[3] + 1, step)
    if min(len(columns), len(rows)) < 4 * (HALF + REACH):
        return None
    views = [view_of(camera, surface, columns, rows, margin=0.0) for camera in (first, second)]
    both = np.asarray(views[0].seen & views[1].seen)
    scales = [_px_per_sample(view.u, view.v, both) for view in views]
    return OverlapView(
        first=first.name,
        second=second.name,
        first_map=(views[0].u.astype(np.float32), views[0].v.astype(np.float32)),
        second_map=(views[1].u.astype(np.float32), views[1].v.astype(np.float32)),
        both=both,
        px_per_sample=float(np.mean(scales)),
    )


def miss_of(view: OverlapView, first_luma: Bytes, second_luma: Bytes) -> Miss | None:
    """Match two (H, W) lumas of one instant; none when too few points agree on any shift."""
    first, second = _painted(first_luma, view.first_map), _painted(second_luma, view.second_map)
    points = _points(first, view.both)
    for reach in (REACH, FAR_REACH):
        found = _offsets(first, second, points, reach)
        if len(found) < MIN_POINTS:
            continue
        apart = np.linalg.norm(found[:, None] - found[None], axis=2) < AGREE
        agree = apart[int(apart.sum(axis=1).argmax())]
        if agree.sum() >= MIN_POINTS:
            return Miss(
                first=view.first,
                second=view.second,
                shift_px=np.median(found[agree], axis=0) * view.px_per_sample,
                points=int(agree.sum()),
            )
    return None


def _offsets(first: Bytes, second: Bytes, points: NDArray[np.int64], reach: int) -> Floats:
    """Give (N, 2) how far off, in samples, patches of the first picture lie in the second."""
    offsets = []
    for x, y in points:
        patch = first[y - HALF : y + HALF + 1, x - HALF : x + HALF + 1]
        place, likeness = locate(second, patch, np.array([x, y], float), reach)
        if likeness >= MIN_LIKENESS:
            offsets.append(place - (x, y))
    return np.array(offsets).reshape(-1, 2)


def _painted(luma: Bytes, table: tuple[NDArray[np.float32], NDArray[np.float32]]) -> Bytes:
    picture = cv2.remap(np.ascontiguousarray(luma), *table, cv2.INTER_LINEAR)
    return np.asarray(cv2.GaussianBlur(picture, (0, 0), BLUR_PX), np.uint8)


def _points(picture: Bytes, both: Bools) -> NDArray[np.int64]:
    """Pick (N, 2) corners whose search stays where both cameras see."""
    size = 2 * (HALF + REACH) + 3
    inner = cv2.erode(both.astype(np.uint8), np.ones((size, size)), borderValue=0)
    found = cv2.goodFeaturesToTrack(picture, MAX_POINTS, 0.01, 10, mask=inner)
    if found is None:
        return np.zeros((0, 2), np.int64)
    return np.rint(found.reshape(-1, 2)).astype(np.int64)


def _px_per_sample(u: Floats, v: Floats, both: Bools) -> float:
    """Give the median size of a sample in a camera's picture, px."""
    u_y, u_x = np.gradient(u)
    v_y, v_x = np.gradient(v)
    size = np.sqrt(np.abs(u_x * v_y - u_y * v_x))
    return float(np.median(size[both])) if both.any() else 1.0
