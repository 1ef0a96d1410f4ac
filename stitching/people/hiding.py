"""Grey what nobody can see because somebody stands in the way of all who look there.

Knows nothing about who stands there.
"""

import cv2
import numpy as np

from scene.arrays import Bools, Bytes
from scene.messages import YuvImage
from stitching.cells import CELL_PX, Cells
from stitching.composition.backend import GREY, UNSEEN_LUMA
from stitching.composition.layer import quarter
from stitching.maps import Maps
from stitching.seams.fading import NOBODY

HALF = 0.5
CONTRAST = 0.4
"""What is left of the contrast: whoever else is there is still to be seen."""


def hide(picture: YuvImage, painter: Bytes, unseen: Bools, hidden: Bools, cells: Cells) -> None:
    """Grey the hidden cells (cells,), softly, and say so in painter and unseen; all in place."""
    grid = hidden.reshape(cells.shape).astype(np.uint8)
    # What is hidden is greyed to its edges, and beyond them softly.
    grid = np.asarray(cv2.dilate(grid, np.ones((3, 3), np.uint8)), np.uint8)
    near = cv2.dilate(grid, np.ones((5, 5), np.uint8))
    count, _, stats, _ = cv2.connectedComponentsWithStats(near)
    height, width = picture.y.shape
    for left, top, columns, rows in stats[1:count, :4].tolist():
        part = grid[top : top + rows, left : left + columns].astype(np.float32)
        soft = cv2.blur(part, (3, 3))
        x0, y0 = left * CELL_PX, top * CELL_PX
        spread = cv2.resize(soft, None, fx=CELL_PX, fy=CELL_PX, interpolation=cv2.INTER_LINEAR)
        share = np.asarray(spread[: height - y0, : width - x0], np.float32)
        box = slice(y0, y0 + share.shape[0]), slice(x0, x0 + share.shape[1])
        _grey(picture.y[box], share, UNSEEN_LUMA, CONTRAST)
        half = slice(y0 // 2, box[0].stop // 2), slice(x0 // 2, box[1].stop // 2)
        for plane in (picture.u, picture.v):
            _grey(plane[half], quarter(share), GREY, 0.0)
        gone = share >= HALF
        painter[box][gone] = NOBODY
        unseen[box] |= gone


def _grey(plane: Bytes, share: Maps, grey: int, contrast: float) -> None:
    dim = cv2.addWeighted(plane, contrast, plane, 0, grey * (1 - contrast))
    plane[:] = cv2.blendLinear(dim, np.ascontiguousarray(plane), share, 1 - share)
