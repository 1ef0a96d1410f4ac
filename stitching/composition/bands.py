"""Paint where cameras fade into each other: all rectangles of the same cameras in one go.

Knows nothing about the rest of the panorama. Bands are a few per cent of it, in many small
rectangles: their pixels are packed one after the other, so that a camera is looked up once for all.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from scene.arrays import Bytes
from stitching.composition.areas import Area, within
from stitching.composition.layer import Layer
from stitching.composition.positions import MapKind, Table, fixed_point
from stitching.exposure import UNIT
from stitching.maps import OUTSIDE, Maps

ROW_PX = 256
"""Packed pixels lie in rows of this length: OpenCV takes no row of more than 32767."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Share:
    """What one camera gives to the packed pixels."""

    camera: int
    table: Table
    weight: Maps
    """(rows, ROW_PX); 0 in the padding at the end."""
    gain: list[Bytes]
    """Views into the camera's gain map, one per rectangle."""

    def factor(self) -> Maps:
        """Give weight times gain, packed."""
        gain = _packed([part.astype(np.float32) for part in self.gain], UNIT)
        return np.asarray(self.weight * gain / UNIT, np.float32)


class Band:
    """All rectangles of a layer that the same two or more cameras paint together."""

    def __init__(
        self,
        layer: Layer,
        cameras: tuple[int, ...],
        areas: list[Area],
        *,
        weights: list[Maps],
        kind: MapKind,
    ) -> None:
        self.areas, self._layer = areas, layer
        given = [
            _whole([weights[camera][within(area, layer.maps[camera].box)] for camera in cameras])
            for area in areas
        ]
        self._shares = [
            _share(layer, camera, areas, [part[index] for part in given], kind)
            for index, camera in enumerate(cameras)
        ]
        self._generations: list[int] = []
        self._factors: list[Maps] = []
        self._rest: Maps = np.empty(0, np.float32)

    @property
    def nbytes(self) -> int:
        """What its tables take, in bytes."""
        return sum(2 * s.weight.nbytes + sum(t.nbytes for t in s.table) for s in self._shares)

    def paint(self, planes: dict[int, Bytes], out: Bytes) -> None:
        """Paint the band into (H, W) `out`, from planes by camera index."""
        if self._generations != self._layer.generations:
            self._follow_gains()
        parts = [self._rest] if self._layer.neutral else []
        for share, factor in zip(self._shares, self._factors, strict=True):
            found = cv2.remap(
                planes[share.camera],
                *share.table,
                cv2.INTER_LINEAR,
                borderMode=cv2.BORDER_CONSTANT,
                borderValue=self._layer.border,
            )
            parts.append(np.asarray(cv2.multiply(found, factor, dtype=cv2.CV_32F)))
        total = parts[0]
        for part in parts[1:-1]:
            total = total + part
        # Rounded once, at the very end.
        _scatter(np.asarray(cv2.add(total, parts[-1], dtype=cv2.CV_8U)), self.areas, out)

    def _follow_gains(self) -> None:
        self._factors = [share.factor() for share in self._shares]
        # n + (c - n) * g, summed over the weights: what does not depend on any picture.
        rest = self._layer.neutral * (1 - np.sum(self._factors, axis=0))
        self._rest = np.asarray(rest, np.float32)
        self._generations = list(self._layer.generations)


def _share(
    layer: Layer, camera: int, areas: list[Area], weights: list[Maps], kind: MapKind
) -> Share:
    maps = layer.maps[camera]
    parts = [within(area, maps.box) for area in areas]
    table = tuple(_packed([one[part] for part in parts], OUTSIDE) for one in (maps.x, maps.y))
    return Share(
        camera=camera,
        table=fixed_point(*table) if kind == "fixed" else (table[0], table[1]),
        weight=_packed(weights, 0),
        gain=[maps.gain[part] for part in parts],
    )


def _whole(weights: list[Maps]) -> list[Maps]:
    """Let weights add up to 1; where nobody sees, the first camera paints its border's grey."""
    first, *others = weights
    total = np.asarray(np.sum(weights, axis=0))
    first = np.where(total > 0, first, 1)
    total = np.where(total > 0, total, 1)
    return [np.asarray(one / total, np.float32) for one in (first, *others)]


def _packed(parts: list[Maps], padding: float) -> Maps:
    """Lay arrays one after the other, in rows of `ROW_PX`."""
    size = sum(part.size for part in parts)
    packed = np.full(-(-size // ROW_PX) * ROW_PX, padding, np.float32)
    np.concatenate([part.ravel() for part in parts], out=packed[:size])
    return packed.reshape(-1, ROW_PX)


def _scatter(packed: NDArray[np.uint8], areas: list[Area], out: Bytes) -> None:
    flat, start = packed.ravel(), 0
    for area in areas:
        target = out[area]
        target[...] = flat[start : start + target.size].reshape(target.shape)
        start += target.size
