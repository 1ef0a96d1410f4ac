"""When to look for better seams, a small step per panorama, and whether to take what was found.

Knows nothing about how seams are weighed or painted.
"""

from collections.abc import Iterator

import numpy as np

from scene.arrays import Bytes, Ints
from stitching.cells import Cells
from stitching.exposure import GainMaps
from stitching.maps import CameraMap
from stitching.seams.base import Agreement, BaseSeams

AFTER_LOOKS = 2, 8, 40
"""Seams are searched after so many looks at the pictures, and then after every `AGAIN` more."""
AGAIN = 160
CHEAPER = 0.9
"""New seams must cost so much less: else they stay where people know them."""


class SeamSearch:
    """Searches seams for the time when all cameras are there."""

    def __init__(self, cells: Cells, maps: list[CameraMap]) -> None:
        self._cells, self._agreement = cells, Agreement(cells, maps)
        self._running: Iterator[Ints | None] | None = None

    def look(self, lumas: dict[int, Bytes], gains: list[GainMaps], base: Ints) -> None:
        """Take in one instant's lumas (H, W), by camera index; now and then, begin a search.

        `base` (cells,) are the labels to be bettered.
        """
        if not len(self._agreement.cells):
            return
        self._agreement.look(lumas, gains)
        looks = self._agreement.looks
        if looks in AFTER_LOOKS or looks % AGAIN == 0:
            self._running = self._searched(base)

    def step(self) -> Ints | None:
        """Go on with a search; gives new labels (cells,) at its end, if they are clearly better."""
        found = next(self._running, None) if self._running is not None else None
        if found is not None:
            self._running = None
        return found

    def _searched(self, base: Ints) -> Iterator[Ints | None]:
        seams = BaseSeams(self._cells, self._agreement, [True] * len(self._cells.seen))
        found = base
        for labels in seams.steps(base):
            found = labels
            yield None
        if seams.energy(found) < CHEAPER * seams.energy(base) and not np.array_equal(found, base):
            yield found
