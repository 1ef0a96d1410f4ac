"""How the positions at which a camera is looked up are kept: as curves, or as plain tables.

Knows nothing about pictures, gains or seams. Reading a table of positions from memory takes as
long as the look-ups themselves; curves take a sixteenth or less, and are rebuilt in the cache.
"""

import itertools
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from scene.arrays import Bools, Ints
from stitching.composition.areas import Area
from stitching.maps import OUTSIDE, Maps

MapKind = Literal["curves", "float32", "fixed"]
"""Curves, plain float32 tables, or OpenCV's fixed-point tables (CV_16SC2)."""
KINDS: tuple[MapKind, ...] = ("curves", "float32", "fixed")

STRIP_PX = 64
"""So high are strips: low enough that slanted seams cost little, high enough for few calls."""
TERMS = (3, 4)
"""Of the polynomial along a column of a strip: a parabola if it does, else a cubic."""
FEW_ODD = 32
"""A cubic is worth its time where it puts more places than this right."""
TOLERANCE_PX = 0.01
"""A curve that strays further from its table is not used; CV_16SC2 itself rounds by 0.016."""
ODD_SHARE = 0.3
"""So many rows of a column may be off its curve: they are put right one by one."""
WIDEST_PX = 1024
"""Of a patch: rows x columns x terms stay below the size (262144) from which OpenBLAS starts
threads, whose spinning costs more than they bring."""
MOST_AHEAD = 4
"""Read ahead at most so many times as many samples as a patch has."""
MOSTLY = 0.97
"""Share of a patch's columns that must be smooth for curves."""
NARROWEST_PX = 32
"""Of a patch of smooth columns among others."""

Table = tuple[NDArray[Any], NDArray[Any]]
"""What `cv2.remap` takes: x and y in float32, or CV_16SC2 and its fractions."""


class Scratch:
    """Room for one patch's positions, written anew for every patch so that it stays in cache."""

    def __init__(self) -> None:
        self._flat = np.empty(2 * STRIP_PX * WIDEST_PX, np.float32)
        self._views: dict[tuple[int, int], tuple[Maps, Maps, Maps]] = {}

    def shaped(self, rows: int, columns: int) -> tuple[Maps, Maps, Maps]:
        """Give room for x and y (rows, columns), and for both of them flat, x first."""
        views = self._views.get((rows, columns))
        if views is None:
            flat = self._flat[: 2 * rows * columns]
            x, y = flat.reshape(2, rows, columns)
            views = self._views[rows, columns] = x, y, flat
        return views


class Positions(Protocol):
    """Where a camera is looked up for each pixel of a rectangle of the panorama."""

    def table(self, room: Scratch) -> Table:
        """Give both maps; they may lie in `room` and are good until its next use."""
        ...

    @property
    def nbytes(self) -> int:
        """What is read for it, in bytes."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Plain:
    """Positions kept as they are."""

    maps: Table

    def table(self, room: Scratch) -> Table:
        """Give the tables themselves."""
        return self.maps

    @property
    def nbytes(self) -> int:
        """What is read for it, in bytes."""
        return self.maps[0].nbytes + self.maps[1].nbytes


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Curves:
    """Positions as one polynomial in the row per column, but for a few odd ones."""

    powers: Maps
    """(rows, terms)."""
    x: Maps
    """(terms, columns)."""
    y: Maps
    odd: Ints
    """(N,) places, in x and then y, that the curves miss: at the edge of what is seen."""
    right: Maps
    """(N,) what is right there."""

    def table(self, room: Scratch) -> Table:
        """Rebuild the tables in `room`."""
        x, y, flat = room.shaped(len(self.powers), self.x.shape[1])
        np.matmul(self.powers, self.x, out=x)
        np.matmul(self.powers, self.y, out=y)
        if len(self.odd):
            flat[self.odd] = self.right
        return x, y

    @property
    def nbytes(self) -> int:
        """What is read for it, in bytes."""
        return self.x.nbytes + self.y.nbytes + self.odd.nbytes + self.right.nbytes


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Strip:
    """One camera's positions in one strip of the panorama, over its whole box."""

    plain: Table
    """(rows, columns) views of the camera's tables, float32."""
    powers: Maps
    x: Maps
    """(terms, columns) curves."""
    y: Maps
    missed: Bools
    """(rows, columns) where the curves stray from the tables."""
    uneven: Bools
    """(columns,) where they do so at all."""
    smooth: Bools
    """(columns,) where they do so at few places, if at all."""
    ends: Maps
    """(4, columns) least x, least y, largest x, largest y that is looked up."""

    def part(self, columns: slice, kind: MapKind, corner: tuple[int, int] = (0, 0)) -> Positions:
        """Give the positions of some columns; curves where they are (mostly) smooth.

        They are counted from a corner, x and y, of the part of the plane that will be looked at.
        """
        x, y = (_from(table[:, columns], at) for table, at in zip(self.plain, corner, strict=True))
        if kind == "fixed":
            return Plain(maps=fixed_point(x, y))
        if kind == "float32":
            return Plain(maps=(x, y))
        if self.smooth[columns].mean() < MOSTLY:
            # In one piece: a view into the wide table would be read at half the speed.
            return Plain(maps=(np.ascontiguousarray(x), np.ascontiguousarray(y)))
        places = np.flatnonzero(self.uneven[columns])
        rows, which = np.nonzero(self.missed[:, columns][:, places])
        places = places[which]
        odd = rows * x.shape[1] + places
        shift = np.eye(len(self.x), 1, dtype=np.float32)
        return Curves(
            powers=self.powers,
            x=_from(self.x[:, columns], corner[0] * shift),
            y=_from(self.y[:, columns], corner[1] * shift),
            odd=np.concatenate([odd, x.size + odd]),
            right=np.concatenate([x[rows, places], y[rows, places]]),
        )

    def reach(self, columns: slice) -> Area:
        """Give the part of the camera's plane that some columns look at; it may end outside."""
        x0, y0 = self.ends[:2, columns].min(axis=1)
        x1, y1 = self.ends[2:, columns].max(axis=1)
        if x0 > x1:
            return slice(0, 1), slice(0, 1)
        # Curves stray a little from their table, so one sample more all round.
        rows = slice(max(int(y0) - 1, 0), int(y1) + 3)
        return rows, slice(max(int(x0) - 1, 0), int(x1) + 3)


