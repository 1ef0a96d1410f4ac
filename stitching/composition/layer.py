"""One kind of plane of a rig's panorama, luma or chroma, cut up by who paints where.

Knows nothing about pictures, nor what the other planes are. A strip of the panorama is cut into
patches that one camera paints and bands where several fade into each other. All are views into
tables that are there already, so that cutting anew where a seam has moved takes a millisecond.
"""

import itertools
from dataclasses import dataclass

import cv2
import numpy as np

from scene.arrays import Bools, Bytes, Ints
from stitching.composition.areas import Area, Box, halved, size, within
from stitching.composition.pairs import Pairs
from stitching.composition.positions import (
    MOST_AHEAD,
    STRIP_PX,
    MapKind,
    Positions,
    Scratch,
    Strip,
    runs,
    strips,
)
from stitching.exposure import UNIT, GainMaps
from stitching.maps import OUTSIDE, CameraMap, Maps


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PlaneMap:
    """Where one camera's plane is looked up, in samples of this kind of plane."""

    box: Box
    """The part of the panorama's plane that the tables cover, of full height."""
    x: Maps
    """(H, W)."""
    y: Maps
    size_px: tuple[int, int]
    """Of the camera's plane."""
    gain: Bytes
    """(H, W) in 1/128: written anew, in place, when the light changes."""


