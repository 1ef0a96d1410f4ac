"""Measures what a camera's picture still shows of what it used to: how much detail, how much light.

Knows nothing about time, files or alarms. A picture is judged cell by cell by its relative
contrast, the root mean square of a band-passed logarithm of luma: more or less light of the same
kind leaves it as it is, while a veil, a cover or blur takes it away. What somebody or a machine
stands before has contrast of its own, and a lamp that sweeps by changes few cells: shares and
medians over the picture hardly know of them.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from scene.arrays import Bools, Bytes, Floats

CELLS = (16, 9)
FINE_PX, COARSE_PX = (320, 180), (160, 90)
"""Pictures are shrunk to these. Blur shows in the fine one; a sensor's noise, which may look like
detail when a lens is covered, is gone from the coarse one: the lesser of the two counts."""
FINE_BAND_PX, COARSE_BAND_PX = (0.6, 1.5), (0.8, 4.0)
"""Between these two blurs lies the detail that counts."""
LEAST_DETAIL = (0.015, 0.025)
"""Fine and coarse: a cell with less than this shows nothing."""
BLACK, OFFSET = 16, 16
"""Luma of black in video, and what is added to keep noise in the dark from counting as detail."""
GONE = 0.3
"""A cell with less than this share of its usual detail is gone. Measured: with the median cell here
the shipped model misses about a tenth of people through dust, four tenths through blur."""
FEWEST_KNOWN = 12
"""Of 144 cells: with fewer to compare nothing can be said."""
WHITE = 225
"""Luma of a cell that is blinded."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class View:
    """What one picture shows."""

    detail: Floats
    """(2, 9, 16) relative contrast, fine and coarse."""
    light: Floats
    """(9, 16) mean luma above black, grey levels as coded (gamma included)."""
    brightest: float
    """Luma of the brightest hundredth."""

    @property
    def shows(self) -> float:
        """Tell the share of cells that show anything at all."""
        return float((self.detail[1] >= LEAST_DETAIL[1]).mean())


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Usual:
    """What a camera's picture usually shows, as `View` has it."""

    detail: Floats
    light: Floats

    @property
    def known(self) -> Bools:
        """Tell (9, 16) which cells usually show something, and so can be missed."""
        return np.asarray((self.detail >= np.reshape(LEAST_DETAIL, (2, 1, 1))).all(axis=0))

    @property
    def tells(self) -> bool:
        """Whether there is enough in it to hold a picture against."""
        return int(self.known.sum()) >= FEWEST_KNOWN


@dataclass(frozen=True, slots=True, kw_only=True)
class Left:
    """What is left of the usual view; 1 is all of it."""

    gone: float
    """Share of cells that show nothing any more of what they usually show."""
    detail: float
    """The detail that the median cell has left."""
    light: float
    """The light that the worst quarter of the cells that are not gone has left, at most."""
    gone_luma: float
    """Luma of what is gone, its median cell; black is 16. 255 when nothing is."""
    gone_cells: frozenset[tuple[int, int]] = frozenset()
    """Which cells are gone, (row, column) of `CELLS` over the picture."""


def view_of(luma: Bytes) -> View:
    """Measure an (H, W) luma of any size."""
    fine = _shrunk(luma, FINE_PX)
    coarse = _shrunk(fine, COARSE_PX)
    lit = np.maximum(coarse.astype(np.float32) - BLACK, 0)
    return View(
        detail=np.stack([_detail(fine, FINE_BAND_PX), _detail(coarse, COARSE_BAND_PX)]),
        light=_cells(lit),
        brightest=float(np.percentile(coarse, 99)),
    )


def left_of(usual: Usual, view: View) -> Left:
    """Hold a view against the usual one, which must tell something."""
    known = usual.known
    kept = (view.detail / np.maximum(usual.detail, 1e-6)).min(axis=0)[known]
    gone = kept < GONE
    rows, columns = np.nonzero(known)
    # A cell that is usually black has no light to lose, and one that is covered says nothing of it.
    lit = known & (usual.light >= 4)
    lit[known] &= ~gone
    light = view.light[lit] / usual.light[lit]
    return Left(
        gone=float(gone.mean()),
        detail=float(np.median(kept)),
        light=float(np.quantile(light, 0.25)) if light.size else 1.0,
        gone_luma=float(np.median(view.light[known][gone])) + BLACK if gone.any() else 255.0,
        gone_cells=frozenset(zip(rows[gone].tolist(), columns[gone].tolist(), strict=True)),
    )


def mean_view(usual: Usual | None, view: View, share: float) -> Usual:
    """Mix a share of a view into the usual one; all of it when there is none yet."""
    if usual is None:
        return Usual(detail=view.detail, light=view.light)
    return Usual(
        detail=usual.detail + share * (view.detail - usual.detail),
        light=usual.light + share * (view.light - usual.light),
    )


def _detail(picture: Bytes, band_px: tuple[float, float]) -> Floats:
    logarithm = cv2.LUT(picture, LOGARITHM)
    inner, outer = (cv2.GaussianBlur(logarithm, (0, 0), sigma) for sigma in band_px)
    band = np.asarray(cv2.subtract(inner, outer), np.float32)
    return np.asarray(np.sqrt(_cells(band * band)))


def _cells(values: NDArray[np.float32]) -> Floats:
    """Average (H, W) values over cells."""
    return np.asarray(cv2.resize(values, CELLS, interpolation=cv2.INTER_AREA), float)


def _shrunk(luma: Bytes, size_px: tuple[int, int]) -> Bytes:
    return np.asarray(cv2.resize(luma, size_px, interpolation=cv2.INTER_AREA), np.uint8)


LOGARITHM = np.log(np.maximum(np.arange(256) - BLACK, 0) + OFFSET).astype(np.float32)
