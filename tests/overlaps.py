"""How alike two cameras' pictures are where they overlap on the panorama: PSNR and SSIM.

Knows nothing about people or seams. Luma only, after the stitcher's own gains, after one gain per
camera, and as the pictures come.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np

from scene.arrays import Bools, Floats
from scene.messages import Frame
from scene.rig import Rig
from stitching.calibration.features import still_luma
from stitching.exposure import UNIT, Exposure
from stitching.maps import CameraMap, camera_map

PEAK = 255.0
WINDOW_PX, SIGMA_PX = 11, 1.5
STEADY = (0.01 * PEAK) ** 2, (0.03 * PEAK) ** 2
"""Wang et al.'s C1 and C2, with K1 = 0.01 and K2 = 0.03."""
USABLE = (20, 235)
"""Only luma within these limits says how bright one camera is beside another."""
LEAST_PX = 400
"""Overlaps smaller than this are not looked at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Alike:
    """How alike pictures are."""

    psnr_db: float
    """Of the squared error over all pixels of all overlaps."""
    ssim: float
    """Mean over all pixels of all overlaps."""


def ssim_map(first: Floats, second: Floats) -> Floats:
    """Give the structural similarity (H, W) of two lumas 0..255 after Wang et al., 2004.

    Gaussian windows of 11 x 11 pixels, sigma 1.5; near the border they reach beyond it.
    """

    def mean(plane: Floats) -> Floats:
        found = cv2.GaussianBlur(
            plane, (WINDOW_PX, WINDOW_PX), SIGMA_PX, borderType=cv2.BORDER_REFLECT
        )
        return np.asarray(found, float)

    a, b = np.asarray(first, float), np.asarray(second, float)
    mean_a, mean_b = mean(a), mean(b)
    spread_a, spread_b = mean(a * a) - mean_a**2, mean(b * b) - mean_b**2
    common = mean(a * b) - mean_a * mean_b
    c1, c2 = STEADY
    return np.asarray(
        (2 * mean_a * mean_b + c1)
        * (2 * common + c2)
        / ((mean_a**2 + mean_b**2 + c1) * (spread_a + spread_b + c2))
    )


class _Sum:
    """Gathers squared errors and similarities over overlaps and instants."""

    def __init__(self) -> None:
        self.square = self.alike = 0.0
        self.pixels = self.windows = 0

    def add(self, first: Floats, second: Floats, both: Bools) -> None:
        self.square += float(((first - second)[both] ** 2).sum())
        self.pixels += int(both.sum())
        whole = cv2.erode(
            both.astype(np.uint8), np.ones((WINDOW_PX, WINDOW_PX), np.uint8), borderValue=0
        )
        inside = whole > 0
        self.alike += float(ssim_map(first, second)[inside].sum())
        self.windows += int(inside.sum())

    def result(self) -> Alike:
        square = max(self.square / max(self.pixels, 1), 1e-9)
        return Alike(
            psnr_db=float(10 * np.log10(PEAK**2 / square)),
            ssim=self.alike / max(self.windows, 1),
        )


def alike_in_overlaps(rig: Rig, instants: Sequence[Sequence[Frame]]) -> dict[str, Alike]:
    """Compare neighbours over instants' frames: `fields` (the stitcher's), `one_gain`, `raw`.

    The stitcher's fields look at every one of the given instants, and follow slowly as they do.
    """
    names = [camera.name for camera in rig.cameras]
    tables = [camera_map(camera, rig.surface) for camera in rig.cameras]
    exposure = Exposure(tables, [camera.size_px for camera in rig.cameras])
    sums = {way: _Sum() for way in ("fields", "one_gain", "raw")}
    for frames in instants:
        lumas = {names.index(frame.camera): frame.image.y for frame in frames}
        exposure.look(lumas)
        for index in lumas:
            exposure.refresh(index)
        pictures = {
            index: cv2.remap(
                luma, tables[index].luma_x, tables[index].luma_y, cv2.INTER_LINEAR
            ).astype(float)
            for index, luma in lumas.items()
        }
        pairs = _overlaps(tables, sorted(pictures))
        gains = one_gain_each(len(names), [_compared(tables, pictures, *pair) for pair in pairs])
        ways = {
            "fields": [exposure.gains[i].luma / UNIT for i in range(len(names))],
            "one_gain": [np.array(gain) for gain in gains],
            "raw": [np.array(1.0) for _ in names],
        }
        for way, factors in ways.items():
            corrected = {
                i: np.clip(picture * factors[i], 0, PEAK) for i, picture in pictures.items()
            }
            for i, j in pairs:
                first, second, both = _common(tables, corrected, i, j)
                sums[way].add(first, second, both)
    return {way: found.result() for way, found in sums.items()}


def stills(instants: Sequence[Sequence[Frame]]) -> list[Sequence[Frame]]:
    """Give, twice, one instant of each camera's still background: the median of its pictures.

    Without people, noise and most of what compression adds: what is left is light and geometry.
    """
    by_camera: dict[str, list[Frame]] = {}
    for frames in instants:
        for frame in frames:
            by_camera.setdefault(frame.camera, []).append(frame)
    still = [
        replace(first, image=replace(first.image, y=still_luma([f.image for f in (first, *rest)])))
        for first, *rest in by_camera.values()
    ]
    return [still, still]


def one_gain_each(count: int, compared: Sequence[tuple[int, int, float, int]]) -> Floats:
    """Find one gain (N,) per camera that evens out the overlaps best, their log mean being 0.

    `compared` has per overlap the two cameras, the log of the second's luma over the first's, and
    how many pixels that comes from. Weighted least squares on logs, as in OpenCV's gain
    compensation (Brown and Lowe, 2007).

    >>> one_gain_each(2, [(0, 1, np.log(4.0), 100)]).round(3).tolist()
    [2.0, 0.5]
    """
    rows, target = [np.ones(count)], [0.0]
    for first, second, ratio, pixels in compared:
        row = np.zeros(count)
        row[[first, second]] = 1, -1
        rows.append(row * np.sqrt(pixels))
        target.append(ratio * np.sqrt(pixels))
    logs = np.linalg.lstsq(np.array(rows), np.array(target), rcond=None)[0]
    return np.asarray(np.exp(logs))


def _overlaps(tables: Sequence[CameraMap], present: Sequence[int]) -> list[tuple[int, int]]:
    return [
        (i, j)
        for place, i in enumerate(present)
        for j in present[place + 1 :]
        if _cuts(tables, i, j)[2].sum() >= LEAST_PX
    ]


def _cuts(tables: Sequence[CameraMap], i: int, j: int) -> tuple[slice, slice, Bools]:
    """Give the columns of either camera's table that both have, and (H, W) where both see."""
    x0 = max(tables[i].box[0], tables[j].box[0])
    x1 = max(x0, min(tables[i].box[2], tables[j].box[2]))
    first, second = (slice(x0 - tables[k].box[0], x1 - tables[k].box[0]) for k in (i, j))
    return first, second, tables[i].seen[:, first] & tables[j].seen[:, second]


def _common(
    tables: Sequence[CameraMap], pictures: dict[int, Floats], i: int, j: int
) -> tuple[Floats, Floats, Bools]:
    """Cut both pictures to the columns that they share; tell where both see."""
    first, second, both = _cuts(tables, i, j)
    return pictures[i][:, first], pictures[j][:, second], both


def _compared(
    tables: Sequence[CameraMap], pictures: dict[int, Floats], i: int, j: int
) -> tuple[int, int, float, int]:
    first, second, both = _common(tables, pictures, i, j)
    usable = (
        both & (np.minimum(first, second) > USABLE[0]) & (np.maximum(first, second) < USABLE[1])
    )
    if not usable.any():
        return i, j, 0.0, 0
    return i, j, float(np.median(np.log(second[usable] / first[usable]))), int(usable.sum())
