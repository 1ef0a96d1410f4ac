"""Match neighbours of a strip rig on the walls and the floor that both see.

Knows nothing about how poses are solved. Cameras strung along a roadway see the same spot from
very different sides, too different for descriptors of points; carried to the ribbon by a first
guess of the poses, the two views look alike and lie nearly over each other. So patches are
compared there, each only near its own place: posts and sleepers that repeat every metre can't be
mistaken for one another.
"""

import itertools
from dataclasses import dataclass, replace

import cv2
import numpy as np

from scene.arrays import Bools, Bytes, Floats, Ints
from scene.geometry import CameraModel, distort
from scene.ribbon import Ribbon
from stitching.calibration.features import Matches
from stitching.maps import view_of

PX_PER_M = 40.0
HALF_PX, SEARCH_PX = 15, 12
"""Patches are 0.78 m wide and are looked for up to 0.3 m off."""
EVERY_PX = 15
LEAST_CONTRAST = 6.0
"""Standard deviation of a patch's grey levels, after local contrast, to be worth a look."""
LEAST_LIKENESS = 0.6
"""Normalised cross-correlation (zero mean) of patches that count as the same."""
CLEAR_BY = 0.1
"""So much better than any other place nearby must the best one be."""
PEAK_PX = 4


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Sheet:
    """One camera's picture on the ribbon."""

    luma: Bytes
    seen: Bools


def match_on_ribbon(
    cameras: list[CameraModel], lumas: list[Bytes], ribbon: Ribbon
) -> list[Matches]:
    """Match every two cameras whose (H, W) lumas overlap on the ribbon; gives camera pixels."""
    width, height = (round(size * PX_PER_M / ribbon.px_per_m) for size in ribbon.size_px)
    coarse = replace(ribbon, px_per_m=PX_PER_M, size_px=(width, height))
    sheets = [_sheet(camera, luma, coarse) for camera, luma in zip(cameras, lumas, strict=True)]
    matches = []
    for i, j in itertools.combinations(range(len(cameras)), 2):
        first, second = _matched(sheets[i], sheets[j])
        if len(first):
            matches.append(
                Matches(
                    first=i,
                    second=j,
                    first_px=distort(cameras[i], coarse.in_camera(cameras[i], first)),
                    second_px=distort(cameras[j], coarse.in_camera(cameras[j], second)),
                )
            )
    return matches


def _sheet(camera: CameraModel, luma: Bytes, ribbon: Ribbon) -> _Sheet:
    width, height = ribbon.size_px
    view = view_of(
        camera, ribbon, np.arange(width, dtype=float), np.arange(height, dtype=float), margin=0.0
    )
    even = cv2.createCLAHE(clipLimit=3.0, tileGridSize=(8, 8)).apply(np.ascontiguousarray(luma))
    x, y = view.u.astype(np.float32), view.v.astype(np.float32)
    carried = cv2.remap(even, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return _Sheet(luma=np.asarray(carried, np.uint8), seen=view.seen)


def _matched(first: _Sheet, second: _Sheet) -> tuple[Floats, Floats]:
    """Give (M, 2) places on both sheets that show the same."""
    a: list[tuple[float, float]] = []
    b: list[tuple[float, float]] = []
    for x, y in _places(first, second):
        patch = first.luma[y - HALF_PX : y + HALF_PX + 1, x - HALF_PX : x + HALF_PX + 1]
        if patch.std() < LEAST_CONTRAST:
            continue
        reach = HALF_PX + SEARCH_PX
        around = second.luma[y - reach : y + reach + 1, x - reach : x + reach + 1]
        found = _peak(np.asarray(cv2.matchTemplate(around, patch, cv2.TM_CCOEFF_NORMED), float))
        if found is not None:
            a.append((float(x), float(y)))
            b.append((x + found[0] - SEARCH_PX, y + found[1] - SEARCH_PX))
    return np.array(a, float).reshape(-1, 2), np.array(b, float).reshape(-1, 2)


def _places(first: _Sheet, second: _Sheet) -> list[tuple[int, int]]:
    """List the middles of patches that both see, with room to look for them."""
    both = (first.seen & second.seen).astype(np.uint8)
    size = 2 * (HALF_PX + SEARCH_PX) + 1
    inner = cv2.erode(both, np.ones((size, size), np.uint8), borderValue=0)
    rows, columns = np.nonzero(inner[::EVERY_PX, ::EVERY_PX])
    places: Ints = np.column_stack([columns, rows]) * EVERY_PX
    return [(int(x), int(y)) for x, y in places]


def _peak(likeness: Floats) -> tuple[float, float] | None:
    """Give the (x, y) of the one clear peak, to a fraction of a pixel (a parabola each way)."""
    _, best, _, (x, y) = cv2.minMaxLoc(likeness)
    last = 2 * SEARCH_PX
    if best < LEAST_LIKENESS or not (0 < x < last and 0 < y < last):
        return None
    others = likeness.copy()
    others[max(0, y - PEAK_PX) : y + PEAK_PX + 1, max(0, x - PEAK_PX) : x + PEAK_PX + 1] = -1
    if others.max() > best - CLEAR_BY:
        return None
    left, right = likeness[y, x - 1], likeness[y, x + 1]
    above, below = likeness[y - 1, x], likeness[y + 1, x]
    dx = (right - left) / (2 * max(2 * best - left - right, 1e-9))
    dy = (below - above) / (2 * max(2 * best - above - below, 1e-9))
    return float(x + dx), float(y + dy)
