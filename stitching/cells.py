"""The panorama in coarse cells: who sees each, and where in whose picture it lies.

Knows nothing about people or seams. Seams are decided per cell, and looked up per cell in pictures
that are as coarse.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from scene.arrays import Bools, Bytes, Floats, Ints
from stitching.maps import CameraMap, Maps

CELL_PX = 8
"""Side of a cell on the panorama."""
SMALL = 8
"""Pixels of a camera's picture per pixel of its coarse one."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Cells:
    """A grid of cells over the panorama; arrays over all cells are flat, row by row."""

    shape: tuple[int, int]
    """Rows and columns of cells."""
    size_px: tuple[int, int]
    """The panorama's width and height."""
    seen: Bools
    """(N, cells) which camera sees the cell's middle."""
    closeness: Maps
    """(N, cells) as in `CameraMap`, at the cell's middle."""
    grain: Maps
    """(N, cells) pixels of the camera's coarse picture per cell."""
    drawn: tuple[Maps, ...]
    """Per camera, over its coarse picture: 1 where the panorama shows it anywhere, else 0."""
    small_px: tuple[tuple[int, int], ...]
    """Rows and columns of each camera's coarse picture."""
    spots: Ints
    """(N, cells) which pixel of the flattened coarse picture the middle shows; one past the end
    where the camera does not see."""

    @property
    def count(self) -> int:
        """How many cells there are."""
        return self.shape[0] * self.shape[1]

    def look_up(self, camera: int, small: Ints, some: Ints | None = None) -> Ints:
        """Carry a coarse picture (rows, columns) to all or some cells; 0 where not seen."""
        spots = self.spots[camera] if some is None else self.spots[camera][some]
        return np.asarray(np.append(small.ravel(), np.zeros(1, small.dtype))[spots], np.int64)

    def middles(self) -> tuple[Ints, Ints]:
        """Give the row and column of each cell's middle in the panorama (cells,)."""
        y, x = _middles(self.size_px)
        rows, columns = np.meshgrid(y, x, indexing="ij")
        return rows.ravel(), columns.ravel()

    def spread(self, values: Bytes) -> Bytes:
        """Give every pixel of the panorama (H, W) its cell's value."""
        width, height = self.size_px
        grid = values.reshape(self.shape)
        return np.repeat(np.repeat(grid, CELL_PX, 0), CELL_PX, 1)[:height, :width]


def _middles(size_px: tuple[int, int]) -> tuple[Ints, Ints]:
    """Give the rows and columns of the panorama on which cells have their middles."""
    width, height = size_px
    y = np.minimum(np.arange(0, height, CELL_PX) + CELL_PX // 2, height - 1)
    x = np.minimum(np.arange(0, width, CELL_PX) + CELL_PX // 2, width - 1)
    return y, x


def cells_of(
    maps: list[CameraMap], sizes_px: list[tuple[int, int]], size_px: tuple[int, int]
) -> Cells:
    """Lay the grid over a panorama of `size_px`; `sizes_px` are the cameras' pictures."""
    y, x = _middles(size_px)
    shape = len(y), len(x)
    seen = np.zeros((len(maps), *shape), bool)
    closeness = np.zeros((len(maps), *shape), np.float32)
    grain = np.zeros((len(maps), *shape), np.float32)
    spots = np.zeros((len(maps), *shape), np.int64)
    small_px = tuple((-(-h // SMALL), -(-w // SMALL)) for w, h in sizes_px)
    for index, (camera, (rows, columns)) in enumerate(zip(maps, small_px, strict=True)):
        x0, y0, x1, y1 = camera.box
        inside = np.ix_((y >= y0) & (y < y1), (x >= x0) & (x < x1))
        place = np.ix_(y[(y >= y0) & (y < y1)] - y0, x[(x >= x0) & (x < x1)] - x0)
        seen[index][inside] = camera.seen[place]
        closeness[index][inside] = camera.closeness[place]
        grain[index][inside] = _area(camera, place)
        spots[index] = rows * columns
        row = (camera.luma_y[place] / SMALL).astype(np.int64)
        column = (camera.luma_x[place] / SMALL).astype(np.int64)
        spots[index][inside] = np.where(camera.seen[place], row * columns + column, rows * columns)
    return Cells(
        shape=shape,
        drawn=_drawn(maps, small_px),
        size_px=size_px,
        seen=seen.reshape(len(maps), -1),
        closeness=closeness.reshape(len(maps), -1),
        grain=grain.reshape(len(maps), -1),
        small_px=small_px,
        spots=spots.reshape(len(maps), -1),
    )


def _area(camera: CameraMap, place: tuple[Ints, ...]) -> Maps:
    """Give how much of a camera's coarse picture a cell round each place takes up."""
    rows, columns = place
    height, width = camera.seen.shape
    above, below = np.maximum(rows - 1, 0), np.minimum(rows + 1, height - 1)
    left, right = np.maximum(columns - 1, 0), np.minimum(columns + 1, width - 1)
    slopes = [
        (table[below, columns] - table[above, columns], table[rows, right] - table[rows, left])
        for table in (camera.luma_x, camera.luma_y)
    ]
    whole = camera.seen[above, columns] & camera.seen[below, columns]
    whole &= camera.seen[rows, left] & camera.seen[rows, right]
    (u_y, u_x), (v_y, v_x) = slopes
    area = np.abs(u_x * v_y - u_y * v_x) / 4 * (CELL_PX / SMALL) ** 2
    return np.where(whole, area, 0).astype(np.float32)


def _drawn(maps: list[CameraMap], small_px: tuple[tuple[int, int], ...]) -> tuple[Maps, ...]:
    """Tell, for each coarse picture, where the panorama shows it."""
    drawn = []
    for camera, (rows, columns) in zip(maps, small_px, strict=True):
        row = (camera.luma_y[camera.seen] / SMALL).astype(np.int64)
        spot = row * columns + (camera.luma_x[camera.seen] / SMALL).astype(np.int64)
        hits = np.bincount(spot, minlength=rows * columns).reshape(rows, columns)
        # Where the panorama is coarser than the picture, its pixels leave gaps.
        whole = cv2.morphologyEx(
            (hits > 0).astype(np.uint8), cv2.MORPH_CLOSE, np.ones((3, 3), np.uint8)
        )
        drawn.append(whole.astype(np.float32))
    return tuple(drawn)


def nearest_camera(cells: Cells, present: list[bool]) -> tuple[Ints, Floats]:
    """Give the present camera that is closest to each cell (cells,), and how close; -1 is none."""
    closeness = np.where(np.array(present)[:, None] & cells.seen, cells.closeness, 0)
    best = closeness.argmax(axis=0)
    most = closeness.max(axis=0)
    return np.where(most > 0, best, -1), np.asarray(most, float)
