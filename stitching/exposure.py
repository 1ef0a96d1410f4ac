"""Even out brightness: a smooth gain field per camera against vignetting and exposure.

Knows nothing about seams. Where two cameras see the same spot, their luma should be the same; the
fields are the smallest smooth ones that make it so, in the sense of robust least squares.
"""

import itertools
from dataclasses import dataclass

import cv2
import numpy as np

from scene.arrays import Bytes, Floats, Ints
from stitching.maps import CameraMap, Maps

COLUMNS, ROWS = 7, 5
"""Control points of one camera's field."""
STRIDE_PX = 12
"""Every so many panorama pixels the overlap is looked at."""
SHRINK = 8
ROBUST_LOG = 0.08
SMOOTH, SMALL = 0.3, 0.02
LIMITS = (0.5, 1.95)
UNIT = 128
"""A gain of one in the 8-bit maps."""
RATE = 0.1
"""Share of a new look in the running mean."""
SUDDEN_LOG = 0.15
"""A look counts for no more than this off the mean: a lamp that passes hardly matters."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Overlap:
    """Spots that two cameras see."""

    first: int
    second: int
    first_px: Maps
    """(S, 2) in the first camera."""
    second_px: Maps
    """(S, 2) in the second camera."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class GainMaps:
    """One camera's gains over its box, ready to multiply with."""

    luma: Bytes
    """(H, W), in 1/128."""
    chroma: Bytes
    """(H/2, W/2), in 1/128."""


class Exposure:
    """Watches overlaps and keeps each camera's gain field; starts with the first pictures."""

    def __init__(self, maps: list[CameraMap], sizes_px: list[tuple[int, int]]) -> None:
        self._maps, self._sizes_px = maps, sizes_px
        self.overlaps = find_overlaps(maps)
        self._slopes = [
            [_basis(o.first_px, sizes_px[o.first]), _basis(o.second_px, sizes_px[o.second])]
            for o in self.overlaps
        ]
        self._ratios = [np.full(len(o.first_px), np.nan) for o in self.overlaps]
        self.fields = np.zeros((len(maps), ROWS, COLUMNS))
        """(N, rows, columns) log gains."""
        self.gains = [_flat(camera) for camera in maps]

    def look(self, lumas: dict[int, Bytes]) -> None:
        """Compare the overlaps of (H, W) lumas by camera index, and refit the fields."""
        small = {index: _shrunk(luma) for index, luma in lumas.items()}
        for index, overlap in enumerate(self.overlaps):
            if overlap.first in small and overlap.second in small:
                new = _log_ratio(
                    small[overlap.first], small[overlap.second], overlap.first_px, overlap.second_px
                )
                old = self._ratios[index]
                step = RATE * np.clip(new - old, -SUDDEN_LOG, SUDDEN_LOG)
                mean = np.where(np.isnan(old), new, old + step)
                self._ratios[index] = np.where(np.isnan(new), old, mean)
        self.fields = self._fit()

    def refresh(self, index: int) -> None:
        """Write one camera's field into its gain maps, in place."""
        gains, camera = self.gains[index], self._maps[index]
        spread = _gain_of(camera, self.fields[index], self._sizes_px[index])
        np.copyto(gains.luma, spread)
        np.copyto(gains.chroma, spread[::2, ::2])

    def gain_at(self, index: int, luma_x: Maps, luma_y: Maps) -> Maps:
        """Give one camera's gains (H, W), not in 1/128, at columns and rows of its luma."""
        return _gain_at(luma_x, luma_y, self.fields[index], self._sizes_px[index])

    def _fit(self) -> Floats:
        """Solve for all fields: ratios in overlaps, smoothness, and no more gain than needed."""
        count, terms = len(self._maps), ROWS * COLUMNS
        fields = np.zeros(count * terms)
        spots = sum(int(np.isfinite(ratio).sum()) for ratio in self._ratios)
        if not spots:
            return fields.reshape(count, ROWS, COLUMNS)
        share = spots / (count * terms)
        stiff = np.kron(np.eye(count), SMOOTH * _roughness() + SMALL * np.eye(terms)) * share
        weights = [np.where(np.isfinite(ratio), 1.0, 0.0) for ratio in self._ratios]
        for _ in range(4):
            normal, target = stiff.copy(), np.zeros(count * terms)
            for overlap, (a, b), ratio, weight in zip(
                self.overlaps, self._slopes, self._ratios, weights, strict=True
            ):
                slope = np.hstack([a, -b])
                columns = np.concatenate(
                    [_terms_of(overlap.first, terms), _terms_of(overlap.second, terms)]
                )
                heavy = slope * weight[:, None]
                normal[np.ix_(columns, columns)] += slope.T @ heavy
                target[columns] += heavy.T @ np.nan_to_num(ratio)
            fields = np.linalg.solve(normal, target)
            weights = [self._robust(fields, index) for index in range(len(self.overlaps))]
        return fields.reshape(count, ROWS, COLUMNS)

    def _robust(self, fields: Floats, index: int) -> Floats:
        overlap, (a, b), ratio = self.overlaps[index], self._slopes[index], self._ratios[index]
        terms = ROWS * COLUMNS
        fitted = a @ fields[_terms_of(overlap.first, terms)]
        fitted = fitted - b @ fields[_terms_of(overlap.second, terms)]
        miss = np.abs(np.nan_to_num(fitted - ratio))
        return np.where(np.isfinite(ratio), ROBUST_LOG / np.maximum(miss, ROBUST_LOG), 0.0)