def plane_maps(
    maps: list[CameraMap], gains: list[GainMaps], sizes_px: list[tuple[int, int]]
) -> tuple[list[PlaneMap], list[PlaneMap]]:
    """Give cameras' tables for luma and for chroma, with the cameras' widths and heights."""
    luma = [
        PlaneMap(box=m.box, x=m.luma_x, y=m.luma_y, size_px=size, gain=g.luma)
        for m, g, size in zip(maps, gains, sizes_px, strict=True)
    ]
    chroma = [
        PlaneMap(
            box=halved(m.box),
            # Where no luma is seen, there is no colour either.
            x=np.where(_any_of_four(m.seen), m.chroma_x, np.float32(OUTSIDE)),
            y=m.chroma_y,
            size_px=((size[0] + 1) // 2, (size[1] + 1) // 2),
            gain=g.chroma,
        )
        for m, g, size in zip(maps, gains, sizes_px, strict=True)
    ]
    return luma, chroma


def quarter(weight: Maps) -> Maps:
    """Give the mean weight of the four pixels of each chroma sample."""
    height, width = weight.shape
    half = cv2.resize(weight, (width // 2, height // 2), interpolation=cv2.INTER_AREA)
    return np.asarray(half, np.float32)


def quarters_again(
    quarters: list[Maps], weights: list[Maps], boxes: list[Box], changed: list[Box]
) -> list[Maps]:
    """Give the weights of chroma samples where those of luma have changed in some boxes only.

    `boxes` are what each camera's tables cover, all in chroma samples.
    """
    again = list(quarters)
    for index, (left, top, right, bottom) in enumerate(boxes):
        for x0, y0, x1, y1 in changed:
            x0, x1 = max(x0, left) - left, min(x1, right) - left  # noqa: PLW2901
            y0, y1 = max(y0, top) - top, min(y1, bottom) - top  # noqa: PLW2901
            if x0 < x1 and y0 < y1:
                if again[index] is quarters[index]:
                    again[index] = quarters[index].copy()
                part = weights[index][2 * y0 : 2 * y1, 2 * x0 : 2 * x1]
                again[index][y0:y1, x0:x1] = quarter(part)
    return again


def _any_of_four(seen: Bools) -> Bools:
    rows = seen[::2] | seen[1::2]
    return np.asarray(rows[:, ::2] | rows[:, 1::2])


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Patch:
    """A rectangle of the panorama that one camera paints."""

    camera: int
    area: Area
    positions: Positions
    reach: Area
    """The part of the camera's plane to be read ahead."""
    pairs: Pairs | None
    """Looks two planes up at once, in `reach` alone: positions are then counted from its corner."""
    gain: Bytes
    """View into the camera's gain map."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Lane:
    """One strip of the panorama, cut up."""

    painters: Ints
    """(W,) which cameras paint anything in each column, as bits."""
    patches: list[Patch]
    holes: list[Area]
    """Where nobody paints."""
    bands: dict[tuple[int, ...], list[Area]]
    """What several cameras paint together."""


class Layer:
    """All tables of one kind of plane."""

    def __init__(
        self,
        maps: list[PlaneMap],
        size_px: tuple[int, int],
        room: Scratch,
        *,
        border: int,
        neutral: int,
        pairs: Pairs | None = None,
    ) -> None:
        """Take the cameras' tables, the size of the panorama's plane, and room for positions.

        `border` is the value where nobody looks; gains stretch values about `neutral`. Planes that
        always come in twos may be looked up with `pairs`.
        """
        self._pairs = pairs
        self.room = room
        self.maps, self.size_px, self.border, self.neutral = maps, size_px, border, neutral
        self.strips = [strips(one.x, one.y, one.size_px) for one in maps]
        self.generations = [0] * len(maps)
        """How often each camera's gains have changed."""
        self.flat = [False] * len(maps)
        """Whose gains are one all over."""
        for camera in range(len(maps)):
            self.gains_changed(camera)

    def gains_changed(self, camera: int) -> None:
        """Hear that a camera's gains were written anew."""
        self.generations[camera] += 1
        self.flat[camera] = bool((self.maps[camera].gain == UNIT).all())

    def cut(self, weights: list[Maps], kind: MapKind) -> list[Lane]:
        """Cut the whole plane, by cameras' (H, W) weights over their boxes."""
        width, height = self.size_px
        blank = Lane(painters=np.zeros(width, np.int64), patches=[], holes=[], bands={})
        count = -(-height // STRIP_PX)
        return self.cut_again([blank] * count, weights, kind, [(0, 0, width, height)])

    def cut_again(
        self, lanes: list[Lane], weights: list[Maps], kind: MapKind, boxes: list[Box]
    ) -> list[Lane]:
        """Cut anew where weights have changed: in some boxes only."""
        lanes, (width, height) = list(lanes), self.size_px
        for x0, y0, x1, y1 in boxes:
            columns = slice(max(x0, 0), min(x1, width))
            for index in range(max(y0, 0) // STRIP_PX, -(-min(y1, height) // STRIP_PX)):
                rows = slice(index * STRIP_PX, min((index + 1) * STRIP_PX, height))
                painters = lanes[index].painters.copy()
                painters[columns] = self._painters(weights, rows, columns)
                lanes[index] = self._lane(rows, painters, kind, lanes[index].patches)
        return lanes

    def _painters(self, weights: list[Maps], rows: slice, columns: slice) -> Ints:
        bits = np.zeros(columns.stop - columns.start, np.int64)
        for index, (camera, weight) in enumerate(zip(self.maps, weights, strict=True)):
            x0, x1 = max(columns.start, camera.box[0]), min(columns.stop, camera.box[2])
            if x0 < x1:
                part = within((rows, slice(x0, x1)), camera.box)
                paints = (weight[part] > 0).any(axis=0).astype(np.int64)
                bits[x0 - columns.start : x1 - columns.start] |= paints << index
        return bits

    def _lane(self, rows: slice, painters: Ints, kind: MapKind, old: list[Patch]) -> Lane:
        known = {(p.camera, p.area[1].start, p.area[1].stop): p for p in old}
        patches: list[Patch] = []
        holes: list[Area] = []
        bands: dict[tuple[int, ...], list[Area]] = {}
        ends = (int(end) + 1 for end in np.flatnonzero(np.diff(painters)))
        for start, stop in itertools.pairwise([0, *ends, len(painters)]):
            bits, area = int(painters[start]), (rows, slice(start, stop))
            cameras = tuple(i for i in range(len(self.maps)) if bits >> i & 1)
            if len(cameras) > 1:
                bands.setdefault(cameras, []).append(area)
            elif cameras:
                strip = self.strips[cameras[0]][rows.start // STRIP_PX]
                left = self.maps[cameras[0]].box[0]
                for a, b in runs(strip.smooth, start - left, stop - left):
                    part = rows, slice(a + left, b + left)
                    same = known.get((cameras[0], part[1].start, part[1].stop))
                    patches.append(same or self._patch(strip, cameras[0], part, kind))
            else:
                holes.append(area)
        return Lane(painters=painters, patches=patches, holes=holes, bands=bands)

    def _patch(self, strip: Strip, camera: int, area: Area, kind: MapKind) -> Patch:
        mine = within(area, self.maps[camera].box)
        reach, pairs = strip.reach(mine[1]), self._pairs
        if size(reach) > MOST_AHEAD * size(area):
            reach, pairs = (slice(0, 1), slice(0, 1)), None
        corner = (reach[1].start, reach[0].start) if pairs else (0, 0)
        return Patch(
            camera=camera,
            area=area,
            positions=strip.part(mine[1], kind, corner),
            reach=reach,
            pairs=pairs,
            gain=self.maps[camera].gain[mine],
        )
