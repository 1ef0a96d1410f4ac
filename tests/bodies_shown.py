"""What each camera draws of a person on the panorama, by true masks and the tables that paint it.

Knows nothing about seams or painters.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from scene.arrays import Bools, Bytes, Floats, Ints
from scene.geometry import CameraModel, project
from scene.messages import Inset
from stitching.maps import CameraMap, Maps

BINS = 10
HALF_WIDTH_M = 0.2
"""Shoulders: so far from the axis the body reaches."""
DRAWN_PX = 4
"""Cell of the camera's picture in which is kept whether the panorama shows it."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Shown:
    """What one camera draws of one person on the panorama."""

    rows: Ints
    """(N,) the panorama's pixels."""
    columns: Ints
    bins: Ints
    """(N,) which tenth of the body's axis each one shows."""
    areas: Floats
    """(N,) how much of the body each one shows, in a unit that is the same for all cameras."""
    whole: float = 1.0
    """Share of the body that lies in the camera's picture and on the panorama, hidden or not."""
    full: Floats | None = None
    """(10,) per bin, what the camera shows of the body though the panorama does not; None means
    nothing beyond `areas`."""

    def in_bins(self, some: Bools | None = None) -> Floats:
        """Add up the areas per bin (10,): of all pixels, or of `some` (N,)."""
        areas = self.areas if some is None else self.areas * some
        return np.asarray(np.bincount(self.bins, areas, minlength=BINS))


def shown_of(
    places: tuple[Ints, Ints],
    table: CameraMap,
    magnified: Maps,
    *,
    drawn: Bools,
    truly: CameraModel,
    body_m: Floats,
) -> Shown:
    """Tell what a camera draws on the panorama's surface, through the table that paints it."""
    rows, columns = places
    in_box = rows - table.box[1], columns - table.box[0]
    axis, _ = project(truly, body_m)
    pixels = np.column_stack([table.luma_x[in_box], table.luma_y[in_box]]).astype(float)
    return Shown(
        rows=rows,
        columns=columns,
        bins=along(axis, pixels),
        areas=magnified[in_box].astype(float) * per_pixel_m2(truly, body_m),
        whole=_whole(drawn, truly, body_m),
    )


def shown_in_inset(mask: Bools, inset: Inset, truly: CameraModel, body_m: Floats) -> Shown:
    """Tell what an inset draws of somebody, by their true mask (H, W) in its camera's picture.

    What it leaves out of the mask is in `full`: to be whole, somebody must be in it from head to
    foot.
    """
    found = cv2.remap(mask.astype(np.uint8), inset.luma_x, inset.luma_y, cv2.INTER_NEAREST)
    rows, columns = np.nonzero(found)
    axis, _ = project(truly, body_m)
    pixels = np.column_stack([inset.luma_x[rows, columns], inset.luma_y[rows, columns]])
    area_m2 = per_pixel_m2(truly, body_m)
    # Where its camera's picture ends, the table jumps.
    inner = cv2.erode((inset.luma_x >= 0).astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    u_y, u_x = np.gradient(inset.luma_x)
    v_y, v_x = np.gradient(inset.luma_y)
    v, u = np.nonzero(mask)
    whole_bins = along(axis, np.column_stack([u, v]).astype(float))
    return Shown(
        rows=rows + inset.corner_px[1],
        columns=columns + inset.corner_px[0],
        bins=along(axis, pixels.astype(float)),
        areas=(np.abs(u_x * v_y - u_y * v_x) * inner)[rows, columns].astype(float) * area_m2,
        full=np.asarray(np.bincount(whole_bins, minlength=BINS) * area_m2, float),
        whole=pictured(truly, body_m),
    )


def pictured(truly: CameraModel, body_m: Floats) -> float:
    """Tell which share of a body, (P, 3) points of its axis, lies in a camera's picture."""
    _, inside = project(truly, _round(body_m))
    return float(inside.mean())


def _round(body_m: Floats) -> Floats:
    sides = HALF_WIDTH_M * np.array([[0, 0, 0], [1, 0, 0], [-1, 0, 0], [0, 1, 0], [0, -1, 0]])
    return (body_m[:, None] + sides).reshape(-1, 3)


def per_pixel_m2(truly: CameraModel, body_m: Floats) -> float:
    """Give how much of a body one pixel of a camera's picture shows."""
    depth_m = float(np.linalg.norm(body_m.mean(axis=0) - truly.centre_m))
    return float((depth_m / truly.k[0, 0]) ** 2)


def along(axis: Floats, pixels: Floats) -> Ints:
    """Tell in which tenth of a body's axis (P, 2), in a picture, each of (N, 2) pixels lies."""
    ahead = axis[-1] - axis[0]
    length = float(ahead @ ahead)
    if length < 1.0:
        return np.zeros(len(pixels), np.int64)
    passed = (axis - axis[0]) @ ahead / length
    order = np.argsort(passed, kind="stable")
    share = np.interp(
        (pixels - axis[0]) @ ahead / length, passed[order], np.linspace(0, 1, len(axis))[order]
    )
    return np.asarray(np.minimum(share * BINS, BINS - 1), np.int64)


def _whole(drawn: Bools, truly: CameraModel, body_m: Floats) -> float:
    """Tell which share of a body, (P, 3) points of its axis, a camera's part of the panorama has.

    Nothing is known here of what stands in front.
    """
    pixels, inside = project(truly, _round(body_m))
    rows, columns = drawn.shape
    column = np.clip(np.nan_to_num(pixels[:, 0]) / DRAWN_PX, 0, columns - 1).astype(int)
    row = np.clip(np.nan_to_num(pixels[:, 1]) / DRAWN_PX, 0, rows - 1).astype(int)
    return float((inside & drawn[row, column]).mean())


def drawn_by(table: CameraMap, size_px: tuple[int, int]) -> Bools:
    """Tell which cells of a camera's picture the panorama shows anywhere."""
    width, height = size_px
    drawn = np.zeros((-(-height // DRAWN_PX), -(-width // DRAWN_PX)), np.uint8)
    row = (table.luma_y[table.seen] / DRAWN_PX).astype(int)
    column = (table.luma_x[table.seen] / DRAWN_PX).astype(int)
    drawn[row, column] = 1
    # Where the panorama is coarser than the picture, cells between its pixels are drawn, too.
    return np.asarray(cv2.morphologyEx(drawn, cv2.MORPH_CLOSE, np.ones((9, 9), np.uint8)) > 0)


def magnified(table: CameraMap) -> Maps:
    """Give how many pixels of the camera's picture lie in each panorama pixel of its box."""
    u_y, u_x = np.gradient(table.luma_x)
    v_y, v_x = np.gradient(table.luma_y)
    inner = cv2.erode(table.seen.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    return np.where(inner, np.abs(u_x * v_y - u_y * v_x), 0).astype(np.float32)


def lookers(tables: list[CameraMap], size_px: tuple[int, int]) -> Bytes:
    """Count the cameras that see each panorama pixel, (H, W)."""
    count = np.zeros(size_px[::-1], np.uint8)
    for table in tables:
        x0, y0, x1, y1 = table.box
        count[y0:y1, x0:x1] += table.seen
    return count


def carried(mask: Bools, table: CameraMap) -> tuple[Ints, Ints]:
    """Carry a camera's mask (H, W) to the panorama, through the table that paints it.

    Gives the rows and columns (N,) of its pixels there.
    """
    found = cv2.remap(mask.astype(np.uint8), table.luma_x, table.luma_y, cv2.INTER_NEAREST)
    rows, columns = np.nonzero((found > 0) & table.seen)
    return rows + table.box[1], columns + table.box[0]