def find_overlaps(maps: list[CameraMap]) -> list[Overlap]:
    """List the spots, every `STRIDE_PX` of the panorama, that two cameras see."""
    overlaps = []
    for i, j in itertools.combinations(range(len(maps)), 2):
        a, b = maps[i], maps[j]
        x0, x1 = max(a.box[0], b.box[0]), min(a.box[2], b.box[2])
        y0, y1 = max(a.box[1], b.box[1]), min(a.box[3], b.box[3])
        if x0 >= x1 or y0 >= y1:
            continue
        x, y = np.meshgrid(np.arange(x0, x1, STRIDE_PX), np.arange(y0, y1, STRIDE_PX))
        in_a = y - a.box[1], x - a.box[0]
        in_b = y - b.box[1], x - b.box[0]
        both = a.seen[in_a] & b.seen[in_b]
        if both.sum() >= 20:
            overlaps.append(
                Overlap(
                    first=i,
                    second=j,
                    first_px=np.column_stack([a.luma_x[in_a][both], a.luma_y[in_a][both]]),
                    second_px=np.column_stack([b.luma_x[in_b][both], b.luma_y[in_b][both]]),
                )
            )
    return overlaps


def _shrunk(luma: Bytes) -> Bytes:
    small = cv2.resize(luma, None, fx=1 / SHRINK, fy=1 / SHRINK, interpolation=cv2.INTER_AREA)
    return np.asarray(small, np.uint8)


def _log_ratio(first: Bytes, second: Bytes, first_px: Maps, second_px: Maps) -> Floats:
    """Give (S,) log of second over first; NaN where either is too dark or blinded."""
    a, b = _sampled(first, first_px), _sampled(second, second_px)
    usable = (np.minimum(a, b) > 20) & (np.maximum(a, b) < 235)
    return np.where(usable, np.log(np.maximum(b, 1) / np.maximum(a, 1)), np.nan)


def _sampled(small: Bytes, pixels: Maps) -> Floats:
    spots = (pixels + 0.5) / SHRINK - 0.5
    found = cv2.remap(
        small,
        np.ascontiguousarray(spots[:, :1]),
        np.ascontiguousarray(spots[:, 1:]),
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    )
    return np.asarray(found[:, 0], float)


def _basis(pixels: Maps, size_px: tuple[int, int]) -> Floats:
    """Give (S, rows * columns) bilinear weights of the control points at (S, 2) pixels."""
    width, height = size_px
    x = np.clip(pixels[:, 0] / (width - 1), 0, 1) * (COLUMNS - 1)
    y = np.clip(pixels[:, 1] / (height - 1), 0, 1) * (ROWS - 1)
    by_x = np.maximum(0, 1 - np.abs(x[:, None] - np.arange(COLUMNS)))
    by_y = np.maximum(0, 1 - np.abs(y[:, None] - np.arange(ROWS)))
    return np.asarray((by_y[:, :, None] * by_x[:, None, :]).reshape(len(x), -1), float)


def _roughness() -> Floats:
    """Give the (T, T) matrix of squared second differences along rows and columns."""
    rows = []
    index = np.arange(ROWS * COLUMNS).reshape(ROWS, COLUMNS)
    for lines in (index, index.T):
        for line in lines:
            for a, b, c in zip(line[:-2], line[1:-1], line[2:], strict=True):
                row = np.zeros(ROWS * COLUMNS)
                row[[a, b, c]] = 1, -2, 1
                rows.append(row)
    differences = np.array(rows)
    return np.asarray(differences.T @ differences)


def _gain_of(camera: CameraMap, field: Floats, size_px: tuple[int, int]) -> Bytes:
    spread = _gain_at(camera.luma_x, camera.luma_y, field, size_px)
    return np.where(camera.seen, np.rint(spread * UNIT), UNIT).astype(np.uint8)


def _gain_at(luma_x: Maps, luma_y: Maps, field: Floats, size_px: tuple[int, int]) -> Maps:
    width, height = size_px
    gain = np.clip(np.exp(field), *LIMITS).astype(np.float32)
    x = luma_x * np.float32((COLUMNS - 1) / (width - 1))
    y = luma_y * np.float32((ROWS - 1) / (height - 1))
    spread = cv2.remap(gain, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(spread, np.float32)


def _flat(camera: CameraMap) -> GainMaps:
    height, width = camera.seen.shape
    return GainMaps(
        luma=np.full((height, width), UNIT, np.uint8),
        chroma=np.full((height // 2, width // 2), UNIT, np.uint8),
    )


def _terms_of(camera: int, terms: int) -> Ints:
    return np.arange(camera * terms, (camera + 1) * terms)
