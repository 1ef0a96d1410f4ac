"""How the panorama is painted by the cameras that are present, as seams move.

Knows nothing about where people or pictures come from.
"""

from collections.abc import Sequence

import cv2
import numpy as np

from scene.arrays import Bools, Bytes, Ints, read_only
from stitching.cells import CELL_PX, Cells, nearest_camera
from stitching.composition.backend import Backend, Box, Recipe
from stitching.maps import CameraMap
from stitching.people.bodies import Bodies
from stitching.seams.clearing import Clearing
from stitching.seams.fading import NOBODY, Fading, mid_overlap, painter_of
from stitching.seams.labels import Seams

STRIP_CELLS = 8
"""Height of the strips in which what has changed is painted anew."""


class Painting:
    """Labels, weights and recipe for one set of present cameras."""

    def __init__(
        self,
        maps: list[CameraMap],
        cells: Cells,
        fading: Fading,
        backend: Backend,
        *,
        present: Sequence[bool],
        stale: Sequence[bool],
        upright: bool = False,
    ) -> None:
        """Paint with the `present` cameras; `stale` ones fill what is left with an old picture.

        With `upright`, people are drawn over it later, and nobody's shadow is painted.
        """
        self._maps, self._cells, self._fading = maps, cells, fading
        self._present = list(present)
        self._nearest, _ = nearest_camera(cells, self._present)
        lay = Clearing if upright else Seams
        self.seams: Seams | Clearing = lay(cells, self._nearest, self._present)
        self._nearest_px = mid_overlap(maps, self._present, cells.size_px)
        self._labels = self._nearest_px.copy()
        self._weights = fading.weights(self._present, self._labels)
        whole = (0, 0, *cells.size_px)
        self.painter = read_only(painter_of(maps, self._weights, cells.size_px, whole))
        """(H, W) as in `Panorama`; a new array whenever it changes."""
        self.unseen: Bools = read_only(np.asarray(self._nearest_px == NOBODY))
        """(H, W)."""
        self.stale = self._filled(stale)
        """By stale camera, what it fills: the middle of its largest part, x and y, and how large
        that is."""
        self.recipe: Recipe = backend.recipe(self._weights)

    @property
    def hidden(self) -> Bools:
        """(cells,) where the painter draws somebody who is shown over it."""
        seams = self.seams
        nowhere: Bools = np.zeros(self._cells.count, bool)
        return seams.hidden if isinstance(seams, Clearing) else nowhere

    def rebase(self, base: Ints) -> None:
        """Take over other seams without people: labels (cells,)."""
        self.seams.rebase(base)
        self._repaint(np.ones(self._cells.count, bool))

    def follow(self, bodies: Bodies, at_ns: int, shown: int = 0) -> None:
        """Move seams off people, if they must; `shown` has the bits of those drawn over it."""
        seams = self.seams
        if isinstance(seams, Clearing):
            changed = seams.update(bodies, at_ns, shown)
        else:
            changed = seams.update(bodies, at_ns)
        if changed.any():
            self._repaint(changed)

    def _repaint(self, changed: Bools) -> None:
        """Bring labels, weights, painters and recipe up to date round changed cells (cells,)."""
        boxes = self._boxes(changed)
        painter = self.painter.copy()
        for x0, y0, x1, y1 in boxes:
            self._labels[y0:y1, x0:x1] = self._spread(self.seams.labels, (x0, y0, x1, y1))
        for box in boxes:
            x0, y0, x1, y1 = box
            self._fading.refresh(self._weights, self._present, self._labels, box)
            painter[y0:y1, x0:x1] = painter_of(self._maps, self._weights, self._cells.size_px, box)
        painter[self.unseen] = NOBODY
        self.painter = read_only(painter)
        self.recipe = self.recipe.moved(self._weights, boxes)

    def _boxes(self, changed: Bools) -> list[Box]:
        """Give even rectangles of the panorama round the changed cells, fading and all.

        They lie in strips, one above the other, as seams run slantwise: less is painted anew.
        """
        grid = changed.reshape(self._cells.shape).astype(np.uint8)
        reach = -(-self._fading.blend_px // 2 // CELL_PX) + 1
        near = cv2.dilate(grid, np.ones((2 * reach + 1,) * 2, np.uint8)) > 0
        width, height = self._cells.size_px
        boxes = []
        for top in range(0, len(near), STRIP_CELLS):
            ends = np.diff(near[top : top + STRIP_CELLS].any(axis=0), prepend=False, append=False)
            lefts, rights = np.flatnonzero(ends).reshape(-1, 2).T.tolist()
            boxes += [
                (
                    left * CELL_PX,
                    top * CELL_PX,
                    min(right * CELL_PX, width),
                    min((top + STRIP_CELLS) * CELL_PX, height),
                )
                for left, right in zip(lefts, rights, strict=True)
            ]
        return boxes

    def _spread(self, labels: Ints, box: Box) -> Bytes:
        """Give each pixel of a box its cell's label, or the nearest camera that sees it."""
        x0, y0, x1, y1 = box
        rows, columns = self._cells.shape
        part = slice(y0 // CELL_PX, -(-y1 // CELL_PX)), slice(x0 // CELL_PX, -(-x1 // CELL_PX))
        some = labels.reshape(rows, columns)[part]
        moved = some != self._nearest.reshape(rows, columns)[part]
        cells = np.where(moved & (some >= 0), some, NOBODY).astype(np.uint8)
        spread = cv2.resize(cells, None, fx=CELL_PX, fy=CELL_PX, interpolation=cv2.INTER_NEAREST)
        spread = np.asarray(spread[: y1 - y0, : x1 - x0], np.uint8)
        found = self._nearest_px[y0:y1, x0:x1].copy()
        for index, camera in enumerate(self._maps):
            a, b = max(x0, camera.box[0]), min(x1, camera.box[2])
            if a >= b or not self._present[index]:
                continue
            seen = camera.seen[
                y0 - camera.box[1] : y1 - camera.box[1], a - camera.box[0] : b - camera.box[0]
            ]
            here = slice(a - x0, b - x0)
            found[:, here][(spread[:, here] == index) & seen] = index
        return found

    def _filled(self, stale: Sequence[bool]) -> dict[int, tuple[int, int, int]]:
        """Give stale cameras full weight where no present one looks."""
        if not any(stale):
            return {}
        labels = mid_overlap(self._maps, list(stale), self._cells.size_px)
        found = {}
        for index, camera in enumerate(self._maps):
            if not stale[index]:
                continue
            x0, y0, x1, y1 = camera.box
            mine: Bytes = ((labels == index) & self.unseen).astype(np.uint8)
            self._weights[index] = mine[y0:y1, x0:x1].astype(np.float32)
            count, _, stats, middles = cv2.connectedComponentsWithStats(mine)
            if count > 1:
                largest = 1 + int(stats[1:, cv2.CC_STAT_AREA].argmax())
                x, y = middles[largest]
                found[index] = int(x), int(y), int(stats[largest, cv2.CC_STAT_WIDTH])
        return found