def _from(places: Maps, start: Maps | int) -> Maps:
    """Count places from another start; a view of them where it is the same."""
    return places - start if np.any(start) else places


def fixed_point(x: Maps, y: Maps) -> Table:
    """Turn float32 tables into CV_16SC2 and its fractions."""
    whole, fractions = cv2.convertMaps(
        np.ascontiguousarray(x), np.ascontiguousarray(y), cv2.CV_16SC2
    )
    return whole, fractions


def strips(x: Maps, y: Maps, size_px: tuple[int, int]) -> list[Strip]:
    """Fit curves to (H, W) tables of a plane of `size_px`, strip by strip of `STRIP_PX` rows."""
    cut = []
    for top in range(0, len(x), STRIP_PX):
        plain = x[top : top + STRIP_PX], y[top : top + STRIP_PX]
        parabolas, cubics = (_fitted(*plain, size_px, terms) for terms in TERMS)
        worse = np.count_nonzero(parabolas.missed) - np.count_nonzero(cubics.missed)
        cut.append(cubics if worse > FEW_ODD else parabolas)
    return cut


def _fitted(x: Maps, y: Maps, size_px: tuple[int, int], terms: int) -> Strip:
    """Fit by least squares over those rows of each column that lie inside the plane."""
    width, height = size_px
    along = np.linspace(-1, 1, len(x)) if len(x) > 1 else np.zeros(1)
    powers = along[:, None] ** np.arange(terms)
    # Chroma is held at the plane's border for a sample or two: no curve follows that.
    inside = (x > 0) & (x < width - 1) & (y > 0) & (y < height - 1)
    fit_x, fit_y = np.zeros((2, terms, x.shape[1]), np.float32)
    fit_x[0] = fit_y[0] = OUTSIDE
    whole = inside.all(axis=0)
    inverse = np.linalg.pinv(powers)
    fit_x[:, whole], fit_y[:, whole] = inverse @ x[:, whole], inverse @ y[:, whole]
    some = ~whole & (inside.sum(axis=0) >= 2 * terms)
    if some.any():
        held = powers[:, :, None] * inside[:, None, some]
        normal = np.einsum("rac,rb->cab", held, powers)
        for fit, table in ((fit_x, x), (fit_y, y)):
            target = np.einsum("rac,rc->ca", held, table[:, some].astype(float))
            fit[:, some] = np.linalg.solve(normal, target[:, :, None])[:, :, 0].T
    short = powers.astype(np.float32)
    found_x, found_y = short @ fit_x, short @ fit_y
    missed = np.maximum(np.abs(found_x - x), np.abs(found_y - y)) > TOLERANCE_PX
    away = (found_x <= -1) | (found_x >= width) | (found_y <= -1) | (found_y >= height)
    # Where the camera does not see, any position will do that is well outside its picture.
    unseen = x == OUTSIDE
    missed &= ~(away & unseen)
    far = np.float32(np.inf)
    ends = [np.where(unseen, far, table).min(axis=0) for table in (x, y)]
    ends += [np.where(unseen, -far, table).max(axis=0) for table in (x, y)]
    return Strip(
        plain=(x, y),
        powers=short,
        x=fit_x,
        y=fit_y,
        missed=missed,
        uneven=missed.any(axis=0),
        smooth=missed.sum(axis=0) <= ODD_SHARE * len(x),
        ends=np.array(ends),
    )


def runs(smooth: Bools, start: int, stop: int) -> list[tuple[int, int]]:
    """Cut the columns from `start` to `stop` where smooth ones end and others begin.

    Parts hold at most `WIDEST_PX`. Few columns that are not smooth are not worth a cut, nor are
    few smooth ones among others.

    >>> runs(np.arange(100) < 60, 10, 90)
    [(10, 60), (60, 90)]
    >>> runs(np.arange(100) != 50, 10, 90)
    [(10, 90)]
    >>> runs(np.arange(100) % 7 > 0, 10, 90)
    [(10, 90)]
    """
    parts = [(start, stop)]
    if smooth[start:stop].mean() < MOSTLY:
        ends = [start + int(end) + 1 for end in np.flatnonzero(np.diff(smooth[start:stop]))]
        parts, rough = [], False
        for a, b in itertools.pairwise([start, *ends, stop]):
            was, rough = rough, not smooth[a] or b - a < NARROWEST_PX
            if was and rough:
                parts[-1] = parts[-1][0], b
            else:
                parts.append((a, b))
    return [narrow for a, b in parts for narrow in _narrow(a, b)]


def _narrow(start: int, stop: int) -> list[tuple[int, int]]:
    count = -(-(stop - start) // WIDEST_PX)
    size = -(-(stop - start) // count)
    return [(x, min(x + size, stop)) for x in range(start, stop, size)]
