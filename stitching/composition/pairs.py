"""Look up two planes of a camera at once: to OpenCV, four channels are hardly more work than one.

Knows nothing about gains, seams or who paints where. Only what a patch looks at is put side by
side: this reads it straight through, so that it lies in the cache when it is looked up.
"""

import cv2
import numpy as np

from scene.arrays import Bytes
from stitching.composition.areas import Area
from stitching.composition.positions import MOST_AHEAD, STRIP_PX, WIDEST_PX, Table

CHANNELS = 4
"""Both planes, twice: OpenCV's look-up of two channels takes longer than that of four."""


class Pairs:
    """Room for the look-up of one patch, written anew for every patch so that it stays in cache."""

    def __init__(self) -> None:
        most = STRIP_PX * WIDEST_PX
        # An odd byte at the start: OpenCV writes to aligned memory past the cache, which makes the
        # look-up that follows wait for it. Where it does not, nothing is lost.
        self._given = np.empty(MOST_AHEAD * most * CHANNELS + 1, np.uint8)[1:]
        self._found = np.empty(most * CHANNELS, np.uint8)
        self._apart = [np.empty(most + odd, np.uint8)[odd:] for odd in range(CHANNELS)]

    def look_up(
        self, one: Bytes, other: Bytes, reach: Area, table: Table, border: int
    ) -> tuple[Bytes, Bytes]:
        """Give what both planes (H, W) show at the positions of a table (rows, columns).

        Positions are counted from the corner of `reach`, which holds all that are inside the
        planes; `border` is what lies round them. What is given is good until the next look-up.
        """
        one, other = one[reach], other[reach]
        given = self._given[: one.size * CHANNELS].reshape(*one.shape, CHANNELS)
        cv2.merge([one, other, one, other], given)
        rows, columns = table[0].shape[:2]
        found = self._found[: rows * columns * CHANNELS].reshape(rows, columns, CHANNELS)
        round_it = (border,) * CHANNELS
        cv2.remap(given, *table, cv2.INTER_LINEAR, found, cv2.BORDER_CONSTANT, round_it)
        apart = [room[: rows * columns].reshape(rows, columns) for room in self._apart]
        cv2.split(found, apart)
        return apart[0], apart[1]
